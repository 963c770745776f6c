use std::collections::HashMap;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{SystemTime, UNIX_EPOCH};

use ironherd_leases::{Ask, Table};
use ironherd_rack::Durability;
use ironherd_snapshot::{
    BootFile, BootKey, ClassSet, Index, Intent, Machine, Range, Reservation, Settings, Snapshot,
    Subnet,
};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::net::{Namespace, can_run, join};
use crate::process::RackProcess;

/// A client's namespace and a server's, joined by a pair of interfaces; removed when dropped.
pub(crate) struct World {
    server: Namespace,
    client: Namespace,
    folder: TempDir,
}

pub(crate) enum Client<'a> {
    Udhcpc(&'a [&'a str]),
    Dhclient,
}

const CLIENT_INTERFACE: &str = "vc";

/// 3,000,001 bytes: the last TFTP block is short, and none is like another.
pub(crate) fn big_file() -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let step = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..3_000_001).map(step).collect()
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// A data folder on a disk of its own, unmounted when dropped.
pub(crate) struct SmallDisk(PathBuf);

impl SmallDisk {
    pub(crate) fn fill(&self) {
        let mut filler = std::fs::File::create(self.0.join("filler")).unwrap();
        while filler.write_all(&[0; 4096]).is_ok() {}
    }

    pub(crate) fn free(&self) {
        std::fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).output();
    }
}

/// A journal in which one lease was renewed so often that it is longer than a megabyte.
pub(crate) fn long_journal(mac: &str, address: &str) -> Vec<u8> {
    let index = Index::new(snapshot(&big_file()));
    let (mut table, _) = Table::recover(&[]);
    table.follow(&index);
    let ours = "10.77.0.1".parse().unwrap();
    let ask = Ask {
        index: &index,
        subnet: 0,
        mac: mac.parse().unwrap(),
        reserved: None,
        ours,
        classes: ClassSet::NONE,
    };
    let year = 365 * 24 * 3600;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut journal = Vec::new();
    for renewal in 0.. {
        if (1 << 20) < journal.len() {
            break;
        }
        table.bind(&ask, address.parse().unwrap(), now + year + renewal).unwrap();
        let upto = table.take_batch(&mut journal).unwrap();
        table.handle_committed(upto);
    }
    journal
}

impl World {
    pub(crate) fn new(name: &str) -> Option<Self> {
        if !can_run(&["ip", "busybox", "dhclient", "tftp", "atftp", "curl"]) {
            return None;
        }
        let world = Self {
            server: Namespace::new(name, "s"),
            client: Namespace::new(name, "c"),
            folder: tempfile::tempdir().unwrap(),
        };
        join((&world.server, "vs"), (&world.client, CLIENT_INTERFACE));
        world.server.ip("addr add 10.77.0.1/24 dev vs");
        world.fill_data_dir();
        Some(world)
    }

    fn fill_data_dir(&self) {
        let cache = self.file("data/cache");
        std::fs::create_dir_all(&cache).unwrap();
        let bytes = big_file();
        std::fs::write(cache.join(digest(&bytes)), &bytes).unwrap();
        let snapshot = serde_json::to_vec(&snapshot(&bytes)).unwrap();
        std::fs::write(self.file("data/snapshot.json"), snapshot).unwrap();
    }

