use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use ironherd_domain::{SubnetId, VlanId};

use crate::row::{binds, joined};
use crate::{Range, Reservation, Row, StoreError, Tx, range, reservation};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subnet {
    pub id: SubnetId,
    pub generation: i64,
    pub vlan_id: VlanId,
    pub name: String,
    pub cidr: Ipv4Net,
    pub gateway: Option<Ipv4Addr>,
    pub dns_servers: Vec<Ipv4Addr>,
    pub ntp_servers: Vec<Ipv4Addr>,
    pub domain: Option<String>,
    pub mtu: Option<u16>,
    pub lease_seconds: u32,
    pub ranges: Vec<Range>,
    pub reservations: Vec<Reservation>,
}

fn read(row: &Row) -> Result<Subnet, StoreError> {
    Ok(Subnet {
        id: row.parsed("id")?,
        generation: row.int("generation")?,
        vlan_id: row.parsed("vlan_id")?,
        name: row.text("name")?,
        cidr: row.parsed("cidr")?,
        gateway: row.parsed_maybe("gateway")?,
        dns_servers: row.list("dns_servers")?,
        ntp_servers: row.list("ntp_servers")?,
        domain: row.text_maybe("domain")?,
        mtu: row.count_maybe("mtu")?,
        lease_seconds: row.count("lease_seconds")?,
        ranges: Vec::new(),
        reservations: Vec::new(),
    })
}

/// # Errors
/// [`StoreError::Taken`] if the name or network is in use.
pub async fn insert(tx: &mut Tx, it: &Subnet) -> Result<(), StoreError> {
    const ADD: &str = "
        INSERT INTO subnet (id, name, cidr, gateway, dns_servers, ntp_servers, domain, mtu,
            lease_seconds, vlan_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let values = binds![
        it.id,
        &it.name,
        it.cidr,
        it.gateway,
        joined(&it.dns_servers),
        joined(&it.ntp_servers),
        it.domain.clone(),
        it.mtu.map(i64::from),
        it.lease_seconds,
        it.vlan_id,
    ];
    tx.run(ADD, values).await.map(|_| ())
}

/// Stores everything but ranges and reservations.
///
/// # Errors
/// [`StoreError::Moved`] if the generation is not the stored one.
pub async fn update(tx: &mut Tx, it: &Subnet) -> Result<(), StoreError> {
    const CHANGE: &str = "
        UPDATE subnet SET generation = generation + 1, name = $3, cidr = $4, gateway = $5,
            dns_servers = $6, ntp_servers = $7, domain = $8, mtu = $9, lease_seconds = $10,
            vlan_id = $11
        WHERE id = $1 AND generation = $2";
    let values = binds![
        it.id,
        it.generation,
        &it.name,
        it.cidr,
        it.gateway,
        joined(&it.dns_servers),
        joined(&it.ntp_servers),
        it.domain.clone(),
        it.mtu.map(i64::from),
        it.lease_seconds,
        it.vlan_id,
    ];
    match tx.run(CHANGE, values).await? {
        0 => Err(StoreError::Moved { what: "subnet", id: it.id.to_text() }),
        _ => Ok(()),
    }
}

/// Marks the subnet as changed, so that two who add ranges or reservations at once meet here and
/// one of them decides again.
///
/// # Errors
/// [`StoreError::Moved`] if the generation is not the stored one.
pub async fn touch(tx: &mut Tx, it: &Subnet) -> Result<(), StoreError> {
    const CHANGE: &str =
        "UPDATE subnet SET generation = generation + 1 WHERE id = $1 AND generation = $2";
    match tx.run(CHANGE, binds![it.id, it.generation]).await? {
        0 => Err(StoreError::Moved { what: "subnet", id: it.id.to_text() }),
        _ => Ok(()),
    }
}

/// Deletes the subnet with its ranges and reservations.
///
/// # Errors
/// [`StoreError::Sql`].
pub async fn delete(tx: &mut Tx, id: SubnetId) -> Result<bool, StoreError> {
    Ok(tx.run("DELETE FROM subnet WHERE id = $1", binds![id]).await? != 0)
}

/// # Errors
/// [`StoreError::Sql`], [`StoreError::Corrupt`]; so for all reads.
pub async fn by_id(tx: &mut Tx, id: SubnetId) -> Result<Option<Subnet>, StoreError> {
    let Some(mut subnet) = without_reservations(tx, id).await? else { return Ok(None) };
    subnet.reservations = reservation::of_subnet(tx, id).await?;
    Ok(Some(subnet))
}

/// The subnet and its ranges; of reservations there may be thousands.
///
/// # Errors
/// See [`by_id`].
pub async fn without_reservations(tx: &mut Tx, id: SubnetId) -> Result<Option<Subnet>, StoreError> {
    let row = tx.maybe("SELECT * FROM subnet WHERE id = $1", binds![id]).await?;
    let Some(row) = row else { return Ok(None) };
    let mut subnet = read(&row)?;
    subnet.ranges = range::of_subnet(tx, id).await?;
    Ok(Some(subnet))
}

/// # Errors
/// See [`by_id`].
pub async fn page(
    tx: &mut Tx,
    after: Option<SubnetId>,
    limit: u32,
) -> Result<Vec<Subnet>, StoreError> {
    const PAGE: &str = "SELECT * FROM subnet WHERE id > $1 ORDER BY id LIMIT $2";
    let after = after.map(SubnetId::to_text).unwrap_or_default();
    let rows = tx.all(PAGE, binds![after, limit]).await?;
    let mut subnets = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    for subnet in &mut subnets {
        subnet.ranges = range::of_subnet(tx, subnet.id).await?;
        subnet.reservations = reservation::of_subnet(tx, subnet.id).await?;
    }
    Ok(subnets)
}

/// Networks alone, for the check of overlaps: a region has tens of subnets, not thousands.
///
/// # Errors
/// See [`by_id`].
pub async fn networks(tx: &mut Tx) -> Result<Vec<(SubnetId, Ipv4Net)>, StoreError> {
    let rows = tx.all("SELECT id, cidr FROM subnet ORDER BY id", vec![]).await?;
    rows.iter().map(|row| Ok((row.parsed("id")?, row.parsed("cidr")?))).collect()
}
