//! Processes in a namespace, on a core of their own, that never outlive us.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};

/// Ends with signal 15, then 9, when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    name: String,
}

/// Which core and which namespace a process gets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) core: u32,
}

/// Where the kernel groups processes by session, a nice value counts only within its session: the
/// session goes first, too.
const FIRST: &str = "echo -20 2>/dev/null >/proc/self/autogroup; exec \"$0\" \"$@\"";
const END_PATIENCE: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A command that runs there. Our death ends it; it goes before whatever else the computer does.
pub(crate) fn command(place: Place<'_>, program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "setsid", "sh", "-c", FIRST]);
    command.args(["ip", "netns", "exec", place.namespace]);
    command.args(["taskset", "-c", &place.core.to_string(), "nice", "-n", "-20", program]);
    command.stdin(Stdio::null());
    command
}

impl Process {
    /// Starts it; what it says goes to `log`.
    pub(crate) fn start(command: &mut Command, name: &str, log: &Path) -> anyhow::Result<Self> {
        let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        command.stdout(file.try_clone()?).stderr(file);
        let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        Ok(Self { child, name: name.to_owned() })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn has_ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Processor time of all its threads so far, the kernel's work for them included.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.id()));
        let text = text.with_context(|| format!("{} has ended", self.name))?;
        // The name in parentheses may hold anything; 11 fields later are user and system time.
        let rest = text.rsplit_once(')').map_or("", |(_, rest)| rest);
        let mut times = rest.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
        match (times.next(), times.next()) {
            (Some(Ok(user)), Some(Ok(system))) => {
                Ok(Duration::from_secs(user + system) / TICKS_PER_SECOND)
            }
            _ => bail!("/proc/{}/stat is not as expected: {text}", self.id()),
        }
    }

    /// Resident memory in bytes.
    pub(crate) fn memory(&self) -> anyhow::Result<u64> {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|it| it.trim().strip_suffix("kB")?.trim().parse().ok());
        Ok(kilobytes.map_or(0, |it: u64| it * 1024))
    }

    /// Asks it to end, and sees that it does.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        self.end()
    }

    fn end(&mut self) -> anyhow::Result<()> {
        self.signal(Signal::TERM);
        let deadline = Instant::now() + END_PATIENCE;
        while self.child.try_wait()?.is_none() {
            if deadline <= Instant::now() {
                self.signal(Signal::KILL);
                self.child.wait()?;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let _ = kill_process(pid, signal); // It may have ended by itself.
        }
    }
}

/// USER_HZ, which Linux fixes for what it shows to programs.
const TICKS_PER_SECOND: u32 = 100;

impl Drop for Process {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            eprintln!("{}: {error:#}", self.name);
        }
    }
}

/// Runs a command to its end, at most so long, and gives what it printed.
pub(crate) fn output(command: &mut Command, at_most: Duration) -> anyhow::Result<String> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().context("cannot start a command")?;
    let stdout = reader(child.stdout.take());
    let stderr = reader(child.stderr.take());
    let deadline = Instant::now() + at_most;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if deadline <= Instant::now() {
            let _ = child.kill();
            child.wait()?;
            bail!("{command:?} took longer than {at_most:?}");
        }
        std::thread::sleep(LOOK_EVERY);
    };
    let text = |it: std::thread::JoinHandle<String>| it.join().unwrap_or_default();
    let (stdout, stderr) = (text(stdout), text(stderr));
    // perfdhcp ends with 3 when packets were lost, which is an answer and no failure.
    if !status.success() && status.code() != Some(3) {
        bail!("{command:?}: {status}: {}", stderr.trim());
    }
    Ok(stdout)
}

/// Reads a pipe beside us: one that is full would stop the command.
fn reader(pipe: Option<impl std::io::Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_string(&mut text); // What was read until then is what there is.
        }
        text
    })
}
