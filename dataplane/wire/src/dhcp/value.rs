use std::borrow::Cow;
use std::net::Ipv4Addr;

use super::message::Message;

/// Room for one joined option: longer values are cut. No option we read comes near it.
const JOINED_BYTES_MAX: usize = 1024;

/// The value of one option, which may lie in several pieces (RFC 3396).
#[derive(Clone, Copy, Debug)]
pub struct Value<'m, 'a> {
    pub(crate) message: &'m Message<'a>,
    pub(crate) code: u8,
    pub(crate) first: &'a [u8],
    /// Whether more pieces follow the first.
    pub(crate) split: bool,
}

impl<'a> Value<'_, 'a> {
    /// The pieces in the order in which they join: options, then `file`, then `sname`.
    pub fn pieces(&self) -> impl Iterator<Item = &'a [u8]> {
        self.message.pieces(self.code)
    }

    /// What echoing it takes, the heads of its pieces included.
    #[must_use]
    pub fn echo_bytes(&self) -> usize {
        if self.split {
            self.pieces().map(|piece| piece.len() + 2).sum()
        } else {
            self.first.len() + 2
        }
    }

    #[must_use]
    pub fn len(&self) -> usize {
        if self.split { self.pieces().map(<[u8]>::len).sum() } else { self.first.len() }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Shows the whole value to `read`, joined first if it lies in pieces.
    pub fn read<R>(&self, read: impl FnOnce(&[u8]) -> R) -> R {
        if !self.split {
            return read(self.first);
        }
        let mut joined = [0; JOINED_BYTES_MAX];
        let mut len = 0;
        for piece in self.pieces() {
            let room = joined.get_mut(len..).unwrap_or_default();
            let taken = piece.len().min(room.len());
            room[..taken].copy_from_slice(&piece[..taken]);
            len += taken;
        }
        read(&joined[..len])
    }

    /// The whole value, copied only if it lies in pieces.
    #[must_use]
    pub fn whole(&self) -> Cow<'a, [u8]> {
        if self.split { self.read(<[u8]>::to_vec).into() } else { self.first.into() }
    }

    /// One sub-option of an encapsulating option, copied only if the option lies in pieces.
    #[must_use]
    pub fn sub_option(&self, wanted: u8) -> Option<Cow<'a, [u8]>> {
        if self.split {
            return self.read(|bytes| sub_option(bytes, wanted).map(|it| it.to_vec().into()));
        }
        sub_option(self.first, wanted).map(Cow::from)
    }

    /// The value, if it is exactly `N` bytes long.
    #[must_use]
    pub fn array<const N: usize>(&self) -> Option<[u8; N]> {
        self.read(|bytes| bytes.try_into().ok())
    }

    #[must_use]
    pub fn address(&self) -> Option<Ipv4Addr> {
        self.array::<4>().map(Ipv4Addr::from)
    }

    #[must_use]
    pub fn starts_with(&self, prefix: &[u8]) -> bool {
        self.read(|bytes| bytes.starts_with(prefix))
    }

    /// The value as text without trailing NULs, if it is printable ASCII.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        self.read(|bytes| {
            let end = bytes.iter().rposition(|b| *b != 0)? + 1;
            let text = std::str::from_utf8(&bytes[..end]).ok()?;
            text.bytes().all(|b| matches!(b, b' '..=b'~')).then(|| text.to_owned())
        })
    }
}

/// Finds one sub-option inside an encapsulating option (43, 82, 175).
///
/// A sub-option that claims more bytes than are left ends the search.
#[must_use]
pub fn sub_option(encapsulated: &[u8], wanted: u8) -> Option<&[u8]> {
    let mut rest = encapsulated;
    loop {
        let (code, after) = rest.split_first()?;
        // Option 43 of PXE ends with 255 and has 0 as padding; 82 and 175 use neither number.
        match code {
            0 => rest = after,
            255 => return None,
            _ => {
                let (len, after) = after.split_first()?;
                let (value, after) = after.split_at_checked(usize::from(*len))?;
                if *code == wanted {
                    return Some(value);
                }
                rest = after;
            }
        }
    }
}
