//! Writes replies.

use std::net::Ipv4Addr;

use ironherd_snapshot::Subnet;
use ironherd_wire::dhcp::{
    Encoder, Header, MESSAGE_BYTES_MAX, MessageType, Value, code, sub_option,
};

use super::names;
use super::request::Request;
use super::scopes::{Scope, Scopes};
use super::sheet::{Note, Sheet};
use crate::boot::{BootFile, Client, NoBootFile};

const BROADCAST_FLAG: u16 = 0x8000;
/// Longest client id that is echoed: one option's worth.
const CLIENT_ID_BYTES_MAX: usize = 255;
/// Encapsulated for iPXE: no proxyDHCP server will answer, so wait for none.
const NO_PROXY_DHCP: [u8; 3] = [code::ipxe::NO_PROXY_DHCP, 1, 1];
/// Encapsulated for PXE: bit 3 of discovery control, "just load the boot file", and End.
const NO_DISCOVERY: [u8; 4] = [code::pxe::DISCOVERY_CONTROL, 1, 8, 255];

/// What an OFFER or ACK says.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) kind: MessageType,
    pub(super) address: Ipv4Addr,
    /// Absent for INFORM and proxyDHCP, which grant nothing.
    pub(super) lease_seconds: Option<u32>,
    /// Place in the snapshot; absent for proxyDHCP, which configures nothing.
    pub(super) subnet: Option<usize>,
    pub(super) boot: Result<BootFile, NoBootFile>,
    /// Whether to call ourselves a PXE server (option 60): only a proxyDHCP answer does. In an
    /// OFFER with an address it would send EDK2 on to port 4011 for nothing.
    pub(super) pxe_server: bool,
    /// Whether the ACK answers a DISCOVER (RFC 4039).
    pub(super) rapid_commit: bool,
}

impl Answer {
    pub(super) fn write(&self, request: &Request<'_>, note: &mut impl Note, out: &mut Vec<u8>) {
        let message = &request.message;
        let scopes = self.scopes(request);
        let mut header = Header::reply_to(message);
        header.yiaddr = self.address;
        if self.kind == MessageType::Ack {
            header.ciaddr = message.ciaddr();
        }
        let boot = self.boot.as_ref().ok();
        if boot.is_some() {
            header.siaddr = next_server(request, &scopes);
        }
        let tail = Tail::new(request, boot);
        let mut sheet = start(request, &header, self.kind, &tail, note, out);
        // The scarcest first: what comes late may not fit.
        if self.rapid_commit {
            sheet.say(code::RAPID_COMMIT, &[], Scope::Protocol);
        }
        if let Some(seconds) = self.lease_seconds {
            sheet.say(code::LEASE_SECONDS, &seconds.to_be_bytes(), Scope::Protocol);
        }
        let subnet = self.subnet.and_then(|it| request.subnet(it).ok());
        if let Some(subnet) = subnet {
            // Nobody can use an address without its mask, asked for or not.
            let mask = subnet.cidr.netmask().octets();
            insist(&mut sheet, &scopes, code::SUBNET_MASK, (Scope::Subnet, &mask));
        }
        if let Some(boot) = boot {
            self.write_boot(&mut sheet, request, &scopes, boot);
        }
        if boot.is_some() || request.client.boots() {
            sheet.close(code::BOOT_FILE); // Decided: the tail has it, or nobody.
        }
        if let Some(subnet) = subnet {
            write_network(&mut sheet, request, &scopes, subnet);
        }
        if let Some(seconds) = self.lease_seconds {
            write_times(&mut sheet, seconds);
        }
        if let Some(subnet) = subnet {
            write_rest(&mut sheet, request, &scopes, subnet);
        }
        tail.write(sheet);
    }

    /// An INFORM is told what holds where the client says it is.
    fn scopes<'r, 'a>(&self, request: &'r Request<'a>) -> Scopes<'r, 'a> {
        let Some(subnet) = self.subnet else { return Scopes::none(request) };
        let has_address = !self.address.is_unspecified();
        let address = if has_address { self.address } else { request.message.ciaddr() };
        Scopes::of(request, subnet, address)
    }

