//! `ironherd subnet …`: the networks that racks serve.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::client::Client;
use crate::noun::{SUBNET, VLAN, change, first_last, given};
use crate::output::{self, Column, Output};

const CREATE: &str = include_str!("documents/subnet_create.graphql");

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
    /// Changes what machines are told, e.g. `ironherd subnet update rack1 --dns 10.20.0.2`.
    Update {
        /// Name, CIDR or id of the subnet.
        subnet: String,
        /// Its new name.
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        fields: Fields,
    },
    /// Removes a subnet with its ranges and reservations.
    Delete {
        /// Name, CIDR or id of the subnet.
        subnet: String,
    },
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
    /// Addresses for machines without a reservation, FIRST-LAST; may be given several times.
    #[arg(long)]
    dynamic: Vec<String>,
    #[command(flatten)]
    fields: Fields,
}

#[derive(Args, Debug)]
pub(crate) struct Fields {
    /// FABRIC/VID, name or id of its VLAN.
    #[arg(long)]
    vlan: Option<String>,
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
    /// Largest packet of the network, in bytes.
    #[arg(long)]
    mtu: Option<u16>,
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
            let mut input = input(client, &it.fields, Some(&it.name)).await?;
            input["cidr"] = json!(it.cidr);
            let data = client.run(CREATE, json!({ "input": input })).await?;
            let id = &data["subnetCreate"]["subnet"]["id"];
            for range in &it.dynamic {
                let (first, last) = first_last(range)?;
                let input = json!({ "subnetId": id, "first": first, "last": last });
                change(client, "rangeCreate", None, Some(input)).await?;
            }
        }
        SubnetCommand::Update { subnet, name, fields } => {
            let id = SUBNET.id(client, Some(&subnet)).await?;
            let input = input(client, &fields, name.as_deref()).await?;
            change(client, "subnetUpdate", Some(&id), Some(input)).await?;
        }
        SubnetCommand::Delete { subnet } => {
            let id = SUBNET.id(client, Some(&subnet)).await?;
            change(client, "subnetDelete", Some(&id), None).await?;
        }
        SubnetCommand::Reserve { subnet, mac, address } => {
            let id = SUBNET.id(client, Some(&subnet)).await?;
            let input = json!({ "subnetId": id, "macAddress": mac, "address": address });
            change(client, "reservationCreate", None, Some(input)).await?;
        }
    }
    output::print_rows(output, COLUMNS, &list(client).await?);
    Ok(())
}

async fn input(
    client: &Client,
    it: &Fields,
    name: Option<&str>,
) -> anyhow::Result<serde_json::Value> {
    Ok(given([
        ("name", json!(name)),
        ("vlanId", VLAN.id(client, it.vlan.as_deref()).await?),
        ("gateway", json!(it.gateway)),
        ("dnsServers", json!(it.dns_servers)),
        ("ntpServers", json!(it.ntp_servers)),
        ("domain", json!(it.domain)),
        ("mtu", json!(it.mtu)),
        ("leaseSeconds", json!(it.lease_seconds)),
    ]))
}

async fn list(client: &Client) -> anyhow::Result<Vec<serde_json::Value>> {
    let mut rows = SUBNET.rows(client).await?;
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
