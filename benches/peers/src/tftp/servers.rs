//! The TFTP servers side by side, each with the same files.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

use super::load::Fetches;
use crate::network::{Network, SERVER_INTERFACE};
use crate::process::{Place, Process, command};
use crate::rack;
use crate::rows::Compared;
use crate::servers::SERVER_CORE;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Ironherd,
    Dnsmasq,
    TftpdHpa,
    Atftpd,
}

pub(crate) const READY: &str = "ready";
const READY_PATIENCE: Duration = Duration::from_secs(30);

impl Compared for Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Ironherd => "ironherd",
            Self::Dnsmasq => "dnsmasq",
            Self::TftpdHpa => "tftpd_hpa",
            Self::Atftpd => "atftpd",
        }
    }

    fn is_ours(self) -> bool {
        self == Self::Ironherd
    }
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Ironherd, Self::Dnsmasq, Self::TftpdHpa, Self::Atftpd];

    /// Starts it with these files, and waits until it serves one.
    pub(crate) fn start(
        self,
        network: &Network,
        folder: &Path,
        files: &[(&str, &[u8])],
        fetches: &Fetches<'_>,
        tftpd_hpa: &Path,
    ) -> anyhow::Result<Process> {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder)?;
        let place = Place { namespace: &network.server, core: SERVER_CORE };
        let root = folder.join("files");
        let mut command = if self.is_ours() {
            rack::prepare_with(folder, files)?;
            let ourselves = std::env::current_exe().context("cannot find this program")?;
            let mut command = command(place, &ourselves.to_string_lossy());
            command.args(["rack", "--service", "tftp", "--data-dir"]).arg(folder);
            command
        } else {
            fs::create_dir_all(&root)?;
            for (name, bytes) in files {
                fs::write(root.join(name), bytes)?;
            }
            self.peer(place, &root, tftpd_hpa)
        };
        let log = folder.join("log");
        let mut process = Process::start(&mut command, self.name(), &log)?;
        let deadline = Instant::now() + READY_PATIENCE;
        loop {
            let said = || fs::read_to_string(&log).unwrap_or_default().trim().to_owned();
            if let Some(status) = process.has_ended()? {
                // The kernel frees the ports of a ring only a while after its process has ended.
                let taken = said().contains("in use") && Instant::now() < deadline;
                ensure!(taken, "{} ended at once ({status}): {}", self.name(), said());
                process = Process::start(&mut command, self.name(), &log)?;
            }
            if fetches.probe()? {
                return Ok(process);
            }
            if deadline <= Instant::now() {
                bail!("{} does not answer: {}", self.name(), said());
            }
        }
    }

    fn peer(self, place: Place<'_>, root: &Path, tftpd_hpa: &Path) -> Command {
        match self {
            Self::Dnsmasq => {
                let mut it = command(place, "dnsmasq");
                it.args(["--keep-in-foreground", "--conf-file=/dev/null", "--port=0"]);
                it.args(["--user=root", "--pid-file=", "--log-facility=-", "--quiet-tftp"]);
                it.args(["--enable-tftp", "--tftp-max=4000"]);
                it.arg(format!("--interface={SERVER_INTERFACE}"));
                it.arg(format!("--tftp-root={}", root.display()));
                it
            }
            Self::TftpdHpa => {
                let mut it = command(place, &tftpd_hpa.to_string_lossy());
                it.args(["--foreground", "--user", "root", "--address", "0.0.0.0:69"]);
                it.arg("--secure").arg(root);
                it
            }
            _ => {
                let mut it = command(place, "atftpd");
                it.args(["--daemon", "--no-fork", "--user", "root", "--group", "root"]);
                it.args(["--maxthread", "4000", "--verbose=0", "--logfile", "-"]).arg(root);
                it
            }
        }
    }
}
