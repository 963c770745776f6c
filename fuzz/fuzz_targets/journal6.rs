//! Any bytes as an IPv6 journal: read or refused, and what was read can be written and read again.
#![no_main]

use ironherd_leases::v6::Table6;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let (mut table, recovery) = Table6::recover(input);
    assert!(recovery.valid_bytes <= input.len());
    let mut bound: Vec<_> = table.bound().map(|it| (it.block, it.holder, it.expires)).collect();
    let mut image = Vec::new();
    table.take_compaction(&mut image).unwrap();
    let (again, recovery) = Table6::recover(&image);
    assert!(!recovery.torn && recovery.damaged == 0);
    let mut read: Vec<_> = again.bound().map(|it| (it.block, it.holder, it.expires)).collect();
    bound.sort_by_key(|it| it.0);
    read.sort_by_key(|it| it.0);
    assert_eq!(bound, read);
});
