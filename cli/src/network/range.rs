use clap::Subcommand;
use serde_json::{Value, json};

use crate::client::Client;
use crate::noun::{CLASS, Noun, SUBNET, change, first_last, given};
use crate::output::{self, Column, Output};

const COLUMNS: &[Column] = &[("RANGE", "/range"), ("SUBNET", "/subnet"), ("FOR CLASS", "/class")];

/// As rows of [`rows`] name it: ranges are listed with their subnets.
const RANGE: Noun =
    Noun { what: "range", document: SUBNET.document, list: SUBNET.list, names: &["range"] };

#[derive(Debug, Subcommand)]
pub(crate) enum RangeCommand {
    /// Lists the ranges for clients without a reservation.
    List,
    /// Adds a range, e.g. `ironherd range create rack1 10.20.0.100-10.20.0.199`.
    Create {
        /// Name, CIDR or id of the subnet.
        subnet: String,
        /// FIRST-LAST.
        range: String,
        /// Name or id of the client class whose members alone are served from it.
        #[arg(long)]
        class: Option<String>,
    },
    /// Changes a range. Leases outside of the new one run out; nobody else gets them.
    Update {
        /// FIRST-LAST, or id of the range.
        range: String,
        /// Its new FIRST-LAST.
        #[arg(long, value_name = "FIRST-LAST")]
        to: Option<String>,
        /// Name or id of the client class whose members alone are served from it.
        #[arg(long, conflicts_with = "everyone")]
        class: Option<String>,
        /// Serve every client from it again.
        #[arg(long)]
        everyone: bool,
    },
    /// Removes a range. Its leases run out.
    Delete {
        /// FIRST-LAST, or id of the range.
        range: String,
    },
}

pub(crate) async fn run(
    client: &Client,
    output: Output,
    command: RangeCommand,
) -> anyhow::Result<()> {
    match command {
        RangeCommand::List => {}
        RangeCommand::Create { subnet, range, class } => {
            let (first, last) = first_last(&range)?;
            let subnet = SUBNET.id(client, Some(&subnet)).await?;
            let class = CLASS.id(client, class.as_deref()).await?;
            let input = given([
                ("subnetId", subnet),
                ("first", json!(first)),
                ("last", json!(last)),
                ("classId", class),
            ]);
            change(client, "rangeCreate", None, Some(input)).await?;
        }
        RangeCommand::Update { range, to, class, everyone } => {
            let id = range_id(client, &range).await?;
            let class = CLASS.id(client, class.as_deref()).await?;
            let ends = to.as_deref().map(first_last).transpose()?;
            let mut input = given([
                ("first", json!(ends.map(|it| it.0))),
                ("last", json!(ends.map(|it| it.1))),
                ("classId", class),
            ]);
            if everyone {
                input["classId"] = Value::Null; // Said, and not just left out.
            }
            change(client, "rangeUpdate", Some(&id), Some(input)).await?;
        }
        RangeCommand::Delete { range } => {
            let id = range_id(client, &range).await?;
            change(client, "rangeDelete", Some(&id), None).await?;
        }
    }
    output::print_rows(output, COLUMNS, &rows(client).await?);
    Ok(())
}

pub(crate) async fn range_id(client: &Client, wanted: &str) -> anyhow::Result<Value> {
    Ok(RANGE.pick(rows(client).await?, wanted)?["id"].clone())
}

/// Every range, with the names of its subnet and its class.
pub(crate) async fn rows(client: &Client) -> anyhow::Result<Vec<Value>> {
    let classes = CLASS.rows(client).await?;
    let mut rows = Vec::new();
    for subnet in SUBNET.rows(client).await? {
        for range in subnet["ranges"].as_array().into_iter().flatten() {
            let mut row = range.clone();
            let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
            row["range"] = json!(format!("{}-{}", text(&row["first"]), text(&row["last"])));
            row["subnet"] = subnet["name"].clone();
            let class = classes.iter().find(|it| it["id"] == row["classId"]);
            row["class"] = class.map_or(Value::Null, |it| it["name"].clone());
            rows.push(row);
        }
    }
    Ok(rows)
}
