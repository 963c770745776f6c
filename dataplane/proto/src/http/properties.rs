use proptest::prelude::*;

use super::tests::{KERNEL_BYTES, Rig, get, split};
use crate::fixture::pattern;

fn requests() -> impl Strategy<Value = Vec<u8>> {
    let one = prop_oneof![
        4 => Just(get("/boot/snponly.efi", "")),
        2 => Just(get("/ipxe/52-54-00-77-00-10", "")),
        2 => (0_u64..6_000, 0_u64..6_000)
            .prop_map(|(a, b)| get("/snponly.efi", &format!("Range: bytes={a}-{b}\r\n"))),
        1 => Just("HEAD //empty HTTP/1.1\r\nHost: a\r\n\r\n".to_owned()),
        1 => Just("GET /boot/empty HTTP/1.0\r\n\r\n".to_owned()),
        1 => Just("GET /\u{1} HTTP/1.1\r\nHost: a\r\n\r\n".to_owned()),
        1 => Just(format!("GET /x HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "y".repeat(8_200))),
        1 => Just("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n".to_owned()),
        1 => "[ -~\r\n]{0,80}",
    ];
    prop::collection::vec(one, 1..8).prop_map(|all| all.concat().into_bytes())
}

proptest! {
    /// However the bytes come and however the answers are taken, the same answers go out.
    #[test]
    fn splits_change_nothing(
        input in requests(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        step in 1_usize..9_000,
    ) {
        let mut whole = Rig::new();
        let handled = whole.handle(&input);
        let closed = whole.drain(usize::MAX);

        let mut places: Vec<usize> = cuts.iter().map(|it| it.index(input.len() + 1)).collect();
        places.extend([0, input.len()]);
        places.sort_unstable();
        let mut parts = Rig::new();
        let mut refused = Ok(());
        for pair in places.windows(2) {
            refused = refused.and(parts.handle(&input[pair[0]..pair[1]]));
        }
        let parts_closed = parts.drain(step);
        prop_assert_eq!((refused, parts_closed), (handled, closed));
        prop_assert!(parts.sent == whole.sent);
    }

    /// A range, taken in pieces of any size, is the slice that it names.
    #[test]
    fn ranges_are_slices(
        first in 0..KERNEL_BYTES,
        len in 1..KERNEL_BYTES,
        step in 1_usize..400_000,
    ) {
        let last = first + len - 1;
        let mut rig = Rig::new();
        let range = format!("Range: bytes={first}-{last}\r\n");
        rig.handle(get("/boot/ephemeral/amd64/vmlinuz", &range).as_bytes()).unwrap();
        rig.drain(step);
        let (_, body) = split(&rig.sent);
        let end = KERNEL_BYTES.min(last + 1);
        prop_assert!(body == pattern(KERNEL_BYTES)[first..end]);
    }
}
