//! `ironherd lease …`: who has an address, and who had it.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::client::Client;
use crate::noun::SUBNET;
use crate::output::{self, Column, Output};

const LIST: &str = include_str!("documents/lease_list.graphql");
const HISTORY: &str = include_str!("documents/lease_history.graphql");

const LIST_COLUMNS: &[Column] = &[
    ("ADDRESS", "/address"),
    ("MAC", "/macAddress"),
    ("HOSTNAME", "/hostname"),
    ("STATE", "/state"),
    ("SINCE", "/startedAt"),
    ("EXPIRES", "/expiresAt"),
    ("SUBNET", "/subnet/name"),
    ("RACK", "/rack/name"),
];

const HISTORY_COLUMNS: &[Column] = &[
    ("ADDRESS", "/address"),
    ("MAC", "/macAddress"),
    ("HOSTNAME", "/hostname"),
    ("FROM", "/from"),
    ("UNTIL", "/until"),
    ("ENDED", "/endedText"),
    ("CLIENT", "/client"),
];

#[derive(Debug, Subcommand)]
pub(crate) enum LeaseCommand {
    /// Lists the addresses and prefixes that racks have handed out.
    #[command(after_help = "Example: ironherd lease list --subnet lab --state active\n\
                            Example: ironherd lease list --at 2026-03-01T12:30:00Z")]
    List(List),
    /// Tells who held an address, or what a network card held, the latest first.
    #[command(
        after_help = "Example: ironherd lease history 10.20.0.57 --from 2026-03-01T00:00:00Z\n\
                            Example: ironherd lease history 52:54:00:12:34:56"
    )]
    History(History),
}

#[derive(Args, Debug)]
pub(crate) struct List {
    /// Only this address, or this delegated IPv6 prefix.
    #[arg(long)]
    address: Option<String>,
    /// Only what this network card holds.
    #[arg(long)]
    mac: Option<String>,
    /// Only addresses of this subnet: its name, CIDR or id.
    #[arg(long)]
    subnet: Option<String>,
    /// Only leases that stand so.
    #[arg(long, value_enum, conflicts_with = "at")]
    state: Option<State>,
    /// Only clients whose names begin so.
    #[arg(long, value_name = "PREFIX")]
    hostname: Option<String>,
    /// What was leased at an instant, in the form of RFC 3339.
    #[arg(long, value_name = "INSTANT")]
    at: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum State {
    Active,
    Released,
    Expired,
    Declined,
}

#[derive(Args, Debug)]
pub(crate) struct History {
    /// An IPv4 or IPv6 address, a delegated IPv6 prefix, or a MAC address.
    subject: String,
    /// Only what was held after this instant (RFC 3339).
    #[arg(long, value_name = "INSTANT")]
    from: Option<String>,
    /// Only what was held before this instant (RFC 3339).
    #[arg(long, value_name = "INSTANT")]
    until: Option<String>,
    /// How many at most.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=500))]
    limit: u16,
}

pub(crate) async fn run(
    client: &Client,
    output: Output,
    command: LeaseCommand,
) -> anyhow::Result<()> {
    match command {
        LeaseCommand::List(it) => list(client, output, it).await,
        LeaseCommand::History(it) => history(client, output, it).await,
    }
}

async fn list(client: &Client, output: Output, it: List) -> anyhow::Result<()> {
    let state = it.state.map(|it| match it {
        State::Active => "ACTIVE",
        State::Released => "RELEASED",
        State::Expired => "EXPIRED",
        State::Declined => "DECLINED",
    });
    let filter = json!({
        "address": it.address, "macAddress": it.mac, "state": state, "hostname": it.hostname,
        "at": it.at, "subnetId": SUBNET.id(client, it.subnet.as_deref()).await?,
    });
    let variables = json!({ "filter": filter });
    let rows = crate::machine::all_pages(client, LIST, "leases", variables).await?;
    output::print_rows(output, LIST_COLUMNS, &rows);
    Ok(())
}

async fn history(client: &Client, output: Output, it: History) -> anyhow::Result<()> {
    let key = if is_mac(&it.subject) { "macAddress" } else { "address" };
    let between = json!({ "from": it.from, "until": it.until });
    let mut variables = json!({ "first": it.limit, "between": between });
    variables[key] = json!(it.subject);
    let mut data = client.run(HISTORY, variables).await?;
    let mut rows = data["leaseHistory"]["nodes"].take();
    let rows: &mut [Value] = rows.as_array_mut().map_or(&mut [], Vec::as_mut_slice);
    if output == Output::Table {
        for row in rows.iter_mut() {
            row["endedText"] =
                if row["ended"].is_null() { json!("ACTIVE") } else { row["ended"].clone() };
        }
    }
    output::print_rows(output, HISTORY_COLUMNS, rows);
    Ok(())
}

/// Six pairs of hexadecimal digits; the shortest IPv6 address with as many parts has eight.
fn is_mac(text: &str) -> bool {
    let parts: Vec<&str> = text.split([':', '-']).collect();
    let is_byte = |it: &&str| it.len() <= 2 && u8::from_str_radix(it, 16).is_ok();
    parts.len() == 6 && parts.iter().all(is_byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_told_from_an_address() {
        let rows = [
            ("52:54:00:12:34:56", true),
            ("52-54-00-12-34-56", true),
            ("10.20.0.1", false),
            ("2001:db8::1", false),
            ("1:2:3::5:6", false),
            ("2001:db8::/56", false),
            ("node-1", false),
        ];
        for (text, want) in rows {
            assert_eq!(is_mac(text), want, "{text}");
        }
    }
}
