//! Options as people read them.

use std::net::Ipv4Addr;

use ironherd_wire::dhcp::MessageType;
use ironherd_wire::dhcp::code;

use super::explain::message;

/// How the value of an option that the server itself says is written.
#[derive(Clone, Copy, Debug)]
enum Shape {
    Address,
    Seconds,
    Message,
    Text,
    Bytes,
}

/// What the protocol itself says: no operator may set these, so the catalogue lacks them.
const PROTOCOL: &[(u8, &str, Shape)] = &[
    (code::SUBNET_MASK, "subnet-mask", Shape::Address),
    (code::LEASE_SECONDS, "lease-time", Shape::Seconds),
    (code::OVERLOAD, "option-overload", Shape::Bytes),
    (code::MESSAGE_TYPE, "message-type", Shape::Message),
    (code::SERVER_ID, "server-identifier", Shape::Address),
    (code::MESSAGE, "message", Shape::Text),
    (code::RENEWAL_SECONDS, "renewal-time", Shape::Seconds),
    (code::REBINDING_SECONDS, "rebinding-time", Shape::Seconds),
    (code::CLIENT_ID, "client-identifier", Shape::Bytes),
    (code::RAPID_COMMIT, "rapid-commit", Shape::Bytes),
    (code::CLIENT_FQDN, "client-fqdn", Shape::Bytes),
    (code::RELAY_AGENT, "relay-agent-information", Shape::Bytes),
    (code::CLIENT_UUID, "client-uuid", Shape::Bytes),
];

/// The name and the value of an option, as far as they are known.
pub(super) fn describe(code: u8, data: &[u8]) -> (Option<String>, Option<String>) {
    if let Some((_, name, shape)) = PROTOCOL.iter().find(|(it, ..)| *it == code) {
        return (Some((*name).to_owned()), shape.show(data));
    }
    (None, None)
}

impl Shape {
    fn show(self, data: &[u8]) -> Option<String> {
        match self {
            Self::Address => {
                <[u8; 4]>::try_from(data).ok().map(|it| Ipv4Addr::from(it).to_string())
            }
            Self::Seconds => {
                let seconds = u32::from_be_bytes(data.try_into().ok()?);
                Some(if seconds == u32::MAX {
                    "for ever".to_owned()
                } else {
                    format!("{seconds} s")
                })
            }
            Self::Message => {
                let [kind] = data else { return None };
                MessageType::from_wire(*kind).map(message)
            }
            Self::Text => std::str::from_utf8(data).ok().map(str::to_owned),
            Self::Bytes => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_protocol_says_is_spelled_out() {
        let rows = [
            (1, &[255, 255, 255, 0][..], "subnet-mask", Some("255.255.255.0")),
            (51, &[0, 0, 2, 88], "lease-time", Some("600 s")),
            (51, &[255; 4], "lease-time", Some("for ever")),
            (53, &[5], "message-type", Some("ACK")),
            (54, &[10, 77, 0, 1], "server-identifier", Some("10.77.0.1")),
            (54, &[10, 77], "server-identifier", None), // Not of its form: bytes.
            (61, &[1, 2], "client-identifier", None),
        ];
        for (code, data, name, text) in rows {
            let (got_name, got_text) = describe(code, data);
            assert_eq!((got_name.as_deref(), got_text.as_deref()), (Some(name), text), "{code}");
        }
    }
}
