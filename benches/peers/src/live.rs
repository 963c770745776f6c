//! How soon a change in the region is in force in the rack: from the mutation to the first OFFER
//! that shows it, while other clients are served.
//!
//! The real `ironherd up` runs, region and rack in one process, in the server's namespace; we ask
//! it through its GraphQL API and through DHCP from the clients'.

mod client;
mod region;
mod scenario;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use serde_json::json;

use crate::load::{Loader, Outcome};
use crate::network::{Network, SERVER_ADDRESS};
use crate::process::{Process, output};
use crate::rows::{self, Row, quantile};
use scenario::{Change, Sample};

#[derive(Debug, Args)]
pub(crate) struct LiveArgs {
    /// The program that is measured.
    #[arg(long)]
    ironherd: PathBuf,
    #[arg(long, default_value_t = 10_000)]
    machines: u32,
    /// Changes of each kind.
    #[arg(long, default_value_t = 100)]
    changes: u32,
    /// Leases a second that other clients get meanwhile.
    #[arg(long, default_value_t = 2_000.0)]
    rate: f64,
    /// Fewer of everything: a look, not a result.
    #[arg(long)]
    quick: bool,
    /// `table` or `json`, on standard output.
    #[arg(long, default_value = "table")]
    output: String,
    /// Where the server keeps its files.
    #[arg(long)]
    work: PathBuf,
    /// Also writes the rows, and every sample, there.
    #[arg(long)]
    save: Option<PathBuf>,
}

/// What the process in the clients' namespace is told.
#[derive(Debug, Args)]
pub(crate) struct DriveArgs {
    #[arg(long)]
    token_file: PathBuf,
    #[arg(long)]
    machines: u32,
    /// None: set up what is to be changed.
    #[arg(long)]
    changes: Option<u32>,
}

const API_PORT: u16 = 5240;
const READY_PATIENCE: Duration = Duration::from_secs(60);
/// What setting up, or changing, may take at most.
const DRIVE_PATIENCE: Duration = Duration::from_secs(1_800);
/// How long the load runs on before and after the changes.
const MARGIN: Duration = Duration::from_secs(1);

pub(crate) fn run(args: &LiveArgs) -> anyhow::Result<()> {
    let (machines, changes) = match args.quick {
        true => (args.machines.min(500), args.changes.min(10)),
        false => (args.machines, args.changes),
    };
    ensure!(0 < changes && changes <= machines, "give 1 to {machines} changes, one a machine");
    let ironherd = args.ironherd.canonicalize();
    let ironherd = ironherd.with_context(|| format!("no {}", args.ironherd.display()))?;
    let network = Network::new()?;
    if args.work.exists() {
        fs::remove_dir_all(&args.work)?;
    }
    fs::create_dir_all(&args.work)?;
    let work = args.work.canonicalize()?;
    let token = work.join("token");
    let server = Server { ironherd, work: &work, network: &network };
    output(server.command(&["admin", "create", "bench", "--token-file"]).arg(&token), MARGIN * 60)?;
    let up = server.start()?;
    let drive = Drive { network: &network, token: &token, machines };
    eprintln!("setting up {machines} machines, each with a reservation");
    drive.play(None)?;
    eprintln!("changing, {changes} times each");
    let (samples, load) = under_load(&network, args.rate, || drive.play(Some(changes)))?;
    let memory = up.memory()?;
    up.stop()?;
    let rows = rows(&samples, &load);
    if let Some(save) = &args.save {
        let all = json!({ "rows": rows, "samples": samples, "machines": machines,
            "load_per_second": load.per_second,
            "server_memory_bytes": memory });
        fs::write(save, format!("{all:#}\n"))
            .with_context(|| format!("cannot write {}", save.display()))?;
    }
    rows::print(&args.output, &rows)?;
    ensure!(load.errors.total() == 0, "wrong replies: {:?}", load.errors);
    Ok(())
}

/// In the clients' namespace: sets up, or changes and watches. The samples go to standard output.
#[allow(clippy::print_stdout, reason = "this is the program's answer")]
pub(crate) fn drive(args: &DriveArgs) -> anyhow::Result<()> {
    let token = fs::read_to_string(&args.token_file)?;
    let region = region::Region::new(SERVER_ADDRESS, API_PORT, token.trim())?;
    let samples = match args.changes {
        None => scenario::set_up(&region, args.machines)?,
        Some(changes) => scenario::change(&region, changes)?,
    };
    println!("{}", serde_json::to_string(&samples)?);
    Ok(())
}

/// `ironherd` in the server's namespace.
struct Server<'a> {
    ironherd: PathBuf,
    work: &'a Path,
    network: &'a Network,
}

