use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Two namespaces joined by a pair of interfaces, and an Ironherd in one; removed when dropped.
pub(crate) struct World {
    server: String,
    client: String,
    dir: tempfile::TempDir,
    up: Option<Child>,
}

const CLIENT_INTERFACE: &str = "vc";
const PATIENCE: Duration = Duration::from_secs(60);

fn has(program: &str) -> bool {
    Command::new("which").arg(program).output().is_ok_and(|it| it.status.success())
}

/// Says loudly that a test does not run; and fails where all must.
fn skip(why: &str) {
    let required = std::env::var_os("IRONHERD_TESTS_REQUIRE_ALL").is_some_and(|it| it == "1");
    assert!(!required, "IRONHERD_TESTS_REQUIRE_ALL=1, but {why}");
    println!("SKIPPED: {why}");
}

#[track_caller]
fn ip(line: &str) {
    let output = Command::new("ip").args(line.split(' ')).output().unwrap();
    assert!(output.status.success(), "ip {line}: {}", String::from_utf8_lossy(&output.stderr));
}

impl World {
    /// The namespaces and an administrator; nothing serves yet.
    pub(crate) fn new(name: &str) -> Option<Self> {
        if let Some(missing) = ["ip", "busybox"].into_iter().find(|it| !has(it)) {
            skip(&format!("`{missing}` is not installed"));
            return None;
        }
        let id = Command::new("id").arg("-u").output().unwrap();
        if id.stdout.trim_ascii() != b"0" {
            skip("network namespaces need root");
            return None;
        }
        let id = std::process::id();
        let (server, client) =
            (format!("ironherd-{name}-{id}-s"), format!("ironherd-{name}-{id}-c"));
        let dir = tempfile::tempdir().unwrap();
        let world = Self { server, client, dir, up: None };
        let Self { server, client, .. } = &world;
        for line in [
            format!("netns add {server}"),
            format!("netns add {client}"),
            format!(
                "link add vs netns {server} type veth peer name {CLIENT_INTERFACE} netns {client}"
            ),
            format!("-n {server} addr add 10.77.0.1/24 dev vs"),
            format!("-n {server} link set lo up"),
            format!("-n {server} link set vs up"),
            format!("-n {client} link set lo up"),
        ] {
            ip(&line);
        }
        let token = world.file("token");
        world.say(&["admin", "create", "test", "--token-file", token.to_str().unwrap()]);
        Some(world)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `ironherd` in the server's namespace, with this world's folder and token.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.server, env!("CARGO_BIN_EXE_ironherd")]);
        command.args(arguments).arg("--data-dir").arg(self.file("data"));
        command.env("IRONHERD_TOKEN_FILE", self.file("token"));
        command.current_dir(self.dir.path()).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a command that must succeed; answers its standard output.
    #[track_caller]
    pub(crate) fn say(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}\n{}", self.log());
        String::from_utf8(output.stdout).unwrap()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.file("log")).unwrap_or_default()
    }

    /// Starts region and rack in one process; they answer when this returns.
    pub(crate) fn serve(&mut self) {
        let log = std::fs::File::create(self.file("log")).unwrap();
        let mut up = self.command(&["up"]);
        up.env("IRONHERD__RACK__SHARDS", "3");
        self.up = Some(up.stdout(Stdio::null()).stderr(log).spawn().unwrap());
        self.until("the API", || self.run(&["subnet", "list"]).status.success().then_some(()));
    }

    /// Asks until there is something; each question takes its own time.
    #[track_caller]
    pub(crate) fn until<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(start.elapsed() < PATIENCE, "{what} did not come:\n{}", self.log());
        }
    }

    /// The address that a real client gets.
    pub(crate) fn udhcpc(&self, mac: &str) -> String {
        let _ = std::fs::remove_file(self.file("got"));
        ip(&format!("-n {} link set {CLIENT_INTERFACE} down", self.client));
        ip(&format!("-n {} link set {CLIENT_INTERFACE} address {mac}", self.client));
        ip(&format!("-n {} link set {CLIENT_INTERFACE} up", self.client));
        let script = self.file("script");
        std::fs::write(&script, "#!/bin/sh\n[ -n \"$ip\" ] && printf %s \"$ip\" > got\nexit 0\n")
            .unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        let output = Command::new("ip")
            .args(["netns", "exec", &self.client, "timeout", "30", "busybox", "udhcpc"])
            .args(["-i", CLIENT_INTERFACE, "-n", "-q", "-f", "-t", "6", "-T", "2"])
            .args(["-s", "./script"])
            .current_dir(self.dir.path())
            .output()
            .unwrap();
        let got = std::fs::read_to_string(self.file("got"));
        got.unwrap_or_else(|_| panic!("{output:?}\n{}", self.log()))
    }

    /// A second opinion on a capture, where tcpdump is installed.
    pub(crate) fn read_by_tcpdump(&self, file: &Path, mac: &str, address: &str, packets: usize) {
        if !has("tcpdump") {
            return skip("`tcpdump` is not installed");
        }
        let output =
            Command::new("tcpdump").args(["-n", "-e", "-vv", "-r"]).arg(file).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{output:?}");
        let frames = text.matches("BOOTP/DHCP").count();
        assert_eq!(frames, packets, "{text}");
        assert!(!text.contains("bad ") && text.contains(mac), "{text}");
        for want in ["Discover", "Offer", "Request", "ACK", &format!("Your-IP {address}")] {
            assert!(text.contains(want), "{want}: {text}");
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(up) = &mut self.up {
            let _ = up.kill();
            let _ = up.wait();
        }
        for namespace in [&self.server, &self.client] {
            let _ = Command::new("ip").args(["netns", "del", namespace]).output();
        }
    }
}
