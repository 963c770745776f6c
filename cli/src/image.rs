//! `ironherd image …`: builds boot and disk images on this computer and uploads them.

mod apt;
mod debian;
mod ephemeral;
mod manifest;
mod steps;
mod tool;
mod upload;

use clap::Subcommand;
use serde_json::json;

use crate::client::Client;
use crate::output::{self, Output};

pub(crate) use debian::{DebianArgs, build_debian};
pub(crate) use ephemeral::{EphemeralArgs, build_ephemeral};
pub(crate) use upload::{UploadArgs, upload};

const LIST: &str = include_str!("documents/image_list.graphql");
const DELETE: &str = include_str!("documents/image_delete.graphql");

#[derive(Debug, Subcommand)]
pub(crate) enum ImageCommand {
    /// Builds the RAM system that machines boot over the network, with all its boot files.
    BuildEphemeral(EphemeralArgs),
    /// Builds a Debian disk image that boots under BIOS and UEFI and is set up by cloud-init.
    BuildDebian(DebianArgs),
    /// Uploads a folder with a manifest, or one file.
    #[command(visible_alias = "import")]
    Upload(UploadArgs),
    /// Lists the region's images.
    List,
    /// Deletes an image that no machine uses.
    Delete {
        /// The image's id, as `ironherd image list` shows it.
        id: String,
    },
}

/// Runs one image command. Building needs no region, so the client is made only when asked for.
pub(crate) async fn run(
    client: impl Fn() -> anyhow::Result<Client>,
    output: Output,
    command: ImageCommand,
) -> anyhow::Result<()> {
    match command {
        ImageCommand::BuildEphemeral(args) => {
            let built = tokio::task::spawn_blocking(move || build_ephemeral(&args)).await??;
            let rows = built.files.iter().map(|it| json!(it)).collect::<Vec<_>>();
            output::print_rows(output, manifest::COLUMNS, &rows);
        }
        ImageCommand::BuildDebian(args) => {
            let built = tokio::task::spawn_blocking(move || build_debian(&args)).await??;
            output::print_rows(output, manifest::COLUMNS, &[json!(built)]);
        }
        ImageCommand::Upload(args) => {
            let uploaded = upload(&client()?, &args).await?;
            let rows = uploaded.iter().map(|it| json!(it)).collect::<Vec<_>>();
            output::print_rows(output, upload::COLUMNS, &rows);
        }
        ImageCommand::List => output::print_rows(output, LIST_COLUMNS, &list(&client()?).await?),
        ImageCommand::Delete { id } => {
            client()?.run(DELETE, json!({ "id": id })).await?;
        }
    }
    Ok(())
}

const LIST_COLUMNS: &[output::Column] = &[
    ("ID", "/id"),
    ("NAME", "/name"),
    ("KIND", "/kind"),
    ("STATE", "/state"),
    ("BYTES", "/sizeBytes"),
    ("SHA256", "/sha256"),
];

async fn list(client: &Client) -> anyhow::Result<Vec<serde_json::Value>> {
    crate::machine::all_pages(client, LIST, "images", json!({})).await
}
