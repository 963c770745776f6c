//! What the whole tests of the rack share: a rack in its own process.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use ironherd_rack::{Durability, Rack, RackConfig};

/// A rack in its own process; killed with signal 9 when dropped.
pub(crate) struct RackProcess {
    child: Child,
    commands: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

const DATA_DIR: &str = "IRONHERD_TEST_RACK_DATA_DIR";
const SHARDS: &str = "IRONHERD_TEST_RACK_SHARDS";
const RELAXED: &str = "IRONHERD_TEST_RACK_RELAXED";
const PATIENCE: Duration = Duration::from_secs(20);

/// Becomes the rack, if this process was started to be it. Each line on its input is a number for
/// the disk to fail with, or `metrics`.
pub(crate) fn run_if_asked() {
    let Some(data_dir) = std::env::var_os(DATA_DIR) else { return };
    let relaxed = std::env::var_os(RELAXED).is_some();
    let config = RackConfig {
        data_dir: PathBuf::from(data_dir),
        shards: std::env::var(SHARDS).unwrap().parse().unwrap(),
        durability: if relaxed { Durability::Relaxed } else { Durability::Durable },
        foreign_probe_seconds: 1, // A test that waits for one shall not wait a minute.
        ..RackConfig::default()
    };
    let faults = config.disk_faults.clone();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let rack = runtime.block_on(Rack::start(config)).unwrap();
    let handle = rack.handle();
    std::thread::spawn(move || {
        println!("READY");
        for line in std::io::stdin().lines().map_while(Result::ok) {
            match line.as_str() {
                "metrics" => println!("{}END", handle.metrics_text()),
                errno => faults.fail_with(errno.parse().unwrap()),
            }
        }
    });
    runtime.block_on(rack.run_until(std::future::pending())).unwrap();
}

/// Says loudly that a test does not run; and fails where all must.
pub(crate) fn skip(why: &str) {
    let required = std::env::var_os("IRONHERD_TESTS_REQUIRE_ALL").is_some_and(|it| it == "1");
    assert!(!required, "IRONHERD_TESTS_REQUIRE_ALL=1, but {why}");
    println!("SKIPPED: {why}");
}

impl RackProcess {
    /// Starts a rack in a namespace; it serves when this returns. No shards: as many as by default.
    pub(crate) fn start(
        namespace: &str,
        data_dir: &Path,
        shards: u32,
        durability: Durability,
    ) -> Self {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", namespace]).arg(std::env::current_exe().unwrap());
        command.args(["--exact", "rack_process", "--nocapture"]);
        command.env(DATA_DIR, data_dir).env(SHARDS, shards.to_string());
        if durability == Durability::Relaxed {
            command.env(RELAXED, "1");
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let commands = child.stdin.take().unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = answers.by_ref().map_while(Result::ok).any(|it| it.ends_with("READY"));
        assert!(ready, "the rack does not start; its error is above");
        Self { child, commands, answers }
    }

    pub(crate) fn fail_disk_with(&mut self, errno: i32) {
        writeln!(self.commands, "{errno}").unwrap();
    }

    #[track_caller]
    pub(crate) fn wait_for_metric(&mut self, name: &str, value: u64) {
        let start = Instant::now();
        while self.metric(name) != value {
            assert!(start.elapsed() < PATIENCE, "{name} does not come to {value}");
        }
    }

    pub(crate) fn metric(&mut self, name: &str) -> u64 {
        writeln!(self.commands, "metrics").unwrap();
        let lines = self.answers.by_ref().map_while(Result::ok);
        let lines: Vec<_> = lines.take_while(|it| it != "END").collect();
        let prefix = format!("ironherd_rack_{name} ");
        let value = lines.iter().find_map(|it| it.strip_prefix(&prefix));
        value.unwrap_or_else(|| panic!("no {name} in {lines:?}")).parse().unwrap()
    }
}

impl Drop for RackProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
