//! Batches the look-ups that fields of many objects make, one statement a kind instead of one a
//! row. Whoever sees the object may see these: the field that gave it has checked the caller.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::{Hash, Hasher};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::dataloader::{DataLoader, Loader};
use async_graphql::{Context, Error, Result};
use ironherd_app::{
    Actor, Answer, App, DhcpOptionView, Fabric, Image, Machine, Operation, OperationStep,
    PageRequest, Rack, Subnet, Vlan,
};
use ironherd_domain::{FabricId, ImageId, Mac, MachineId, OperationId, RackId, ScopeId, VlanId};

use crate::answer;

const ACTOR: Actor = Actor::System("api");

/// The look-ups of one schema.
#[derive(Clone, Debug)]
pub(crate) struct Loaders(App);

/// A batch goes out as soon as the fields at hand have asked: no wait for stragglers.
pub(crate) fn new(app: &App) -> DataLoader<Loaders> {
    DataLoader::new(Loaders(app.clone()), tokio::spawn).delay(Duration::ZERO)
}

/// Looks one key up, together with those that are asked for at the same time.
pub(crate) async fn load<K>(
    ctx: &Context<'_>,
    key: K,
) -> Result<Option<<Loaders as Loader<K>>::Value>>
where
    K: Send + Sync + Hash + Eq + Clone + 'static,
    Loaders: Loader<K, Error = Error>,
{
    ctx.data_unchecked::<DataLoader<Loaders>>().load_one(key).await
}

/// A machine by its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct MachineById(pub(crate) MachineId);

/// The machine that has a network card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct MachineByMac(pub(crate) Mac);

/// An image by its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ImageById(pub(crate) ImageId);

/// A machine's running operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RunningOperation(pub(crate) MachineId);

/// The steps of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct StepsOf(pub(crate) OperationId);

/// The subnet that an address lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SubnetOf(pub(crate) Ipv4Addr);

/// The DHCP options that are set on something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct OptionsOf(pub(crate) ScopeId);

/// A rack by its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RackById(pub(crate) RackId);

/// A fabric by its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FabricById(pub(crate) FabricId);

/// A VLAN by its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct VlanById(pub(crate) VlanId);

/// Why a machine waits. Answering takes the whole machine; one is like another by its id.
#[derive(Clone, Debug)]
pub(crate) struct WaitReason(pub(crate) Arc<Machine>);

impl PartialEq for WaitReason {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl Eq for WaitReason {}

impl Hash for WaitReason {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id.hash(state);
    }
}

fn found<K: Eq + Hash, V>(answer: Answer<Vec<V>>, key: impl Fn(&V) -> K) -> Result<HashMap<K, V>> {
    Ok(answer::query(answer)?.into_iter().map(|it| (key(&it), it)).collect())
}

impl Loader<MachineById> for Loaders {
    type Value = Machine;
    type Error = Error;

    async fn load(&self, keys: &[MachineById]) -> Result<HashMap<MachineById, Machine>> {
        let ids: Vec<_> = keys.iter().map(|it| it.0).collect();
        found(self.0.machines_by_id(&ACTOR, &ids).await, |it| MachineById(it.id))
    }
}

impl Loader<MachineByMac> for Loaders {
    type Value = Machine;
    type Error = Error;

    async fn load(&self, keys: &[MachineByMac]) -> Result<HashMap<MachineByMac, Machine>> {
        let mut machines = HashMap::new();
        for key in keys {
            let machine = answer::query(self.0.machine_by_mac(&ACTOR, key.0).await)?;
            machines.extend(machine.map(|it| (*key, it)));
        }
        Ok(machines)
    }
}

impl Loader<ImageById> for Loaders {
    type Value = Image;
    type Error = Error;

    async fn load(&self, keys: &[ImageById]) -> Result<HashMap<ImageById, Image>> {
        let ids: Vec<_> = keys.iter().map(|it| it.0).collect();
        found(self.0.images_by_id(&ACTOR, &ids).await, |it| ImageById(it.id))
    }
}

impl Loader<RunningOperation> for Loaders {
    type Value = Operation;
    type Error = Error;

