use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use ironherd_rack::Durability;
use ironherd_snapshot::{
    BootFile, BootKey, DhcpMode, Range, Range6, Settings, Snapshot, Subnet, Subnet6, Vlan,
};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::net::{Namespace, Running, can_run, join, until};
use crate::process::RackProcess;

/// A rack on a bridge with two addresses, and a client that is plugged into it (unless moved).
pub(crate) struct Lab {
    pub(crate) name: String,
    pub(crate) server: Namespace,
    pub(crate) client: Namespace,
    folder: TempDir,
}

/// What a client's script was run for, and what it saw.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) what: String,
    pub(crate) env: HashMap<String, String>,
}

pub(crate) const BRIDGE: &str = "br0";
pub(crate) const INTERFACE: &str = "vc";
/// Nobody's own: the client's card.
pub(crate) const MAC: &str = "52:54:00:77:01:01";

/// 100,001 bytes: the last TFTP block is short, and none is like another.
pub(crate) fn boot_file() -> Vec<u8> {
    (0..100_001_u32).map(|it| it.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect()
}

impl Lab {
    /// `None`, and said so, where it cannot run.
    pub(crate) fn new(name: &str, programs: &[&str], snapshot: &Snapshot) -> Option<Self> {
        if !can_run(&["ip", "sysctl"]) || !can_run(programs) {
            return None;
        }
        let lab = Self {
            name: name.to_owned(),
            server: Namespace::with_ipv6(name, "s"),
            client: Namespace::with_ipv6(name, "c"),
            folder: tempfile::tempdir().unwrap(),
        };
        for line in [
            format!("link add {BRIDGE} type bridge mcast_snooping 0"),
            format!("addr add 10.77.0.1/24 dev {BRIDGE}"),
            format!("addr add fd77::1/64 dev {BRIDGE} nodad"),
            format!("link set {BRIDGE} up"),
        ] {
            lab.server.ip(&line);
        }
        let cache = lab.file("data/cache");
        std::fs::create_dir_all(&cache).unwrap();
        std::fs::write(cache.join(digest(&boot_file())), boot_file()).unwrap();
        let snapshot = serde_json::to_vec(snapshot).unwrap();
        std::fs::write(lab.file("data/snapshot.json"), snapshot).unwrap();
        Some(lab)
    }

    /// The same, with the client on the rack's own link.
    pub(crate) fn on_link(name: &str, programs: &[&str], snapshot: &Snapshot) -> Option<Self> {
        let lab = Self::new(name, programs, snapshot)?;
        lab.plug(&lab.client, INTERFACE);
        lab.client.ip(&format!("link set {INTERFACE} down address {MAC}"));
        lab.client.ip(&format!("link set {INTERFACE} up"));
        Some(lab)
    }

    /// Joins a namespace's new interface to the bridge.
    pub(crate) fn plug(&self, namespace: &Namespace, interface: &str) {
        let port = format!("p-{interface}");
        join((&self.server, &port), (namespace, interface));
        self.server.ip(&format!("link set {port} master {BRIDGE}"));
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn start_rack(&self) -> RackProcess {
        RackProcess::start(self.server.name(), &self.file("data"), 0, Durability::Durable)
    }

    /// A script for a client to run: it notes why it was run and what it was told. `commands` come
    /// first; they have the client's variables, and `$what` for the reason.
    pub(crate) fn script(&self, commands: &str) -> String {
        let path = self.file("script");
        let events = self.file("events");
        let text = format!(
            "#!/bin/sh\nwhat=${{reason:-$1}}\n{commands}\n\
             {{ echo \"== $what\"; env; echo ==; }} >> {}.$interface\nexit 0\n",
            events.display()
        );
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path.display().to_string()
    }

    /// Starts ISC dhclient, which goes on until it is dropped.
    pub(crate) fn dhclient(&self, family: &str, configuration: &str) -> Running {
        let (script, folder) = (self.script(CONFIGURE), self.folder().display());
        std::fs::write(self.file("dhclient.conf"), configuration).unwrap();
        let line = format!(
            "dhclient {family} -d -cf {folder}/dhclient.conf -sf {script} \
             -lf {folder}/dhclient.leases -pf {folder}/dhclient.pid {INTERFACE}"
        );
        self.client.spawn(self.folder(), &[], &line)
    }

    /// Starts udhcpc, which goes on until it is dropped.
    pub(crate) fn udhcpc(&self, interface: &str, arguments: &str) -> Running {
        let script = self.script(CONFIGURE);
        let line = format!("busybox udhcpc -i {interface} -f -R -t 5 -T 1 -s {script} {arguments}");
        self.client.spawn(self.folder(), &[], &line)
    }

    /// All that the script noted of an interface so far.
    pub(crate) fn events(&self, interface: &str) -> Vec<Event> {
        let text = std::fs::read_to_string(self.file(&format!("events.{interface}")));
        let mut events: Vec<Event> = Vec::new();
        let mut open = None;
        for line in text.unwrap_or_default().lines() {
            match (line.strip_prefix("=="), line.split_once('='), &mut open) {
                (Some(""), _, open) => events.extend(open.take()),
                (Some(what), _, open) => {
                    *open = Some(Event { what: what.trim().to_owned(), env: HashMap::new() });
                }
                (None, Some((name, value)), Some(event)) => {
                    event.env.insert(name.to_owned(), value.to_owned());
                }
                _ => {}
            }
        }
        events
    }

    /// Waits for the `nth` event (from 1) of a kind; the client's names for it differ.
    #[track_caller]
    pub(crate) fn wait_for(&self, kinds: &[&str], nth: usize) -> Event {
        let of_kind = || {
            let events = self.events(INTERFACE).into_iter();
            let mut events = events.filter(|it| kinds.contains(&it.what.as_str()));
            events.nth(nth - 1)
        };
        let mut found = None;
        until(&format!("{kinds:?} {nth}; there is {:?}", self.kinds()), || {
            found = of_kind();
            found.is_some()
        });
        found.unwrap()
    }

    /// A DHCPv6 client binds its socket to that address.
    pub(crate) fn wait_for_link_local(&self) {
        until("a link-local address", || {
            let shown = self.client.shell(self.folder(), "ip -6 addr show scope link");
            let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
            shown.contains("fe80::") && !shown.contains("tentative")
        });
    }

    fn kinds(&self) -> Vec<String> {
        self.events(INTERFACE).into_iter().map(|it| it.what).collect()
    }
}

fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Gives the client what it was told, where it leaves that to its script.
const CONFIGURE: &str = "\
    at=${ip:-$new_ip_address}
    [ -z \"$at\" ] || ip addr replace $at/24 dev $interface
    via=${router:-$new_routers}
    [ -z \"$at\" ] || [ -z \"$via\" ] || ip route replace default via ${via%% *} dev $interface
    [ -z \"$new_ip6_address\" ] || ip addr replace $new_ip6_address/64 dev $interface nodad";

/// Two subnets for each protocol: that of the rack's link (77), and one behind a relay (78).
pub(crate) fn snapshot(mode: DhcpMode, lease_seconds: u32) -> Snapshot {
    let subnet = |net: u8, vlan: &str| Subnet {
        id: format!("net-{net}"),
        vlan: vlan.to_owned(),
        cidr: format!("10.{net}.0.0/24").parse().unwrap(),
        gateway: Some([10, net, 0, 1].into()),
        dns_servers: vec![[10, 77, 0, 1].into(), [192, 0, 2, 53].into()],
        domain: Some("lab.example".to_owned()),
        lease_seconds,
        ranges: vec![Range::new([10, net, 0, 100].into(), [10, net, 0, 199].into())],
        ..Subnet::default()
    };
    let subnet6 = |net: u16, vlan: &str| Subnet6 {
        id: format!("net6-{net:x}"),
        vlan: vlan.to_owned(),
        cidr: format!("fd{net:x}::/64").parse().unwrap(),
        dns_servers: vec!["fd77::53".parse().unwrap()],
        preferred_seconds: lease_seconds,
        valid_seconds: lease_seconds * 2,
        ranges: vec![Range6 {
            first: format!("fd{net:x}::100").parse().unwrap(),
            last: format!("fd{net:x}::1ff").parse().unwrap(),
        }],
        ..Subnet6::default()
    };
    let vlan = |id: &str, mode| Vlan { id: id.to_owned(), mode, ..Vlan::default() };
    let bytes = boot_file();
    let file = |name: &str| BootFile {
        name: name.to_owned(),
        sha256: digest(&bytes),
        size_bytes: u64::try_from(bytes.len()).unwrap(),
    };
    Snapshot {
        generation: 7,
        settings: Settings { enlist: true, enlist_key: BootKey([8; 32]), ..Settings::default() },
        vlans: vec![vlan("near", mode), vlan("far", DhcpMode::Full)],
        subnets: vec![subnet(77, "near").into(), subnet(78, "far").into()],
        subnets6: vec![subnet6(0x77, "near").into(), subnet6(0x78, "far").into()],
        files: vec![file("snponly.efi"), file("undionly.kpxe")],
        ..Snapshot::default()
    }
}
