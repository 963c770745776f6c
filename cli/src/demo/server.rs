//! `ironherd up` as a child process: what the demo and the crash tests start, kill and restart.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::process::{Child, Command};

use crate::client::Token;
use crate::demo::artefacts::OWN_PROGRAM;

const START_MAX: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct Server {
    data_dir: PathBuf,
    listen: String,
    // Killed when dropped: a demo leaves no server behind.
    child: Child,
}

impl Server {
    /// Starts the server and waits until it is ready to serve.
    pub(crate) async fn start(data_dir: &Path, listen: &str, netns: &str) -> anyhow::Result<Self> {
        std::fs::create_dir_all(data_dir)?;
        let log_path = data_dir.join("ironherd.log");
        let log = File::options().create(true).append(true).mode(0o600).open(&log_path)?;
        let mut command = Command::new(OWN_PROGRAM);
        command.arg("up").arg("--data-dir").arg(data_dir);
        command.args(["--listen", listen, "--netns", netns]);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
        let child = command.spawn().context("cannot start `ironherd up`")?;
        let mut server = Self { data_dir: data_dir.to_owned(), listen: listen.to_owned(), child };
        server.wait_ready().await.with_context(|| format!("see {}", log_path.display()))?;
        Ok(server)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.listen)
    }

    pub(crate) fn token_file(&self) -> PathBuf {
        self.data_dir.join("demo.token")
    }

    async fn wait_ready(&mut self) -> anyhow::Result<()> {
        let url = format!("{}/readyz", self.url());
        let http = reqwest::Client::new();
        let started = Instant::now();
        while started.elapsed() < START_MAX {
            if let Some(status) = self.child.try_wait()? {
                bail!("`ironherd up` ended at once with {status}");
            }
            if http.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("`ironherd up` was not ready within {} s", START_MAX.as_secs())
    }

    /// Makes an administrator's token the way an operator does, and keeps it in a private file.
    pub(crate) async fn admin_token(&self, name: &str) -> anyhow::Result<Token> {
        let mut command = Command::new(OWN_PROGRAM);
        command.args(["admin", "create", name, "--token-file"]).arg(self.token_file());
        command.arg("--data-dir").arg(&self.data_dir).stdout(Stdio::null());
        let status = command.status().await.context("cannot run `ironherd admin create`")?;
        if !status.success() {
            bail!("`ironherd admin create` ended with {status}");
        }
        Token::from_file(&self.token_file())
    }
}
