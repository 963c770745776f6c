//! Every GraphQL document in this repository fits the schema.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextExecute};
use async_graphql::futures_util::StreamExt as _;
use async_graphql::{Request, Response};

const FOLDERS: [&str; 4] = ["agent", "cli", "dataplane/link", "controlplane/console"];

/// Parses and validates like any schema, but runs nothing.
struct NothingRuns;

impl ExtensionFactory for NothingRuns {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(NothingRuns)
    }
}

#[async_graphql::async_trait::async_trait]
impl Extension for NothingRuns {
    async fn execute(
        &self,
        _: &ExtensionContext<'_>,
        _: Option<&str>,
        _: NextExecute<'_>,
    ) -> Response {
        Response::default()
    }
}

#[tokio::test]
async fn every_document_fits_the_schema() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut documents = Vec::new();
    for folder in FOLDERS {
        find(&root.join(folder), &mut documents);
    }
    assert!(!documents.is_empty(), "no document found below {}", root.display());
    let mut faults = Vec::new();
    for path in documents {
        let text = fs::read_to_string(&path).expect("a readable document");
        faults.extend(check(&text).await.map(|fault| format!("{}: {fault}", path.display())));
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[tokio::test]
async fn the_check_finds_faults() {
    for text in [
        "query A { machine(id: 1) { nosuch } }",
        "mutation A { machineUpdate(id: 1, input: { colour: 1 }) { machine { id } } }",
        "subscription A { machineChanges(before: 1) { sequence } }",
        "query A {",
    ] {
        assert!(check(text).await.is_some(), "{text}");
    }
    assert_eq!(check("query A($id: ID!) { machine(id: $id) { id } }").await, None);
}

/// The first fault of a document. All of its operations are looked at, whichever would run.
async fn check(text: &str) -> Option<String> {
    let schema = ironherd_api::builder().extension(NothingRuns).finish();
    let mut request = Request::new(text);
    let document = match request.parsed_query() {
        Ok(document) => document.clone(),
        Err(error) => return Some(error.message),
    };
    let name = document.operations.iter().find_map(|(name, _)| name.cloned());
    request.operation_name = name.map(|name| name.to_string());
    let answer = schema.execute_stream(request).next().await.unwrap_or_default();
    // A subscription is begun in spite of the extension, and finds that nobody is logged in.
    let fault = answer.errors.first().filter(|error| error.path.is_empty());
    fault.map(|error| error.message.clone())
}

fn find(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.expect("a readable folder").path()) {
        if path.is_dir() {
            if path.file_name().is_none_or(|name| name != "target" && name != "node_modules") {
                find(&path, found);
            }
        } else if path.extension().is_some_and(|it| it == "graphql") {
            found.push(path);
        }
    }
}
