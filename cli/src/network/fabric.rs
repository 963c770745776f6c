use clap::Subcommand;
use serde_json::json;

use crate::client::Client;
use crate::noun::{FABRIC, change};
use crate::output::{self, Column, Output};

const COLUMNS: &[Column] = &[("NAME", "/name"), ("VLANS", "/vlanTexts")];

#[derive(Debug, Subcommand)]
pub(crate) enum FabricCommand {
    /// Lists fabrics with their VLANs.
    List,
    /// Adds a fabric: a set of VLANs that can be reached from one another, e.g. a hall.
    Create {
        /// What people call it.
        name: String,
    },
    /// Gives a fabric another name.
    Rename {
        /// Name or id of the fabric.
        fabric: String,
        name: String,
    },
    /// Removes a fabric that has no VLAN left but its untagged one.
    Delete {
        /// Name or id of the fabric.
        fabric: String,
    },
}

pub(crate) async fn run(
    client: &Client,
    output: Output,
    command: FabricCommand,
) -> anyhow::Result<()> {
    match command {
        FabricCommand::List => {}
        FabricCommand::Create { name } => {
            change(client, "fabricCreate", None, Some(json!({ "name": name }))).await?;
        }
        FabricCommand::Rename { fabric, name } => {
            let id = FABRIC.id(client, Some(&fabric)).await?;
            change(client, "fabricUpdate", Some(&id), Some(json!({ "name": name }))).await?;
        }
        FabricCommand::Delete { fabric } => {
            let id = FABRIC.id(client, Some(&fabric)).await?;
            change(client, "fabricDelete", Some(&id), None).await?;
        }
    }
    let mut rows = FABRIC.rows(client).await?;
    for row in &mut rows {
        let vlans = row["vlans"].as_array().cloned().unwrap_or_default();
        row["vlanTexts"] = vlans.iter().map(|it| it["vid"].to_string()).collect();
    }
    output::print_rows(output, COLUMNS, &rows);
    Ok(())
}
