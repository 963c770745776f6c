//! Which parts of the racks' snapshot each generation changed.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use ironherd_domain::{MachineId, Subnet6Id, SubnetId};

use crate::row::binds;
use crate::{StoreError, Tx};

/// A part of the snapshot that is to be read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SnapshotChange {
    /// What holds everywhere, and the files.
    Settings,
    /// Fabrics, VLANs and client classes.
    Networks,
    /// The subnet and its ranges, not its reservations.
    Subnet(SubnetId),
    /// Whatever is reserved at one address.
    Reservation(SubnetId, Ipv4Addr),
    /// The subnet and its reservations.
    Subnet6(Subnet6Id),
    Machine(MachineId),
}

use SnapshotChange::{Machine, Networks, Reservation, Settings, Subnet, Subnet6};

/// A reader that is further behind reads everything, which then is no slower.
const GENERATIONS_KEPT: u64 = 1_000;
const CHANGES_MAX: usize = 2_000;

impl SnapshotChange {
    fn part_and_key(self) -> (&'static str, String) {
        match self {
            Settings => ("settings", String::new()),
            Networks => ("networks", String::new()),
            Subnet(id) => ("subnet", id.to_text()),
            Reservation(id, address) => ("reservation", format!("{} {address}", id.to_text())),
            Subnet6(id) => ("subnet6", id.to_text()),
            Machine(id) => ("machine", id.to_text()),
        }
    }

    fn parse(part: &str, key: &str) -> Option<Self> {
        Some(match part {
            "settings" => Settings,
            "networks" => Networks,
            "subnet" => Subnet(key.parse().ok()?),
            "reservation" => {
                let (id, address) = key.split_once(' ')?;
                Reservation(id.parse().ok()?, address.parse().ok()?)
            }
            "subnet6" => Subnet6(key.parse().ok()?),
            "machine" => Machine(key.parse().ok()?),
            _ => return None,
        })
    }
}

/// Says what a new generation changed.
///
/// # Errors
/// [`StoreError::Sql`].
pub async fn append(
    tx: &mut Tx,
    generation: u64,
    changes: &BTreeSet<SnapshotChange>,
) -> Result<(), StoreError> {
    const ADD: &str = "INSERT INTO snapshot_change (generation, part, key) VALUES ($1, $2, $3)";
    const FORGET: &str = "DELETE FROM snapshot_change WHERE generation <= $1";
    for change in changes {
        let (part, key) = change.part_and_key();
        tx.run(ADD, binds![generation, part, key]).await?;
    }
    let past = generation.saturating_sub(GENERATIONS_KEPT);
    tx.run(FORGET, binds![past]).await.map(|_| ())
}

/// What changed after one generation, up to another. `None`: too much, too long ago, or by another
/// version of this program, which kept no such record or knows of other parts.
///
/// # Errors
/// [`StoreError::Sql`].
pub async fn between(
    tx: &mut Tx,
    after: u64,
    until: u64,
) -> Result<Option<BTreeSet<SnapshotChange>>, StoreError> {
    const READ: &str = "
        SELECT generation, part, key FROM snapshot_change
        WHERE $1 < generation AND generation <= $2 ORDER BY generation LIMIT $3";
    let rows = tx.all(READ, binds![after, until, CHANGES_MAX as u64 + 1]).await?;
    let (mut changes, mut told) = (BTreeSet::new(), BTreeSet::new());
    for row in &rows {
        told.insert(row.count::<u64>("generation")?);
        let change = SnapshotChange::parse(&row.text("part")?, &row.text("key")?);
        let Some(change) = change else { return Ok(None) };
        changes.insert(change);
    }
    let complete = rows.len() <= CHANGES_MAX && told.len() as u64 == until.saturating_sub(after);
    Ok(complete.then_some(changes))
}
