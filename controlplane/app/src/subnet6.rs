use ipnet::Ipv6Net;
use ironherd_domain::ipam::{self, Plan6, Span6};
use ironherd_domain::{Refusal, Reservation6Id, Subnet6Id, VlanId, dhcp, hostname};
use ironherd_store::{Reservation6, SnapshotChange, Subnet6, reservation6, subnet6};

use crate::fabric::load_vlan;
use crate::subnet::{LEASE_SECONDS_MAX, LEASE_SECONDS_MIN, check_domain};
use crate::work::{Halt, Inner, Work, not_found, transact};
use crate::{
    Actor, Answer, App, PageRequest, Paged, Reservation6Create, Reservation6Update, Subnet6Create,
    Subnet6Update,
};

const PREFERRED_SECONDS_DEFAULT: u32 = 900;
const VALID_SECONDS_DEFAULT: u32 = 1_800;
/// RFC 4861 §6.2.1.
const ROUTER_SECONDS_MAX: i64 = 9_000;
const LIST_MAX: usize = 64;

impl App {
    /// # Errors
    /// [`CommandError::Forbidden`](crate::CommandError::Forbidden) unless a user asks.
    pub async fn subnet6(&self, actor: &Actor, id: Subnet6Id) -> Answer<Option<Subnet6>> {
        actor.must_be_user()?;
        Ok(subnet6::by_id(&mut self.read().await?, id).await?)
    }

    /// # Errors
    /// See [`App::subnet6`]. Refusals: `CURSOR_INVALID`.
    pub async fn subnets6(&self, actor: &Actor, page: &PageRequest) -> Answer<Paged<Subnet6>> {
        actor.must_be_user()?;
        let rows = subnet6::page(&mut self.read().await?, page.cursor()?, page.limit() + 1).await?;
        Ok(page.cut(rows, |it| it.id.to_text()))
    }

    /// # Errors
    /// Refusals: `CIDR_INVALID`, `SUBNET_OVERLAP`, `VLAN_NOT_FOUND`, `NAME_INVALID`, `NAME_TAKEN`,
    /// `ADDRESS_INVALID`, `DOMAIN_INVALID`, `LIFETIME_INVALID`, `RANGE_BACKWARDS`,
    /// `RANGE_OUTSIDE_SUBNET`, `RANGE_OVERLAP`, `RANGE_HOLDS_RESERVATION`, `PREFIX_INVALID`,
    /// `POOL_INVALID`, `POOL_OVERLAP`, `POOL_HOLDS_RESERVATION`, `ADVERTISEMENT_INVALID`,
    /// `LIST_TOO_LONG`.
    pub async fn subnet6_create(&self, actor: &Actor, input: Subnet6Create) -> Answer<Subnet6> {
        actor.must_be_user()?;
        let cidr = ipam::cidr6(&input.cidr, &["input", "cidr"])?;
        let mut it = Subnet6 {
            id: Subnet6Id::new(),
            generation: 1,
            vlan_id: input.vlan_id.unwrap_or(VlanId::DEFAULT),
            name: cidr.to_string(),
            cidr,
            dns_servers: Vec::new(),
            domain_search: Vec::new(),
            preferred_seconds: PREFERRED_SECONDS_DEFAULT,
            valid_seconds: VALID_SECONDS_DEFAULT,
            ranges: Vec::new(),
            prefix_pools: Vec::new(),
            // Each solicitation without an answer costs an iPXE client seconds.
            advertise: true,
            advertise_lifetime_seconds: 0,
            advertise_autonomous: false,
            reservations: Vec::new(),
        };
        set(&mut it, &input.rest)?;
        transact!(self, actor, |work| {
            check(&mut work, &it).await?;
            let added = subnet6::insert(&mut work.tx, &it).await;
            added.map_err(|error| taken(error.into(), &it))?;
            work.event(None, "SUBNET6_CREATED", format!("{} ({})", it.name, it.cidr));
            work.touch(SnapshotChange::Subnet6(it.id));
            Ok(it.clone())
        })
    }

