//! The schema as clients see it.

use std::fs;
use std::path::Path;

use async_graphql::{Request, Value};
use ironherd_api::{Caller, Schema};
use ironherd_app::Actor;
use ironherd_domain::TokenId;

fn schema() -> Schema {
    ironherd_api::builder().finish()
}

#[test]
fn the_committed_schema_is_the_one_in_use() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema.graphql");
    let current = ironherd_api::sdl();
    if std::env::var_os("IRONHERD_BLESS").is_some() {
        fs::write(&path, &current).expect("schema.graphql can be written");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == current,
        "{} is out of date; IRONHERD_BLESS=1 cargo test -p ironherd-api writes it",
        path.display()
    );
}

#[tokio::test]
async fn everything_is_described() {
    const QUERY: &str = "{ __schema { types {
        name description
        fields(includeDeprecated: true) { name description args { name description } }
        inputFields { name description }
        enumValues(includeDeprecated: true) { name description }
    } } }";
    let answer = schema().execute(QUERY).await.into_result().expect("introspection works");
    let answer = answer.data.into_json().expect("JSON");
    let mut bare = Vec::new();
    for kind in answer["__schema"]["types"].as_array().expect("types") {
        let name = kind["name"].as_str().expect("a name");
        // Not ours: the introspection's own, GraphQL's scalar, and the library's pages.
        if !name.starts_with("__") && name != "ID" && !name.ends_with("Connection") {
            undescribed(name, kind, &mut bare);
        }
    }
    assert!(bare.is_empty(), "without a description: {bare:#?}");
}

/// Collects the paths of everything below `it` that has no description.
fn undescribed(path: &str, it: &serde_json::Value, bare: &mut Vec<String>) {
    if it["description"].as_str().is_none_or(str::is_empty) {
        bare.push(path.to_owned());
    }
    for list in ["fields", "args", "inputFields", "enumValues"] {
        for member in it[list].as_array().into_iter().flatten() {
            let name = member["name"].as_str().unwrap_or_default();
            undescribed(&format!("{path}.{name}"), member, bare);
        }
    }
}

#[tokio::test]
async fn the_introspection_of_common_tools_is_not_too_deep() {
    let of_type = "kind name ofType { ".repeat(9) + "kind name" + &" }".repeat(9);
    let query =
        format!("{{ __schema {{ types {{ fields {{ args {{ type {{ {of_type} }} }} }} }} }} }}");
    let answer = schema().execute(query).await;
    assert!(answer.errors.is_empty(), "{:?}", answer.errors);
    assert_ne!(answer.data, Value::Null);
}

#[tokio::test]
async fn too_much_at_once_is_refused_before_it_runs() {
    let deep = format!(
        "{{ machines {{ nodes {{ {} id {} }} }} }}",
        "operation { machine { ".repeat(9),
        "} } ".repeat(9)
    );
    let wide = "{ machines(first: 500) { nodes { operation { machine { a: actions b: actions
        c: actions d: actions operation { steps { name startedAt } } } } } }
        more: machines(first: 500) { nodes { id } } }";
    let costly = format!(
        "{{ {} }}",
        (0..15).fold(String::new(), |text, at| {
            text + &format!(
                "a{at}: machines(first: 500) {{ nodes {{
            id hostname state stateSince waitReason deadline failure owner architecture firmware
            address macAddresses generation kernelArgs actions bootStage bootStageSince }} }} "
            )
        })
    );
    let message = |text: &str| {
        let query = text.to_owned();
        // Known, and yet stopped by what it may do: there is no region behind this schema.
        let rack = Actor::Rack { token: TokenId::new(), name: "rack-1".to_owned() };
        let request = Request::new(query).data(Caller(Some(rack)));
        async { schema().execute(request).await.errors.remove(0).message }
    };
    assert_eq!(message(&deep).await, "Query is nested too deep.");
    assert_ne!(message(wide).await, "Query is too complex.", "this much is fine");
    assert_eq!(message(&costly).await, "Query is too complex.");
}
