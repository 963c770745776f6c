//! Relay's global ids: base64 of the type and the key, opaque to clients.

use std::str::FromStr;

use async_graphql::ID;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ironherd_app::{Answer, CommandError};

/// What a global id can point at. The name is the GraphQL type's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Machine,
    Fabric,
    Vlan,
    Subnet,
    Subnet6,
    Range,
    Reservation,
    Reservation6,
    ClientClass,
    Image,
    Rack,
    Event,
    Operation,
    UserToken,
}

impl Kind {
    const ALL: [Kind; 14] = [
        Kind::Machine,
        Kind::Fabric,
        Kind::Vlan,
        Kind::Subnet,
        Kind::Subnet6,
        Kind::Range,
        Kind::Reservation,
        Kind::Reservation6,
        Kind::ClientClass,
        Kind::Image,
        Kind::Rack,
        Kind::Event,
        Kind::Operation,
        Kind::UserToken,
    ];

    fn name(self) -> &'static str {
        match self {
            Kind::Machine => "Machine",
            Kind::Fabric => "Fabric",
            Kind::Vlan => "Vlan",
            Kind::Subnet => "Subnet",
            Kind::Subnet6 => "Subnet6",
            Kind::Range => "Range",
            Kind::Reservation => "Reservation",
            Kind::Reservation6 => "Reservation6",
            Kind::ClientClass => "ClientClass",
            Kind::Image => "Image",
            Kind::Rack => "Rack",
            Kind::Event => "Event",
            Kind::Operation => "Operation",
            Kind::UserToken => "UserToken",
        }
    }
}

impl Kind {
    fn noun(self) -> &'static str {
        match self {
            Kind::Machine => "machine",
            Kind::Fabric => "fabric",
            Kind::Vlan => "VLAN",
            Kind::Subnet => "subnet",
            Kind::Subnet6 => "IPv6 subnet",
            Kind::Range => "address range",
            Kind::Reservation | Kind::Reservation6 => "reservation",
            Kind::ClientClass => "client class",
            Kind::Image => "image",
            Kind::Rack => "rack",
            Kind::Event => "event",
            Kind::Operation => "operation",
            Kind::UserToken => "token",
        }
    }
}

/// Writes the global id of one object.
pub(crate) fn encode(kind: Kind, key: &str) -> ID {
    ID(STANDARD.encode(format!("{}:{key}", kind.name())))
}

/// Reads a global id back, or `None` when the text is not one.
pub(crate) fn decode(id: &str) -> Option<(Kind, String)> {
    let text = String::from_utf8(STANDARD.decode(id).ok()?).ok()?;
    let (name, key) = text.split_once(':')?;
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name)?;
    Some((kind, key.to_owned()))
}

/// Reads the key of an object whose kind the field fixes. Other kinds are as unknown as no id.
pub(crate) fn decode_as(kind: Kind, id: &str) -> Option<String> {
    decode(id).filter(|(found, _)| *found == kind).map(|(_, key)| key)
}

/// Reads the argument `id`, which must be of one kind.
///
/// # Errors
/// `NOT_FOUND`: a malformed id names nothing, like the id of something deleted.
pub(crate) fn argument<T: FromStr>(kind: Kind, id: &str) -> Answer<T> {
    key(kind, id).ok_or_else(|| not_found(kind, &["id"]))
}

/// Reads an id among other inputs.
///
/// # Errors
/// `code` at `field`, for the same reasons as [`argument`].
pub(crate) fn input<T: FromStr>(
    kind: Kind,
    id: &str,
    code: &'static str,
    field: &[&str],
) -> Answer<T> {
    key(kind, id).ok_or_else(|| CommandError::refused(code, field, nothing(kind)))
}

/// Reads the key of an object of one kind; `None` if the text is no such id.
pub(crate) fn key<T: FromStr>(kind: Kind, id: &str) -> Option<T> {
    decode_as(kind, id).and_then(|key| key.parse().ok())
}

/// The refusal of an id that names nothing.
pub(crate) fn not_found(kind: Kind, field: &[&str]) -> CommandError {
    CommandError::refused("NOT_FOUND", field, nothing(kind))
}

fn nothing(kind: Kind) -> String {
    format!("There is no {} with this id.", kind.noun())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_survives_the_round_trip() {
        for kind in Kind::ALL {
            let id = encode(kind, "a:b");
            assert_eq!(decode(&id), Some((kind, "a:b".to_owned())));
            assert_eq!(decode_as(Kind::Machine, &id).is_some(), kind == Kind::Machine);
        }
    }

    #[test]
    fn other_text_is_no_id() {
        for text in ["", "Machine:1", "TWFjaGluZQ==", "Tm9uZTox", "node-1"] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }
}
