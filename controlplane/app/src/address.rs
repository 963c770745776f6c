//! Which subnet a machine is in, and the address that is kept for its boot card.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use ironherd_domain::ipam::{Plan, Span};
use ironherd_domain::{LeaseState, Mac, Refusal, ReservationId, ReservationKey};
use ironherd_store::{
    Machine, Reservation, SnapshotChange, Subnet, lease, rack, reservation, subnet,
};

use crate::CommandError;
use crate::work::{Halt, Inner, Work};

/// More subnets than a region has.
const SUBNETS_MAX: u32 = 10_000;
const RACKS_MAX: u32 = 1_000;
/// How often a free address may turn out to be leased before the search ends.
const LEASED_MAX: usize = 1_024;

/// What is taken in a subnet, racks and name servers included.
pub(crate) async fn plan(work: &mut Work, it: &Subnet) -> Inner<Plan> {
    let mut taken: BTreeSet<Ipv4Addr> = it.reservations.iter().map(|it| it.address).collect();
    taken.extend(it.dns_servers.iter().chain(&it.ntp_servers).filter(|at| it.cidr.contains(*at)));
    for rack in rack::page(&mut work.tx, None, RACKS_MAX).await? {
        let own = rack.addresses.iter().filter_map(|text| text.parse::<Ipv4Addr>().ok());
        taken.extend(own.filter(|at| it.cidr.contains(at)));
    }
    let ranges = it.ranges.iter().map(|it| Span { first: it.first, last: it.last }).collect();
    Ok(Plan { cidr: it.cidr, gateway: it.gateway, ranges, taken })
}

/// The next free address that nobody has a lease for either.
pub(crate) async fn next_free(
    work: &mut Work,
    it: &Subnet,
    mac: Option<Mac>,
    field: &[&str],
) -> Inner<Ipv4Addr> {
    let mut plan = plan(work, it).await?;
    for _ in 0..LEASED_MAX {
        let address = plan.next_free_or_refuse(field)?;
        let held = lease::by_address(&mut work.tx, address).await?;
        let held = held.filter(|it| it.state == LeaseState::Active && it.mac != mac);
        if held.is_none_or(|it| it.expires <= work.now) {
            return Ok(address);
        }
        plan.taken.insert(address);
    }
    Err(plan.next_free_or_refuse(field).err().unwrap_or_else(|| full(it, field)).into())
}

/// Reserves an address for the boot card unless one of the cards has one. `Ok(None)` if it is not
/// known which subnet the machine is in.
pub(crate) async fn ensure(work: &mut Work, machine: &mut Machine) -> Inner<Option<Ipv4Addr>> {
    if machine.address.is_some() {
        return Ok(machine.address);
    }
    let Some(mac) = machine.macs.first().copied() else { return Ok(None) };
    let Some(subnet) = subnet_of(work, &machine.macs).await? else { return Ok(None) };
    let address = next_free(work, &subnet, Some(mac), &["id"]).await?;
    let it = Reservation {
        id: ReservationId::new(),
        subnet_id: subnet.id,
        key: ReservationKey::Mac(mac),
        address,
        hostname: Some(machine.hostname.clone()),
    };
    subnet::touch(&mut work.tx, &subnet).await?;
    reservation::insert(&mut work.tx, &it).await?;
    machine.address = Some(address);
    work.touch(SnapshotChange::Reservation(subnet.id, address));
    work.event(Some(machine), "ADDRESS_RESERVED", format!("{address} for {mac}"));
    Ok(Some(address))
}

/// [`ensure`], for a machine that is taken in: a full subnet does not keep it out, it waits,
/// visibly, for an address.
pub(crate) async fn ensure_or_note(work: &mut Work, machine: &mut Machine) -> Inner<()> {
    match ensure(work, machine).await {
        Err(Halt::Command(CommandError::Refused(why))) => {
            let why = why.first().map(ToString::to_string).unwrap_or_default();
            work.event(Some(machine), "ADDRESS_MISSING", why);
            Ok(())
        }
        other => other.map(|_| ()),
    }
}

/// [`ensure`], for a deployment: without an address it does not begin.
pub(crate) async fn must_have(work: &mut Work, machine: &mut Machine) -> Inner<()> {
    if ensure(work, machine).await?.is_some() {
        return Ok(());
    }
    let why = "The machine has no reserved address, and it is not known which subnet its cards \
               are in. Create the subnet if there is none, or a reservation for its boot card.";
    Err(Refusal::new("NO_ADDRESS", &["id"], why).into())
}

/// The subnet that a card was last seen in; else the only one there is.
async fn subnet_of(work: &mut Work, macs: &[Mac]) -> Inner<Option<Subnet>> {
    let mut subnets = subnet::page(&mut work.tx, None, SUBNETS_MAX).await?;
    for mac in macs {
        for lease in lease::of_mac(&mut work.tx, *mac).await? {
            let Some(address) = lease.address.v4() else { continue };
            if let Some(at) = subnets.iter().position(|it| it.cidr.contains(&address)) {
                return Ok(Some(subnets.swap_remove(at)));
            }
        }
    }
    Ok(if subnets.len() == 1 { subnets.pop() } else { None })
}

fn full(it: &Subnet, field: &[&str]) -> Refusal {
    let why =
        format!("Every free address of {} is leased at the moment. Try again later.", it.cidr);
    Refusal::new("SUBNET_FULL", field, why)
}