impl Server<'_> {
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "ip", "netns", "exec", &self.network.server]);
        command
            .args(["nice", "-n", "-20"])
            .arg(&self.ironherd)
            .arg("--data-dir")
            .arg(self.work.join("data"));
        command.args(words).current_dir(self.work).stdin(Stdio::null());
        let api = format!("{SERVER_ADDRESS}:{API_PORT}");
        command.env("IRONHERD__REGION__LISTEN", &api);
        command.env("IRONHERD__RACK__REGION_URL", format!("http://{api}"));
        // One card asks more often than a card would, to see a change as soon as it is there.
        command.env("IRONHERD__RACK__CARD_RATE", "0");
        command
    }

    /// Starts it; the API listens when this returns.
    fn start(&self) -> anyhow::Result<Process> {
        let log = self.work.join("log");
        let mut up = Process::start(&mut self.command(&["up"]), "ironherd up", &log)?;
        let mut look = Command::new("ip");
        look.args(["netns", "exec", &self.network.server, "ss", "-Hltn"]);
        let deadline = Instant::now() + READY_PATIENCE;
        while !String::from_utf8_lossy(&look.output()?.stdout).contains(&format!(":{API_PORT} ")) {
            let ended = up.has_ended()?;
            if ended.is_some() || deadline <= Instant::now() {
                bail!("`ironherd up` does not listen: {}", fs::read_to_string(&log)?.trim());
            }
        }
        Ok(up)
    }
}

struct Drive<'a> {
    network: &'a Network,
    token: &'a Path,
    machines: u32,
}

impl Drive<'_> {
    fn play(&self, changes: Option<u32>) -> anyhow::Result<Vec<Sample>> {
        let ourselves = std::env::current_exe().context("cannot find this program")?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "ip", "netns", "exec", &self.network.clients]);
        command.args(["nice", "-n", "-20"]).arg(ourselves).arg("live-drive");
        command.arg("--token-file").arg(self.token);
        command.args(["--machines", &self.machines.to_string()]);
        if let Some(changes) = changes {
            command.args(["--changes", &changes.to_string()]);
        }
        let text = output(&mut command, DRIVE_PATIENCE)?;
        serde_json::from_str(&text).with_context(|| format!("no samples: {text}"))
    }
}

/// Does something while clients get leases: one load after the other until it is done, so that
/// every packet of the time is counted.
fn under_load<T>(
    network: &Network,
    rate: f64,
    work: impl FnOnce() -> anyhow::Result<T> + Send,
) -> anyhow::Result<(T, Outcome)>
where
    T: Send,
{
    std::thread::scope(|scope| {
        let (started, start) = std::sync::mpsc::channel();
        let worker = scope.spawn(move || {
            start.recv()?;
            std::thread::sleep(MARGIN); // The load is to be under way.
            work()
        });
        let mut loader = Loader::new(network);
        let mut all = Outcome::default();
        started.send(())?;
        loop {
            let part = loader.open(rate, MARGIN * 10)?;
            all.add(&part);
            if worker.is_finished() {
                break;
            }
        }
        let work = worker.join().map_err(|_| anyhow::anyhow!("the changes panicked"))??;
        Ok((work, all))
    })
}

fn rows(samples: &[Sample], load: &Outcome) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut add = |name: &str, of: &[&Sample]| {
        let from_request: Vec<f64> = of.iter().map(|it| it.from_request_ms).collect();
        let from_answer: Vec<f64> = of.iter().map(|it| it.from_answer_ms).collect();
        for (way, values) in [("from_request", from_request), ("from_answer", from_answer)] {
            for (word, at) in [("p50", 0.5), ("p99", 0.99), ("max", 1.0)] {
                if let Some(value) = quantile(&values, at) {
                    rows.push(Row::alone("live", format!("{name}/{way}/{word}"), "ms", value));
                }
            }
        }
    };
    add("any", &samples.iter().collect::<Vec<_>>());
    for change in Change::ALL {
        let of: Vec<_> = samples.iter().filter(|it| it.change == change).collect();
        add(change.name(), &of);
    }
    let count = |it: u64| u32::try_from(it).map_or(f64::MAX, f64::from);
    rows.push(Row::alone("live", "load/leases".to_owned(), "leases", count(load.completed)));
    let lost = count(load.begun - load.completed);
    rows.push(Row::alone("live", "load/lost".to_owned(), "leases", lost));
    rows.push(Row::alone("live", "load/p99".to_owned(), "ms", load.whole.p99_us / 1e3));
    rows
}
