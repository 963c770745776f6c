//! `ironherd machine …`: the lifecycle from a shell.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::client::Client;
use crate::output::{self, Column, Output};

const LIST: &str = include_str!("documents/machine_list.graphql");
const SHOW: &str = include_str!("documents/machine_show.graphql");
const COMMISSION: &str = include_str!("documents/machine_commission.graphql");
const ALLOCATE: &str = include_str!("documents/machine_allocate.graphql");
const DEPLOY: &str = include_str!("documents/machine_deploy.graphql");
const RELEASE: &str = include_str!("documents/machine_release.graphql");
const ABORT: &str = include_str!("documents/machine_abort.graphql");
const RETRY: &str = include_str!("documents/machine_retry.graphql");
const POWER: &str = include_str!("documents/machine_power.graphql");
const DELETE: &str = include_str!("documents/machine_delete.graphql");
const IMAGES: &str = include_str!("documents/image_list.graphql");
const OPERATION: &str = include_str!("documents/operation_show.graphql");

const COLUMNS: &[Column] = &[
    ("NAME", "/hostname"),
    ("STATE", "/state"),
    ("POWER", "/power/state"),
    ("BOOT", "/bootStage"),
    ("STEP", "/progress/step"),
    ("%", "/progress/percent"),
    ("ADDRESS", "/address"),
    ("OWNER", "/owner"),
    ("WHY", "/failure"),
    ("WAITS FOR", "/waitReason"),
];

const FIELDS: &[Column] = &[
    ("name", "/hostname"),
    ("id", "/id"),
    ("state", "/state"),
    ("since", "/stateSince"),
    ("waits for", "/waitReason"),
    ("failure", "/failure"),
    ("owner", "/owner"),
    ("architecture", "/architecture"),
    ("firmware", "/firmware"),
    ("power", "/power/state"),
    ("BMC", "/power/address"),
    ("BMC protocol", "/power/protocol"),
    ("BMC error", "/power/error"),
    ("boot stage", "/bootStage"),
    ("address", "/address"),
    ("MAC addresses", "/macAddresses"),
    ("CPU", "/hardware/cpuModel"),
    ("memory bytes", "/hardware/memoryBytes"),
    ("image", "/image/name"),
    ("actions", "/actions"),
];

