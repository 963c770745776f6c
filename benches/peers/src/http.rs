//! Boot files by HTTP: rounds over our server and nginx, with `wrk` as the clients.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use serde_json::json;

use crate::network::{Network, SERVER_ADDRESS};
use crate::process::{Place, Process, command, output};
use crate::rack;
use crate::rows::{self, Better, Compared, Row, Samples};
use crate::servers::SERVER_CORE;

#[derive(Debug, Args)]
pub(crate) struct HttpArgs {
    /// One short round.
    #[arg(long)]
    quick: bool,
    /// Our server alone, for a moment: shows that the bench still works.
    #[arg(long)]
    smoke: bool,
    #[arg(long)]
    rounds: Option<u32>,
    /// `table` or `json`, on standard output.
    #[arg(long, default_value = "table")]
    output: String,
    /// Where the servers keep their files.
    #[arg(long)]
    work: PathBuf,
    /// Also writes the rows, and what they come from, there.
    #[arg(long)]
    save: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Ironherd,
    Nginx,
}

impl Compared for Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Ironherd => "ironherd",
            Self::Nginx => "nginx",
        }
    }

    fn is_ours(self) -> bool {
        self == Self::Ironherd
    }
}

/// One question: a file, and how many connections fetch it.
struct Contest {
    row: &'static str,
    file: &'static str,
    connections: u32,
    unit: &'static str,
    rates: Samples<Kind>,
    cpu: Samples<Kind>,
}

impl Contest {
    fn new(row: &'static str, file: &'static str, connections: u32, unit: &'static str) -> Self {
        let (rates, cpu) = (Samples::default(), Samples::default());
        Self { row, file, connections, unit, rates, cpu }
    }
}

/// What `wrk` has counted.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Counted {
    requests_per_second: f64,
    megabytes_per_second: f64,
}

const LARGE: (&str, usize) = ("large.img", 16 << 20);
/// As large as a boot script.
const SMALL: (&str, usize) = ("small.cfg", 1 << 10);
const GENERATOR_CORE: u32 = 1;
const READY_PATIENCE: Duration = Duration::from_secs(30);
const BULK: &str = "MB/s";
const RACK_PORT: u16 = 5248;
const NGINX_PORT: u16 = 80;

pub(crate) fn run(args: &HttpArgs) -> anyhow::Result<()> {
    let (rounds, seconds) = match (args.smoke, args.quick) {
        (true, _) => (1, 1),
        (_, true) => (1, 2),
        _ => (5, 5),
    };
    let rounds = args.rounds.unwrap_or(rounds).clamp(1, 99);
    let kinds = if args.smoke { &[Kind::Ironherd][..] } else { &[Kind::Ironherd, Kind::Nginx] };
    let network = Network::new()?;
    let mut contests = [
        Contest::new("file_16M_64_connections", LARGE.0, 64, BULK),
        Contest::new("file_1K_64_connections", SMALL.0, 64, "requests/s"),
    ];
    let mut log = Vec::new();
    for round in 1..=rounds {
        for kind in kinds {
            eprintln!("round {round} of {rounds}: {}", kind.name());
            let process = start(*kind, &network, &args.work.join(kind.name()))?;
            for contest in &mut contests {
                let before = process.cpu()?;
                let counted = wrk(*kind, &network, contest, seconds)?;
                let cpu = process.cpu()?.saturating_sub(before).as_secs_f64();
                let Counted { requests_per_second, megabytes_per_second } = counted;
                let bulk = contest.unit == BULK;
                let rate = if bulk { megabytes_per_second } else { requests_per_second };
                let spent = cpu * 1e6 / (rate * f64::from(seconds)).max(1e-9);
                eprintln!("  {:<24} {rate:>9.0} {}  {spent:.1} us each", contest.row, contest.unit);
                log.push(json!({ "server": kind.name(), "load": contest.row, "rate": rate,
                    "cpu_us": spent }));
                contest.rates.add(*kind, rate);
                contest.cpu.add(*kind, spent);
            }
            process.stop()?;
        }
    }
    let rows = contests.iter().flat_map(rows_of).collect::<Vec<Row>>();
    if let Some(save) = &args.save {
        let all = json!({ "rows": rows, "samples": log });
        fs::write(save, format!("{all:#}\n"))
            .with_context(|| format!("cannot write {}", save.display()))?;
    }
    rows::print(&args.output, &rows)
}

/// The rate, and what it costs: with both servers held to one core these need not agree.
fn rows_of(it: &Contest) -> Vec<Row> {
    let rate = it.rates.row("http", Kind::Ironherd, it.row, it.unit, Better::More, Some(&it.cpu));
    let name = format!("{}/cpu", it.row);
    let cpu = it.cpu.row("http", Kind::Ironherd, &name, "us", Better::Less, None);
    rate.into_iter().chain(cpu).collect()
}

fn content((_, len): (&str, usize)) -> Vec<u8> {
    let words = (0_u32..).flat_map(|it| it.wrapping_mul(2_654_435_761).to_be_bytes());
    words.take(len).collect()
}

