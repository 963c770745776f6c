use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::client::Client;
use crate::noun::{FABRIC, VLAN, change, given};
use crate::output::{self, Column, Output};

const COLUMNS: &[Column] = &[("VLAN", "/place"), ("NAME", "/name"), ("DHCP", "/mode")];

#[derive(Debug, Subcommand)]
pub(crate) enum VlanCommand {
    /// Lists VLANs and what DHCP does on each.
    List,
    /// Adds a VLAN, e.g. `ironherd vlan create 120 --fabric hall-1 --name boot --dhcp full`.
    Create {
        /// Its tag, 0 (untagged) to 4094.
        vid: u16,
        /// Name or id of its fabric; left out, the one that is there from the start.
        #[arg(long)]
        fabric: Option<String>,
        #[command(flatten)]
        fields: Fields,
    },
    /// Changes a VLAN, e.g. `ironherd vlan update hall-1/120 --dhcp proxy`.
    Update {
        /// FABRIC/VID, name or id of the VLAN.
        vlan: String,
        /// Its new tag.
        #[arg(long)]
        vid: Option<u16>,
        #[command(flatten)]
        fields: Fields,
    },
    /// Removes a VLAN that has no subnet.
    Delete {
        /// FABRIC/VID, name or id of the VLAN.
        vlan: String,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Fields {
    /// What people call it.
    #[arg(long)]
    name: Option<String>,
    /// What DHCP does on it.
    #[arg(long, value_enum)]
    dhcp: Option<Mode>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Mode {
    /// Addresses and boot files.
    Full,
    /// Boot files alone, beside a foreign DHCP server.
    Proxy,
    /// Full while no foreign DHCP server is heard, else proxy.
    Auto,
    /// Nothing is answered.
    Off,
}

impl Mode {
    fn as_graphql(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Proxy => "PROXY",
            Self::Auto => "AUTO",
            Self::Off => "OFF",
        }
    }
}

pub(crate) async fn run(
    client: &Client,
    output: Output,
    command: VlanCommand,
) -> anyhow::Result<()> {
    let input = |vid: Option<u16>, fabric: Value, it: &Fields| {
        given([
            ("fabricId", fabric),
            ("vid", json!(vid)),
            ("name", json!(it.name)),
            ("mode", json!(it.dhcp.map(Mode::as_graphql))),
        ])
    };
    match command {
        VlanCommand::List => {}
        VlanCommand::Create { vid, fabric, fields } => {
            let fabric = FABRIC.id(client, fabric.as_deref()).await?;
            change(client, "vlanCreate", None, Some(input(Some(vid), fabric, &fields))).await?;
        }
        VlanCommand::Update { vlan, vid, fields } => {
            let id = VLAN.id(client, Some(&vlan)).await?;
            let input = input(vid, Value::Null, &fields);
            change(client, "vlanUpdate", Some(&id), Some(input)).await?;
        }
        VlanCommand::Delete { vlan } => {
            let id = VLAN.id(client, Some(&vlan)).await?;
            change(client, "vlanDelete", Some(&id), None).await?;
        }
    }
    output::print_rows(output, COLUMNS, &VLAN.rows(client).await?);
    Ok(())
}
