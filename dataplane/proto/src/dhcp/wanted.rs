use ironherd_wire::dhcp::{Message, code};

/// A set of option codes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Codes([u64; 4]);

impl Codes {
    pub(super) const fn insert(&mut self, code: u8) {
        self.0[(code >> 6) as usize] |= 1 << (code & 63);
    }

    pub(super) const fn contains(&self, code: u8) -> bool {
        self.0[(code >> 6) as usize] & (1 << (code & 63)) != 0
    }

    pub(super) const fn of(codes: &[u8]) -> Self {
        let mut set = Self([0; 4]);
        let mut at = 0;
        while at < codes.len() {
            set.insert(codes[at]);
            at += 1;
        }
        set
    }
}

/// What a client asks for (option 55), read once.
///
/// A list may name what does not exist (EDK2 sends one uninitialised byte): it is never judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    list: Option<Codes>,
}

impl Wanted {
    pub(super) fn of(message: &Message<'_>) -> Self {
        let list = message.option(code::PARAMETERS);
        Self { list: list.map(|it| it.read(Codes::of)) }
    }

    /// Whether to send an option; a client without a list leaves the choice to us.
    pub(super) fn wants(&self, code: u8) -> bool {
        self.list.is_none_or(|it| it.contains(code))
    }

    /// Whether the client names the option: some may only be sent then.
    pub(super) fn names(&self, code: u8) -> bool {
        self.list.is_some_and(|it| it.contains(code))
    }
}
