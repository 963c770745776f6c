use std::collections::HashMap;
use std::net::Ipv6Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Output;

use ironherd_rack::Durability;
use ironherd_snapshot::{
    BootFile, BootKey, PrefixPool, Range6, Reservation6, ReservationKey6, ScopeOptions, Settings,
    Snapshot, Subnet6,
};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::net::{Namespace, can_run, join, until};
use crate::process::RackProcess;
use crate::slow::SlowClient;

pub(crate) const KNOWN: &str = "52:54:00:77:00:10";
pub(crate) const STRANGER: &str = "52:54:00:77:00:99";

/// A client's namespace and a server's, joined by a pair of interfaces; removed when dropped. There
/// is no IPv4 at all.
pub(crate) struct World {
    server: Namespace,
    client: Namespace,
    folder: TempDir,
}

const CLIENT_INTERFACE: &str = "vc";

/// 100,001 bytes: the last TFTP block is short, and none is like another.
pub(crate) fn boot_file() -> Vec<u8> {
    (0..100_001_u32).map(|it| it.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect()
}

impl World {
    pub(crate) fn new(name: &str) -> Option<Self> {
        if !can_run(&["ip", "sysctl", "dhclient", "curl"]) {
            return None;
        }
        let world = Self {
            server: Namespace::with_ipv6(name, "s"),
            client: Namespace::with_ipv6(name, "c"),
            folder: tempfile::tempdir().unwrap(),
        };
        join((&world.server, "vs"), (&world.client, CLIENT_INTERFACE));
        world.server.ip("addr add fd77::1/64 dev vs nodad");
        world.fill_data_dir();
        Some(world)
    }

    fn fill_data_dir(&self) {
        let cache = self.file("data/cache");
        std::fs::create_dir_all(&cache).unwrap();
        let bytes = boot_file();
        std::fs::write(cache.join(digest(&bytes)), &bytes).unwrap();
        let snapshot = serde_json::to_vec(&snapshot(&bytes)).unwrap();
        std::fs::write(self.file("data/snapshot.json"), snapshot).unwrap();
    }

    pub(crate) fn server(&self) -> &Namespace {
        &self.server
    }

    /// Serves a machine's own interface instead of the pair's.
    pub(crate) fn serve_tap(&self, name: &str) {
        self.server.ip("addr del fd77::1/64 dev vs");
        self.server.ip(&format!("tuntap add dev {name} mode tap"));
        self.server.ip(&format!("addr add fd77::1/64 dev {name} nodad"));
        self.server.ip(&format!("link set {name} up"));
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn start_rack(&self) -> RackProcess {
        self.start_rack_with(Durability::Durable)
    }

    pub(crate) fn start_rack_with(&self, durability: Durability) -> RackProcess {
        RackProcess::start(self.server.name(), &self.file("data"), 0, durability)
    }

    /// Gives the client an address, as if by DHCP.
    pub(crate) fn give_address(&self, address: &str) {
        self.client.ip(&format!("addr add {address}/64 dev {CLIENT_INTERFACE} nodad"));
    }

    pub(crate) fn slow_client(&self) -> SlowClient {
        SlowClient::new(&self.client, CLIENT_INTERFACE)
    }

    /// Runs a shell command in the client's namespace, within the world's folder.
    pub(crate) fn in_client(&self, command: &str) -> Output {
        self.client.shell(self.folder.path(), command)
    }

    /// Runs a command and reads the file that it made.
    pub(crate) fn fetch(&self, command: &str, into: &str) -> Option<Vec<u8>> {
        let output = self.in_client(command);
        if !output.status.success() {
            println!("{command}: {output:?}");
        }
        let bytes = std::fs::read(self.file(into)).ok();
        let _ = std::fs::remove_file(self.file(into));
        bytes
    }

    /// Puts away what the client remembers, its DUID included.
    pub(crate) fn forget(&self) {
        std::fs::rename(self.file("leases"), self.file("leases.kept")).unwrap();
    }

    pub(crate) fn remember(&self) {
        std::fs::rename(self.file("leases.kept"), self.file("leases")).unwrap();
    }

    /// Asks with ISC dhclient; what it was told, or nothing if it was refused or nobody answered.
    pub(crate) fn dhclient(&self, mac: &str, arguments: &str) -> Option<HashMap<String, String>> {
        self.client.ip(&format!("link set {CLIENT_INTERFACE} down address {mac}"));
        self.client.ip(&format!("link set {CLIENT_INTERFACE} up"));
        // It binds its socket to the link-local address.
        until("a link-local address", || {
            let shown = self.in_client(&format!("ip -6 addr show dev {CLIENT_INTERFACE}"));
            String::from_utf8_lossy(&shown.stdout).contains("fe80::")
        });
        let script = self.file("script");
        // Run for several reasons; that which tells something is the lease.
        let text = "#!/bin/sh\n\
            [ -n \"$new_ip6_address$new_ip6_prefix$new_dhcp6_name_servers\" ] && env > lease.part \
            && mv lease.part lease\nexit 0\n";
        std::fs::write(&script, text).unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        let _ = std::fs::remove_file(self.file("lease"));
        let folder = self.folder.path().display();
        let output = self.in_client(&format!(
            "timeout 10 dhclient {arguments} -1 -d -cf /dev/null -sf {folder}/script \
             -lf {folder}/leases -pf {folder}/pid {CLIENT_INTERFACE} & \
             while ! [ -s lease ] && kill -0 $!; do :; done; kill $!"
        ));
        let Ok(lease) = std::fs::read_to_string(self.file("lease")) else {
            println!("no lease: {}", String::from_utf8_lossy(&output.stderr));
            return None;
        };
        let pairs = lease.lines().filter_map(|line| line.split_once('='));
        Some(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// One subnet with one reserved card, a range of a single address, and prefixes to delegate.
fn snapshot(file: &[u8]) -> Snapshot {
    let address = |text: &str| text.parse::<Ipv6Addr>().unwrap();
    let only = address("fd77::200");
    let reservation = Reservation6 {
        key: ReservationKey6::Mac(KNOWN.parse().unwrap()),
        address: Some(address("fd77::137")),
        prefix: None,
        hostname: None,
        options: ScopeOptions::NONE,
    };
    let subnet = Subnet6 {
        id: "lab".to_owned(),
        cidr: "fd77::/64".parse().unwrap(),
        dns_servers: vec![address("fd77::1"), address("fd77::53")],
        domain_search: vec!["lab.example".to_owned()],
        preferred_seconds: 300,
        valid_seconds: 600,
        ranges: vec![Range6 { first: only, last: only }],
        prefix_pools: vec![PrefixPool { prefix: "fd80::/48".parse().unwrap(), delegated_len: 56 }],
        reservations: vec![reservation],
        ..Subnet6::default()
    };
    Snapshot {
        generation: 7,
        settings: Settings {
            enlist: true,
            enlist_key: BootKey([8; 32]),
            conflict_probes: true,
            ..Settings::default()
        },
        subnets6: vec![subnet.into()],
        files: vec![BootFile {
            name: "snponly.efi".to_owned(),
            sha256: digest(file),
            size_bytes: u64::try_from(file.len()).unwrap(),
        }],
        ..Snapshot::default()
    }
}
