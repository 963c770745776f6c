//! Options that hold options (43, 82, 175) and lists of classes (77): however an option lies in the
//! message, in one piece or in many, in `file` or `sname`, it reads the same.
#![no_main]

use ironherd_wire::dhcp::{Message, code, sub_option};
use libfuzzer_sys::fuzz_target;

const CODES: [u8; 4] = [43, code::RELAY_AGENT, 175, code::USER_CLASS];
/// As much of a joined option as is read.
const READ_MAX: usize = 1_024;

/// A DISCOVER with the value in pieces of at most `piece` bytes; the last of them lie in `file` and
/// `sname` if they fit there and are asked for.
fn discover(number: u8, value: &[u8], piece: usize, overload: bool) -> Vec<u8> {
    let mut message = vec![0; 236];
    message[..4].copy_from_slice(&[1, 1, 6, 0]);
    message[28..34].copy_from_slice(&[2, 0, 0, 0, 0, 1]);
    message.extend_from_slice(&[99, 130, 83, 99, 53, 1, 1]);
    let mut pieces: Vec<&[u8]> = value.chunks(piece.clamp(1, 255)).collect();
    if pieces.is_empty() {
        pieces.push(&[]);
    }
    let mut fields = [(44..108, None), (108..236, None)]; // `sname`, then `file`, from the end.
    if overload {
        for (field, holds) in &mut fields {
            let fits = |it: &&&[u8]| it.len() + 3 <= field.len();
            if 1 < pieces.len() && pieces.last().filter(fits).is_some() {
                *holds = pieces.pop();
            }
        }
        let [sname, file] = &fields;
        let which = u8::from(file.1.is_some()) + 2 * u8::from(sname.1.is_some());
        if which != 0 {
            message.extend_from_slice(&[52, 1, which]);
        }
    }
    for piece in pieces {
        message.push(number);
        message.push(u8::try_from(piece.len()).unwrap());
        message.extend_from_slice(piece);
    }
    message.push(255);
    for (field, piece) in fields.into_iter().filter_map(|(field, it)| Some((field, it?))) {
        let end = field.start + 2 + piece.len();
        message[field.start] = number;
        message[field.start + 1] = u8::try_from(piece.len()).unwrap();
        message[field.start + 2..end].copy_from_slice(piece);
        message[end] = 255;
    }
    message
}

fuzz_target!(|input: &[u8]| {
    let [which, piece, overload, value @ ..] = input else { return };
    let number = CODES[usize::from(*which) % CODES.len()];
    let message = discover(number, value, usize::from(*piece), overload % 2 == 1);
    let parsed = Message::parse(&message).expect("well-formed around the value");
    let option = parsed.option(number).expect("the option is there");
    let want = &value[..value.len().min(READ_MAX)];
    let whole = option.whole();
    assert_eq!(&whole[..whole.len().min(READ_MAX)], want);
    assert_eq!(option.len(), value.len());
    for sub in 0..=255 {
        let found = option.sub_option(sub);
        assert_eq!(found.as_deref(), sub_option(want, sub));
        assert_eq!(
            parsed.read_sub_option(number, sub, |it| Some(it.to_vec())).as_deref(),
            found.as_deref()
        );
        if let Some(found) = found {
            let head = [&[sub, u8::try_from(found.len()).unwrap()][..], &found].concat();
            assert!(want.windows(head.len()).any(|it| it == head), "{sub} is not in {want:?}");
        }
    }
    let _ = (parsed.has_user_class(b"iPXE"), parsed.relay_address(5), option.text());
    assert!(value.is_empty() || number != code::USER_CLASS || parsed.has_user_class(want));
});