    /// Changes a subnet; its ranges and pools drain as those of
    /// [`range_update`](App::range_update) do.
    ///
    /// # Errors
    /// Refusals: `NOT_FOUND`, `VLAN_NOT_FOUND`, `NAME_INVALID`, `NAME_TAKEN`,
    /// `ADDRESS_INVALID`, `DOMAIN_INVALID`, `LIFETIME_INVALID`, `RANGE_BACKWARDS`,
    /// `RANGE_OUTSIDE_SUBNET`, `RANGE_OVERLAP`, `RANGE_HOLDS_RESERVATION`, `PREFIX_INVALID`,
    /// `POOL_INVALID`, `POOL_OVERLAP`, `POOL_HOLDS_RESERVATION`, `ADVERTISEMENT_INVALID`,
    /// `LIST_TOO_LONG`.
    pub async fn subnet6_update(
        &self,
        actor: &Actor,
        id: Subnet6Id,
        input: Subnet6Update,
    ) -> Answer<Subnet6> {
        actor.must_be_user()?;
        transact!(self, actor, |work| {
            let mut it = load(&mut work, id, "id").await?;
            set(&mut it, &input)?;
            check(&mut work, &it).await?;
            let changed = subnet6::update(&mut work.tx, &it).await;
            changed.map_err(|error| taken(error.into(), &it))?;
            work.event(None, "SUBNET6_UPDATED", it.name.clone());
            work.touch(SnapshotChange::Subnet6(it.id));
            load(&mut work, id, "id").await
        })
    }

    /// Deletes a subnet with its reservations.
    ///
    /// # Errors
    /// Refusals: `NOT_FOUND`.
    pub async fn subnet6_delete(&self, actor: &Actor, id: Subnet6Id) -> Answer<Subnet6Id> {
        actor.must_be_user()?;
        transact!(self, actor, |work| {
            let it = load(&mut work, id, "id").await?;
            subnet6::delete(&mut work.tx, id).await?;
            work.event(None, "SUBNET6_DELETED", format!("{} ({})", it.name, it.cidr));
            work.touch(SnapshotChange::Subnet6(id));
            Ok(id)
        })
    }

    /// Keeps an address, a prefix or both for one client.
    ///
    /// # Errors
    /// Refusals: `SUBNET_NOT_FOUND`, `CLIENT_INVALID`, `CLIENT_TAKEN`, `MAC_INVALID`,
    /// `NOTHING_RESERVED`, `ADDRESS_INVALID`, `ADDRESS_OUTSIDE_SUBNET`, `ADDRESS_IN_RANGE`,
    /// `ADDRESS_TAKEN`, `PREFIX_INVALID`, `PREFIX_IN_POOL`, `PREFIX_TAKEN`, `HOSTNAME_INVALID`.
    pub async fn reservation6_create(
        &self,
        actor: &Actor,
        input: Reservation6Create,
    ) -> Answer<Subnet6> {
        actor.must_be_user()?;
        let key = input.client.read(&["input"])?;
        let row = Reservation6 {
            id: Reservation6Id::new(),
            subnet6_id: input.subnet6_id,
            key,
            address: None,
            prefix: None,
            hostname: None,
        };
        let rest = Reservation6Update {
            address: Some(input.address),
            prefix: Some(input.prefix),
            hostname: Some(input.hostname),
        };
        transact!(self, actor, |work| {
            let it = load(&mut work, row.subnet6_id, "input.subnetId").await?;
            if it.reservations.iter().any(|it| it.key == row.key) {
                let why = format!("{} has a reservation here already.", row.key.told());
                return Err(Refusal::new("CLIENT_TAKEN", &["input"], why).into());
            }
            let mut row = row.clone();
            set_reserved(&mut work, &it, &mut row, &rest).await?;
            subnet6::update(&mut work.tx, &it).await?;
            let added = reservation6::insert(&mut work.tx, &row).await;
            added.map_err(|error| reserved(error.into()))?;
            work.event(None, "RESERVATION6_CREATED", told(&row));
            work.touch(SnapshotChange::Subnet6(it.id));
            load(&mut work, it.id, "input.subnetId").await
        })
    }

    /// # Errors
    /// Refusals: `NOT_FOUND`, `NOTHING_RESERVED`, `ADDRESS_INVALID`, `ADDRESS_OUTSIDE_SUBNET`,
    /// `ADDRESS_IN_RANGE`, `ADDRESS_TAKEN`, `PREFIX_INVALID`, `PREFIX_IN_POOL`, `PREFIX_TAKEN`,
    /// `HOSTNAME_INVALID`.
    pub async fn reservation6_update(
        &self,
        actor: &Actor,
        id: Reservation6Id,
        input: Reservation6Update,
    ) -> Answer<Subnet6> {
        actor.must_be_user()?;
        transact!(self, actor, |work| {
            let found = reservation6::by_id(&mut work.tx, id).await?;
            let Some(mut row) = found else { return Err(not_found("reservation", "id").into()) };
            let mut it = load(&mut work, row.subnet6_id, "id").await?;
            it.reservations.retain(|it| it.id != id); // It may keep what it has.
            set_reserved(&mut work, &it, &mut row, &input).await?;
            subnet6::update(&mut work.tx, &it).await?;
            let changed = reservation6::update(&mut work.tx, &row).await;
            changed.map_err(|error| reserved(error.into()))?;
            work.event(None, "RESERVATION6_UPDATED", told(&row));
            work.touch(SnapshotChange::Subnet6(it.id));
            load(&mut work, it.id, "id").await
        })
    }

