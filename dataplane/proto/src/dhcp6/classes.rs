//! Which classes a DHCPv6 client is a member of.

use ironherd_snapshot::{ClassField, ClassMatch, ClassSet, Index, Mac};
use ironherd_wire::dhcp6::{Items, Message, Options, Relayed, code};

use crate::dhcp::holds;

/// What a client shows of itself, and its relays of it.
pub(super) struct Shown<'r, 'a> {
    pub(super) message: &'r Message<'a>,
    pub(super) relayed: &'r Relayed<'a>,
    pub(super) mac: Option<Mac>,
}

impl Shown<'_, '_> {
    /// Looks at each class of the snapshot; nearly free when there is none.
    pub(super) fn classes(&self, index: &Index) -> ClassSet {
        let mut members = ClassSet::NONE;
        let classes = index.snapshot().classes.iter().take(ClassSet::CLASSES_MAX);
        for (place, class) in classes.enumerate() {
            if class.matches.iter().all(|it| self.fits(it) != it.negate) {
                members.insert(place);
            }
        }
        members
    }

    fn fits(&self, wanted: &ClassMatch) -> bool {
        let test = |bytes: &[u8]| holds(wanted.operator, bytes, &wanted.value);
        match wanted.field {
            ClassField::Mac => self.mac.is_some_and(|it| test(&it.0)),
            ClassField::RelayAddress => self.relayed.link().is_some_and(|it| test(&it.octets())),
            ClassField::Option { code, sub: None } => self.option_fits(code, test),
            ClassField::Option { code: code::VENDOR_OPTIONS, sub: Some(sub) } => {
                let values = self.message.options.all(code::VENDOR_OPTIONS);
                let inside = values.filter_map(|it| Some(Options::new(it.get(4..)?)));
                let mut found = inside.flat_map(|it| it.all(sub));
                found.any(test)
            }
            ClassField::Option { .. } => false,
        }
    }

    fn option_fits(&self, code: u16, test: impl Fn(&[u8]) -> bool) -> bool {
        // A relay's word counts only where it comes from a relay.
        if matches!(code, code::INTERFACE_ID | code::REMOTE_ID | code::CLIENT_LINK_LAYER) {
            let mut said = self.relayed.envelopes().filter_map(|it| it.options.find(code));
            return said.any(test);
        }
        let mut values = self.message.options.all(code);
        values.any(|value| match code {
            code::USER_CLASS => test(value) || Items::new(value).any(&test),
            // Behind the enterprise's number.
            code::VENDOR_CLASS => Items::new(value.get(4..).unwrap_or_default()).any(&test),
            code::ARCHITECTURE => value.chunks_exact(2).any(&test),
            _ => test(value),
        })
    }
}
