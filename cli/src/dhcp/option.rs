//! `ironherd dhcp option …`: what clients are told, and where that holds.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::client::Client;
use crate::network::range;
use crate::noun::{CLASS, FABRIC, MACHINE, SUBNET, SUBNET6, VLAN, change};
use crate::output::{self, Column, Output};

const SETTINGS: &str = include_str!("../documents/settings_show.graphql");
const KNOWN: &str = include_str!("../documents/dhcp_option_known.graphql");

const COLUMNS: &[Column] = &[
    ("SCOPE", "/scope"),
    ("OF", "/of"),
    ("FAMILY", "/family"),
    ("CODE", "/code"),
    ("OPTION", "/name"),
    ("VALUE", "/shown"),
    ("ALWAYS", "/force"),
];

#[derive(Debug, Subcommand)]
pub(crate) enum OptionCommand {
    /// Lists the options that are set, from the widest scope to the narrowest; the narrower wins.
    List,
    /// Sets an option, e.g. `ironherd dhcp option set ntp-servers 10.20.0.5 --vlan hall-1/120`.
    Set {
        /// Its name or number; `ironherd dhcp option catalog` lists the names.
        option: String,
        /// Its value, as the catalog says; hexadecimal digits for an option without a name.
        #[arg(required_unless_present = "suppress")]
        value: Option<String>,
        /// Send it even to a client that does not ask for it.
        #[arg(long)]
        always: bool,
        /// Do not send what a wider scope says.
        #[arg(long, conflicts_with_all = ["value", "always"])]
        suppress: bool,
        #[command(flatten)]
        scope: Scope,
    },
    /// Takes an option back.
    Unset {
        /// Its name or number.
        option: String,
        #[command(flatten)]
        scope: Scope,
    },
    /// Lists the options that have a name, and how the value of each is written.
    Catalog {
        /// Those of DHCPv6.
        #[arg(long)]
        v6: bool,
    },
}

/// Where an option holds; without any of these, everywhere.
#[derive(Args, Debug)]
pub(crate) struct Scope {
    /// It is an option of DHCPv6.
    #[arg(long)]
    v6: bool,
    #[command(flatten)]
    of: Of,
}

#[derive(Args, Debug)]
#[group(multiple = false)]
pub(crate) struct Of {
    /// Name or id of a fabric.
    #[arg(long)]
    fabric: Option<String>,
    /// FABRIC/VID, name or id of a VLAN.
    #[arg(long)]
    vlan: Option<String>,
    /// Name, CIDR or id of a subnet; of an IPv6 subnet with --v6.
    #[arg(long)]
    subnet: Option<String>,
    /// FIRST-LAST or id of a range.
    #[arg(long)]
    range: Option<String>,
    /// Name or id of a client class.
    #[arg(long)]
    class: Option<String>,
    /// Hostname or id of a machine.
    #[arg(long)]
    machine: Option<String>,
}

impl Scope {
    /// Names an option where it holds, as the API wants it.
    async fn input(&self, client: &Client, option: &str) -> anyhow::Result<Value> {
        let (kind, id) = self.resolve(client).await?;
        let family = family(self.v6);
        Ok(json!({ "scope": kind, "scopeId": id, "family": family, "option": option }))
    }

    /// The scope's kind, and whose it is.
    async fn resolve(&self, client: &Client) -> anyhow::Result<(&'static str, Value)> {
        let of = &self.of;
        let subnet = if self.v6 { SUBNET6 } else { SUBNET };
        let nouns = [
            ("FABRIC", &of.fabric, FABRIC),
            ("VLAN", &of.vlan, VLAN),
            ("SUBNET", &of.subnet, subnet),
            ("CLASS", &of.class, CLASS),
            ("HOST", &of.machine, MACHINE),
        ];
        for (kind, wanted, noun) in nouns {
            if wanted.is_some() {
                return Ok((kind, noun.id(client, wanted.as_deref()).await?));
            }
        }
        match &of.range {
            Some(range) => Ok(("RANGE", range::range_id(client, range).await?)),
            None => Ok(("GLOBAL", Value::Null)),
        }
    }
}

fn family(v6: bool) -> &'static str {
    if v6 { "V6" } else { "V4" }
}

pub(super) async fn run(
    client: &Client,
    output: Output,
    command: OptionCommand,
) -> anyhow::Result<()> {
    match command {
        OptionCommand::List => {}
        OptionCommand::Set { option, value, always, suppress, scope } => {
            let mut input = scope.input(client, &option).await?;
            input["value"] = json!(value);
            (input["force"], input["suppress"]) = (json!(always), json!(suppress));
            change(client, "dhcpOptionSet", None, Some(input)).await?;
        }
        OptionCommand::Unset { option, scope } => {
            let input = scope.input(client, &option).await?;
            change(client, "dhcpOptionUnset", None, Some(input)).await?;
        }
        OptionCommand::Catalog { v6 } => {
            let data = client.run(KNOWN, json!({ "family": family(v6) })).await?;
            let rows = data["dhcpOptionsKnown"].as_array().cloned().unwrap_or_default();
            let columns: &[Column] = &[("CODE", "/code"), ("OPTION", "/name"), ("VALUE", "/value")];
            output::print_rows(output, columns, &rows);
            return Ok(());
        }
    }
    output::print_rows(output, COLUMNS, &list(client).await?);
    Ok(())
}

/// Every option of the scopes that can be named here, the widest first. Those of single machines
/// and reservations are not gathered: there may be as many as machines.
async fn list(client: &Client) -> anyhow::Result<Vec<Value>> {
    let mut rows = Vec::new();
    let settings = client.run(SETTINGS, json!({})).await?;
    gather(&mut rows, "global", "", &settings["settings"]);
    let scopes = [
        ("fabric", FABRIC.rows(client).await?, "name"),
        ("VLAN", VLAN.rows(client).await?, "place"),
        ("subnet", SUBNET.rows(client).await?, "name"),
        ("subnet", SUBNET6.rows(client).await?, "name"),
        ("range", range::rows(client).await?, "range"),
        ("class", CLASS.rows(client).await?, "name"),
    ];
    for (scope, holders, name) in &scopes {
        for holder in holders {
            gather(&mut rows, scope, holder[*name].as_str().unwrap_or_default(), holder);
        }
    }
    Ok(rows)
}

fn gather(rows: &mut Vec<Value>, scope: &str, of: &str, holder: &Value) {
    for option in holder["dhcpOptions"].as_array().into_iter().flatten() {
        let mut row = option.clone();
        (row["scope"], row["of"]) = (json!(scope), json!(of));
        // Without a value it takes back what a wider scope says.
        row["shown"] = json!(option["value"].as_str().unwrap_or("(not sent)"));
        rows.push(row);
    }
}