    /// # Errors
    /// Refusals: `NOT_FOUND`.
    pub async fn reservation6_delete(&self, actor: &Actor, id: Reservation6Id) -> Answer<Subnet6> {
        actor.must_be_user()?;
        transact!(self, actor, |work| {
            let found = reservation6::by_id(&mut work.tx, id).await?;
            let Some(row) = found else { return Err(not_found("reservation", "id").into()) };
            reservation6::delete(&mut work.tx, id).await?;
            work.event(None, "RESERVATION6_DELETED", told(&row));
            work.touch(SnapshotChange::Subnet6(row.subnet6_id));
            load(&mut work, row.subnet6_id, "id").await
        })
    }
}

async fn load(work: &mut Work, id: Subnet6Id, field: &str) -> Inner<Subnet6> {
    let found = subnet6::by_id(&mut work.tx, id).await?;
    found.ok_or_else(|| {
        let code = if field == "id" { "NOT_FOUND" } else { "SUBNET_NOT_FOUND" };
        Refusal { code, ..not_found("IPv6 subnet", field) }.into()
    })
}

async fn plan(work: &mut Work, it: &Subnet6) -> Inner<Plan6> {
    let mut others: Vec<Ipv6Net> = Vec::new();
    for (id, cidr, pools) in subnet6::networks(&mut work.tx).await? {
        if id != it.id {
            others.push(cidr);
            others.extend(pools.iter().map(|it| it.prefix));
        }
    }
    let reserved = it.reservations.iter().filter_map(|it| it.address);
    let servers = it.dns_servers.iter().copied().filter(|at| it.cidr.contains(at));
    Ok(Plan6 {
        cidr: it.cidr,
        ranges: it.ranges.clone(),
        pools: it.prefix_pools.clone(),
        taken: reserved.chain(servers).collect(),
        taken_prefixes: it.reservations.iter().filter_map(|it| it.prefix).collect(),
        others,
    })
}

/// What one subnet may be, seen beside all the others.
async fn check(work: &mut Work, it: &Subnet6) -> Inner<()> {
    load_vlan(work, it.vlan_id, "input.vlanId").await?;
    let plan = plan(work, it).await?;
    plan.check_network(&["input", "cidr"])?;
    plan.check_ranges(&["input", "ranges"])?;
    plan.check_pools(&["input", "prefixPools"])?;
    let refused =
        |code, field, why: &str| Err(Halt::from(Refusal::new(code, &["input", field], why)));
    if it.valid_seconds < it.preferred_seconds {
        let why = "An address cannot be preferred for longer than it is valid.";
        return refused("LIFETIME_INVALID", "preferredSeconds", why);
    }
    if it.advertise_autonomous && it.cidr.prefix_len() != 64 {
        let why = "Clients make addresses of their own in a /64 alone.";
        return refused("ADVERTISEMENT_INVALID", "routerAdvertisement", why);
    }
    Ok(())
}

