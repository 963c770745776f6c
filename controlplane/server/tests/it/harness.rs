//! A region that answers on a port of its own.

use std::net::SocketAddr;

use ironherd_app::App;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;

pub(crate) const IMAGE: &[u8] = b"image\n";
/// SHA-256 of [`IMAGE`].
pub(crate) const IMAGE_SHA256: &str =
    "254eddf15d9534e3b20c55469077aa2f24f167aa4b897a36381d3e251e4829c2";

pub(crate) struct Region {
    pub(crate) address: SocketAddr,
    pub(crate) admin: String,
    pub(crate) rack: String,
    client: Client,
    pub(crate) stop: watch::Sender<bool>,
    _folder: TempDir,
}

impl Region {
    pub(crate) async fn new() -> Region {
        let folder = tempfile::tempdir().expect("a folder");
        let app = App::open(folder.path(), None).await.expect("the app opens");
        let admin = app.admin_create("tester").await.expect("an admin").text.expose().to_owned();
        let rack = app.rack_token_ensure().await.expect("a rack token").expose().to_owned();
        let (stop, stopping) = watch::channel(false);
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = socket.local_addr().expect("an address");
        let router = ironherd_region::router(app, stopping);
        tokio::spawn(async move { axum::serve(socket, router).await });
        let client = client();
        Region { address, admin, rack, client, stop, _folder: folder }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.address))
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    pub(crate) fn post(&self, body: &Value) -> RequestBuilder {
        self.request(Method::POST, "/graphql").json(body)
    }

    /// Runs a document as the administrator, and gives its data.
    pub(crate) async fn ask(&self, query: &str, variables: Value) -> Value {
        let body = json!({ "query": query, "variables": variables });
        let response = self.post(&body).bearer_auth(&self.admin).send().await.expect("an answer");
        let mut answer = json_of(response).await;
        assert!(answer["errors"].is_null(), "{answer}");
        answer["data"].take()
    }

    /// Makes a machine known, and gives its id.
    pub(crate) async fn machine(&self, hostname: &str, mac: &str) -> String {
        const CREATE: &str = "mutation($input: MachineCreateInput!) {
            machineCreate(input: $input) { machine { id } userErrors { code message } } }";
        let input = json!({ "input": { "hostname": hostname, "macAddresses": [mac] } });
        let data = self.ask(CREATE, input).await;
        data["machineCreate"]["machine"]["id"].as_str().expect("an id").to_owned()
    }
}

/// A client whose TLS, unused here, has its provider of cryptography.
pub(crate) fn client() -> Client {
    // An error says that another test of this process was first.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Client::new()
}

pub(crate) async fn json_of(response: Response) -> Value {
    let bytes = response.bytes().await.expect("a body");
    serde_json::from_slice(&bytes).unwrap_or_else(|_| panic!("not JSON: {bytes:?}"))
}
