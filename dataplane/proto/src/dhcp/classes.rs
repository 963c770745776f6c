//! Which classes a client is a member of.

use ironherd_snapshot::{ClassField, ClassMatch, ClassSet, ClientClass, Index, Mac, MatchOperator};
use ironherd_wire::dhcp::{Message, code};

/// Looks at each class of the snapshot; nearly free when there is none.
pub(super) fn classes(index: &Index, message: &Message<'_>, mac: Mac, relayed: bool) -> ClassSet {
    let client = Shown { message, mac, relayed };
    let mut members = ClassSet::NONE;
    let classes = index.snapshot().classes.iter().take(ClassSet::CLASSES_MAX);
    for (place, class) in classes.enumerate() {
        if client.is_member(class) {
            members.insert(place);
        }
    }
    members
}

/// What a client shows of itself.
struct Shown<'m, 'a> {
    message: &'m Message<'a>,
    mac: Mac,
    relayed: bool,
}

impl Shown<'_, '_> {
    fn is_member(&self, class: &ClientClass) -> bool {
        class.matches.iter().all(|it| self.fits(it) != it.negate)
    }

    fn fits(&self, wanted: &ClassMatch) -> bool {
        let test = |bytes: &[u8]| holds(wanted.operator, bytes, &wanted.value);
        match wanted.field {
            ClassField::Mac => test(&self.mac.0),
            ClassField::RelayAddress => self.relayed && test(&self.message.giaddr().octets()),
            ClassField::Option { code, sub } => match (u8::try_from(code), sub.map(u8::try_from)) {
                (Ok(code), None) => self.option_fits(code, test),
                (Ok(code), Some(Ok(sub))) => self.sub_option_fits(code, sub, test),
                // A number of DHCPv6.
                _ => false,
            },
        }
    }

    fn option_fits(&self, code: u8, test: impl Fn(&[u8]) -> bool) -> bool {
        let Some(value) = self.message.option(code).filter(|_| self.is_believed(code)) else {
            return false;
        };
        value.read(|bytes| match code {
            code::USER_CLASS => test(bytes) || user_classes(bytes).any(test),
            code::ARCHITECTURE => bytes.chunks_exact(2).any(test),
            _ => test(bytes),
        })
    }

    fn sub_option_fits(&self, code: u8, sub: u8, test: impl Fn(&[u8]) -> bool) -> bool {
        let read = |bytes: &[u8]| Some(test(bytes));
        self.is_believed(code) && self.message.read_sub_option(code, sub, read) == Some(true)
    }

    /// Without a relay the relay's option is the client's own invention.
    fn is_believed(&self, code: u8) -> bool {
        code != code::RELAY_AGENT || self.relayed
    }
}

pub(crate) fn holds(operator: MatchOperator, bytes: &[u8], value: &[u8]) -> bool {
    match operator {
        MatchOperator::Present => true,
        MatchOperator::Equals => bytes == value,
        MatchOperator::StartsWith => bytes.starts_with(value),
        // Windows of no length do not exist, and nothing is in everything.
        MatchOperator::Contains => {
            value.is_empty() || bytes.windows(value.len()).any(|it| it == value)
        }
    }
}

/// The classes of RFC 3004, as far as the lengths add up.
fn user_classes(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (len, after) = rest.split_first()?;
        let (class, after) = after.split_at_checked(usize::from(*len))?;
        rest = after;
        Some(class)
    })
}
