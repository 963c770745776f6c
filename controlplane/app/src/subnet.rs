use ironherd_domain::{Refusal, SubnetId, VlanId, hostname, ipam};
use ironherd_store::{SnapshotChange, Subnet, subnet};

use crate::fabric::load_vlan;
use crate::work::{Halt, Inner, Work, not_found, transact};
use crate::{Actor, Answer, App, PageRequest, Paged, SubnetCreate, SubnetUpdate, address};

const LEASE_SECONDS_DEFAULT: u32 = 600;
pub(crate) const LEASE_SECONDS_MIN: i64 = 60;
pub(crate) const LEASE_SECONDS_MAX: i64 = 30 * 24 * 3600;

impl App {
    /// # Errors
    /// [`CommandError::Forbidden`](crate::CommandError::Forbidden) unless a user asks.
    pub async fn subnet(&self, actor: &Actor, id: SubnetId) -> Answer<Option<Subnet>> {
        actor.must_be_user()?;
        Ok(subnet::by_id(&mut self.read().await?, id).await?)
    }

    /// # Errors
    /// See [`App::subnet`]. Refusals: `CURSOR_INVALID`.
    pub async fn subnets(&self, actor: &Actor, page: &PageRequest) -> Answer<Paged<Subnet>> {
        actor.must_be_user()?;
        let rows = subnet::page(&mut self.read().await?, page.cursor()?, page.limit() + 1).await?;
        Ok(page.cut(rows, |it| it.id.to_text()))
    }

    /// # Errors
    /// Refusals: `CIDR_INVALID`, `SUBNET_OVERLAP`, `NAME_INVALID`, `NAME_TAKEN`,
    /// `ADDRESS_INVALID`, `GATEWAY_OUTSIDE_SUBNET`, `DOMAIN_INVALID`, `MTU_INVALID`,
    /// `LEASE_SECONDS_INVALID`, `VLAN_NOT_FOUND`.
    pub async fn subnet_create(&self, actor: &Actor, input: SubnetCreate) -> Answer<Subnet> {
        actor.must_be_user()?;
        let cidr = ipam::cidr(&input.cidr, &["input", "cidr"])?;
        let mut it = Subnet {
            id: SubnetId::new(),
            generation: 1,
            vlan_id: input.vlan_id.unwrap_or(VlanId::DEFAULT),
            name: input.name.clone().unwrap_or_else(|| cidr.to_string()),
            cidr,
            gateway: None,
            dns_servers: Vec::new(),
            ntp_servers: Vec::new(),
            domain: None,
            mtu: None,
            lease_seconds: LEASE_SECONDS_DEFAULT,
            ranges: Vec::new(),
            reservations: Vec::new(),
        };
        let rest = SubnetUpdate {
            name: input.name,
            vlan_id: None,
            gateway: Some(input.gateway),
            dns_servers: Some(input.dns_servers),
            ntp_servers: Some(input.ntp_servers),
            domain: Some(input.domain),
            mtu: Some(input.mtu),
            lease_seconds: input.lease_seconds,
        };
        set(&mut it, &rest)?;
        transact!(self, actor, |work| {
            load_vlan(&mut work, it.vlan_id, "input.vlanId").await?;
            let others = subnet::networks(&mut work.tx).await?;
            let others: Vec<_> = others.into_iter().map(|(_, cidr)| cidr).collect();
            ipam::overlap(it.cidr, &others, &["input", "cidr"])?;
            address::plan(&mut work, &it).await?.check_gateway(&["input", "gateway"])?;
            let added = subnet::insert(&mut work.tx, &it).await;
            added.map_err(|error| taken(error.into(), &it))?;
            work.event(None, "SUBNET_CREATED", format!("{} ({})", it.name, it.cidr));
            work.touch(SnapshotChange::Subnet(it.id));
            Ok(it.clone())
        })
    }

    /// # Errors
    /// Refusals: `NOT_FOUND` and those of [`App::subnet_create`]; `GATEWAY_TAKEN` if the new
    /// gateway is reserved or in a range.
    pub async fn subnet_update(
        &self,
        actor: &Actor,
        id: SubnetId,
        input: SubnetUpdate,
    ) -> Answer<Subnet> {
        actor.must_be_user()?;
        transact!(self, actor, |work| {
            let mut it = load(&mut work, id, "id").await?;
            set(&mut it, &input)?;
            load_vlan(&mut work, it.vlan_id, "input.vlanId").await?;
            let plan = address::plan(&mut work, &it).await?;
            plan.check_gateway(&["input", "gateway"])?;
            if let Some(gateway) = it.gateway {
                let reserved = it.reservations.iter().any(|it| it.address == gateway);
                if reserved || plan.ranges.iter().any(|it| it.contains(gateway)) {
                    let why = format!("{gateway} is reserved or in a range of {}.", it.cidr);
                    return Err(Refusal::new("GATEWAY_TAKEN", &["input", "gateway"], why).into());
                }
            }
            let changed = subnet::update(&mut work.tx, &it).await;
            changed.map_err(|error| taken(error.into(), &it))?;
            work.event(None, "SUBNET_UPDATED", it.name.clone());
            work.touch(SnapshotChange::Subnet(it.id));
            load(&mut work, id, "id").await
        })
    }

