//! `ironherd subnet …`: the networks that racks serve.

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::json;

use crate::client::Client;
use crate::output::{self, Column, Output};

const LIST: &str = include_str!("documents/subnet_list.graphql");
const CREATE: &str = include_str!("documents/subnet_create.graphql");
const RANGE: &str = include_str!("documents/range_create.graphql");
const RESERVE: &str = include_str!("documents/reservation_create.graphql");

const COLUMNS: &[Column] = &[
    ("NAME", "/name"),
    ("CIDR", "/cidr"),
    ("GATEWAY", "/gateway"),
    ("DNS", "/dnsServers"),
    ("LEASE S", "/leaseSeconds"),
    ("RANGES", "/rangeTexts"),
    ("RESERVED", "/reservedCount"),
];

#[derive(Debug, Subcommand)]
pub(crate) enum SubnetCommand {
    /// Lists subnets with their dynamic ranges.
    List,
    /// Adds a subnet.
    Create(Create),
    /// Ties an address to a network card; without an address, the next free one.
    Reserve {
        /// Name, CIDR or id of the subnet.
        subnet: String,
        /// The card's MAC address.
        mac: String,
        /// The address; left out, the next free one.
        address: Option<String>,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Create {
    /// What people call it.
    name: String,
    /// The network, e.g. 10.20.0.0/24.
    cidr: String,
    /// Default route of the machines.
    #[arg(long)]
    gateway: Option<String>,
    /// DNS server; may be given several times.
    #[arg(long = "dns")]
    dns_servers: Vec<String>,
    /// NTP server; may be given several times.
    #[arg(long = "ntp")]
    ntp_servers: Vec<String>,
    /// Domain of the machines' names.
    #[arg(long)]
    domain: Option<String>,
    /// Addresses for machines without a reservation, FIRST-LAST; may be given several times.
    #[arg(long)]
    dynamic: Vec<String>,
    /// How long an address is lent.
    #[arg(long)]
    lease_seconds: Option<u32>,
}

pub(crate) async fn run(
    client: &Client,
    output: Output,
    command: SubnetCommand,
) -> anyhow::Result<()> {
    match command {
        SubnetCommand::List => {}
        SubnetCommand::Create(it) => {
            let input = json!({
                "name": it.name, "cidr": it.cidr, "gateway": it.gateway, "domain": it.domain,
                "dnsServers": it.dns_servers, "ntpServers": it.ntp_servers,
                "leaseSeconds": it.lease_seconds,
            });
            let data = client.run(CREATE, json!({ "input": input })).await?;
            let id = data["subnetCreate"]["subnet"]["id"].clone();
            for range in &it.dynamic {
                let (first, last) = range
                    .split_once('-')
                    .with_context(|| format!("--dynamic {range}: write FIRST-LAST"))?;
                let input = json!({ "subnetId": id, "first": first, "last": last });
                client.run(RANGE, json!({ "input": input })).await?;
            }
        }
        SubnetCommand::Reserve { subnet, mac, address } => {
            let subnets = list(client).await?;
            let named = |it: &&serde_json::Value| {
                [&it["name"], &it["cidr"], &it["id"]].contains(&&json!(subnet))
            };
            let id = subnets.iter().find(named).map(|it| it["id"].clone());
            let id = id.with_context(|| {
                format!("no subnet is called `{subnet}`; `ironherd subnet list` shows all")
            })?;
            let input = json!({ "subnetId": id, "macAddress": mac, "address": address });
            client.run(RESERVE, json!({ "input": input })).await?;
        }
    }
    output::print_rows(output, COLUMNS, &list(client).await?);
    Ok(())
}

async fn list(client: &Client) -> anyhow::Result<Vec<serde_json::Value>> {
    let mut rows = crate::machine::all_pages(client, LIST, "subnets", json!({})).await?;
    for row in &mut rows {
        let ranges = row["ranges"].as_array().cloned().unwrap_or_default();
        let text = |it: &serde_json::Value| {
            format!("{}-{}", it["first"].as_str().unwrap_or(""), it["last"].as_str().unwrap_or(""))
        };
        row["rangeTexts"] = ranges.iter().map(text).collect();
        row["reservedCount"] = json!(row["reservations"].as_array().map_or(0, Vec::len));
    }
    Ok(rows)
}
