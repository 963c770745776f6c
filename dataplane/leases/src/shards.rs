use std::collections::HashMap;

use crate::record::Record;
use crate::table::Table;

/// The tables of one rack, ready to serve.
#[derive(Debug)]
pub struct Joined {
    pub tables: Vec<Table>,
    /// Some records were in another shard's journal than the one they belong to now. Write every
    /// table to its journal anew before serving, and keep the old ones until all are written.
    pub moved: bool,
}

/// Makes the tables of a rack out of what its journals say: each address belongs to the shard that
/// wrote of it last, and each record to the shard that has its client now.
///
/// The table at each place was read from the journal of that shard; journals of shards that there
/// were in an earlier run are read into any of them.
#[must_use]
pub fn join(mut tables: Vec<Table>) -> Joined {
    let moved = !tables.iter().all(Table::is_at_home);
    if moved {
        deal_out(&mut tables);
    }
    // Seldom more than a few addresses are told of by two journals: those one shard took from
    // another. Each shard looks up only what the others have, in their own tables.
    for at in 0..tables.len() {
        let (before, rest) = tables.split_at_mut(at);
        let Some((table, after)) = rest.split_first_mut() else { break };
        let others = || before.iter().chain(after.iter());
        table.settle(|address, position| others().all(|it| it.position_of(address) < position));
    }
    Joined { tables, moved }
}

/// Moves all times of a rack's tables: those of another clock become those of this one. Write every
/// table to its journal anew before serving.
pub fn shift_times(tables: &mut [Table], seconds: i64) {
    let last = tables.first().map_or(0, |it| it.claims().last_number());
    let lowest = tables.iter().filter_map(Table::lowest_number).min();
    // The lowest follows on the last: each is above all old ones, and as many starts as there may
    // ever be do not use the numbers up.
    let numbers = lowest.map_or(0, |it| last + 1 - it.min(last));
    for table in tables {
        table.claims().start_after(last.saturating_add(numbers));
        table.shift(seconds, numbers);
    }
}

/// One journal that holds what all tables of a rack know.
#[must_use]
pub fn image(tables: &[Table]) -> Vec<u8> {
    let mut image = Vec::new();
    Table::write_image(&tables.iter().collect::<Vec<_>>(), &mut image);
    image
}

/// Gives each record to the shard of its client.
fn deal_out(tables: &mut [Table]) {
    let mut latest: HashMap<u32, Record> = HashMap::new();
    for record in tables.iter_mut().flat_map(Table::take_records) {
        let known = latest.entry(record.address).or_insert(record);
        if known.position < record.position {
            *known = record;
        }
    }
    // In the order written: the address a client had last comes last.
    let mut records: Vec<_> = latest.into_values().collect();
    records.sort_unstable_by_key(|it| it.position);
    for table in tables.iter_mut() {
        *table = Table::of_shard(table.slice(), table.claims().clone(), table.key());
        let slice = table.slice();
        for record in records.iter().filter(|it| slice.holds(it.mac)) {
            table.take_in(*record);
        }
    }
}
