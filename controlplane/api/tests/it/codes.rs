//! What a command can refuse, the schema can say.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::harness::Region;

/// A code that the schema does not declare would reach clients as an error of the field. The
/// commands say in their comments what they refuse: each must be a value of the mutation's enum.
#[tokio::test]
async fn every_documented_refusal_is_a_code_of_its_mutation() {
    let declared = declared().await;
    let documented = documented();
    let mut missing = Vec::new();
    for (mutation, codes) in &declared {
        for code in documented.get(&snake(mutation)).into_iter().flatten() {
            if !codes.contains(code) {
                missing.push(format!("{mutation}: {code}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    let compared = declared.keys().filter(|it| documented.contains_key(&snake(it))).count();
    assert!(20 < compared, "the comments are no longer found: {compared}");
}

async fn declared() -> BTreeMap<String, BTreeSet<String>> {
    const QUERY: &str = "{ __schema { mutationType { fields { name type { ofType { fields {
        name type { ofType { ofType { ofType { fields {
            name type { ofType { enumValues { name } } } } } } } } } } } } } } }";
    let region = Region::new().await;
    let data = region.ask(&region.admin, QUERY, json!({})).await;
    let fields = data["__schema"]["mutationType"]["fields"].as_array().expect("fields").clone();
    let codes = |field: &Value| -> Option<BTreeSet<String>> {
        let payload = field["type"]["ofType"]["fields"].as_array()?;
        let errors = payload.iter().find(|it| it["name"] == "userErrors")?;
        let error = errors["type"]["ofType"]["ofType"]["ofType"]["fields"].as_array()?;
        let code = error.iter().find(|it| it["name"] == "code")?;
        let values = code["type"]["ofType"]["enumValues"].as_array()?;
        Some(values.iter().filter_map(|it| it["name"].as_str().map(str::to_owned)).collect())
    };
    let name = |field: &Value| field["name"].as_str().expect("a name").to_owned();
    fields.iter().map(|it| (name(it), codes(it).expect("a code"))).collect()
}

/// The codes after "Refusals:" in the comment of each public function of the app.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../app/src");
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("the app's source") {
        let path = entry.expect("a readable folder").path();
        if !path.is_file() {
            continue;
        }
        let text = fs::read_to_string(path).expect("a readable file");
        let mut comment = String::new();
        for line in text.lines().map(str::trim) {
            if let Some(said) = line.strip_prefix("///") {
                comment += said;
            } else if let Some(rest) = line.strip_prefix("pub async fn ") {
                let name = rest.split('(').next().unwrap_or_default().to_owned();
                found.insert(name, codes(&comment));
                comment.clear();
            } else if !line.starts_with('#') {
                comment.clear();
            }
        }
    }
    found
}

fn codes(comment: &str) -> BTreeSet<String> {
    let (_, refusals) = comment.split_once("Refusals:").unwrap_or_default();
    let quoted = refusals.split('`').skip(1).step_by(2);
    let code = |it: &&str| it.bytes().all(|it| matches!(it, b'A'..=b'Z' | b'0'..=b'9' | b'_'));
    quoted.filter(code).map(str::to_owned).collect()
}

fn snake(camel: &str) -> String {
    camel.chars().fold(String::new(), |mut text, letter| {
        if letter.is_ascii_uppercase() {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
        text
    })
}
