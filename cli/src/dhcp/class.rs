//! `ironherd dhcp class …`: clients told apart by what they send.

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::client::Client;
use crate::noun::{CLASS, change, given};
use crate::output::{self, Column, Output};

const COLUMNS: &[Column] =
    &[("CLASS", "/name"), ("WHEN ALL HOLD", "/whenTexts"), ("BOOT FILE", "/bootFile")];

#[derive(Debug, Subcommand)]
pub(crate) enum ClassCommand {
    /// Lists client classes in their order: the first that names a boot file wins.
    List,
    /// Adds a class, e.g.
    /// `ironherd dhcp class create boards --when "vendor-class starts-with PXEClient:Arch:00011"`.
    Create {
        /// What people call it.
        name: String,
        #[command(flatten)]
        fields: Fields,
    },
    /// Changes a class.
    Update {
        /// Name or id of the class.
        class: String,
        /// Its new name.
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        fields: Fields,
    },
    /// Removes a class that no range is kept for.
    Delete {
        /// Name or id of the class.
        class: String,
    },
    /// Puts the classes into a new order; name all of them.
    Order {
        /// Names or ids of all classes.
        #[arg(required = true)]
        classes: Vec<String>,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Fields {
    /// [not] FIELD OPERATOR [VALUE]; may be given several times, and then all must hold. FIELD is
    /// mac, vendor-class, user-class, client-id, architecture, circuit-id, remote-id,
    /// relay-address, or option:CODE[.SUB]; OPERATOR is present, equals, starts-with or contains;
    /// VALUE is text, or 0x and hexadecimal digits.
    #[arg(long = "when", value_name = "CONDITION")]
    conditions: Vec<String>,
    /// A TFTP name or a URL that its members get instead of what the boot table says.
    #[arg(long)]
    boot_file: Option<String>,
}

impl Fields {
    fn input(&self, name: Option<String>) -> anyhow::Result<Value> {
        let conditions = self.conditions.iter().map(|it| condition(it));
        Ok(given([
            ("name", json!(name)),
            ("conditions", conditions.collect::<anyhow::Result<_>>()?),
            ("bootFile", json!(self.boot_file)),
        ]))
    }
}

pub(super) async fn run(
    client: &Client,
    output: Output,
    command: ClassCommand,
) -> anyhow::Result<()> {
    match command {
        ClassCommand::List => {}
        ClassCommand::Create { name, fields } => {
            change(client, "clientClassCreate", None, Some(fields.input(Some(name))?)).await?;
        }
        ClassCommand::Update { class, name, fields } => {
            let id = CLASS.id(client, Some(&class)).await?;
            change(client, "clientClassUpdate", Some(&id), Some(fields.input(name)?)).await?;
        }
        ClassCommand::Delete { class } => {
            let id = CLASS.id(client, Some(&class)).await?;
            change(client, "clientClassDelete", Some(&id), None).await?;
        }
        ClassCommand::Order { classes } => {
            let rows = CLASS.rows(client).await?;
            let id = |it: &String| CLASS.pick(rows.clone(), it).map(|it| it["id"].clone());
            let ids = classes.iter().map(id).collect::<anyhow::Result<Vec<_>>>()?;
            client.run(ORDER, json!({ "ids": ids })).await?;
        }
    }
    let mut rows = CLASS.rows(client).await?;
    for row in &mut rows {
        row["whenTexts"] =
            row["conditions"].as_array().into_iter().flatten().map(text_of).collect();
    }
    output::print_rows(output, COLUMNS, &rows);
    Ok(())
}

const ORDER: &str = include_str!("../documents/client_class_reorder.graphql");
const OPERATORS: [&str; 4] = ["present", "equals", "starts-with", "contains"];
const FIELDS: [&str; 8] = [
    "mac",
    "vendor-class",
    "user-class",
    "client-id",
    "architecture",
    "circuit-id",
    "remote-id",
    "relay-address",
];

/// Reads `[not] FIELD OPERATOR [VALUE]`; a value may hold blanks.
fn condition(text: &str) -> anyhow::Result<Value> {
    let (negate, rest) = match text.trim().strip_prefix("not ") {
        Some(rest) => (true, rest.trim_start()),
        None => (false, text.trim()),
    };
    let (field, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let rest = rest.trim_start();
    let (operator, value) = rest.split_once(' ').unwrap_or((rest, ""));
    if !OPERATORS.contains(&operator) {
        bail!("--when `{text}`: `{operator}` is no operator; there are: {}", OPERATORS.join(", "));
    }
    let value = value.trim();
    let mut input = given([
        ("operator", json!(graphql(operator))),
        ("value", if value.is_empty() { Value::Null } else { json!(value) }),
        ("negate", json!(negate.then_some(true))),
    ]);
    match field.strip_prefix("option:") {
        Some(place) => {
            let (code, sub) = match place.split_once('.') {
                Some((code, sub)) => (code.parse::<u8>(), Some(sub.parse::<u8>())),
                None => (place.parse(), None),
            };
            let what = || format!("--when `{text}`: write option:CODE or option:CODE.SUB");
            input["field"] = json!("OPTION");
            input["option"] = json!(code.with_context(what)?);
            if let Some(sub) = sub {
                input["subOption"] = json!(sub.with_context(what)?);
            }
        }
        None if FIELDS.contains(&field) => input["field"] = json!(graphql(field)),
        None => {
            let known = FIELDS.join(", ");
            bail!("--when `{text}`: `{field}` is no field; there are: {known}, option:CODE[.SUB]");
        }
    }
    Ok(input)
}

fn graphql(name: &str) -> String {
    name.to_uppercase().replace('-', "_")
}

/// A condition as one would type it.
fn text_of(condition: &Value) -> Value {
    let small = |it: &Value| it.as_str().unwrap_or_default().to_lowercase().replace('_', "-");
    let field = match (condition["option"].as_u64(), condition["subOption"].as_u64()) {
        (Some(code), Some(sub)) => format!("option:{code}.{sub}"),
        (Some(code), None) => format!("option:{code}"),
        _ => small(&condition["field"]),
    };
    let not = if condition["negate"] == true { "not " } else { "" };
    let value = condition["value"].as_str().map(|it| format!(" {it}")).unwrap_or_default();
    json!(format!("{not}{field} {}{value}", small(&condition["operator"])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_read_and_shown_alike() {
        let row = |field, operator, rest: Value| {
            let mut want = json!({ "field": field, "operator": operator });
            let rest = rest.as_object().cloned().unwrap_or_default();
            rest.into_iter().for_each(|(name, value)| want[name] = value);
            want
        };
        let rows = [
            ("mac starts-with 52:54:00", row("MAC", "STARTS_WITH", json!({ "value": "52:54:00" }))),
            ("not user-class present", row("USER_CLASS", "PRESENT", json!({ "negate": true }))),
            (
                "vendor-class equals two words",
                row("VENDOR_CLASS", "EQUALS", json!({ "value": "two words" })),
            ),
            (
                "option:43.6 contains 0x08",
                row("OPTION", "CONTAINS", json!({ "option": 43, "subOption": 6, "value": "0x08" })),
            ),
            ("option:12 present", row("OPTION", "PRESENT", json!({ "option": 12 }))),
        ];
        for (text, want) in rows {
            let got = condition(text).unwrap();
            assert_eq!(got, want, "{text}");
            assert_eq!(text_of(&got), text);
        }
        for text in
            ["", "mac", "mac is x", "colour equals red", "option:x present", "option:1.999 present"]
        {
            let error = condition(text).unwrap_err().to_string();
            assert!(error.contains("--when"), "{text}: {error}");
        }
    }
}
