//! Writes replies.

use std::net::Ipv4Addr;

use ironherd_snapshot::{Lookup, Subnet};
use ironherd_wire::dhcp::{Encoder, Header, MESSAGE_BYTES_MAX, MessageType, Value, code};

use super::request::Request;
use crate::boot::{BootFile, Client};

const BROADCAST_FLAG: u16 = 0x8000;
/// Longest client id that is echoed: one option's worth.
const CLIENT_ID_BYTES_MAX: usize = 255;
/// Encapsulated for iPXE: no proxyDHCP server will answer, so wait for none.
const NO_PROXY_DHCP: [u8; 3] = [code::ipxe::NO_PROXY_DHCP, 1, 1];
/// Encapsulated for PXE: bit 3 of discovery control, "just load the boot file", and End.
const NO_DISCOVERY: [u8; 4] = [code::pxe::DISCOVERY_CONTROL, 1, 8, 255];

/// What an OFFER or ACK says.
pub(super) struct Answer<'a> {
    pub(super) kind: MessageType,
    pub(super) address: Ipv4Addr,
    /// Absent for INFORM and proxyDHCP, which grant nothing.
    pub(super) lease_seconds: Option<u32>,
    /// Place in the snapshot; absent for proxyDHCP, which configures nothing.
    pub(super) subnet: Option<usize>,
    pub(super) boot: Option<&'a BootFile>,
    /// Whether to call ourselves a PXE server (option 60): only a proxyDHCP answer does. In an
    /// OFFER it would send EDK2 on to port 4011 for nothing.
    pub(super) pxe_server: bool,
}

impl Answer<'_> {
    pub(super) fn write(&self, request: &Request<'_>, out: &mut Vec<u8>) {
        let message = &request.message;
        let mut header = Header::reply_to(message);
        header.yiaddr = self.address;
        if self.kind == MessageType::Ack {
            header.ciaddr = message.ciaddr();
        }
        if self.boot.is_some() {
            header.siaddr = request.link.address;
        }
        let tail = Tail::new(request, self.boot);
        let mut encoder = start(request, &header, self.kind, &tail, out);
        // The scarcest first: what comes late may not fit.
        if let Some(seconds) = self.lease_seconds {
            encoder.seconds(code::LEASE_SECONDS, seconds);
        }
        let place = self.subnet.and_then(|it| Some((it, request.subnet(it).ok()?)));
        if let Some((_, subnet)) = place {
            // Nobody can use an address without its mask, asked for or not.
            encoder.address(code::SUBNET_MASK, subnet.cidr.netmask());
        }
        if let Some(boot) = self.boot {
            self.write_boot(&mut encoder, request, boot);
        }
        if let Some((place, subnet)) = place {
            write_network(&mut encoder, request, subnet, hostname(request, place));
        }
        if let Some(seconds) = self.lease_seconds {
            write_times(&mut encoder, request, seconds);
        }
        tail.write(encoder);
    }

    fn write_boot(&self, encoder: &mut Encoder<'_>, request: &Request<'_>, boot: &BootFile) {
        encoder.file(boot.name.as_bytes()); // A URL that is too long stands in option 67 alone.
        match boot.client {
            // Without this class the firmware ignores the offer.
            Client::Http => {
                encoder.option(code::VENDOR_CLASS, b"HTTPClient");
            }
            Client::Ipxe => {
                encoder.option(code::IPXE, &NO_PROXY_DHCP);
            }
            Client::Pxe | Client::Plain => {}
        }
        if self.pxe_server && boot.client != Client::Http {
            encoder.option(code::VENDOR_CLASS, b"PXEClient");
            encoder.option(code::VENDOR_SPECIFIC, &NO_DISCOVERY);
        }
        if let Some(uuid) = request.message.option(code::CLIENT_UUID) {
            uuid.read(|bytes| encoder.option(code::CLIENT_UUID, bytes));
        }
        let server = request.link.address.to_string();
        encoder.option(code::TFTP_SERVER, server.as_bytes());
    }
}

/// A refusal: the client must start over.
pub(super) fn write_nak(request: &Request<'_>, text: &str, out: &mut Vec<u8>) {
    let mut header = Header::reply_to(&request.message);
    if request.is_relayed() {
        // Tells the relay to broadcast: the client's address is wrong (RFC 2131 §4.3.2).
        header.flags |= BROADCAST_FLAG;
    }
    let tail = Tail::new(request, None);
    let mut encoder = start(request, &header, MessageType::Nak, &tail, out);
    encoder.option(code::MESSAGE, text.as_bytes());
    tail.write(encoder);
}

