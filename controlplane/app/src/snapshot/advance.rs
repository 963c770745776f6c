//! The next snapshot from the last: only what the store says has changed is read again, so that a
//! change of one machine costs as much among ten thousand as among ten.

use std::collections::BTreeSet;

use ironherd_domain::{MachineId, ScopeId, SubnetId};
use ironherd_snapshot::{Reservation, Shared, Snapshot, Subnet};
use ironherd_store::{SnapshotChange, Tx, machine, reservation, snapshot_change, subnet, subnet6};

use super::build::{everywhere, machine_of};
use super::dhcp::{Scopes, networks, reservation_of, subnet_of, subnet6_of};
use crate::seal::Keyring;
use crate::work::Inner;

/// Brings `last` forward to `generation`. `None`: the store does not know what changed since.
pub(super) async fn advance(
    tx: &mut Tx,
    keyring: &Keyring,
    last: &Snapshot,
    generation: u64,
) -> Inner<Option<Snapshot>> {
    if last.generation == 0 {
        return Ok(None); // There is none yet.
    }
    let changes = snapshot_change::between(tx, last.generation, generation).await?;
    let Some(changes) = changes else { return Ok(None) };
    let mut next = Snapshot { generation, ..last.clone() };
    let mut machines = Vec::new();
    // A subnet comes before its reservations: that is the order of the set.
    for change in changes {
        match change {
            SnapshotChange::Settings => {
                (next.settings, next.files) = everywhere(tx, keyring).await?;
            }
            SnapshotChange::Networks => {
                let networks = networks(tx).await?;
                next.fabrics = networks.fabrics;
                next.vlans = networks.vlans;
                next.classes = networks.classes;
            }
            SnapshotChange::Subnet(id) => {
                let held = take(&mut next.subnets, &id.to_text(), |it| &it.id);
                let now = read_subnet(tx, id).await?.map(|it| {
                    let reservations = held.map(|it| it.reservations.clone()).unwrap_or_default();
                    Subnet { reservations, ..it }
                });
                put(&mut next.subnets, now, |it| &it.id);
            }
            SnapshotChange::Reservation(id, address) => {
                let text = id.to_text();
                let subnet = next.subnets.iter_mut().find(|it| it.id == text);
                let Some(subnet) = subnet else { continue };
                take(&mut subnet.reservations, &address, |it| &it.address);
                let found = reservation::at(tx, id, address).await?;
                let now = match found {
                    Some(it) => Some(with_options(tx, it).await?),
                    None => None,
                };
                put(&mut subnet.reservations, now, |it| &it.address);
            }
            SnapshotChange::Subnet6(id) => {
                take(&mut next.subnets6, &id.to_text(), |it| &it.id);
                let now = match subnet6::by_id(tx, id).await? {
                    Some(it) => {
                        let on = it.reservations.iter().map(|it| ScopeId::Reservation6(it.id));
                        let on: Vec<ScopeId> = on.chain([ScopeId::Subnet6(id)]).collect();
                        Some(subnet6_of(it, &Scopes::of_these(tx, &on).await?))
                    }
                    None => None,
                };
                put(&mut next.subnets6, now, |it| &it.id);
            }
            SnapshotChange::Machine(id) => machines.push(id),
        }
    }
    renew_machines(tx, keyring, &mut next, &machines).await?;
    Ok(Some(next))
}

async fn read_subnet(tx: &mut Tx, id: SubnetId) -> Inner<Option<Subnet>> {
    let Some(it) = subnet::without_reservations(tx, id).await? else { return Ok(None) };
    let on = it.ranges.iter().map(|it| ScopeId::Range(it.id));
    let on: Vec<ScopeId> = on.chain([ScopeId::Subnet(id)]).collect();
    let scopes = Scopes::of_these(tx, &on).await?;
    Ok(Some(subnet_of(it, &scopes)))
}

async fn with_options(tx: &mut Tx, it: ironherd_store::Reservation) -> Inner<Reservation> {
    let scopes = Scopes::of_these(tx, &[ScopeId::Reservation(it.id)]).await?;
    Ok(reservation_of(it, &scopes))
}

/// Many may have changed at once, as when a hall is deployed: they are read together.
async fn renew_machines(
    tx: &mut Tx,
    keyring: &Keyring,
    next: &mut Snapshot,
    ids: &[MachineId],
) -> Inner<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let on: Vec<ScopeId> = ids.iter().map(|it| ScopeId::Machine(*it)).collect();
    let scopes = Scopes::of_these(tx, &on).await?;
    let texts: BTreeSet<String> = ids.iter().map(|it| it.to_text()).collect();
    next.machines.retain(|it| !texts.contains(&it.id));
    for it in machine::boot_machines_of(tx, ids).await? {
        next.machines.push(machine_of(it, keyring, &scopes)?.into());
    }
    next.machines.sort_by(|a, b| a.id.cmp(&b.id)); // Nearly sorted: one pass.
    Ok(())
}

/// Takes one out of a list that is sorted by its keys.
fn take<T, K: Ord + ?Sized>(
    list: &mut Vec<Shared<T>>,
    wanted: &K,
    key: fn(&T) -> &K,
) -> Option<Shared<T>> {
    let at = list.binary_search_by(|it| key(it).cmp(wanted)).ok()?;
    Some(list.remove(at))
}

/// Puts one into a list that is sorted by its keys and has none of this.
fn put<T, K: Ord + ?Sized>(list: &mut Vec<Shared<T>>, new: Option<T>, key: fn(&T) -> &K) {
    let Some(new) = new else { return };
    let at = list.partition_point(|it| key(it) < key(&new));
    list.insert(at, new.into());
}
