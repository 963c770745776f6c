//! A whole Ironherd as separate processes over a lab, driven as from a shell: what the tests of
//! machines start, kill and ask. Everything lives in one temporary folder and one namespace.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Emulated machines on a busy host are slow; a limit is there to end a test, not to time it.
pub(crate) const STAGE_MAX: Duration = Duration::from_secs(15 * 60);
const POLL: Duration = Duration::from_millis(300);

pub(crate) fn ironherd() -> Command {
    Command::new(env!("CARGO_BIN_EXE_ironherd"))
}

/// Whether machines can be started here. Says loudly when not, and fails where CI must not skip.
pub(crate) fn machines_can_run() -> bool {
    let root = is_root();
    let missing = [
        (!root).then_some("root"),
        (!Path::new("/usr/bin/qemu-system-x86_64").exists()).then_some("qemu-system-x86"),
        std::env::var_os("IRONHERD_AGENT")
            .is_none()
            .then_some("IRONHERD_AGENT (cargo xtask build)"),
    ];
    let missing: Vec<&str> = missing.into_iter().flatten().collect();
    if missing.is_empty() {
        return true;
    }
    let required = std::env::var_os("IRONHERD_TESTS_REQUIRE_ALL").is_some();
    assert!(!required, "machines cannot be started without {}", missing.join(", "));
    eprintln!("SKIPPED: machines cannot be started without {}", missing.join(", "));
    false
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().expect("`id` runs");
    output.stdout.trim_ascii() == b"0"
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Half {
    Region,
    Rack,
}

pub(crate) struct House {
    name: String,
    dir: tempfile::TempDir,
    listen: String,
    region: Option<Child>,
    rack: Option<Child>,
}

impl House {
    /// A lab with these machines (off), a region and a rack that serve it, and an administrator.
    pub(crate) fn build(name: &str, machines: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let listen = free.local_addr().expect("its address").to_string();
        drop(free);
        let name = format!("{name}{}", std::process::id());
        let mut house = Self { name, dir, listen, region: None, rack: None };
        let mut arguments = vec!["up"];
        for machine in machines {
            arguments.extend(["--machine", machine]);
        }
        house.lab(&arguments);
        house.start(Half::Region);
        let token = house.token_file();
        let token = token.to_str().expect("a UTF-8 path");
        house.say(house.command(&["admin", "create", "test", "--token-file", token]));
        house.start(Half::Rack);
        house.lab(&["prepare"]);
        house
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn token_file(&self) -> PathBuf {
        self.dir.path().join("token")
    }

    pub(crate) fn netns_name(&self) -> String {
        format!("ironherd-{}", self.name)
    }

    /// `ironherd` with this house's folder, address and token.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = ironherd();
        command.args(arguments).arg("--data-dir").arg(self.data_dir());
        command.env("IRONHERD_URL", format!("http://{}", self.listen));
        command.env("IRONHERD_TOKEN_FILE", self.token_file()).stdin(Stdio::null());
        command
    }

    /// Runs a command that must succeed; answers its standard output.
    #[track_caller]
    pub(crate) fn say(&self, mut command: Command) -> String {
        let output = command.output().expect("ironherd starts");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?} failed:\n{errors}\n{}", self.logs());
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    #[track_caller]
    pub(crate) fn lab(&self, arguments: &[&str]) -> String {
        let mut all = vec!["lab"];
        all.extend(arguments);
        all.extend(["--name", &self.name]);
        self.say(self.command(&all))
    }

    pub(crate) fn start(&mut self, half: Half) {
        let (word, log) = match half {
            Half::Region => ("region", "region.log"),
            Half::Rack => ("rack", "rack.log"),
        };
        let log = File::options().create(true).append(true).open(self.dir.path().join(log));
        let log = log.expect("a log file");
        let netns = self.netns_name();
        let mut command = self.command(&[word, "--listen", &self.listen, "--netns", &netns]);
        command.stdout(log.try_clone().expect("a second handle")).stderr(log);
        let child = command.spawn().expect("ironherd starts");
        match half {
            Half::Region => {
                self.region = Some(child);
                self.wait("the region is ready", || {
                    let url = format!("http://{}/readyz", self.listen);
                    let quiet = ["--silent", "--fail", "--output", "/dev/null", &url];
                    Command::new("curl").args(quiet).status().is_ok_and(|it| it.success())
                });
            }
            Half::Rack => self.rack = Some(child),
        }
    }

    /// `kill -9`, and the process is gone.
    pub(crate) fn kill(&mut self, half: Half) {
        let child = match half {
            Half::Region => self.region.take(),
            Half::Rack => self.rack.take(),
        };
        let mut child = child.expect("it runs");
        child.kill().expect("SIGKILL is sent");
        child.wait().expect("it ends");
    }

    /// Brings the boot image to the region.
    pub(crate) fn upload_boot_image(&self) {
        self.say(self.command(&["image", "upload", &self.image("ephemeral")]));
    }

    /// Brings the disk image, called `debian`, to the region.
    pub(crate) fn upload_disk_image(&self) {
        self.say(self.command(&["image", "upload", &self.image("disk"), "--name", "debian"]));
    }

    /// Path of one of the cached images, which are built if they are not there.
    fn image(&self, key: &str) -> String {
        let images = self.say(self.command(&["lab", "images", "--output", "json"]));
        let images: Value = serde_json::from_str(&images).expect("JSON");
        images[key].as_str().expect("a path").to_owned()
    }

    /// Name and MAC of each machine of the lab.
    pub(crate) fn lab_machines(&self) -> Vec<(String, String)> {
        let status = self.lab(&["status", "--output", "json"]);
        let status: Value = serde_json::from_str(&status).expect("JSON");
        let text = |it: &Value, key: &str| it[key].as_str().expect("a text").to_owned();
        let machines = status["machines"].as_array().expect("a list").iter();
        machines.map(|it| (text(it, "name"), text(it, "mac"))).collect()
    }

    /// All machines, as `ironherd machine list` tells.
    pub(crate) fn machines(&self) -> Vec<Value> {
        let command = self.command(&["machine", "list", "--output", "json"]);
        serde_json::from_str(&self.say(command)).expect("JSON")
    }

    /// The machine with this card, once the region knows it.
    pub(crate) fn machine(&self, mac: &str) -> Option<Value> {
        let has = |it: &Value| {
            it["macAddresses"].as_array().is_some_and(|all| all.iter().any(|one| one == mac))
        };
        self.machines().into_iter().find(has)
    }

    #[track_caller]
    pub(crate) fn wait(&self, what: &str, condition: impl Fn() -> bool) {
        let began = Instant::now();
        while !condition() {
            assert!(began.elapsed() < STAGE_MAX, "not reached: {what}\n{}", self.logs());
            std::thread::sleep(POLL);
        }
    }

    /// The last lines of everything that logs, for a failed assertion.
    pub(crate) fn logs(&self) -> String {
        let mut text = String::new();
        for log in ["region.log", "rack.log"] {
            let lines = fs::read_to_string(self.dir.path().join(log)).unwrap_or_default();
            let lines: Vec<&str> = lines.lines().rev().take(30).collect();
            let lines: Vec<&str> = lines.into_iter().rev().collect();
            text.push_str(&format!("--- {log}\n{}\n", lines.join("\n")));
        }
        text
    }
}

impl Drop for House {
    fn drop(&mut self) {
        for child in [&mut self.rack, &mut self.region].into_iter().flatten() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let mut down = self.command(&["lab", "down", "--name", &self.name]);
        let status = down.stdout(Stdio::null()).status();
        if !status.is_ok_and(|it| it.success()) && !std::thread::panicking() {
            panic!("`ironherd lab down` failed");
        }
        if std::thread::panicking() {
            // What a failed test leaves is worth a look; the path is printed for it.
            let kept = self.dir.path().with_extension("failed");
            let _ = fs::rename(self.dir.path(), &kept);
            eprintln!("the state of the failed test is kept in {}", kept.display());
        }
    }
}