    fn write_boot<N: Note>(
        &self,
        sheet: &mut Sheet<'_, '_, N>,
        request: &Request<'_>,
        scopes: &Scopes<'_, '_>,
        boot: &BootFile,
    ) {
        sheet.encoder.file(boot.name.as_bytes()); // A longer URL stands in option 67 alone.
        match boot.client {
            // Without this class the firmware ignores the offer.
            Client::Http => {
                sheet.say(code::VENDOR_CLASS, b"HTTPClient", Scope::Boot);
            }
            Client::Ipxe if !self.pxe_server => write_ipxe(sheet, scopes),
            _ => {}
        }
        if self.pxe_server && boot.client != Client::Http {
            sheet.say(code::VENDOR_CLASS, b"PXEClient", Scope::Boot);
            sheet.say(code::VENDOR_SPECIFIC, &NO_DISCOVERY, Scope::Boot);
        }
        if let Some(uuid) = request.message.option(code::CLIENT_UUID) {
            uuid.read(|bytes| sheet.say(code::CLIENT_UUID, bytes, Scope::Protocol));
        }
        let server = request.link.address;
        let text = server.to_string();
        insist(sheet, scopes, code::TFTP_SERVER, (Scope::Boot, text.as_bytes()));
        if sheet.wants_by_name(code::TFTP_ADDRESSES) {
            insist(sheet, scopes, code::TFTP_ADDRESSES, (Scope::Boot, &server.octets()));
        }
        let name = (Scope::Boot, boot.name.as_bytes());
        match boot.client {
            Client::Onie => insist(sheet, scopes, code::DEFAULT_URL, name),
            Client::Bare if sheet.wants_by_name(code::PXE_CONFIG_FILE) => {
                insist(sheet, scopes, code::PXE_CONFIG_FILE, name);
            }
            _ => {}
        }
    }
}

/// A refusal: the client must start over.
pub(super) fn write_nak(
    request: &Request<'_>,
    text: &str,
    note: &mut impl Note,
    out: &mut Vec<u8>,
) {
    let mut header = Header::reply_to(&request.message);
    if request.is_relayed() {
        // Tells the relay to broadcast: the client's address is wrong (RFC 2131 §4.3.2).
        header.flags |= BROADCAST_FLAG;
    }
    let tail = Tail::new(request, None);
    let mut sheet = start(request, &header, MessageType::Nak, &tail, note, out);
    sheet.say(code::MESSAGE, text.as_bytes(), Scope::Protocol);
    tail.write(sheet);
}

/// Starts a reply with what none can do without, and keeps room for its tail.
fn start<'b, 'n, N: Note>(
    request: &Request<'_>,
    header: &Header,
    kind: MessageType,
    tail: &Tail<'_, '_>,
    note: &'n mut N,
    out: &'b mut Vec<u8>,
) -> Sheet<'b, 'n, N> {
    // The relay takes its option out again before the client sees the reply.
    let relay_bytes = tail.relay_agent.map_or(0, |it| it.echo_bytes());
    let bytes_max = request.message.reply_bytes_max() + relay_bytes;
    let encoder = Encoder::new(out, header, bytes_max.min(MESSAGE_BYTES_MAX));
    let mut sheet = Sheet::new(encoder, request.wanted, note);
    sheet.say(code::MESSAGE_TYPE, &[kind as u8], Scope::Protocol);
    sheet.say(code::SERVER_ID, &request.server_id.octets(), Scope::Protocol);
    sheet.encoder.hold_back(tail.bytes());
    sheet.encoder.allow_overload();
    sheet
}

/// Who serves the boot file: us, unless a scope names the address of another.
fn next_server(request: &Request<'_>, scopes: &Scopes<'_, '_>) -> Ipv4Addr {
    let named = scopes.instead_of(code::TFTP_SERVER);
    let named = named.and_then(|(_, it)| std::str::from_utf8(&it.data).ok()?.parse().ok());
    named.unwrap_or(request.link.address)
}

