//! Envelopes of relays, nested however deep: opened or refused, and wrapped again to the byte.
#![no_main]

use ironherd_wire::dhcp6::{Message, RELAYS_MAX, Relayed};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Ok(opened) = Relayed::open(input) else { return };
    assert!(opened.envelopes().count() <= RELAYS_MAX);
    assert!(opened.message.len() <= input.len());
    let _ = (opened.link(), opened.ethernet(), opened.has_own_port());
    let mut out = Vec::new();
    opened.wrap(&mut out, |out| out.extend_from_slice(opened.message));
    assert_eq!(out.len(), opened.envelope_bytes() + opened.message.len());
    if let Ok(message) = Message::parse(opened.message) {
        let resources: usize = message.ias().map(|it| it.resources().count()).sum();
        assert!(resources <= input.len());
        let _ = (message.client_id().map(|it| (it.ethernet(), it.uuid())), message.server_id());
        let _ = (message.vendor_class(), message.has_user_class(b"iPXE"));
    }
});
