//! Options as people read them: those that the server says by itself, or from a subnet's fields.

use std::net::Ipv4Addr;

use ironherd_wire::dhcp::MessageType;
use ironherd_wire::dhcp::code;

use super::explain::message;

/// How the value of an option that the server itself says is written.
#[derive(Clone, Copy, Debug)]
enum Shape {
    Address,
    Addresses,
    Number,
    Seconds,
    Message,
    Text,
    Bytes,
}

const KNOWN: &[(u8, &str, Shape)] = &[
    (code::SUBNET_MASK, "subnet-mask", Shape::Address),
    (code::ROUTER, "routers", Shape::Addresses),
    (code::DNS_SERVER, "dns-servers", Shape::Addresses),
    (code::HOSTNAME, "host-name", Shape::Text),
    (code::DOMAIN, "domain-name", Shape::Text),
    (code::MTU, "interface-mtu", Shape::Number),
    (code::BROADCAST, "broadcast-address", Shape::Address),
    (code::NTP_SERVER, "ntp-servers", Shape::Addresses),
    (code::VENDOR_SPECIFIC, "vendor-options", Shape::Bytes),
    (code::VENDOR_CLASS, "vendor-class", Shape::Text),
    (code::TFTP_SERVER, "tftp-server-name", Shape::Text),
    (code::BOOT_FILE, "boot-file-name", Shape::Text),
    (code::TFTP_ADDRESSES, "tftp-server-addresses", Shape::Addresses),
    (code::IPXE, "ipxe", Shape::Bytes),
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
    if let Some((_, name, shape)) = KNOWN.iter().find(|(it, ..)| *it == code) {
        return (Some((*name).to_owned()), shape.show(data));
    }
    (None, None)
}

impl Shape {
    fn show(self, data: &[u8]) -> Option<String> {
        match self {
            Self::Addresses => {
                let (addresses, rest) = data.as_chunks::<4>();
                let shown: Vec<String> =
                    addresses.iter().map(|it| Ipv4Addr::from(*it).to_string()).collect();
                (rest.is_empty() && !shown.is_empty()).then(|| shown.join(", "))
            }
            Self::Number => Some(u16::from_be_bytes(data.try_into().ok()?).to_string()),
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
            // Firmware wants its NUL inside the option; people do not.
            Self::Text => {
                let text = std::str::from_utf8(data).ok()?.trim_end_matches('\0');
                Some(text.escape_debug().to_string())
            }
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
            (6, &[10, 77, 0, 1, 10, 77, 0, 2], "dns-servers", Some("10.77.0.1, 10.77.0.2")),
            (6, &[10, 77, 0, 1, 10], "dns-servers", None),
            (26, &[5, 220], "interface-mtu", Some("1500")),
            (67, b"ipxe.efi\0", "boot-file-name", Some("ipxe.efi")),
            (15, b"lab\x1b", "domain-name", Some("lab\\u{1b}")), // No code reaches a terminal.
            (61, &[1, 2], "client-identifier", None),
        ];
        for (code, data, name, text) in rows {
            let (got_name, got_text) = describe(code, data);
            assert_eq!((got_name.as_deref(), got_text.as_deref()), (Some(name), text), "{code}");
        }
    }
}
