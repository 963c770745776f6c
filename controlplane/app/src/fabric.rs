use ironherd_domain::{DhcpMode, FabricId, Refusal, VlanId, dhcp};
use ironherd_store::{Fabric, SnapshotChange, Vlan, fabric, vlan};

use crate::work::{Halt, Inner, Work, not_found, transact};
use crate::{
    Actor, Answer, App, FabricCreate, FabricUpdate, PageRequest, Paged, VlanCreate, VlanUpdate,
};

const UNTAGGED: &str = "untagged";

impl App {
    /// # Errors
    /// [`CommandError::Forbidden`](crate::CommandError::Forbidden) unless a user asks.
    pub async fn fabric(&self, actor: &Actor, id: FabricId) -> Answer<Option<Fabric>> {
        actor.must_be_user()?;
        Ok(fabric::by_id(&mut self.read().await?, id).await?)
    }

    /// # Errors
    /// See [`App::fabric`]. Refusals: `CURSOR_INVALID`.
    pub async fn fabrics(&self, actor: &Actor, page: &PageRequest) -> Answer<Paged<Fabric>> {
        actor.must_be_user()?;
        let rows = fabric::page(&mut self.read().await?, page.cursor()?, page.limit() + 1).await?;
        Ok(page.cut(rows, |it| it.id.to_text()))
    }

    /// Makes a fabric with its untagged VLAN.
    ///
    /// # Errors
    /// Refusals: `NAME_INVALID`, `NAME_TAKEN`.
    pub async fn fabric_create(&self, actor: &Actor, input: FabricCreate) -> Answer<Fabric> {
        actor.must_be_user()?;
        dhcp::check_name(&input.name, &["input", "name"])?;
        let it = Fabric { id: FabricId::new(), generation: 1, name: input.name };
        transact!(self, actor, |work| {
            let added = fabric::insert(&mut work.tx, &it).await;
            added.map_err(|error| name_taken(error.into(), &it.name))?;
            let untagged = Vlan {
                id: VlanId::new(),
                generation: 1,
                fabric_id: it.id,
                vid: 0,
                name: UNTAGGED.to_owned(),
                mode: DhcpMode::Full,
            };
            vlan::insert(&mut work.tx, &untagged).await?;
            work.event(None, "FABRIC_CREATED", it.name.clone());
            work.touch(SnapshotChange::Networks);
            Ok(it.clone())
        })
    }

    /// # Errors
    /// Refusals: `NOT_FOUND`, `NAME_INVALID`, `NAME_TAKEN`.
    pub async fn fabric_update(
        &self,
        actor: &Actor,
        id: FabricId,
        input: FabricUpdate,
    ) -> Answer<Fabric> {
        actor.must_be_user()?;
        if let Some(name) = &input.name {
            dhcp::check_name(name, &["input", "name"])?;
        }
        transact!(self, actor, |work| {
            let mut it = load_fabric(&mut work, id, "id").await?;
            if let Some(name) = &input.name {
                it.name.clone_from(name);
            }
            let changed = fabric::update(&mut work.tx, &it).await;
            changed.map_err(|error| name_taken(error.into(), &it.name))?;
            work.event(None, "FABRIC_UPDATED", it.name.clone());
            work.touch(SnapshotChange::Networks);
            load_fabric(&mut work, id, "id").await
        })
    }

    /// Deletes a fabric and its VLANs, if no subnet is on them.
    ///
    /// # Errors
    /// Refusals: `NOT_FOUND`, `FABRIC_IS_DEFAULT`, `FABRIC_IN_USE`.
    pub async fn fabric_delete(&self, actor: &Actor, id: FabricId) -> Answer<FabricId> {
        actor.must_be_user()?;
        transact!(self, actor, |work| {
            let it = load_fabric(&mut work, id, "id").await?;
            if id == FabricId::DEFAULT {
                let why = "This is the fabric that subnets are in unless it is said otherwise; \
                           rename it if you like.";
                return Err(Refusal::new("FABRIC_IS_DEFAULT", &["id"], why).into());
            }
            for on in vlan::of_fabric(&mut work.tx, id).await? {
                if let Some(subnet) = vlan::a_subnet_on(&mut work.tx, on.id).await? {
                    let why = format!(
                        "The subnet `{subnet}` is on its VLAN {}. Move or delete that first.",
                        on.vid
                    );
                    return Err(Refusal::new("FABRIC_IN_USE", &["id"], why).into());
                }
            }
            fabric::delete(&mut work.tx, id).await?;
            work.event(None, "FABRIC_DELETED", it.name);
            work.touch(SnapshotChange::Networks);
            Ok(id)
        })
    }

    /// # Errors
    /// See [`App::fabric`].
    pub async fn vlan(&self, actor: &Actor, id: VlanId) -> Answer<Option<Vlan>> {
        actor.must_be_user()?;
        Ok(vlan::by_id(&mut self.read().await?, id).await?)
    }

    /// # Errors
    /// See [`App::fabrics`].
    pub async fn vlans(&self, actor: &Actor, page: &PageRequest) -> Answer<Paged<Vlan>> {
        actor.must_be_user()?;
        let rows = vlan::page(&mut self.read().await?, page.cursor()?, page.limit() + 1).await?;
        Ok(page.cut(rows, |it| it.id.to_text()))
    }

    /// The VLANs of one fabric, by their tags.
    ///
    /// # Errors
    /// See [`App::fabric`].
    pub async fn vlans_of(&self, actor: &Actor, id: FabricId) -> Answer<Vec<Vlan>> {
        actor.must_be_user()?;
        Ok(vlan::of_fabric(&mut self.read().await?, id).await?)
    }