/// Says it, asked for or not, unless a scope narrower than the subnet has its own.
fn insist<N: Note>(
    sheet: &mut Sheet<'_, '_, N>,
    scopes: &Scopes<'_, '_>,
    code: u8,
    (own, data): (Scope, &[u8]),
) {
    match scopes.instead_of(code) {
        Some((scope, option)) if option.data.is_empty() => sheet.option(scope, option),
        Some((scope, option)) => {
            sheet.say(code, &option.data, scope);
        }
        None => {
            sheet.say(code, data, own);
        }
    }
}

/// What an operator tells iPXE, and that it need not wait.
fn write_ipxe<N: Note>(sheet: &mut Sheet<'_, '_, N>, scopes: &Scopes<'_, '_>) {
    let told = scopes.find(code::IPXE).filter(|(_, it)| !it.data.is_empty());
    match told {
        Some((scope, it)) if sub_option(&it.data, code::ipxe::NO_PROXY_DHCP).is_some() => {
            sheet.say(code::IPXE, &it.data, scope);
        }
        Some((scope, it)) => {
            sheet.say(code::IPXE, &[&it.data[..], &NO_PROXY_DHCP].concat(), scope);
        }
        None => {
            sheet.say(code::IPXE, &NO_PROXY_DHCP, Scope::Boot);
        }
    }
}

fn write_times<N: Note>(sheet: &mut Sheet<'_, '_, N>, seconds: u32) {
    sheet.offer(code::RENEWAL_SECONDS, &(seconds / 2).to_be_bytes(), Scope::Protocol);
    let rebinding = seconds - seconds / 8;
    sheet.offer(code::REBINDING_SECONDS, &rebinding.to_be_bytes(), Scope::Protocol);
}

fn write_network<N: Note>(
    sheet: &mut Sheet<'_, '_, N>,
    request: &Request<'_>,
    scopes: &Scopes<'_, '_>,
    subnet: &Subnet,
) {
    let gateway = subnet.gateway.map(|it| it.octets());
    sheet.field(scopes, code::ROUTER, gateway.as_ref().map(|it| &it[..]));
    for (code, addresses) in
        [(code::DNS_SERVER, &subnet.dns_servers), (code::NTP_SERVER, &subnet.ntp_servers)]
    {
        with_octets(addresses, |octets| sheet.field(scopes, code, octets));
    }
    let broadcast = subnet.cidr.broadcast().octets();
    sheet.field(scopes, code::BROADCAST, Some(&broadcast));
    let mtu = subnet.mtu.map(u16::to_be_bytes);
    sheet.field(scopes, code::MTU, mtu.as_ref().map(|it| &it[..]));
    let domain = subnet.domain.as_deref().filter(|it| !it.is_empty());
    sheet.field(scopes, code::DOMAIN, domain.map(str::as_bytes));
    match (scopes.instead_of(code::HOSTNAME), hostname(request, scopes)) {
        // The name belongs to the host: only an option of the host's own goes before it.
        (Some((Scope::Host, option)), _) => sheet.option(Scope::Host, option),
        (_, Some(name)) => {
            sheet.offer(code::HOSTNAME, name.as_bytes(), Scope::Host);
        }
        (Some((scope, option)), None) => sheet.option(scope, option),
        (None, None) => {}
    }
}