    /// Moves the data folder to a file system of 4 MiB.
    pub(crate) fn small_disk(&self) -> SmallDisk {
        let data = self.file("data");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=4m", "none"]).arg(&data);
        let output = mount.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        self.fill_data_dir();
        SmallDisk(data)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn start_rack(&self) -> RackProcess {
        RackProcess::start(self.server.name(), &self.file("data"), 0, Durability::Durable)
    }

    /// Gives the client an address, as if by DHCP.
    pub(crate) fn give_address(&self) {
        self.client.ip(&format!("addr add 10.77.0.137/24 dev {CLIENT_INTERFACE}"));
    }

    /// Leaves the client with this address alone.
    pub(crate) fn take_address(&self, address: &str) {
        self.client.ip(&format!("addr flush dev {CLIENT_INTERFACE}"));
        self.client.ip(&format!("addr add {address}/24 dev {CLIENT_INTERFACE}"));
    }

    pub(crate) fn set_mtu(&self, bytes: u32) {
        self.server.ip(&format!("link set vs mtu {bytes}"));
        self.client.ip(&format!("link set {CLIENT_INTERFACE} mtu {bytes}"));
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

    /// Asks by DHCP with a real client; what it was told, or nothing if nobody answered.
    pub(crate) fn dhcp(&self, mac: &str, client: &Client<'_>) -> Option<HashMap<String, String>> {
        self.client.ip(&format!("link set {CLIENT_INTERFACE} down address {mac}"));
        self.client.ip(&format!("link set {CLIENT_INTERFACE} up"));
        let script = self.file("script");
        // Both clients run it for several reasons; the one with an address is the lease.
        let text = "#!/bin/sh\n[ -n \"$ip$new_ip_address\" ] && env > lease\nexit 0\n";
        std::fs::write(&script, text).unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        let _ = std::fs::remove_file(self.file("lease"));
        let folder = self.folder.path().display();
        let output = match client {
            Client::Udhcpc(arguments) => self.in_client(&format!(
                "busybox udhcpc -i {CLIENT_INTERFACE} -n -q -f -t 4 -T 1 -s ./script {}",
                arguments.join(" ")
            )),
            Client::Dhclient => self.in_client(&format!(
                "timeout 20 dhclient -1 -d -cf /dev/null -sf {folder}/script \
                 -lf {folder}/leases -pf {folder}/pid {CLIENT_INTERFACE} & \
                 while ! [ -s lease ] && kill -0 $!; do :; done; kill $!"
            )),
        };
        let Ok(lease) = std::fs::read_to_string(self.file("lease")) else {
            println!("no lease: {}", String::from_utf8_lossy(&output.stderr));
            return None;
        };
        let pairs = lease.lines().filter_map(|line| line.split_once('='));
        Some(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

/// One subnet with one reserved card and a range of a single address.
fn snapshot(file: &[u8]) -> Snapshot {
    let address = |text: &str| text.parse().unwrap();
    let mac = super::KNOWN.parse().unwrap();
    let boot_file = |name: &str, sha256: String, len: usize| BootFile {
        name: name.to_owned(),
        sha256,
        size_bytes: u64::try_from(len).unwrap(),
    };
    let subnet = Subnet {
        id: "lab".to_owned(),
        cidr: "10.77.0.0/24".parse().unwrap(),
        gateway: Some(address("10.77.0.1")),
        dns_servers: vec![address("10.77.0.1"), address("192.0.2.53")],
        ntp_servers: Vec::new(),
        domain: Some("lab.example".to_owned()),
        mtu: None,
        lease_seconds: 600,
        ranges: vec![Range::new(address("10.77.0.200"), address("10.77.0.200"))],
        reservations: vec![
            Reservation::of_card(mac, address("10.77.0.137"), Some("m10".to_owned())).into(),
        ],
        ..Subnet::default()
    };
    let machine = Machine {
        id: "0198c2a8-7b1e-7c55-9c1d-3a6f1f0e2b4d".to_owned(),
        hostname: "m10".to_owned(),
        macs: vec![mac],
        uuid: None,
        intent: Intent::Local,
        attempt: 1,
        boot_key: BootKey([7; 32]),
        ..Machine::default()
    };
    Snapshot {
        generation: 7,
        settings: Settings { enlist: true, enlist_key: BootKey([8; 32]), ..Settings::default() },
        subnets: vec![subnet.into()],
        machines: vec![machine.into()],
        files: vec![
            boot_file("snponly.efi", digest(file), file.len()),
            boot_file("arriving", digest(b"not here yet"), 12),
        ],
        ..Snapshot::default()
    }
}
