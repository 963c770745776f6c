//! A client on the rack's link that asks, again and again, what it would get.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use dhcproto::v4::{
    Architecture, Decodable as _, DhcpOption, Encodable as _, Flags, Message, MessageType,
    OptionCode,
};
use ironherd_uring::{interfaces, socket::frames_on};
use ironherd_wire::frame::{ETHERNET_BYTES, UdpFrame, udp_ipv4};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvFlags, SendFlags, recv, send};

use crate::network::CLIENT_INTERFACE;

/// What an OFFER says, as far as changes show in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) address: Option<Ipv4Addr>,
    pub(crate) boot_file: String,
    pub(crate) mtu: Option<u16>,
    pub(crate) time_servers: Vec<Ipv4Addr>,
}

/// A socket for frames on the clients' interface.
pub(crate) struct Client {
    socket: OwnedFd,
    next_xid: u32,
}

const CLIENT_PORT: u16 = 68;
const SERVER_PORT: u16 = 67;
/// An answer that takes longer is waited for no more: the next question is asked.
const ANSWER_PATIENCE: Duration = Duration::from_millis(20);
/// Questions come no faster than this.
const PAUSE: Duration = Duration::from_millis(1);
/// IPv4 and UDP headers, without options, as our server sends them.
const HEADERS: usize = ETHERNET_BYTES + 20 + 8;

impl Client {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let found = interfaces()?.into_iter().find(|it| it.name == CLIENT_INTERFACE);
        let interface = found.context("the clients' interface is missing")?;
        let socket = frames_on(interface.index, Some(CLIENT_PORT))?;
        Ok(Self { socket, next_xid: 0x4c49_0000 })
    }

    /// Asks as this card until an OFFER is as wanted; how long that took, `since` then.
    pub(crate) fn until(
        &mut self,
        mac: [u8; 6],
        since: Instant,
        at_most: Duration,
        wanted: impl Fn(&Offer) -> bool,
    ) -> anyhow::Result<Duration> {
        let mut last = None;
        loop {
            let asked = Instant::now();
            let offer = self.ask(mac)?;
            let waited = since.elapsed();
            if offer.as_ref().is_some_and(&wanted) {
                return Ok(waited);
            }
            last = offer.or(last);
            if at_most < waited {
                bail!("the change is not in force after {waited:?}; the last OFFER was {last:?}");
            }
            std::thread::sleep(PAUSE.saturating_sub(asked.elapsed()));
        }
    }

    /// One DISCOVER and its OFFER.
    fn ask(&mut self, mac: [u8; 6]) -> anyhow::Result<Option<Offer>> {
        self.next_xid += 1;
        let payload = discover(self.next_xid, mac)?;
        let mut frame = Vec::new();
        udp_ipv4(
            &mut frame,
            &UdpFrame {
                source_mac: mac,
                destination_mac: [0xff; 6],
                source: SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, CLIENT_PORT),
                destination: SocketAddrV4::new(Ipv4Addr::BROADCAST, SERVER_PORT),
                payload: &payload,
            },
        );
        send(&self.socket, &frame, SendFlags::empty())?;
        let deadline = Instant::now() + ANSWER_PATIENCE;
        let mut received = [0; 2_048];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = Timespec::try_from(left)?;
            let mut waits = [PollFd::new(&self.socket, PollFlags::IN)];
            if poll(&mut waits, Some(&timeout))? == 0 {
                return Ok(None);
            }
            let (_, len) = recv(&self.socket, &mut received[..], RecvFlags::DONTWAIT)?;
            let payload = received.get(HEADERS..len).unwrap_or_default();
            let Ok(message) = Message::from_bytes(payload) else { continue };
            if message.xid() == self.next_xid {
                return Ok(Some(read(&message)));
            }
        }
    }
}

/// As UEFI firmware asks, with everything in the list that changes show in.
fn discover(xid: u32, mac: [u8; 6]) -> anyhow::Result<Vec<u8>> {
    let unset = Ipv4Addr::UNSPECIFIED;
    let mut message = Message::new_with_id(xid, unset, unset, unset, unset, &mac);
    message.set_flags(Flags::default().set_broadcast());
    let options = message.opts_mut();
    options.insert(DhcpOption::MessageType(MessageType::Discover));
    options.insert(DhcpOption::ClassIdentifier(b"PXEClient:Arch:00007:UNDI:003016".to_vec()));
    options.insert(DhcpOption::ClientSystemArchitecture(Architecture::BC));
    options.insert(DhcpOption::ParameterRequestList(vec![
        OptionCode::SubnetMask,
        OptionCode::Router,
        OptionCode::InterfaceMtu,
        OptionCode::NtpServers,
        OptionCode::TFTPServerName,
        OptionCode::BootfileName,
    ]));
    Ok(message.to_vec()?)
}

fn read(message: &Message) -> Offer {
    let mut offer = Offer { address: Some(message.yiaddr()), ..Offer::default() };
    let in_header = message.fname().unwrap_or_default();
    offer.boot_file = String::from_utf8_lossy(in_header).trim_end_matches('\0').to_owned();
    for (_, option) in message.opts().iter() {
        match option {
            DhcpOption::BootfileName(name) => {
                let name = String::from_utf8_lossy(name);
                offer.boot_file = name.trim_end_matches('\0').to_owned();
            }
            DhcpOption::InterfaceMtu(mtu) => offer.mtu = Some(*mtu),
            DhcpOption::NtpServers(servers) => offer.time_servers.clone_from(servers),
            _ => {}
        }
    }
    offer
}
