//! Which scope's word holds for an option: host, class, range, subnet, VLAN, fabric, global.

use std::net::Ipv4Addr;

use ironherd_snapshot::{DhcpOption, Range, Reservation, WiderScope};
use ironherd_wire::dhcp::code;

use super::request::Request;
use super::wanted::Codes;

/// Where an option of a reply comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The protocol asks for it, or it comes back as the client or relay sent it.
    Protocol,
    /// It belongs to the boot file.
    Boot,
    /// The reservation, else the machine.
    Host,
    /// The class at this place of the snapshot.
    Class(usize),
    Range,
    /// The subnet's own fields and options.
    Subnet,
    Vlan,
    Fabric,
    Global,
}

/// What the server alone may say, whatever a scope holds.
const NEVER: Codes = Codes::of(&[
    code::PAD,
    code::REQUESTED_ADDRESS,
    code::LEASE_SECONDS,
    code::OVERLOAD,
    code::MESSAGE_TYPE,
    code::SERVER_ID,
    code::PARAMETERS,
    code::MESSAGE_BYTES_MAX,
    code::RENEWAL_SECONDS,
    code::REBINDING_SECONDS,
    code::CLIENT_ID,
    code::RAPID_COMMIT,
    code::CLIENT_FQDN,
    code::RELAY_AGENT,
    code::ARCHITECTURE,
    code::CLIENT_UUID,
    code::SUBNET_SELECTION,
    code::END,
]);

/// The options of all scopes that hold for one client at one address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scopes<'r, 'a> {
    request: &'r Request<'a>,
    subnet: Option<usize>,
    pub(super) reservation: Option<&'a Reservation>,
    pub(super) range: Option<&'a Range>,
    has_narrow: bool,
}

impl<'r, 'a> Scopes<'r, 'a> {
    /// Of no subnet: nothing holds.
    pub(super) fn none(request: &'r Request<'a>) -> Self {
        Self { request, subnet: None, reservation: None, range: None, has_narrow: false }
    }

    pub(super) fn of(request: &'r Request<'a>, subnet: usize, address: Ipv4Addr) -> Self {
        let reservation = request.reservation(subnet);
        let range = request.index.range_of(subnet, address);
        let subnet = Some(subnet);
        let scopes = Self { request, subnet, reservation, range, has_narrow: true };
        let has_narrow = scopes.narrow().next().is_some();
        Self { has_narrow, ..scopes }
    }

    /// What goes before the subnet's own fields, the narrowest first.
    fn narrow(&self) -> impl Iterator<Item = (Scope, &'a DhcpOption)> {
        let Request { index, machine, classes, .. } = *self.request;
        let all_classes = &index.snapshot().classes;
        let reservation = self.reservation.map(|it| (Scope::Host, &it.options));
        let machine = machine.filter(|_| self.subnet.is_some());
        let machine = machine.map(|it| (Scope::Host, &it.options));
        let members = (0..all_classes.len()).filter(move |it| classes.contains(*it));
        let classes =
            members.filter_map(move |it| Some((Scope::Class(it), &all_classes.get(it)?.options)));
        let range = self.range.map(|it| (Scope::Range, &it.options));
        let subnet = self.subnet.and_then(|it| self.request.subnet(it).ok());
        let subnet = subnet.map(|it| (Scope::Subnet, &it.options));
        let scopes = reservation.into_iter().chain(machine).chain(classes).chain(range);
        scopes
            .chain(subnet)
            .flat_map(|(scope, options)| options.v4.iter().map(move |it| (scope, it)))
            .filter(|(_, option)| is_open(option))
    }

    fn wide(&self) -> impl Iterator<Item = (Scope, &'a DhcpOption)> {
        let wider = self.subnet.map_or(&[][..], |it| self.request.index.wider_options(it));
        wider.iter().filter(|it| is_open(&it.option)).map(|it| {
            let scope = match it.scope {
                WiderScope::Vlan => Scope::Vlan,
                WiderScope::Fabric => Scope::Fabric,
                WiderScope::Global => Scope::Global,
            };
            (scope, &it.option)
        })
    }

    /// What stands in for one of the subnet's own fields.
    pub(super) fn instead_of(&self, code: u8) -> Option<(Scope, &'a DhcpOption)> {
        let mut narrow = if self.has_narrow { Some(self.narrow()) } else { None };
        narrow.as_mut()?.find(|(_, option)| option.code == u16::from(code))
    }

    /// What holds for a code that the subnet has no field for.
    pub(super) fn find(&self, code: u8) -> Option<(Scope, &'a DhcpOption)> {
        let wide = || self.wide().find(|(_, option)| option.code == u16::from(code));
        self.instead_of(code).or_else(wide)
    }

    /// Everything, the narrowest first; of each code the first counts.
    pub(super) fn all(&self) -> impl Iterator<Item = (Scope, &'a DhcpOption)> {
        let narrow = if self.has_narrow { Some(self.narrow()) } else { None };
        narrow.into_iter().flatten().chain(self.wide())
    }
}

fn is_open(option: &DhcpOption) -> bool {
    u8::try_from(option.code).is_ok_and(|code| !NEVER.contains(code))
}