    /// # Errors
    /// Refusals: `FABRIC_NOT_FOUND`, `VID_INVALID`, `VID_TAKEN`, `NAME_INVALID`.
    pub async fn vlan_create(&self, actor: &Actor, input: VlanCreate) -> Answer<Vlan> {
        actor.must_be_user()?;
        let vid = dhcp::check_vid(input.vid, &["input", "vid"])?;
        let name = input.name.clone().unwrap_or_else(|| match vid {
            0 => UNTAGGED.to_owned(),
            vid => format!("vlan-{vid}"),
        });
        dhcp::check_name(&name, &["input", "name"])?;
        let it = Vlan {
            id: VlanId::new(),
            generation: 1,
            fabric_id: input.fabric_id.unwrap_or(FabricId::DEFAULT),
            vid,
            name,
            mode: input.mode.unwrap_or(DhcpMode::Full),
        };
        transact!(self, actor, |work| {
            let fabric = load_fabric(&mut work, it.fabric_id, "input.fabricId").await?;
            let added = vlan::insert(&mut work.tx, &it).await;
            added.map_err(|error| vid_taken(error.into(), vid, &fabric))?;
            work.event(None, "VLAN_CREATED", format!("{vid} in {}", fabric.name));
            work.touch(SnapshotChange::Networks);
            Ok(it.clone())
        })
    }

    /// # Errors
    /// Refusals: `NOT_FOUND`, `VID_INVALID`, `VID_TAKEN`, `VLAN_IS_DEFAULT`, `NAME_INVALID`.
    pub async fn vlan_update(&self, actor: &Actor, id: VlanId, input: VlanUpdate) -> Answer<Vlan> {
        actor.must_be_user()?;
        if let Some(name) = &input.name {
            dhcp::check_name(name, &["input", "name"])?;
        }
        let field = ["input", "vid"];
        let vid = input.vid.map(|vid| dhcp::check_vid(vid, &field)).transpose()?;
        transact!(self, actor, |work| {
            let mut it = load_vlan(&mut work, id, "id").await?;
            if id == VlanId::DEFAULT && vid.is_some_and(|vid| vid != 0) {
                let why = "The default VLAN is the untagged one; create another VLAN instead.";
                return Err(Refusal::new("VLAN_IS_DEFAULT", &field, why).into());
            }
            it.vid = vid.unwrap_or(it.vid);
            it.mode = input.mode.unwrap_or(it.mode);
            if let Some(name) = &input.name {
                it.name.clone_from(name);
            }
            let fabric = load_fabric(&mut work, it.fabric_id, "id").await?;
            let changed = vlan::update(&mut work.tx, &it).await;
            changed.map_err(|error| vid_taken(error.into(), it.vid, &fabric))?;
            let text = format!("{} in {}: DHCP {}", it.vid, fabric.name, it.mode);
            work.event(None, "VLAN_UPDATED", text);
            work.touch(SnapshotChange::Networks);
            load_vlan(&mut work, id, "id").await
        })
    }

    /// # Errors
    /// Refusals: `NOT_FOUND`, `VLAN_IS_DEFAULT`, `VLAN_IN_USE`.
    pub async fn vlan_delete(&self, actor: &Actor, id: VlanId) -> Answer<VlanId> {
        actor.must_be_user()?;
        transact!(self, actor, |work| {
            let it = load_vlan(&mut work, id, "id").await?;
            if id == VlanId::DEFAULT {
                let why = "This is the VLAN that subnets are on unless it is said otherwise; set \
                           its mode to OFF to keep DHCP away.";
                return Err(Refusal::new("VLAN_IS_DEFAULT", &["id"], why).into());
            }
            if let Some(subnet) = vlan::a_subnet_on(&mut work.tx, id).await? {
                let why = format!("The subnet `{subnet}` is on it. Move or delete that first.");
                return Err(Refusal::new("VLAN_IN_USE", &["id"], why).into());
            }
            vlan::delete(&mut work.tx, id).await?;
            work.event(None, "VLAN_DELETED", format!("{} ({})", it.vid, it.name));
            work.touch(SnapshotChange::Networks);
            Ok(id)
        })
    }
}

async fn load_fabric(work: &mut Work, id: FabricId, field: &str) -> Inner<Fabric> {
    let found = fabric::by_id(&mut work.tx, id).await?;
    found.ok_or_else(|| {
        let code = if field == "id" { "NOT_FOUND" } else { "FABRIC_NOT_FOUND" };
        Refusal { code, ..not_found("fabric", field) }.into()
    })
}

/// Loads a VLAN; one that a subnet is put on is missing by another name.
pub(crate) async fn load_vlan(work: &mut Work, id: VlanId, field: &str) -> Inner<Vlan> {
    let found = vlan::by_id(&mut work.tx, id).await?;
    found.ok_or_else(|| {
        let code = if field == "id" { "NOT_FOUND" } else { "VLAN_NOT_FOUND" };
        Refusal { code, ..not_found("VLAN", field) }.into()
    })
}

fn name_taken(halt: Halt, name: &str) -> Halt {
    halt.taken(|_| {
        let why = format!("There is a fabric named `{name}` already.");
        Refusal::new("NAME_TAKEN", &["input", "name"], why)
    })
}

fn vid_taken(halt: Halt, vid: u16, fabric: &Fabric) -> Halt {
    halt.taken(|_| {
        let why = format!("The fabric `{}` has a VLAN {vid} already.", fabric.name);
        Refusal::new("VID_TAKEN", &["input", "vid"], why)
    })
}
