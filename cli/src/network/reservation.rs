use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::client::Client;
use crate::noun::{Noun, SUBNET, change, given};
use crate::output::{self, Column, Output};

const COLUMNS: &[Column] = &[
    ("ADDRESS", "/address"),
    ("FOR", "/key"),
    ("HOSTNAME", "/hostname"),
    ("MACHINE", "/machine/hostname"),
    ("SUBNET", "/subnet"),
];

/// As rows of [`rows`] name it: reservations are listed with their subnets.
const RESERVATION: Noun = Noun {
    what: "reservation",
    document: SUBNET.document,
    list: SUBNET.list,
    names: &["address", "macAddress"],
};

#[derive(Debug, Subcommand)]
pub(crate) enum ReservationCommand {
    /// Lists reserved addresses and for whom each is kept.
    List {
        /// Name, CIDR or id of the subnet; left out, all.
        #[arg(long)]
        subnet: Option<String>,
    },
    /// Keeps an address for one client, e.g.
    /// `ironherd reservation create rack1 --mac 52:54:00:12:34:56 --address 10.20.0.10`.
    Create(Box<Create>),
    /// Gives a reservation another address or hostname.
    Update {
        /// Address, MAC address or id of the reservation.
        reservation: String,
        /// The new address.
        #[arg(long)]
        address: Option<String>,
        /// The hostname that the client is told.
        #[arg(long)]
        hostname: Option<String>,
    },
    /// Gives up a reservation; a client that has the address keeps it until its lease ends.
    Delete {
        /// Address, MAC address or id of the reservation.
        reservation: String,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Create {
    /// Name, CIDR or id of the subnet.
    subnet: String,
    /// The address; left out, the next free one.
    #[arg(long)]
    address: Option<String>,
    /// The hostname that the client is told.
    #[arg(long)]
    hostname: Option<String>,
    #[command(flatten)]
    key: Key,
}

/// By what the client is known.
#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
pub(crate) struct Key {
    /// Its network card.
    #[arg(long)]
    mac: Option<String>,
    /// Its client id (option 61): text, or 0x and hexadecimal digits.
    #[arg(long)]
    client_id: Option<String>,
    /// Its SMBIOS UUID (option 97).
    #[arg(long)]
    uuid: Option<String>,
    /// The relay's port that it is behind (option 82, sub-option 1), whichever card is there.
    #[arg(long)]
    circuit_id: Option<String>,
    /// The relay (option 82, sub-option 2), together with --circuit-id.
    #[arg(long)]
    remote_id: Option<String>,
}

pub(crate) async fn run(
    client: &Client,
    output: Output,
    command: ReservationCommand,
) -> anyhow::Result<()> {
    let mut only = None;
    match command {
        ReservationCommand::List { subnet } => only = subnet,
        ReservationCommand::Create(it) => {
            let key = it.key;
            let input = given([
                ("subnetId", SUBNET.id(client, Some(&it.subnet)).await?),
                ("macAddress", json!(key.mac)),
                ("clientId", json!(key.client_id)),
                ("uuid", json!(key.uuid)),
                ("circuitId", json!(key.circuit_id)),
                ("remoteId", json!(key.remote_id)),
                ("address", json!(it.address)),
                ("hostname", json!(it.hostname)),
            ]);
            change(client, "reservationCreate", None, Some(input)).await?;
            only = Some(it.subnet);
        }
        ReservationCommand::Update { reservation, address, hostname } => {
            let id = find(client, &reservation).await?;
            let input = given([("address", json!(address)), ("hostname", json!(hostname))]);
            change(client, "reservationUpdate", Some(&id), Some(input)).await?;
        }
        ReservationCommand::Delete { reservation } => {
            let id = find(client, &reservation).await?;
            change(client, "reservationDelete", Some(&id), None).await?;
        }
    }
    output::print_rows(output, COLUMNS, &rows(client, only.as_deref()).await?);
    Ok(())
}

async fn find(client: &Client, wanted: &str) -> anyhow::Result<Value> {
    // Cards are written in small letters where we show them.
    let wanted = wanted.to_lowercase();
    let rows = rows(client, None).await?;
    let by_id =
        rows.iter().find(|it| it["id"].as_str().is_some_and(|id| id.to_lowercase() == wanted));
    match by_id {
        Some(row) => Ok(row["id"].clone()),
        None => Ok(RESERVATION.pick(rows, &wanted)?["id"].clone()),
    }
}

/// Every reservation, with the name of its subnet and the client's key in one text.
async fn rows(client: &Client, subnet: Option<&str>) -> anyhow::Result<Vec<Value>> {
    let mut subnets = SUBNET.rows(client).await?;
    if let Some(wanted) = subnet {
        subnets = vec![SUBNET.pick(subnets, wanted)?];
    }
    let mut rows = Vec::new();
    for subnet in subnets {
        for reservation in subnet["reservations"].as_array().into_iter().flatten() {
            let mut row = reservation.clone();
            let keys = ["macAddress", "clientId", "uuid", "circuitId", "remoteId"];
            let keys: Vec<_> = keys.iter().filter_map(|it| row[*it].as_str()).collect();
            row["key"] = json!(keys.join(" "));
            row["subnet"] = subnet["name"].clone();
            rows.push(row);
        }
    }
    Ok(rows)
}
