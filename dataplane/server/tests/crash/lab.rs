use std::io::{BufRead, BufReader, Lines, Write};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use ironherd_rack::{Durability, Rack, RackConfig};
use ironherd_snapshot::{Range, Snapshot, Subnet};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use socket2::{Domain, Protocol, Socket, Type};
use tempfile::TempDir;

/// A server's namespace and one for all clients, joined by a pair of interfaces.
pub(crate) struct Lab {
    server: String,
    clients: String,
    folder: TempDir,
}

/// A rack in its own process; killed with signal 9 when dropped.
pub(crate) struct RackProcess {
    child: Child,
    commands: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

pub(crate) const RELAY: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
pub(crate) const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const DATA_DIR: &str = "IRONHERD_TEST_CRASH_DATA_DIR";
const SHARDS: &str = "IRONHERD_TEST_CRASH_SHARDS";
const DURABILITY: &str = "IRONHERD_TEST_CRASH_DURABILITY";

/// Becomes the rack, if this process was started to be it. Each line on its input is a number for
/// the disk to fail with, or `metrics`.
pub(crate) fn run_if_asked() {
    let Some(data_dir) = std::env::var_os(DATA_DIR) else { return };
    let relaxed = std::env::var(DURABILITY).unwrap() == "relaxed";
    let config = RackConfig {
        data_dir: PathBuf::from(data_dir),
        shards: std::env::var(SHARDS).unwrap().parse().unwrap(),
        durability: if relaxed { Durability::Relaxed } else { Durability::Durable },
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
fn skip(why: &str) {
    let required = std::env::var_os("IRONHERD_TESTS_REQUIRE_ALL").is_some_and(|it| it == "1");
    assert!(!required, "IRONHERD_TESTS_REQUIRE_ALL=1, but {why}");
    println!("SKIPPED: {why}");
}

impl Lab {
    /// Fewer addresses than clients, so that shards run dry and take from each other.
    pub(crate) fn new(name: &str) -> Option<Self> {
        Self::with_snapshot(name, &snapshot([10, 77, 1, 0], [10, 77, 2, 255]))
    }

    /// A range of one address, that is looked for before it is given out.
    pub(crate) fn with_probes(name: &str, only: Ipv4Addr) -> Option<Self> {
        let mut snapshot = snapshot(only, only);
        snapshot.settings.conflict_probes = true;
        Self::with_snapshot(name, &snapshot)
    }

    fn with_snapshot(name: &str, snapshot: &Snapshot) -> Option<Self> {
        if !Command::new("ip").arg("-V").output().is_ok_and(|it| it.status.success()) {
            skip("`ip` is not installed");
            return None;
        }
        if !rustix::process::geteuid().is_root() {
            skip("network namespaces need root");
            return None;
        }
        let id = std::process::id();
        let lab = Self {
            server: format!("ironherd-crash-{id}-{name}-s"),
            clients: format!("ironherd-crash-{id}-{name}-c"),
            folder: tempfile::tempdir().unwrap(),
        };
        let Self { server, clients, .. } = &lab;
        for line in [
            format!("netns add {server}"),
            format!("netns add {clients}"),
            format!("link add vs netns {server} type veth peer name vc netns {clients}"),
            format!("-n {server} addr add {SERVER}/16 dev vs"),
            format!("-n {clients} addr add {RELAY}/16 dev vc"),
            format!("-n {server} link set lo up"),
            format!("-n {server} link set vs up"),
            format!("-n {clients} link set vc up"),
        ] {
            ip(&line);
        }
        std::fs::create_dir(lab.data_dir()).unwrap();
        let snapshot = serde_json::to_vec(snapshot).unwrap();
        std::fs::write(lab.data_dir().join("snapshot.json"), snapshot).unwrap();
        Some(lab)
    }

    fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn start_rack(&self, shards: u32, durability: &str) -> RackProcess {
        let mut child = Command::new("ip")
            .args(["netns", "exec", &self.server])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "rack_process", "--nocapture"])
            .env(DATA_DIR, self.data_dir())
            .env(SHARDS, shards.to_string())
            .env(DURABILITY, durability)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let commands = child.stdin.take().unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = answers.by_ref().map_while(Result::ok).any(|it| it.ends_with("READY"));
        assert!(ready, "the rack does not start; its error is above");
        RackProcess { child, commands, answers }
    }

    /// Gives an address to somebody who asked nobody.
    pub(crate) fn squat(&self, address: Ipv4Addr) {
        ip(&format!("-n {} addr add {address}/16 dev vc", self.clients));
    }

    /// Sockets in the clients' namespace: that of a relay, and one for all clients on the link.
    pub(crate) fn sockets(&self) -> (UdpSocket, UdpSocket) {
        let namespace = format!("/run/netns/{}", self.clients);
        let open = move || {
            let namespace = std::fs::File::open(namespace).unwrap();
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(std::os::fd::AsFd::as_fd(&namespace), kind).unwrap();
            (bind((RELAY, 67).into()), bind((Ipv4Addr::UNSPECIFIED, 68).into()))
        };
        // The namespace is that of a thread; a socket keeps the one it was made in.
        std::thread::spawn(open).join().unwrap()
    }
}

fn bind(address: SocketAddr) -> UdpSocket {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).unwrap();
    socket.set_broadcast(true).unwrap();
    socket.bind_device(Some(b"vc")).unwrap();
    let _ = socket.set_recv_buffer_size(4 << 20);
    socket.bind(&address.into()).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket.into()
}

impl RackProcess {
    pub(crate) fn fail_disk_with(&mut self, errno: i32) {
        writeln!(self.commands, "{errno}").unwrap();
    }

    #[track_caller]
    pub(crate) fn wait_for_metric(&mut self, name: &str, value: u64) {
        let end = Instant::now() + Duration::from_secs(10);
        while self.metric(name) != value {
            assert!(Instant::now() < end, "{name} does not come to {value}");
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

impl Drop for Lab {
    fn drop(&mut self) {
        for namespace in [&self.server, &self.clients] {
            // At the end of a failed test there may be nothing to remove.
            let _ = Command::new("ip").args(["netns", "del", namespace]).output();
        }
    }
}

#[track_caller]
fn ip(line: &str) {
    let output = Command::new("ip").args(line.split(' ')).output().unwrap();
    assert!(output.status.success(), "ip {line}: {}", String::from_utf8_lossy(&output.stderr));
}

fn snapshot(first: impl Into<Ipv4Addr>, last: impl Into<Ipv4Addr>) -> Snapshot {
    let subnet = Subnet {
        id: "lab".to_owned(),
        cidr: "10.77.0.0/16".parse().unwrap(),
        lease_seconds: 36_000,
        ranges: vec![Range::new(first.into(), last.into())],
        ..Subnet::default()
    };
    Snapshot { generation: 7, subnets: vec![subnet], ..Snapshot::default() }
}
