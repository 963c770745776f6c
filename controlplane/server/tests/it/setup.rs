//! The setup link works once, and only while there is nobody.

use ironherd_app::App;
use reqwest::Method;
use serde_json::json;
use tokio::sync::watch;

use crate::harness::{Region, client, json_of};

#[tokio::test]
async fn the_setup_token_works_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let app = App::open(folder.path(), None).await.expect("the app opens");
    let token = app.setup_token_issue().await.expect("a token").expect("nobody is there yet");
    let (_stop, stopping) = watch::channel(false);
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", socket.local_addr().expect("an address"));
    let router = ironherd_region::router(app.clone(), stopping);
    tokio::spawn(async move { axum::serve(socket, router).await });
    let client = client();
    let redeem =
        |token: &str| client.post(format!("{url}/setup")).json(&json!({ "token": token })).send();
    let forged = redeem("ihs_nosuch").await.expect("an answer");
    assert_eq!(forged.status(), 403);
    let first = redeem(token.expose()).await.expect("an answer");
    assert_eq!(first.status(), 200);
    let admin = json_of(first).await["token"].as_str().expect("a token").to_owned();
    let again = redeem(token.expose()).await.expect("an answer");
    assert_eq!(again.status(), 403);
    assert!(json_of(again).await["message"].is_string());
    let body = json!({ "query": "{ viewer { kind } }" });
    let viewer = client.post(format!("{url}/graphql")).bearer_auth(admin).json(&body);
    assert_eq!(viewer.send().await.expect("an answer").status(), 200);
    assert!(app.setup_token_issue().await.expect("a look").is_none());
}

#[tokio::test]
async fn a_link_that_is_merely_looked_at_uses_nothing_up() {
    let region = Region::new().await;
    let looked = region.request(Method::GET, "/setup").send().await.expect("an answer");
    assert_eq!(looked.status(), 405);
}