/// Starts a reply with what none can do without, and keeps room for its tail.
fn start<'b>(
    request: &Request<'_>,
    header: &Header,
    kind: MessageType,
    tail: &Tail<'_, '_>,
    out: &'b mut Vec<u8>,
) -> Encoder<'b> {
    // The relay takes its option out again before the client sees the reply.
    let relay_bytes = tail.relay_agent.map_or(0, |it| it.echo_bytes());
    let bytes_max = request.message.reply_bytes_max() + relay_bytes;
    let mut encoder = Encoder::new(out, header, bytes_max.min(MESSAGE_BYTES_MAX));
    encoder.option(code::MESSAGE_TYPE, &[kind as u8]);
    encoder.address(code::SERVER_ID, request.server_id);
    encoder.hold_back(tail.bytes());
    encoder
}

fn write_times(encoder: &mut Encoder<'_>, request: &Request<'_>, seconds: u32) {
    if request.message.wants(code::RENEWAL_SECONDS) {
        encoder.seconds(code::RENEWAL_SECONDS, seconds / 2);
    }
    if request.message.wants(code::REBINDING_SECONDS) {
        encoder.seconds(code::REBINDING_SECONDS, seconds - seconds / 8);
    }
}

fn write_network(
    encoder: &mut Encoder<'_>,
    request: &Request<'_>,
    subnet: &Subnet,
    hostname: Option<&str>,
) {
    let wants = |code| request.message.wants(code);
    if let Some(gateway) = subnet.gateway.filter(|_| wants(code::ROUTER)) {
        encoder.address(code::ROUTER, gateway);
    }
    let lists = [(code::DNS_SERVER, &subnet.dns_servers), (code::NTP_SERVER, &subnet.ntp_servers)];
    for (code, addresses) in lists {
        if !addresses.is_empty() && wants(code) {
            let octets: Vec<u8> = addresses.iter().flat_map(|it| it.octets()).collect();
            encoder.option(code, &octets);
        }
    }
    if wants(code::BROADCAST) {
        encoder.address(code::BROADCAST, subnet.cidr.broadcast());
    }
    if let Some(mtu) = subnet.mtu.filter(|_| wants(code::MTU)) {
        encoder.option(code::MTU, &mtu.to_be_bytes());
    }
    let domain = subnet.domain.as_deref().filter(|it| !it.is_empty());
    if let Some(domain) = domain.filter(|_| wants(code::DOMAIN)) {
        encoder.option(code::DOMAIN, domain.as_bytes());
    }
    let hostname = hostname.filter(|it| !it.is_empty());
    if let Some(hostname) = hostname.filter(|_| wants(code::HOSTNAME)) {
        encoder.option(code::HOSTNAME, hostname.as_bytes());
    }
}

/// The name the machine has here: its reservation's, else its own.
fn hostname<'a>(request: &Request<'a>, subnet: usize) -> Option<&'a str> {
    let reserved = request.reservation(subnet);
    let machine = || match request.index.machine(request.mac, request.message.uuid()) {
        Lookup::Known(machine) => Some(machine.hostname.as_str()),
        Lookup::Unknown => None,
    };
    reserved.and_then(|it| it.hostname.as_deref()).or_else(machine)
}

/// What stands last, and must fit whatever comes before: the client's id (RFC 6842), the boot
/// file, the relay's option 82 (RFC 3046: last).
struct Tail<'m, 'a> {
    client_id: Option<Value<'m, 'a>>,
    relay_agent: Option<Value<'m, 'a>>,
    boot_file: Option<Vec<u8>>,
}

impl<'m, 'a> Tail<'m, 'a> {
    fn new(request: &'m Request<'a>, boot: Option<&BootFile>) -> Self {
        // The terminating NUL stands inside the option: EDK2 writes one right behind otherwise,
        // over the next option, and older firmware reads on past the end.
        let boot_file = boot.map(|it| [it.name.as_bytes(), b"\0"].concat());
        let message = &request.message;
        let relay_agent = message.option(code::RELAY_AGENT).filter(|_| request.is_relayed());
        // An id in several pieces is nobody's, and would leave no room for what matters.
        let whole = |it: &Value<'_, '_>| it.len() <= CLIENT_ID_BYTES_MAX;
        let client_id = message.option(code::CLIENT_ID).filter(whole);
        Self { client_id, relay_agent, boot_file }
    }

    fn bytes(&self) -> usize {
        let echoes = [self.client_id, self.relay_agent].into_iter().flatten();
        let echoed: usize = echoes.map(|it| it.echo_bytes()).sum();
        echoed + self.boot_file.as_ref().map_or(0, |it| Encoder::option_bytes(it.len()))
    }

    fn write(&self, mut encoder: Encoder<'_>) {
        if let Some(client_id) = &self.client_id {
            encoder.echo_held_back(code::CLIENT_ID, client_id);
        }
        if let Some(boot_file) = &self.boot_file {
            encoder.option_held_back(code::BOOT_FILE, boot_file);
        }
        if let Some(relay_agent) = &self.relay_agent {
            encoder.echo_held_back(code::RELAY_AGENT, relay_agent);
        }
        encoder.finish();
    }
}