fn set(it: &mut Subnet6, input: &Subnet6Update) -> Result<(), Refusal> {
    it.vlan_id = input.vlan_id.unwrap_or(it.vlan_id);
    if let Some(name) = &input.name {
        dhcp::check_name(name, &["input", "name"])?;
        it.name.clone_from(name);
    }
    if let Some(servers) = &input.dns_servers {
        check_len(servers, "dnsServers")?;
        it.dns_servers = ipam::addresses6(servers, &["input", "dnsServers"])?;
    }
    if let Some(domains) = &input.domain_search {
        check_len(domains, "domainSearch")?;
        for (at, text) in domains.iter().enumerate() {
            check_domain(text, &["input", "domainSearch", &at.to_string()])?;
        }
        it.domain_search.clone_from(domains);
    }
    if let Some(seconds) = input.preferred_seconds {
        it.preferred_seconds = lifetime(seconds, "preferredSeconds")?;
    }
    if let Some(seconds) = input.valid_seconds {
        it.valid_seconds = lifetime(seconds, "validSeconds")?;
    }
    if let Some(ranges) = &input.ranges {
        check_len(ranges, "ranges")?;
        it.ranges = (0..).zip(ranges).map(read_range).collect::<Result<_, _>>()?;
    }
    if let Some(pools) = &input.prefix_pools {
        check_len(pools, "prefixPools")?;
        let pool = |(at, (prefix, len)): (usize, &(String, i64))| {
            ipam::pool6(prefix, *len, &["input", "prefixPools", &at.to_string()])
        };
        it.prefix_pools = pools.iter().enumerate().map(pool).collect::<Result<_, _>>()?;
    }
    it.advertise = input.advertise.unwrap_or(it.advertise);
    it.advertise_autonomous = input.advertise_autonomous.unwrap_or(it.advertise_autonomous);
    if let Some(seconds) = input.advertise_lifetime_seconds {
        let fits = (0..=ROUTER_SECONDS_MAX).contains(&seconds);
        let read = u16::try_from(seconds).ok().filter(|_| fits);
        it.advertise_lifetime_seconds = read.ok_or_else(|| {
            let why = format!("A router is one for 0 (never) to {ROUTER_SECONDS_MAX} seconds.");
            let field = ["input", "routerAdvertisement", "routerLifetimeSeconds"];
            Refusal::new("ADVERTISEMENT_INVALID", &field, why)
        })?;
    }
    Ok(())
}

fn read_range((at, (first, last)): (usize, &(String, String))) -> Result<Span6, Refusal> {
    let place = at.to_string();
    let end = |text, name| ipam::address6(text, &["input", "ranges", &place, name]);
    Ok(Span6 { first: end(first, "first")?, last: end(last, "last")? })
}

fn lifetime(seconds: i64, field: &str) -> Result<u32, Refusal> {
    let fits = (LEASE_SECONDS_MIN..=LEASE_SECONDS_MAX).contains(&seconds);
    u32::try_from(seconds).ok().filter(|_| fits).ok_or_else(|| {
        let why = format!("A lifetime is {LEASE_SECONDS_MIN} to {LEASE_SECONDS_MAX} seconds.");
        Refusal::new("LIFETIME_INVALID", &["input", field], why)
    })
}

fn check_len<T>(list: &[T], field: &str) -> Result<(), Refusal> {
    if list.len() <= LIST_MAX {
        return Ok(());
    }
    let why = format!("This list has {} entries; at most {LIST_MAX} are kept.", list.len());
    Err(Refusal::new("LIST_TOO_LONG", &["input", field], why))
}

async fn set_reserved(
    work: &mut Work,
    it: &Subnet6,
    row: &mut Reservation6,
    input: &Reservation6Update,
) -> Inner<()> {
    let plan = plan(work, it).await?;
    if let Some(address) = &input.address {
        let field = ["input", "address"];
        row.address = address.as_deref().map(|it| ipam::address6(it, &field)).transpose()?;
        row.address.map(|it| plan.check_address(it, &field)).transpose()?;
    }
    if let Some(prefix) = &input.prefix {
        let field = ["input", "prefix"];
        row.prefix = prefix.as_deref().map(|it| ipam::prefix6(it, &field)).transpose()?;
        row.prefix.map(|it| plan.check_prefix(it, &field)).transpose()?;
    }
    if let Some(name) = &input.hostname {
        if let Some(name) = name {
            hostname::check(name, &["input", "hostname"])?;
        }
        row.hostname.clone_from(name);
    }
    if row.address.is_none() && row.prefix.is_none() {
        let why = "Reserve an address, a prefix, or both.";
        return Err(Refusal::new("NOTHING_RESERVED", &["input"], why).into());
    }
    Ok(())
}

fn told(row: &Reservation6) -> String {
    let address = row.address.map(|it| it.to_string());
    let prefix = row.prefix.map(|it| it.to_string());
    let what: Vec<_> = [address, prefix].into_iter().flatten().collect();
    format!("{} for {}", what.join(" and "), row.key.told())
}

fn taken(halt: Halt, it: &Subnet6) -> Halt {
    halt.taken(|_| {
        let why = format!("There is an IPv6 subnet named `{}` or with {}.", it.name, it.cidr);
        Refusal::new("NAME_TAKEN", &["input", "name"], why)
    })
}

/// A prefix of another subnet's reservation is seen by the database alone.
fn reserved(halt: Halt) -> Halt {
    halt.taken(|_| {
        let why = "This prefix is reserved for somebody else already.";
        Refusal::new("PREFIX_TAKEN", &["input", "prefix"], why)
    })
}
