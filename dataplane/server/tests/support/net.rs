//! Network namespaces, the programs that run in them, and waiting for what these do.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::process::skip;

/// A network namespace; what runs in it ends with it.
pub(crate) struct Namespace(String);

/// A program of others, killed when dropped. What it said is shown if the test failed.
pub(crate) struct Running {
    child: Child,
    log: PathBuf,
}

const PATIENCE: Duration = Duration::from_secs(20);

/// Whether a test can run here: as root, and with these programs. Says so loudly if it cannot.
pub(crate) fn can_run(programs: &[&str]) -> bool {
    let has =
        |it: &&str| Command::new("which").arg(it).output().is_ok_and(|it| it.status.success());
    if let Some(missing) = programs.iter().find(|it| !has(it)) {
        skip(&format!("`{missing}` is not installed"));
        return false;
    }
    if !rustix::process::geteuid().is_root() {
        skip("network namespaces need root");
        return false;
    }
    true
}

/// Asks until it holds, for a while; each question takes its own time.
#[track_caller]
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "{what} did not come");
    }
}

/// Runs `ip` with the words of a line.
#[track_caller]
fn ip(line: &str) {
    let output = Command::new("ip").args(line.split(' ')).output().unwrap();
    assert!(output.status.success(), "ip {line}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Joins two namespaces by a pair of interfaces, which are up.
pub(crate) fn join(left: (&Namespace, &str), right: (&Namespace, &str)) {
    let ((left, left_end), (right, right_end)) = (left, right);
    ip(&format!(
        "link add {left_end} netns {left} type veth peer name {right_end} netns {right}",
        left = left.0,
        right = right.0,
    ));
    left.ip(&format!("link set dev {left_end} up"));
    right.ip(&format!("link set dev {right_end} up"));
}

impl Namespace {
    /// A test's own; `part` tells its several apart.
    pub(crate) fn new(test: &str, part: &str) -> Self {
        let name = format!("ironherd-test-{}-{test}-{part}", std::process::id());
        ip(&format!("netns add {name}"));
        let namespace = Self(name);
        namespace.ip("link set lo up");
        namespace
    }

    /// The same with IPv6, which may be off by default; an address is usable at once.
    pub(crate) fn with_ipv6(test: &str, part: &str) -> Self {
        let namespace = Self::new(test, part);
        // Nobody else is there: an address needs no second in which others might object.
        for setting in ["default/disable_ipv6=0", "all/disable_ipv6=0", "default/accept_dad=0"] {
            namespace.sysctl(&format!("net/ipv6/conf/{setting}"));
        }
        namespace
    }

    pub(crate) fn name(&self) -> &str {
        &self.0
    }

    /// Runs `ip` with the words of a line.
    #[track_caller]
    pub(crate) fn ip(&self, line: &str) {
        ip(&format!("-n {} {line}", self.0));
    }

    #[track_caller]
    pub(crate) fn sysctl(&self, setting: &str) {
        ip(&format!("netns exec {} sysctl -qw {setting}", self.0));
    }

    /// A command that will run in here, in a mount namespace of its own.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0]).arg(program);
        command
    }

    /// Runs a shell command in a folder, for a minute at most.
    pub(crate) fn shell(&self, folder: &Path, command: &str) -> Output {
        let mut shell = self.command("timeout");
        shell.args(["60", "sh", "-c", command]).current_dir(folder).output().unwrap()
    }

    /// Starts a program. Its output goes into a file beside its `folder`'s others; the folders that
    /// it would share with the host's are empty ones of its own.
    pub(crate) fn spawn(&self, folder: &Path, private: &[&str], line: &str) -> Running {
        let program = line.split(' ').next().and_then(|it| it.rsplit('/').next()).unwrap();
        let log = folder.join(format!("{program}.{}.log", self.0));
        let mounts =
            private.iter().map(|it| format!("mkdir -p {it} && mount -t tmpfs none {it} && "));
        let script = format!("{}exec {line}", mounts.collect::<String>());
        let output = File::options().create(true).append(true).open(&log).unwrap();
        let mut shell = self.command("sh");
        shell.args(["-c", &script]).current_dir(folder).stdin(Stdio::null());
        let child = shell.stdout(output.try_clone().unwrap()).stderr(output).spawn().unwrap();
        Running { child, log }
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Some programs leave their helpers behind.
        let left = Command::new("ip").args(["netns", "pids", &self.0]).output();
        let left = left.map(|it| String::from_utf8_lossy(&it.stdout).into_owned());
        for pid in left.unwrap_or_default().lines().filter_map(|it| it.trim().parse().ok()) {
            let _ = Pid::from_raw(pid).map(|it| kill_process(it, Signal::KILL));
        }
        let _ = Command::new("ip").args(["netns", "del", &self.0]).output();
    }
}

impl Running {
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// What it has said so far.
    pub(crate) fn said(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    #[track_caller]
    pub(crate) fn wait_until_said(&mut self, words: &str) {
        until(words, || {
            let ended = self.child.try_wait().unwrap();
            let said = self.said().contains(words);
            assert!(said || ended.is_none(), "ended ({ended:?}) without `{words}`");
            said
        });
    }

    #[track_caller]
    pub(crate) fn wait_for_end(&mut self) {
        until("its end", || self.child.try_wait().unwrap().is_some());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}:\n{}", self.log.display(), self.said());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
