//! `ironherd lab demo`: machines with real firmware, from power-on to DEPLOYED, all by itself.
//!
//! It drives the product the way an operator would: through GraphQL alone, after switching the
//! machines on by their buttons.

mod artefacts;
mod scenario;
mod server;
mod summary;
mod view;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use serde_json::json;

use crate::client::Client;
use crate::lab::{self, Lab};
use crate::output::{self, Output};
use crate::watch::Watch;

use artefacts::Artefacts;
use scenario::Plan;
use server::Server;

#[derive(Args, Debug)]
pub(crate) struct DemoArgs {
    /// Release the machines at the end, take everything down and exit.
    #[arg(long)]
    once: bool,
    /// One machine each: FIRMWARE:BMC, e.g. `uefi:redfish`; may be given several times.
    #[arg(long = "machine", default_values = ["uefi:redfish", "bios:ipmi"])]
    machines: Vec<lab::MachineKind>,
    /// Name of the lab and of its network namespace.
    #[arg(long, default_value = "demo")]
    name: String,
    /// Folder for this run's state, emptied at the start [default: one in the cache].
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Address of the API and the console.
    #[arg(long, default_value = "127.0.0.1:5240")]
    listen: String,
    /// The static agent, as `cargo xtask build` makes it.
    #[arg(long, env = "IRONHERD_AGENT")]
    agent: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct ImagesArgs {
    /// The static agent, as `cargo xtask build` makes it.
    #[arg(long, env = "IRONHERD_AGENT")]
    agent: PathBuf,
}

/// Makes sure that both images are in the cache, and prints where.
pub(crate) async fn images(args: &ImagesArgs, output: Output) -> anyhow::Result<()> {
    let artefacts = Artefacts::ensure(&args.agent).await?;
    let paths = json!({ "ephemeral": artefacts.ephemeral, "disk": artefacts.disk });
    output::print_object(output, &[("ephemeral", "/ephemeral"), ("disk", "/disk")], &paths);
    Ok(())
}

/// Runs the demo to its end, or until Ctrl-C.
///
/// # Errors
/// When a machine did not get where it should; what was found out goes to standard error, and the
/// state folder stays for a look.
pub(crate) async fn run(args: DemoArgs, output: Output) -> anyhow::Result<()> {
    let started = Instant::now();
    let artefacts = Artefacts::ensure(&args.agent).await?;
    let dir = args.dir.clone().unwrap_or_else(|| artefacts::cache_dir().join("demo"));
    lab::down(&dir.join("lab"), &args.name).await.context("cannot clear an earlier demo")?;
    if dir.exists() {
        std::fs::remove_dir_all(&dir).with_context(|| format!("cannot empty {}", dir.display()))?;
    }
    std::fs::create_dir_all(&dir)?;
    let lab =
        Lab::up(&lab::LabSpec::new(&args.name, dir.join("lab"), args.machines.clone())).await?;
    let demo = Demo { args, dir, lab, artefacts, started };
    let outcome = tokio::select! {
        outcome = demo.drive(output) => outcome,
        _ = tokio::signal::ctrl_c() => Ok(()),
    };
    if outcome.is_err() {
        eprintln!("The state of this run is kept in {}.", demo.dir.display());
    }
    demo.lab.down().await?;
    outcome
}

struct Demo {
    args: DemoArgs,
    dir: PathBuf,
    lab: Lab,
    artefacts: Artefacts,
    started: Instant,
}

impl Demo {
    async fn drive(&self, output: Output) -> anyhow::Result<()> {
        let server =
            Server::start(&self.dir.join("data"), &self.args.listen, self.lab.netns()).await?;
        let client = Client::new(&server.url(), server.admin_token("demo").await?)?;
        lab::prepare_region(&client, &self.lab).await?;
        let image = self.artefacts.upload(&client, &server.token_file()).await?;
        let watch = Watch::start(client.clone());
        let view = view::View::start(&self.lab.machines(), watch.machines());
        let plan = Plan {
            client: client.clone(),
            image,
            machines: watch.machines(),
            release: self.args.once,
        };
        let reports = scenario::run(&plan, &self.lab).await;
        view.finish();
        let summary = summary::Summary::new(reports, self.started.elapsed());
        summary.print(output);
        if self.args.once {
            return summary.outcome();
        }
        print_guide(&server, &self.dir, self.lab.netns());
        summary.outcome()?;
        std::future::pending::<()>().await; // Until Ctrl-C, which `run` waits for.
        Ok(())
    }
}

/// How long a stage may take before the demo calls it lost; lab times under emulation vary much.
const STAGE_MAX: Duration = Duration::from_secs(20 * 60);

fn print_guide(server: &Server, dir: &std::path::Path, netns: &str) {
    let url = server.url();
    let token_file = server.token_file();
    let lines = [
        String::new(),
        "The lab stays up until Ctrl-C. Look around:".to_owned(),
        format!("  console     {url}/            (token: cat {})", token_file.display()),
        format!("  GraphiQL    {url}/graphiql"),
        format!(
            "  shell       export IRONHERD_URL={url} IRONHERD_TOKEN_FILE={}",
            token_file.display()
        ),
        "              ironherd machine list".to_owned(),
        format!("  consoles    ironherd lab console --log NAME   (namespace {netns})"),
        format!("  server log  {}", dir.join("data/ironherd.log").display()),
    ];
    for line in lines {
        eprintln!("{line}");
    }
}
