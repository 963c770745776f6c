//! Loads on a TFTP server, each in a process of its own on the generator's core.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::servers::READY;
use crate::network::{Network, SERVER_ADDRESS};
use crate::process::{Place, command, output};

const GENERATOR_CORE: u32 = 1;
/// Whoever needs longer is not compared.
const AT_MOST: Duration = Duration::from_secs(120);

/// Fetches files of the server.
pub(crate) struct Fetches<'a> {
    pub(crate) network: &'a Network,
    /// Copies of the files, to compare with.
    pub(crate) copies: PathBuf,
}

/// One load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load<'a> {
    pub(crate) name: &'a str,
    pub(crate) clients: u32,
    pub(crate) window_blocks: u16,
    /// So long; once each without.
    pub(crate) seconds: Option<f64>,
    pub(crate) patience: Duration,
}

/// What it has shown; see the report of the generator.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Outcome {
    pub(crate) completed: u64,
    pub(crate) failed: BTreeMap<String, u64>,
    pub(crate) bytes: u64,
    pub(crate) seconds: f64,
    pub(crate) megabytes_per_second: f64,
    pub(crate) repeats: u64,
    pub(crate) gaps: u64,
    pub(crate) timeouts: u64,
    pub(crate) p50_ms: f64,
    pub(crate) max_ms: f64,
}

impl Fetches<'_> {
    /// Whether the server serves.
    pub(crate) fn probe(&self) -> anyhow::Result<bool> {
        let patience = Duration::from_millis(20);
        let load = Load { name: READY, clients: 1, window_blocks: 1, seconds: None, patience };
        Ok(self.run(&load)?.completed == 1)
    }

    pub(crate) fn run(&self, load: &Load<'_>) -> anyhow::Result<Outcome> {
        let place = Place { namespace: &self.network.clients, core: GENERATOR_CORE };
        let ourselves = std::env::current_exe().context("cannot find this program")?;
        let mut command = command(place, &ourselves.to_string_lossy());
        command.args(["tftp-load", "--server", &SERVER_ADDRESS.to_string()]);
        command.args(["--name", load.name]).arg("--expect").arg(self.copy(load.name));
        command.args(["--clients", &load.clients.to_string()]);
        command.args(["--window-blocks", &load.window_blocks.to_string()]);
        command.args(["--patience-ms", &load.patience.as_millis().to_string()]);
        if let Some(seconds) = load.seconds {
            command.args(["--seconds", &seconds.to_string()]);
        }
        let text = output(&mut command, AT_MOST)?;
        serde_json::from_str(&text).with_context(|| format!("no report: {text}"))
    }

    fn copy(&self, name: &str) -> PathBuf {
        Path::new(&self.copies).join(name)
    }
}