#[derive(Debug, Subcommand)]
pub(crate) enum MachineCommand {
    /// Lists machines.
    List {
        /// Only machines in this state, e.g. READY; may be given several times.
        #[arg(long)]
        state: Vec<String>,
    },
    /// Shows one machine, named by hostname or id.
    Show {
        /// Hostname or id.
        machine: String,
    },
    /// Boots the agent, takes stock, and ends in READY.
    Commission(Waited),
    /// Takes a READY machine for yourself.
    Allocate {
        /// Hostname or id.
        machine: String,
    },
    /// Installs an image and ends in DEPLOYED, when the installed system reports in.
    Deploy(Deploy),
    /// Powers off, erases the disks and gives the machine back.
    Release {
        #[command(flatten)]
        waited: Waited,
        /// Leave the disks as they are.
        #[arg(long)]
        no_erase: bool,
    },
    /// Stops what the machine is doing.
    Abort {
        /// Hostname or id.
        machine: String,
    },
    /// Does what failed again, in place.
    Retry(Waited),
    /// Switches the machine, or asks its BMC.
    Power {
        /// Hostname or id.
        machine: String,
        action: PowerAction,
    },
    /// Forgets the machine.
    Delete {
        /// Hostname or id.
        machine: String,
        /// Also when it is in use or its BMC cannot be reached.
        #[arg(long)]
        force: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Waited {
    /// Hostname or id.
    machine: String,
    /// Return when the operation has ended, not when it has begun.
    #[arg(long)]
    wait: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Deploy {
    #[command(flatten)]
    waited: Waited,
    /// Image name or id.
    #[arg(long)]
    image: String,
    /// File with an SSH public key; may be given several times.
    #[arg(long)]
    ssh_key: Vec<PathBuf>,
    /// File with cloud-init user data.
    #[arg(long)]
    user_data: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum PowerAction {
    On,
    Off,
    Cycle,
    Query,
}

pub(crate) async fn run(
    client: &Client,
    output: Output,
    command: MachineCommand,
) -> anyhow::Result<()> {
    match command {
        MachineCommand::List { state } => list(client, output, &state).await,
        MachineCommand::Show { machine } => {
            let data = client.run(SHOW, json!({ "id": machine })).await?;
            let Some(found) = data.get("machine").filter(|it| !it.is_null()) else {
                bail!("no machine is called `{machine}`; `ironherd machine list` shows all");
            };
            output::print_object(output, FIELDS, found);
            Ok(())
        }
        MachineCommand::Commission(it) => {
            start(client, output, COMMISSION, json!({ "id": it.machine }), it.wait).await
        }
        MachineCommand::Allocate { machine } => {
            start(client, output, ALLOCATE, json!({ "id": machine }), false).await
        }
        MachineCommand::Deploy(it) => {
            let variables = deploy_variables(client, &it).await?;
            start(client, output, DEPLOY, variables, it.waited.wait).await
        }
        MachineCommand::Release { waited: it, no_erase } => {
            let erase = if no_erase { "NONE" } else { "QUICK" };
            let variables = json!({ "id": it.machine, "input": { "erase": erase } });
            start(client, output, RELEASE, variables, it.wait).await
        }
        MachineCommand::Abort { machine } => {
            start(client, output, ABORT, json!({ "id": machine }), false).await
        }
        MachineCommand::Retry(it) => {
            start(client, output, RETRY, json!({ "id": it.machine }), it.wait).await
        }
        MachineCommand::Power { machine, action } => {
            let action = format!("{action:?}").to_uppercase();
            let variables = json!({ "id": machine, "input": { "action": action } });
            start(client, output, POWER, variables, true).await
        }
        MachineCommand::Delete { machine, force } => {
            client.run(DELETE, json!({ "id": machine, "force": force })).await?;
            Ok(())
        }
    }
}

async fn list(client: &Client, output: Output, states: &[String]) -> anyhow::Result<()> {
    let states: Vec<String> = states.iter().map(|it| it.to_uppercase()).collect();
    let filter = if states.is_empty() { Value::Null } else { json!({ "states": states }) };
    let rows = all_pages(client, LIST, "machines", json!({ "filter": filter })).await?;
    output::print_rows(output, COLUMNS, &rows);
    Ok(())
}

/// Reads every page of a connection.
pub(crate) async fn all_pages(
    client: &Client,
    document: &str,
    field: &str,
    mut variables: Value,
) -> anyhow::Result<Vec<Value>> {
    let mut rows = Vec::new();
    loop {
        let mut data = client.run(document, variables.clone()).await?;
        let connection = data.get_mut(field).context("the answer lacks the list")?.take();
        rows.extend(connection["nodes"].as_array().cloned().unwrap_or_default());
        if connection["pageInfo"]["hasNextPage"] != true {
            return Ok(rows);
        }
        variables["after"] = connection["pageInfo"]["endCursor"].clone();
    }
}

async fn deploy_variables(client: &Client, deploy: &Deploy) -> anyhow::Result<Value> {
    let read = |path: &PathBuf| {
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
    };
    let keys = deploy.ssh_key.iter().map(read).collect::<anyhow::Result<Vec<_>>>()?;
    let keys: Vec<&str> = keys.iter().map(|key| key.trim()).collect();
    let user_data = deploy.user_data.as_ref().map(read).transpose()?;
    let image = image_id(client, &deploy.image).await?;
    let input = json!({ "imageId": image, "sshKeys": keys, "userData": user_data });
    Ok(json!({ "id": deploy.waited.machine, "input": input }))
}

/// The id of an image given by name or id.
pub(crate) async fn image_id(client: &Client, name: &str) -> anyhow::Result<String> {
    let images = all_pages(client, IMAGES, "images", json!({})).await?;
    let matches = |image: &&Value| image["id"] == name || image["name"] == name;
    let image = images.iter().rev().find(matches).and_then(|image| image["id"].as_str());
    image
        .map(str::to_owned)
        .with_context(|| format!("no image is called `{name}`; `ironherd image list` shows all"))
}

/// Sends one mutation; with `wait`, follows the operation it started to its end.
async fn start(
    client: &Client,
    output: Output,
    document: &str,
    variables: Value,
    wait: bool,
) -> anyhow::Result<()> {
    let data = client.run(document, variables).await?;
    let payload = data.as_object().and_then(|it| it.values().next()).cloned().unwrap_or_default();
    if let Some(operation) = payload["operation"]["id"].as_str().filter(|_| wait) {
        wait_for(client, operation).await?;
    }
    let Some(id) = payload["machine"]["id"].as_str() else { return Ok(()) };
    let machine = client.run(SHOW, json!({ "id": id })).await?;
    output::print_rows(output, COLUMNS, &[machine["machine"].clone()]);
    Ok(())
}

/// Follows an operation to its end.
///
/// # Errors
/// When it failed or was cancelled, with the operation's own reason.
pub(crate) async fn wait_for(client: &Client, operation: &str) -> anyhow::Result<()> {
    loop {
        let data = client.run(OPERATION, json!({ "id": operation })).await?;
        let operation = &data["operation"];
        match operation["state"].as_str() {
            Some("RUNNING") => tokio::time::sleep(Duration::from_millis(500)).await,
            Some("DONE") => return Ok(()),
            _ => {
                bail!("{}", operation["error"].as_str().unwrap_or("the operation did not end well"))
            }
        }
    }
}