    /// Deletes a subnet with its ranges and reservations.
    ///
    /// # Errors
    /// Refusals: `NOT_FOUND`.
    pub async fn subnet_delete(&self, actor: &Actor, id: SubnetId) -> Answer<SubnetId> {
        actor.must_be_user()?;
        transact!(self, actor, |work| {
            let it = load(&mut work, id, "id").await?;
            subnet::delete(&mut work.tx, id).await?;
            work.event(None, "SUBNET_DELETED", format!("{} ({})", it.name, it.cidr));
            work.touch(SnapshotChange::Subnet(id));
            Ok(id)
        })
    }
}

/// Loads a subnet with what is in it; among other inputs it is missing by another name.
pub(crate) async fn load(work: &mut Work, id: SubnetId, field: &str) -> Inner<Subnet> {
    let found = subnet::by_id(&mut work.tx, id).await?;
    found.ok_or_else(|| {
        let code = if field == "id" { "NOT_FOUND" } else { "SUBNET_NOT_FOUND" };
        Refusal { code, ..not_found("subnet", field) }.into()
    })
}

fn taken(halt: Halt, it: &Subnet) -> Halt {
    halt.taken(|_| {
        let why = format!("There is a subnet named `{}` or with {} already.", it.name, it.cidr);
        Refusal::new("NAME_TAKEN", &["input", "name"], why)
    })
}

fn set(it: &mut Subnet, input: &SubnetUpdate) -> Result<(), Refusal> {
    it.vlan_id = input.vlan_id.unwrap_or(it.vlan_id);
    if let Some(name) = &input.name {
        if name.trim().is_empty() || 64 < name.chars().count() {
            let why = "A subnet's name has 1 to 64 characters.";
            return Err(Refusal::new("NAME_INVALID", &["input", "name"], why));
        }
        it.name.clone_from(name);
    }
    if let Some(gateway) = &input.gateway {
        let field = ["input", "gateway"];
        it.gateway = gateway.as_deref().map(|it| ipam::address(it, &field)).transpose()?;
    }
    if let Some(servers) = &input.dns_servers {
        it.dns_servers = ipam::addresses(servers, &["input", "dnsServers"])?;
    }
    if let Some(servers) = &input.ntp_servers {
        it.ntp_servers = ipam::addresses(servers, &["input", "ntpServers"])?;
    }
    if let Some(domain) = &input.domain {
        if let Some(text) = domain {
            check_domain(text, &["input", "domain"])?;
        }
        it.domain.clone_from(domain);
    }
    if let Some(mtu) = input.mtu {
        it.mtu = mtu.map(read_mtu).transpose()?;
    }
    if let Some(seconds) = input.lease_seconds {
        let fits = (LEASE_SECONDS_MIN..=LEASE_SECONDS_MAX).contains(&seconds);
        let read = u32::try_from(seconds).ok().filter(|_| fits);
        it.lease_seconds = read.ok_or_else(|| {
            let why = format!("A lease lasts {LEASE_SECONDS_MIN} to {LEASE_SECONDS_MAX} seconds.");
            Refusal::new("LEASE_SECONDS_INVALID", &["input", "leaseSeconds"], why)
        })?;
    }
    Ok(())
}

fn read_mtu(mtu: i64) -> Result<u16, Refusal> {
    let read = u16::try_from(mtu).ok().filter(|it| 576 <= *it);
    read.ok_or_else(|| {
        let why =
            format!("{mtu} is no MTU of Ethernet; choose 576 to 65535, usually 1500 or 9000.");
        Refusal::new("MTU_INVALID", &["input", "mtu"], why)
    })
}

pub(crate) fn check_domain(text: &str, field: &[&str]) -> Result<(), Refusal> {
    let labels = text.split('.').all(|it| hostname::check(it, field).is_ok());
    if labels && text.len() <= 253 {
        return Ok(());
    }
    let why = "A domain is made of lower-case labels with dots between, like lab.example.";
    Err(Refusal::new("DOMAIN_INVALID", field, why))
}
