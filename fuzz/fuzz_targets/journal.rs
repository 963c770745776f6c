//! Any bytes as a journal: reading ends, and what was read survives being written again.
#![no_main]

use ironherd_leases::{State, Table};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let (mut table, recovery) = Table::recover(input);
    assert!(recovery.valid_bytes <= input.len());
    let bound = |table: &Table| {
        let mut leases: Vec<_> =
            table.bound().map(|it| (it.address, it.mac, it.expires, it.reserved)).collect();
        leases.sort_unstable();
        leases
    };
    let before = bound(&table);

    // Cut where the recovery says, nothing is lost and nothing is torn.
    let (cut, again) = Table::recover(&input[..recovery.valid_bytes]);
    assert!(!again.torn && again.records == recovery.records);
    assert_eq!(bound(&cut), before);

    let (compact, again) = Table::recover(&table.compact());
    assert!(!again.torn && again.damaged == 0);
    assert_eq!(bound(&compact), before);

    while let Some(lease) = table.expire(u64::MAX) {
        assert_eq!(lease.state, State::Free);
    }
    assert_eq!(table.bound().count(), 0);
});