fn start(kind: Kind, network: &Network, folder: &Path) -> anyhow::Result<Process> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    let place = Place { namespace: &network.server, core: SERVER_CORE };
    let files = [(LARGE.0, content(LARGE)), (SMALL.0, content(SMALL))];
    let mut command = match kind {
        Kind::Ironherd => {
            let files: Vec<_> = files.iter().map(|(name, it)| (*name, it.as_slice())).collect();
            rack::prepare_with(folder, &files)?;
            let ourselves = std::env::current_exe().context("cannot find this program")?;
            let mut command = command(place, &ourselves.to_string_lossy());
            command.args(["rack", "--service", "http", "--data-dir"]).arg(folder);
            command
        }
        Kind::Nginx => nginx(place, folder, &files)?,
    };
    let log = folder.join("log");
    let mut process = Process::start(&mut command, kind.name(), &log)?;
    let deadline = Instant::now() + READY_PATIENCE;
    while !listens(kind, network)? {
        let said = || fs::read_to_string(&log).unwrap_or_default();
        if let Some(status) = process.has_ended()? {
            bail!("{} ended at once ({status}): {}", kind.name(), said().trim());
        }
        if deadline <= Instant::now() {
            bail!("{} does not listen: {}", kind.name(), said().trim());
        }
    }
    Ok(process)
}

const fn port(kind: Kind) -> u16 {
    match kind {
        Kind::Ironherd => RACK_PORT,
        Kind::Nginx => NGINX_PORT,
    }
}

fn listens(kind: Kind, network: &Network) -> anyhow::Result<bool> {
    let mut look = Command::new("ip");
    look.args(["netns", "exec", &network.server, "ss", "-Hltn"]);
    let text = output(&mut look, READY_PATIENCE)?;
    Ok(text.contains(&format!(":{} ", port(kind))))
}

/// One worker, files by sendfile, nothing logged, connections kept.
fn nginx(place: Place<'_>, folder: &Path, files: &[(&str, Vec<u8>)]) -> anyhow::Result<Command> {
    let root = folder.join("boot");
    fs::create_dir_all(&root)?;
    for (name, bytes) in files {
        fs::write(root.join(name), bytes)?;
    }
    let at = folder.display();
    let config = format!(
        "daemon off; master_process off; worker_processes 1; pid {at}/pid; user root;\n\
         error_log {at}/error.log; events {{ worker_connections 4096; }}\n\
         http {{ access_log off; sendfile on; tcp_nopush on; tcp_nodelay on;\n\
         keepalive_requests 1000000000; open_file_cache max=100;\n\
         client_body_temp_path {at}/a; proxy_temp_path {at}/b; fastcgi_temp_path {at}/c;\n\
         uwsgi_temp_path {at}/d; scgi_temp_path {at}/e;\n\
         server {{ listen {NGINX_PORT} backlog=4096; root {at}; }} }}\n"
    );
    let path = folder.join("nginx.conf");
    fs::write(&path, config)?;
    let mut command = command(place, "nginx");
    command.arg("-e").arg(folder.join("error.log")).arg("-c").arg(path);
    Ok(command)
}

fn wrk(kind: Kind, network: &Network, contest: &Contest, seconds: u32) -> anyhow::Result<Counted> {
    let place = Place { namespace: &network.clients, core: GENERATOR_CORE };
    let mut command = command(place, "wrk");
    command.args(["-t", "1", "-c", &contest.connections.to_string()]);
    command.args(["-d", &format!("{seconds}s"), "--timeout", "30s"]);
    command.arg(format!("http://{SERVER_ADDRESS}:{}/boot/{}", port(kind), contest.file));
    let text = output(&mut command, READY_PATIENCE * 2)?;
    let wrong = text.lines().find(|it| it.contains("Socket errors") || it.contains("Non-2xx"));
    if let Some(wrong) = wrong.filter(|_| kind.is_ours()) {
        bail!("{}: {}", kind.name(), wrong.trim());
    }
    let counted = read(&text).with_context(|| format!("wrk said: {text}"))?;
    ensure!(0.0 < counted.requests_per_second, "{} answered nothing: {text}", kind.name());
    Ok(counted)
}

/// Reads what `wrk` prints; its units go up by 1,024.
fn read(text: &str) -> Option<Counted> {
    let after = |name: &str| {
        let line = text.lines().find_map(|it| it.trim().strip_prefix(name))?;
        Some(line.trim().to_owned())
    };
    let transfer = after("Transfer/sec:")?;
    let units = [("KB", 10), ("MB", 20), ("GB", 30), ("B", 0)];
    let (number, shift) =
        units.iter().find_map(|(unit, shift)| Some((transfer.strip_suffix(unit)?, *shift)))?;
    let bytes = number.parse::<f64>().ok()? * f64::from(1_u32 << shift);
    Some(Counted {
        requests_per_second: after("Requests/sec:")?.parse().ok()?,
        megabytes_per_second: bytes / 1e6,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wrk_prints_is_read() {
        let text = |transfer: &str| {
            format!("  810 requests\nRequests/sec:    161.71\nTransfer/sec:  {transfer}\n")
        };
        let rows =
            [("2.53GB", 2_716.6), ("512.00MB", 536.9), ("10.00KB", 0.01024), ("7.00B", 7e-6)];
        for (transfer, want) in rows {
            let counted = read(&text(transfer)).unwrap();
            assert!((counted.requests_per_second - 161.71).abs() < 1e-9);
            assert!((counted.megabytes_per_second / want - 1.0).abs() < 1e-3, "{transfer}");
        }
        assert_eq!(read("unable to connect"), None);
    }
}
