//! Tokens: each is good for what it is for, as long and as often as it should be.

use serde_json::json;

use crate::harness::{Region, text};

#[tokio::test]
async fn a_boot_token_works_once() {
    let region = Region::new().await;
    let token = region.boot_token(None).await;
    let hello = region.hello_with(&token).await;
    assert_eq!(hello["task"], "ENLIST");
    assert!(hello["sessionToken"].is_string() && hello["machineId"].is_null());
    let again = region.hello_with(&token).await;
    assert_eq!(again["userErrors"], json!([{ "code": "TOKEN_USED" }]));
    assert!(again["sessionToken"].is_null());
}

#[tokio::test]
async fn a_forged_boot_token_is_refused() {
    let region = Region::new().await;
    let token = region.boot_token(None).await;
    let last = if token.ends_with('0') { "1" } else { "0" };
    let forged = format!("{}{last}", &token[..token.len() - 1]);
    for token in [forged.as_str(), "", "enlist", "enlist.0.00.00", "a.b.c.d"] {
        let hello = region.hello_with(token).await;
        assert_eq!(hello["userErrors"], json!([{ "code": "TOKEN_INVALID" }]), "{token}");
    }
}

#[tokio::test]
async fn a_boot_token_ends_with_its_attempt() {
    const COMMISSION: &str = "mutation($id: ID!) { machineCommission(id: $id) {
        operation { id } userErrors { code } } }";
    const ABORT: &str = "mutation($id: ID!) { machineAbort(id: $id) { userErrors { code } } }";
    let region = Region::new().await;
    region.ephemeral().await;
    let id = region.machine("node-1", "52:54:00:77:00:10").await;
    let early = region.boot_token(Some(&id)).await;
    region.done(&region.admin, COMMISSION, json!({ "id": id })).await;
    let first = region.boot_token(Some(&id)).await;
    region.done(&region.admin, ABORT, json!({ "id": id })).await;
    for token in [early, first] {
        let hello = region.hello_with(&token).await;
        assert_eq!(hello["sessionToken"], json!(null));
        let code = text(&hello["userErrors"][0]["code"]);
        assert!(code == "TOKEN_STALE" || code == "TOKEN_INVALID", "{code}");
    }
}

#[tokio::test]
async fn a_user_token_ends_when_it_is_taken_back() {
    const MAKE: &str = "mutation { userTokenCreate(input: { name: \"robot\" }) {
        userToken { id name } token userErrors { code } } }";
    const DELETE: &str = "mutation($id: ID!) { userTokenDelete(id: $id) {
        userTokenId userErrors { code } } }";
    let region = Region::new().await;
    let made = region.done(&region.admin, MAKE, json!({})).await;
    let token = text(&made["token"]);
    let robot = region.app.actor(&token).await.expect("the token is known");
    let viewer = region.ask(&robot, "{ viewer { name kind } }", json!({})).await;
    assert_eq!(viewer["viewer"], json!({ "name": "robot", "kind": "USER" }));
    let listed = region.ask(&robot, "{ userTokens { nodes { name } } }", json!({})).await;
    let names = listed["userTokens"]["nodes"].as_array().expect("nodes");
    assert!(names.contains(&json!({ "name": "robot" })), "{names:?}");
    region.done(&region.admin, DELETE, json!({ "id": made["userToken"]["id"] })).await;
    assert!(region.app.actor(&token).await.is_err());
}
