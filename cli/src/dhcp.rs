//! `ironherd dhcp …`: what clients get, and what they sent.

mod capture;
mod explain;

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::{Value, json};

use crate::client::Client;
use crate::output::Output;

const RACKS: &str = include_str!("documents/rack_list.graphql");
const SUBNETS: &str = include_str!("documents/subnet_list.graphql");

#[derive(Debug, Subcommand)]
pub(crate) enum DhcpCommand {
    /// Says what a client would get, and why: a connected rack answers as it would the client.
    Explain(Box<explain::Explain>),
    /// Shows the DHCP packets that racks have kept of a card, or saves them as a pcap file.
    Capture(capture::Capture),
}

pub(crate) async fn run(
    client: &Client,
    output: Output,
    command: DhcpCommand,
) -> anyhow::Result<()> {
    match command {
        DhcpCommand::Explain(it) => explain::run(client, output, *it).await,
        DhcpCommand::Capture(it) => capture::run(client, output, it).await,
    }
}

/// The id of the rack that was meant by its name or id.
async fn rack_id(client: &Client, wanted: Option<&str>) -> anyhow::Result<Value> {
    named(client, wanted, RACKS, "racks", "rack", &["name"]).await
}

/// The id of the subnet that was meant by its name, CIDR or id.
async fn subnet_id(client: &Client, wanted: Option<&str>) -> anyhow::Result<Value> {
    named(client, wanted, SUBNETS, "subnets", "subnet", &["name", "cidr"]).await
}

async fn named(
    client: &Client,
    wanted: Option<&str>,
    document: &str,
    list: &str,
    what: &str,
    fields: &[&str],
) -> anyhow::Result<Value> {
    let Some(wanted) = wanted else { return Ok(Value::Null) };
    let rows = crate::machine::all_pages(client, document, list, json!({})).await?;
    let is_it =
        |row: &&Value| row["id"] == wanted || fields.iter().any(|field| row[*field] == wanted);
    let found = rows.iter().find(is_it).map(|it| it["id"].clone());
    found.with_context(|| {
        let known: Vec<&str> = rows.iter().filter_map(|it| it[fields[0]].as_str()).collect();
        format!("no {what} is called `{wanted}`; there are: {}", known.join(", "))
    })
}
