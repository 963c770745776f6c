//! `ironherd admin …`: what is done on the server itself, with the data folder at hand.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Subcommand;

use crate::config::Config;
use crate::serve;

#[derive(Debug, Subcommand)]
pub(crate) enum AdminCommand {
    /// Makes an API token for an administrator. It is shown once.
    Create {
        /// Who will use it; appears as the actor in the history.
        name: String,
        /// Write the token to this file (readable by you alone) instead of showing it.
        #[arg(long)]
        token_file: Option<PathBuf>,
    },
}

#[allow(clippy::print_stdout, reason = "this is the program's answer")]
pub(crate) async fn run(config: &Config, command: AdminCommand) -> anyhow::Result<()> {
    let AdminCommand::Create { name, token_file } = command;
    let app = serve::open_app(config).await?;
    let made = app.admin_create(&name).await.context("cannot make the token")?;
    let token = made.text.expose();
    match token_file {
        None => println!("{}", token),
        Some(path) => {
            write_private(&path, token)?;
            eprintln!("The token of {name} is in {}.", path.display());
        }
    }
    Ok(())
}

/// Writes a file that only its owner can read, also while it is being written.
fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(path);
    let mut file = file.with_context(|| format!("cannot write {}", path.display()))?;
    file.write_all(text.as_bytes())?;
    Ok(())
}