    async fn load(
        &self,
        keys: &[RunningOperation],
    ) -> Result<HashMap<RunningOperation, Operation>> {
        let ids: Vec<_> = keys.iter().map(|it| it.0).collect();
        let running = self.0.operations_running(&ACTOR, &ids).await;
        found(running, |it| RunningOperation(it.machine_id))
    }
}

impl Loader<StepsOf> for Loaders {
    type Value = Vec<OperationStep>;
    type Error = Error;

    async fn load(&self, keys: &[StepsOf]) -> Result<HashMap<StepsOf, Vec<OperationStep>>> {
        let mut steps = HashMap::new();
        for key in keys {
            let of_one = self.0.operation_steps(&ACTOR, key.0).await;
            steps.insert(*key, answer::query(of_one)?);
        }
        Ok(steps)
    }
}

impl Loader<SubnetOf> for Loaders {
    type Value = Subnet;
    type Error = Error;

    async fn load(&self, keys: &[SubnetOf]) -> Result<HashMap<SubnetOf, Subnet>> {
        let mut found = HashMap::new();
        let mut page = PageRequest { first: Some(PageRequest::FIRST_MAX), after: None };
        loop {
            let subnets = answer::query(self.0.subnets(&ACTOR, &page).await)?;
            page.after = subnets.items.last().map(|(cursor, _)| cursor.clone());
            for (_, subnet) in subnets.items {
                let within = keys.iter().filter(|it| subnet.cidr.contains(&it.0));
                found.extend(within.map(|key| (*key, subnet.clone())));
            }
            if !subnets.has_next || found.len() == keys.len() {
                return Ok(found);
            }
        }
    }
}

impl Loader<OptionsOf> for Loaders {
    type Value = Vec<DhcpOptionView>;
    type Error = Error;

    async fn load(&self, keys: &[OptionsOf]) -> Result<HashMap<OptionsOf, Vec<DhcpOptionView>>> {
        let scopes: Vec<_> = keys.iter().map(|it| it.0.to_text()).collect();
        let mut found = answer::query(self.0.dhcp_options(&ACTOR, &scopes).await)?;
        let of = |(key, scope): (&OptionsOf, String)| Some((*key, found.remove(&scope)?));
        Ok(keys.iter().zip(scopes).filter_map(of).collect())
    }
}

impl Loader<RackById> for Loaders {
    type Value = Rack;
    type Error = Error;

    async fn load(&self, keys: &[RackById]) -> Result<HashMap<RackById, Rack>> {
        let mut racks = HashMap::new();
        for key in keys {
            let rack = answer::query(self.0.rack(&ACTOR, key.0).await)?;
            racks.extend(rack.map(|it| (*key, it)));
        }
        Ok(racks)
    }
}

impl Loader<FabricById> for Loaders {
    type Value = Fabric;
    type Error = Error;

    async fn load(&self, keys: &[FabricById]) -> Result<HashMap<FabricById, Fabric>> {
        let mut fabrics = HashMap::new();
        for key in keys {
            let fabric = answer::query(self.0.fabric(&ACTOR, key.0).await)?;
            fabrics.extend(fabric.map(|it| (*key, it)));
        }
        Ok(fabrics)
    }
}

impl Loader<VlanById> for Loaders {
    type Value = Vlan;
    type Error = Error;

    async fn load(&self, keys: &[VlanById]) -> Result<HashMap<VlanById, Vlan>> {
        let mut vlans = HashMap::new();
        for key in keys {
            let vlan = answer::query(self.0.vlan(&ACTOR, key.0).await)?;
            vlans.extend(vlan.map(|it| (*key, it)));
        }
        Ok(vlans)
    }
}

impl Loader<WaitReason> for Loaders {
    type Value = String;
    type Error = Error;

    async fn load(&self, keys: &[WaitReason]) -> Result<HashMap<WaitReason, String>> {
        let machines: Vec<_> = keys.iter().map(|it| (*it.0).clone()).collect();
        let mut reasons = answer::query(self.0.wait_reasons(&machines).await)?;
        let found = |it: &WaitReason| Some((it.clone(), reasons.remove(&it.0.id)?));
        Ok(keys.iter().filter_map(found).collect())
    }
}
