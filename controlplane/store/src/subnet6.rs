use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use ironherd_domain::ipam::{PrefixPool, Span6};
use ironherd_domain::{Subnet6Id, VlanId};

use crate::row::{binds, joined};
use crate::{Reservation6, Row, StoreError, Tx, reservation6};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subnet6 {
    pub id: Subnet6Id,
    pub generation: i64,
    pub vlan_id: VlanId,
    pub name: String,
    pub cidr: Ipv6Net,
    pub dns_servers: Vec<Ipv6Addr>,
    pub domain_search: Vec<String>,
    pub preferred_seconds: u32,
    pub valid_seconds: u32,
    pub ranges: Vec<Span6>,
    pub prefix_pools: Vec<PrefixPool>,
    /// Whether there are Router Advertisements.
    pub advertise: bool,
    pub advertise_lifetime_seconds: u16,
    pub advertise_autonomous: bool,
    pub reservations: Vec<Reservation6>,
}

fn read(row: &Row) -> Result<Subnet6, StoreError> {
    Ok(Subnet6 {
        id: row.parsed("id")?,
        generation: row.int("generation")?,
        vlan_id: row.parsed("vlan_id")?,
        name: row.text("name")?,
        cidr: row.parsed("cidr")?,
        dns_servers: row.list("dns_servers")?,
        domain_search: row.list("domain_search")?,
        preferred_seconds: row.count("preferred_seconds")?,
        valid_seconds: row.count("valid_seconds")?,
        ranges: row.list("ranges")?,
        prefix_pools: row.list("prefix_pools")?,
        advertise: row.flag("advertise")?,
        advertise_lifetime_seconds: row.count("advertise_lifetime_seconds")?,
        advertise_autonomous: row.flag("advertise_autonomous")?,
        reservations: Vec::new(),
    })
}

fn values(it: &Subnet6) -> Vec<crate::Value> {
    binds![
        it.id,
        it.vlan_id,
        &it.name,
        it.cidr,
        joined(&it.dns_servers),
        joined(&it.domain_search),
        it.preferred_seconds,
        it.valid_seconds,
        joined(&it.ranges),
        joined(&it.prefix_pools),
        it.advertise,
        u32::from(it.advertise_lifetime_seconds),
        it.advertise_autonomous,
    ]
}

/// # Errors
/// [`StoreError::Taken`] if the name or network is in use.
pub async fn insert(tx: &mut Tx, it: &Subnet6) -> Result<(), StoreError> {
    const ADD: &str = "
        INSERT INTO subnet6 (id, vlan_id, name, cidr, dns_servers, domain_search,
            preferred_seconds, valid_seconds, ranges, prefix_pools, advertise,
            advertise_lifetime_seconds, advertise_autonomous)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    tx.run(ADD, values(it)).await.map(|_| ())
}

/// Stores everything but the reservations.
///
/// # Errors
/// [`StoreError::Moved`] if the generation is not the stored one; [`StoreError::Taken`].
pub async fn update(tx: &mut Tx, it: &Subnet6) -> Result<(), StoreError> {
    const CHANGE: &str = "
        UPDATE subnet6 SET generation = generation + 1, vlan_id = $2, name = $3, cidr = $4,
            dns_servers = $5, domain_search = $6, preferred_seconds = $7, valid_seconds = $8,
            ranges = $9, prefix_pools = $10, advertise = $11, advertise_lifetime_seconds = $12,
            advertise_autonomous = $13
        WHERE id = $1 AND generation = $14";
    let mut values = values(it);
    values.push(it.generation.into());
    match tx.run(CHANGE, values).await? {
        0 => Err(StoreError::Moved { what: "IPv6 subnet", id: it.id.to_text() }),
        _ => Ok(()),
    }
}

/// Deletes the subnet with its reservations.
///
/// # Errors
/// [`StoreError::Sql`].
pub async fn delete(tx: &mut Tx, id: Subnet6Id) -> Result<(), StoreError> {
    tx.run("DELETE FROM subnet6 WHERE id = $1", binds![id]).await.map(|_| ())
}

/// # Errors
/// [`StoreError::Sql`], [`StoreError::Corrupt`]; so for all reads.
pub async fn by_id(tx: &mut Tx, id: Subnet6Id) -> Result<Option<Subnet6>, StoreError> {
    let row = tx.maybe("SELECT * FROM subnet6 WHERE id = $1", binds![id]).await?;
    let Some(row) = row else { return Ok(None) };
    let mut subnet = read(&row)?;
    subnet.reservations = reservation6::of_subnet(tx, id).await?;
    Ok(Some(subnet))
}

/// # Errors
/// See [`by_id`].
pub async fn page(
    tx: &mut Tx,
    after: Option<Subnet6Id>,
    limit: u32,
) -> Result<Vec<Subnet6>, StoreError> {
    const PAGE: &str = "SELECT * FROM subnet6 WHERE id > $1 ORDER BY id LIMIT $2";
    let after = after.map(Subnet6Id::to_text).unwrap_or_default();
    let rows = tx.all(PAGE, binds![after, limit]).await?;
    let mut subnets = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    for subnet in &mut subnets {
        subnet.reservations = reservation6::of_subnet(tx, subnet.id).await?;
    }
    Ok(subnets)
}

/// Networks and the prefixes that are delegated from them, for the check of overlaps.
///
/// # Errors
/// See [`by_id`].
pub async fn networks(
    tx: &mut Tx,
) -> Result<Vec<(Subnet6Id, Ipv6Net, Vec<PrefixPool>)>, StoreError> {
    let rows = tx.all("SELECT id, cidr, prefix_pools FROM subnet6 ORDER BY id", vec![]).await?;
    let read = |row: &Row| Ok((row.parsed("id")?, row.parsed("cidr")?, row.list("prefix_pools")?));
    rows.iter().map(read).collect()
}
