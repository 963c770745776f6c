/// What an operation was for. Zero is left out, so that a zeroed `user_data` names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Wake = 1,
    Datagram = 2,
    Send = 3,
    Accept = 4,
    Receive = 5,
    StreamSend = 6,
    JournalWrite = 7,
    JournalSync = 8,
    JournalFlush = 9,
}

/// Names one operation in `user_data`: kind (8 bits), generation (24), index (32).
///
/// A slot's generation moves on when it is freed, so a completion that comes late for an earlier
/// owner is told apart and ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) generation: Generation,
    pub(crate) index: u32,
}

/// Counts the owners of one slot, modulo 2^24.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Generation(u32);

const GENERATION_MASK: u32 = 0x00ff_ffff;

impl Generation {
    pub(crate) fn next(self) -> Self {
        Self(self.0.wrapping_add(1) & GENERATION_MASK)
    }
}

impl Token {
    pub(crate) fn new(kind: Kind, generation: Generation, index: u32) -> Self {
        Self { kind, generation, index }
    }

    pub(crate) fn pack(self) -> u64 {
        let kind = u64::from(self.kind as u8) << 56;
        kind | u64::from(self.generation.0) << 32 | u64::from(self.index)
    }

    pub(crate) fn unpack(user_data: u64) -> Option<Self> {
        let [kind, g2, g1, g0, i3, i2, i1, i0] = user_data.to_be_bytes();
        let kind = match kind {
            1 => Kind::Wake,
            2 => Kind::Datagram,
            3 => Kind::Send,
            4 => Kind::Accept,
            5 => Kind::Receive,
            6 => Kind::StreamSend,
            7 => Kind::JournalWrite,
            8 => Kind::JournalSync,
            9 => Kind::JournalFlush,
            _ => return None,
        };
        let generation = Generation(u32::from_be_bytes([0, g2, g1, g0]));
        Some(Self { kind, generation, index: u32::from_be_bytes([i3, i2, i1, i0]) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_the_round_trip() {
        let last = Generation(GENERATION_MASK);
        assert_eq!(last.next(), Generation(0), "generations wrap inside their 24 bits");
        for (kind, generation, index) in [
            (Kind::Wake, Generation(0), 0),
            (Kind::Send, last, u32::MAX),
            (Kind::JournalFlush, Generation(0x0012_3456), 7),
        ] {
            let token = Token::new(kind, generation, index);
            assert_eq!(Token::unpack(token.pack()), Some(token));
        }
        assert_eq!(Token::unpack(0), None);
        assert_eq!(Token::unpack(u64::MAX), None);
    }
}
