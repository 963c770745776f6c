use ironherd_snapshot::DhcpOption;
use ironherd_wire::dhcp::{Encoder, Value};

use super::scopes::{Scope, Scopes};
use super::wanted::{Codes, Wanted};

/// What became of an option that some scope has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    Sent,
    /// The parameter list of the client does not name it, and nothing forces it.
    NotAsked,
    /// The scope says that it shall not be sent.
    Suppressed,
    /// The longest reply the client takes has no room for it.
    NoRoom,
}

/// Hears what becomes of each option: an explanation listens, an answer on its way does not.
pub(super) trait Note {
    fn option(&mut self, code: u8, data: &[u8], scope: Scope, fate: Fate);
}

impl Note for () {
    fn option(&mut self, _: u8, _: &[u8], _: Scope, _: Fate) {}
}

/// The options of one reply in the making: each code is decided once.
pub(super) struct Sheet<'b, 'n, N> {
    pub(super) encoder: Encoder<'b>,
    wanted: Wanted,
    decided: Codes,
    note: &'n mut N,
}

impl<'b, 'n, N: Note> Sheet<'b, 'n, N> {
    pub(super) fn new(encoder: Encoder<'b>, wanted: Wanted, note: &'n mut N) -> Self {
        Self { encoder, wanted, decided: Codes::default(), note }
    }

    pub(super) fn is_open(&self, code: u8) -> bool {
        !self.decided.contains(code)
    }

    /// Nothing else shall say it, and it need not be said.
    pub(super) fn close(&mut self, code: u8) {
        self.decided.insert(code);
    }

    /// Says it, asked for or not.
    pub(super) fn say(&mut self, code: u8, data: &[u8], scope: Scope) -> bool {
        self.decided.insert(code);
        let sent = self.encoder.option(code, data);
        self.note.option(code, data, scope, if sent { Fate::Sent } else { Fate::NoRoom });
        sent
    }

    /// Says it if the client asks.
    pub(super) fn offer(&mut self, code: u8, data: &[u8], scope: Scope) -> bool {
        if self.wanted.wants(code) {
            return self.say(code, data, scope);
        }
        self.decided.insert(code);
        self.note.option(code, data, scope, Fate::NotAsked);
        false
    }

    /// One of the subnet's own fields, unless a narrower scope has the same option.
    pub(super) fn field(&mut self, scopes: &Scopes<'_, '_>, code: u8, data: Option<&[u8]>) {
        match (scopes.instead_of(code), data) {
            (Some((scope, option)), _) => self.option(scope, option),
            (None, Some(data)) => {
                self.offer(code, data, Scope::Subnet);
            }
            (None, None) => {}
        }
    }

    /// One option of a scope; of each code the first that comes counts.
    pub(super) fn option(&mut self, scope: Scope, option: &DhcpOption) {
        let Ok(code) = u8::try_from(option.code) else { return };
        if !self.is_open(code) {
            return;
        }
        if option.data.is_empty() {
            self.decided.insert(code);
            self.note.option(code, &[], scope, Fate::Suppressed);
        } else if option.force {
            self.say(code, &option.data, scope);
        } else {
            self.offer(code, &option.data, scope);
        }
    }

    pub(super) fn say_held_back(&mut self, code: u8, data: &[u8], scope: Scope) {
        self.decided.insert(code);
        let sent = self.encoder.option_held_back(code, data);
        self.note.option(code, data, scope, if sent { Fate::Sent } else { Fate::NoRoom });
    }

    pub(super) fn echo_held_back(&mut self, code: u8, value: &Value<'_, '_>) {
        self.decided.insert(code);
        let sent = self.encoder.echo_held_back(code, value);
        let fate = if sent { Fate::Sent } else { Fate::NoRoom };
        value.read(|data| self.note.option(code, data, Scope::Protocol, fate));
    }

    pub(super) fn wants_by_name(&self, code: u8) -> bool {
        self.wanted.names(code)
    }

    pub(super) fn finish(self) {
        self.encoder.finish();
    }
}
