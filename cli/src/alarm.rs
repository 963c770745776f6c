//! `ironherd alarm list`: what racks warn of.

use clap::Subcommand;
use serde_json::{Value, json};

use crate::client::Client;
use crate::output::{self, Column, Output};

const LIST: &str = include_str!("documents/alarm_list.graphql");

const COLUMNS: &[Column] = &[
    ("RACK", "/rack"),
    ("KIND", "/kind"),
    ("ABOUT", "/subject"),
    ("SINCE", "/since"),
    ("WHAT TO DO", "/message"),
];

#[derive(Debug, Subcommand)]
pub(crate) enum AlarmCommand {
    /// Lists foreign DHCP servers, ranges that run out, and disks that keep no leases.
    #[command(after_help = "Example: ironherd alarm list --output json")]
    List,
}

pub(crate) async fn run(
    client: &Client,
    output: Output,
    command: AlarmCommand,
) -> anyhow::Result<()> {
    let AlarmCommand::List = command;
    let racks = crate::machine::all_pages(client, LIST, "racks", json!({})).await?;
    output::print_rows(output, COLUMNS, &rows(&racks));
    Ok(())
}

/// One row an alarm, with the name of its rack.
fn rows(racks: &[Value]) -> Vec<Value> {
    let mut rows = Vec::new();
    for rack in racks {
        for alarm in rack["alarms"].as_array().into_iter().flatten() {
            let mut row = alarm.clone();
            row["rack"] = rack["name"].clone();
            rows.push(row);
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_alarm_names_its_rack() {
        let alarm = |subject: &str| json!({ "kind": "POOL_LOW", "subject": subject });
        let racks = [
            json!({ "name": "one", "alarms": [alarm("a"), alarm("b")] }),
            json!({ "name": "two", "alarms": [] }),
            json!({ "name": "three", "alarms": [alarm("a")] }),
        ];
        let rows = rows(&racks);
        let told: Vec<_> = rows.iter().map(|it| (&it["rack"], &it["subject"])).collect();
        assert_eq!(
            told,
            [
                (&json!("one"), &json!("a")),
                (&json!("one"), &json!("b")),
                (&json!("three"), &json!("a")),
            ]
        );
    }
}
