use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use ironherd_dhcp_load::is_private;

use crate::{Downloads, Plan, TftpLoadError};

/// The words that describe a load on a command line.
#[derive(Clone, Debug, Args)]
pub struct TftpLoadArgs {
    /// Server to ask.
    #[arg(long, value_name = "ADDRESS")]
    pub server: IpAddr,
    #[arg(long, value_name = "PORT", default_value_t = 69)]
    pub port: u16,
    /// File that every client fetches.
    #[arg(long, value_name = "NAME")]
    pub name: String,
    /// How many clients there are; all begin at once.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub clients: u32,
    #[arg(long, value_name = "BYTES", default_value_t = 1428)]
    pub block_bytes: u16,
    /// Blocks before each ACK (RFC 7440).
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub window_blocks: u16,
    /// Each client fetches the file so often.
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "seconds")]
    pub downloads: u32,
    /// Each client fetches it again and again, for so long.
    #[arg(long, value_name = "S")]
    pub seconds: Option<f64>,
    /// How long a client waits for an answer before it asks again.
    #[arg(long, value_name = "MS", default_value_t = 1_000)]
    pub patience_ms: u64,
    /// A copy of the file: every byte is compared.
    #[arg(long, value_name = "PATH")]
    pub expect: Option<PathBuf>,
    /// Load a network that others may be on, too.
    #[arg(long)]
    pub i_own_this_network: bool,
}

/// A day: nobody means more.
const SECONDS_MAX: f64 = 86_400.0;

impl TftpLoadArgs {
    /// What was asked for, if it may be done.
    ///
    /// # Errors
    /// [`TftpLoadError::Plan`], [`TftpLoadError::Io`] where the copy cannot be read, and
    /// [`TftpLoadError::OthersNetwork`] where a load could hurt others.
    pub fn plan(&self) -> Result<Plan, TftpLoadError> {
        let downloads = match self.seconds {
            None => Downloads::Each(self.downloads),
            Some(it) if 0.0 < it && it <= SECONDS_MAX => {
                Downloads::For(Duration::from_secs_f64(it))
            }
            Some(_) => {
                let remedy = "give 0 to 86,400";
                return Err(TftpLoadError::Plan { field: "seconds", remedy });
            }
        };
        let expect = self.expect.as_ref().map(std::fs::read).transpose();
        let plan = Plan {
            server: SocketAddr::new(self.server, self.port),
            name: self.name.clone(),
            clients: self.clients,
            block_bytes: self.block_bytes,
            window_blocks: self.window_blocks,
            downloads,
            patience: Duration::from_millis(self.patience_ms),
            expect: expect.map_err(TftpLoadError::io("expect"))?,
        };
        plan.check()?;
        let v4 = if let IpAddr::V4(it) = self.server { Some(it) } else { None };
        let loopback = self.server.is_loopback();
        if !self.i_own_this_network && !loopback && !is_private(v4) {
            return Err(TftpLoadError::OthersNetwork);
        }
        Ok(plan)
    }
}
