//! The region's GraphQL API, as any client would use it.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

pub(crate) struct Region {
    runtime: Runtime,
    client: Client,
    url: String,
    token: String,
}

const PATIENCE: Duration = Duration::from_secs(60);

impl Region {
    pub(crate) fn new(address: Ipv4Addr, port: u16, token: &str) -> anyhow::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        // Fails only if the process has chosen one already, which is as good.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = Client::builder().timeout(PATIENCE).no_proxy().build()?;
        let url = format!("http://{address}:{port}/graphql");
        Ok(Self { runtime, client, url, token: token.to_owned() })
    }

    /// Runs a document; every payload in it must be without errors.
    pub(crate) fn run(&self, document: &str, variables: Value) -> anyhow::Result<Value> {
        let body = json!({ "query": document, "variables": variables });
        let request = self.client.post(&self.url).bearer_auth(&self.token).json(&body);
        let answer = async { request.send().await?.json::<Value>().await };
        let mut answer = self.runtime.block_on(answer)?;
        if let Some(errors) = answer["errors"].as_array().filter(|it| !it.is_empty()) {
            bail!("{errors:?}");
        }
        let data = answer["data"].take();
        for payload in data.as_object().context("an object")?.values() {
            if let Some(errors) = payload["userErrors"].as_array().filter(|it| !it.is_empty()) {
                bail!("{errors:?}");
            }
        }
        Ok(data)
    }
}
