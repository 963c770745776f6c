use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;

use ironherd_rack::Durability;
use ironherd_snapshot::{Range, Snapshot, Subnet};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use socket2::{Domain, Protocol, Socket, Type};
use tempfile::TempDir;

use crate::net::{Namespace, can_run, join};
use crate::process::RackProcess;

/// A server's namespace and one for all clients, joined by a pair of interfaces.
pub(crate) struct Lab {
    server: Namespace,
    clients: Namespace,
    folder: TempDir,
}

pub(crate) const RELAY: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
pub(crate) const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
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
        if !can_run(&["ip"]) {
            return None;
        }
        let lab = Self {
            server: Namespace::new(name, "s"),
            clients: Namespace::new(name, "c"),
            folder: tempfile::tempdir().unwrap(),
        };
        join((&lab.server, "vs"), (&lab.clients, "vc"));
        lab.server.ip(&format!("addr add {SERVER}/16 dev vs"));
        lab.clients.ip(&format!("addr add {RELAY}/16 dev vc"));
        std::fs::create_dir(lab.data_dir()).unwrap();
        let snapshot = serde_json::to_vec(snapshot).unwrap();
        std::fs::write(lab.data_dir().join("snapshot.json"), snapshot).unwrap();
        Some(lab)
    }

    fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn start_rack(&self, shards: u32, durability: Durability) -> RackProcess {
        RackProcess::start(self.server.name(), &self.data_dir(), shards, durability)
    }

    /// Gives an address to somebody who asked nobody.
    pub(crate) fn squat(&self, address: Ipv4Addr) {
        self.clients.ip(&format!("addr add {address}/16 dev vc"));
    }

    /// Sockets in the clients' namespace: that of a relay, and one for all clients on the link.
    pub(crate) fn sockets(&self) -> (UdpSocket, UdpSocket) {
        let namespace = format!("/run/netns/{}", self.clients.name());
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

fn snapshot(first: impl Into<Ipv4Addr>, last: impl Into<Ipv4Addr>) -> Snapshot {
    let subnet = Subnet {
        id: "lab".to_owned(),
        cidr: "10.77.0.0/16".parse().unwrap(),
        lease_seconds: 36_000,
        ranges: vec![Range::new(first.into(), last.into())],
        ..Subnet::default()
    };
    Snapshot { generation: 7, subnets: vec![subnet.into()], ..Snapshot::default() }
}
