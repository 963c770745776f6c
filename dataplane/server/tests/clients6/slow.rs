//! A client that thinks before it asks for what it was offered: firmware collects offers for a
//! second, where others answer at once.

use std::net::{Ipv6Addr, SocketAddrV6, UdpSocket};
use std::time::Duration;

use ironherd_wire::dhcp6::{Ia, IaKind, Message, MessageType, code};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::net::Namespace;

pub(crate) struct SlowClient {
    socket: UdpSocket,
    interface: u32,
}

/// What an answer says.
pub(crate) struct Told {
    pub(crate) kind: MessageType,
    pub(crate) server: Vec<u8>,
    pub(crate) address: Option<Ipv6Addr>,
}

const DUID: &[u8] = &[0, 3, 0, 1, 0x52, 0x54, 0, 0x77, 0, 0xaa];
const SERVERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);
const PATIENCE: Duration = Duration::from_secs(20);

impl SlowClient {
    pub(crate) fn new(namespace: &Namespace, interface: &str) -> Self {
        let path = format!("/run/netns/{}", namespace.name());
        let name = interface.to_owned();
        let open = move || {
            let namespace = std::fs::File::open(path).unwrap();
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(std::os::fd::AsFd::as_fd(&namespace), kind).unwrap();
            let all = ironherd_uring::interfaces().unwrap();
            let interface = all.iter().find(|it| it.name == name).unwrap().index;
            let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 546)).unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            Self { socket, interface }
        };
        // The namespace is that of a thread; a socket keeps the one it was made in.
        std::thread::spawn(open).join().unwrap()
    }

    pub(crate) fn solicit(&self) -> Told {
        self.ask(MessageType::Solicit, &[], None)
    }

    /// Asks for what it was offered.
    pub(crate) fn request(&self, offer: &Told) -> Told {
        self.ask(MessageType::Request, &offer.server, offer.address)
    }

    fn ask(&self, kind: MessageType, server: &[u8], address: Option<Ipv6Addr>) -> Told {
        let mut message = vec![kind as u8, 1, 2, 3];
        push(&mut message, code::CLIENT_ID, DUID);
        if !server.is_empty() {
            push(&mut message, code::SERVER_ID, server);
        }
        let mut association = vec![0; 12];
        if let Some(address) = address {
            push(&mut association, code::IA_ADDRESS, &[&address.octets()[..], &[0; 8]].concat());
        }
        push(&mut message, code::IA_NA, &association);
        push(&mut message, code::ELAPSED, &[0, 0]);
        self.socket.send_to(&message, SocketAddrV6::new(SERVERS, 547, 0, self.interface)).unwrap();
        let mut answer = [0; 1500];
        let len = self.socket.recv(&mut answer).unwrap();
        let answer = Message::parse(&answer[..len]).unwrap();
        let association = answer.ias().find(|it| it.kind == IaKind::Address);
        Told {
            kind: answer.kind,
            server: answer.server_id().unwrap().to_vec(),
            address: association.iter().flat_map(Ia::resources).map(|it| it.address).next(),
        }
    }
}

fn push(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    out.extend_from_slice(&code.to_be_bytes());
    out.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
    out.extend_from_slice(value);
}