/// Options with rules of their own, then everything else that some scope has.
fn write_rest<N: Note>(
    sheet: &mut Sheet<'_, '_, N>,
    request: &Request<'_>,
    scopes: &Scopes<'_, '_>,
    subnet: &Subnet,
) {
    let message = &request.message;
    if message.option(code::CLIENT_FQDN).is_some() {
        let name = names::fqdn(message, hostname(request, scopes), subnet.domain.as_deref());
        if let Some(name) = name {
            sheet.say(code::CLIENT_FQDN, &name, Scope::Protocol);
        }
    }
    // Tells a client that chose its subnet that the choice was heard (RFC 3011).
    let asked = message.option(code::SUBNET_SELECTION);
    if let Some(asked) = asked.filter(|it| it.address().is_some_and(|it| subnet.cidr.contains(&it)))
    {
        asked.read(|bytes| sheet.say(code::SUBNET_SELECTION, bytes, Scope::Protocol));
    }
    // Only who knows these may be told: RFC 2563 §2.2, RFC 8925 §3.3.
    match scopes.find(code::AUTO_CONFIGURE).filter(|(_, it)| !it.data.is_empty()) {
        Some((scope, option)) if message.option(code::AUTO_CONFIGURE).is_some() => {
            sheet.say(code::AUTO_CONFIGURE, &option.data, scope);
        }
        _ => sheet.close(code::AUTO_CONFIGURE),
    }
    if !sheet.wants_by_name(code::IPV6_ONLY) {
        sheet.close(code::IPV6_ONLY);
    }
    write_routes(sheet, scopes, subnet);
    for (scope, option) in scopes.all() {
        sheet.option(scope, option);
    }
}

/// Microsoft's number for the same routes is for clients that name it.
fn write_routes<N: Note>(sheet: &mut Sheet<'_, '_, N>, scopes: &Scopes<'_, '_>, subnet: &Subnet) {
    let Some((scope, option)) = scopes.find(code::CLASSLESS_ROUTES) else { return };
    if option.data.is_empty() {
        return;
    }
    let gateway = match scopes.instead_of(code::ROUTER) {
        Some((_, option)) => option.data.first_chunk::<4>().map(|it| Ipv4Addr::from(*it)),
        None => subnet.gateway,
    };
    let routes = names::with_default_route(&option.data, gateway);
    if option.force {
        sheet.say(code::CLASSLESS_ROUTES, &routes, scope);
    } else {
        sheet.offer(code::CLASSLESS_ROUTES, &routes, scope);
    }
    let microsoft = code::CLASSLESS_ROUTES_MICROSOFT;
    if sheet.wants_by_name(microsoft) && scopes.find(microsoft).is_none() {
        sheet.say(microsoft, &routes, scope);
    }
}

/// The name the machine has here: its reservation's, else its own.
fn hostname<'a>(request: &Request<'a>, scopes: &Scopes<'_, 'a>) -> Option<&'a str> {
    let reserved = scopes.reservation.and_then(|it| it.hostname.as_deref());
    let machine = || request.machine.map(|it| it.hostname.as_str());
    reserved.or_else(machine).filter(|it| !it.is_empty())
}

/// Addresses one behind the other; nothing is allocated for the usual few.
fn with_octets(addresses: &[Ipv4Addr], mut read: impl FnMut(Option<&[u8]>)) {
    const FEW: usize = 8;
    if addresses.is_empty() {
        return read(None);
    }
    if FEW < addresses.len() {
        let octets: Vec<u8> = addresses.iter().flat_map(|it| it.octets()).collect();
        return read(Some(&octets));
    }
    let mut octets = [0; FEW * 4];
    for (place, address) in octets.chunks_exact_mut(4).zip(addresses) {
        place.copy_from_slice(&address.octets());
    }
    read(octets.get(..addresses.len() * 4));
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

    fn write<N: Note>(&self, mut sheet: Sheet<'_, '_, N>) {
        sheet.encoder.end_overload(); // Says so before what must stand last.
        if let Some(client_id) = &self.client_id {
            sheet.echo_held_back(code::CLIENT_ID, client_id);
        }
        if let Some(boot_file) = &self.boot_file {
            sheet.say_held_back(code::BOOT_FILE, boot_file, Scope::Boot);
        }
        if let Some(relay_agent) = &self.relay_agent {
            sheet.echo_held_back(code::RELAY_AGENT, relay_agent);
        }
        sheet.finish();
    }
}
