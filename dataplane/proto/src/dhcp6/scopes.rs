//! Which scope's word holds for an option: host, class, subnet, VLAN, fabric, global.

use ironherd_snapshot::{DhcpOption, ScopeOptions};
use ironherd_wire::dhcp6::code;

use super::request::Request;

/// What the server alone may say, whatever a scope holds.
const NEVER: [u16; 18] = [
    code::CLIENT_ID,
    code::SERVER_ID,
    code::IA_NA,
    code::IA_TA,
    code::IA_ADDRESS,
    code::REQUESTED,
    code::ELAPSED,
    code::RELAY_MESSAGE,
    code::AUTHENTICATION,
    code::SERVER_UNICAST,
    code::STATUS,
    code::RAPID_COMMIT,
    code::INTERFACE_ID,
    code::RECONFIGURE_MESSAGE,
    code::RECONFIGURE_ACCEPT,
    code::IA_PD,
    code::IA_PREFIX,
    code::RELAY_PORT,
];

/// The options that hold for one client in one subnet, in the order in which the first of each
/// code counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scopes<'r, 'a> {
    request: &'r Request<'a>,
    subnet: usize,
}

impl<'r, 'a> Scopes<'r, 'a> {
    pub(super) fn of(request: &'r Request<'a>, subnet: usize) -> Self {
        Self { request, subnet }
    }

    /// What goes before the subnet's own fields.
    pub(super) fn narrow(&self) -> impl Iterator<Item = &'a DhcpOption> + use<'a> {
        let Request { index, machine, classes, .. } = *self.request;
        let host = self.request.reservation(self.subnet).map(|it| &it.options);
        let machine = machine.map(|it| &it.options);
        let of_classes = index.snapshot().classes.iter().enumerate();
        let of_classes = of_classes.filter(move |(at, _)| classes.contains(*at));
        let of_classes = of_classes.map(|(_, class)| &class.options);
        let subnet = self.request.subnet(self.subnet).map(|it| &it.options);
        options(host.into_iter().chain(machine).chain(of_classes).chain(subnet))
    }

    pub(super) fn wide(&self) -> impl Iterator<Item = &'a DhcpOption> + use<'a> {
        let index = self.request.index;
        let vlan = self.request.subnet(self.subnet).and_then(|it| index.vlan(&it.vlan));
        let fabric = vlan.and_then(|it| index.fabric(&it.fabric)).map(|it| &it.options);
        let vlan = vlan.map(|it| &it.options);
        let global = &index.snapshot().settings.options;
        options(vlan.into_iter().chain(fabric).chain([global]))
    }

    /// Everything, the narrowest first.
    pub(super) fn all(&self) -> impl Iterator<Item = &'a DhcpOption> + use<'a> {
        self.narrow().chain(self.wide())
    }
}

fn options<'a>(
    scopes: impl Iterator<Item = &'a ScopeOptions>,
) -> impl Iterator<Item = &'a DhcpOption> {
    scopes.flat_map(|it| &it.v6).filter(|it| !NEVER.contains(&it.code))
}
