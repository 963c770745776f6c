//! A client as people describe it, read into the question that racks understand.

use ironherd_domain::{Mac, RackId, SubnetId};
use ironherd_snapshot::ask::{DhcpQuestion, QuestionMessage};
use uuid::Uuid;

use crate::ask::{read_address, read_mac};
use crate::{Answer, CommandError};

/// A client, as far as it is to be imagined. Only the card must be said.
#[derive(Clone, Debug, Default)]
pub struct DhcpExplain {
    pub mac_address: String,
    pub rack_id: Option<RackId>,
    pub subnet_id: Option<SubnetId>,
    pub message: QuestionMessage,
    pub proxy_port: bool,
    /// Numbers (`0x0007`, `7`) or names (`x64`).
    pub architectures: Vec<String>,
    pub vendor_class: Option<String>,
    pub user_class: Option<String>,
    /// Text, or `0x` and hexadecimal digits; so for all of these.
    pub client_id: Option<String>,
    pub uuid: Option<String>,
    pub relay: Option<String>,
    pub circuit_id: Option<String>,
    pub remote_id: Option<String>,
    pub requested_address: Option<String>,
    pub wants: Vec<i32>,
    pub hostname: Option<String>,
}

/// Which packets are wanted.
#[derive(Clone, Debug, Default)]
pub struct DhcpCapture {
    /// Absent: of every card.
    pub mac_address: Option<String>,
    /// Absent: of every rack.
    pub rack_id: Option<RackId>,
    pub since_unix_ms: Option<i64>,
    pub until_unix_ms: Option<i64>,
}

/// One option holds no more, and no client says more in one.
const TEXT_BYTES_MAX: usize = 255;
const LIST_MAX: usize = 64;

/// What people call the numbers of option 93 (RFC 4578 and IANA's list).
const ARCHITECTURES: &[(&str, u16)] = &[
    ("bios", 0x00),
    ("ia32", 0x06),
    ("x64", 0x07),
    ("amd64", 0x07),
    ("x64-bc", 0x09),
    ("arm32", 0x0a),
    ("arm64", 0x0b),
    ("ppc64", 0x0e),
    ("ia32-http", 0x0f),
    ("x64-http", 0x10),
    ("amd64-http", 0x10),
    ("arm64-http", 0x13),
    ("riscv64", 0x1b),
    ("riscv64-http", 0x1c),
    ("s390x", 0x1f),
];

/// # Errors
/// The refusals of [`App::dhcp_explain`](crate::App::dhcp_explain) that are about its input.
pub(crate) fn question(input: &DhcpExplain) -> Answer<DhcpQuestion> {
    let Mac(mac) = read_mac(&input.mac_address, "macAddress")?;
    let architectures = input.architectures.iter().map(|it| architecture(it));
    let uuid = input.uuid.as_deref().map(|text| {
        let refused = |_| invalid("uuid", "This is no UUID; write it with dashes.".to_owned());
        Uuid::try_parse(text).map(Uuid::into_bytes).map_err(refused)
    });
    if LIST_MAX < input.architectures.len() || TEXT_BYTES_MAX < input.wants.len() {
        return Err(invalid("wants", "No client lists so many.".to_owned()));
    }
    let wants = input.wants.iter().map(|code| {
        let why = || invalid("wants", format!("{code} is no option code; those are 1 to 254."));
        u8::try_from(*code).ok().filter(|it| (1..=254).contains(it)).ok_or_else(why)
    });
    Ok(DhcpQuestion {
        mac: ironherd_snapshot::Mac(mac),
        subnet: None,
        message: input.message,
        proxy_port: input.proxy_port,
        architectures: architectures.collect::<Answer<_>>()?,
        vendor_class: text(&input.vendor_class, "vendorClass")?,
        user_class: text(&input.user_class, "userClass")?,
        client_id: bytes(&input.client_id, "clientId")?,
        uuid: uuid.transpose()?,
        relay: read_address(&input.relay, "relay")?,
        circuit_id: bytes(&input.circuit_id, "circuitId")?,
        remote_id: bytes(&input.remote_id, "remoteId")?,
        requested: read_address(&input.requested_address, "requestedAddress")?,
        wants: wants.collect::<Answer<_>>()?,
        hostname: text(&input.hostname, "hostname")?,
    })
}

fn architecture(text: &str) -> Answer<u16> {
    let text = text.trim().to_ascii_lowercase();
    let named = ARCHITECTURES.iter().find(|(name, _)| *name == text).map(|(_, number)| *number);
    let read = || match text.strip_prefix("0x") {
        Some(digits) => u16::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    named.or_else(read).ok_or_else(|| {
        let names: Vec<&str> = ARCHITECTURES.iter().map(|(name, _)| *name).collect();
        let shown: String = text.chars().take(32).collect();
        let why = format!(
            "`{shown}` is no architecture; write a number like 0x0007, or one of {}.",
            names.join(", ")
        );
        CommandError::refused("ARCHITECTURE_INVALID", &["input", "architectures"], why)
    })
}

fn text(value: &Option<String>, field: &str) -> Answer<Option<String>> {
    match value {
        Some(it) if TEXT_BYTES_MAX < it.len() => {
            Err(invalid(field, format!("This has more than {TEXT_BYTES_MAX} bytes.")))
        }
        it => Ok(it.clone().filter(|it| !it.is_empty())),
    }
}

fn bytes(value: &Option<String>, field: &str) -> Answer<Vec<u8>> {
    let Some(value) = text(value, field)? else { return Ok(Vec::new()) };
    let Some(digits) = value.strip_prefix("0x") else { return Ok(value.into_bytes()) };
    let digits: String = digits.chars().filter(|it| !matches!(it, ':' | '-')).collect();
    let why = || invalid(field, "After `0x` come pairs of hexadecimal digits.".to_owned());
    hex::decode(digits).map_err(|_| why())
}

fn invalid(field: &str, why: String) -> CommandError {
    CommandError::refused("CLIENT_INVALID", &["input", field], why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_card() -> DhcpExplain {
        DhcpExplain { mac_address: "52:54:00:77:00:10".to_owned(), ..DhcpExplain::default() }
    }

    #[test]
    fn architectures_have_names_and_numbers() {
        let rows = [
            ("x64", Some(7)),
            ("X64", Some(7)),
            ("0x0007", Some(7)),
            ("7", Some(7)),
            ("bios", Some(0)),
            ("arm64-http", Some(0x13)),
            ("0x10000", None),
            ("pdp11", None),
            ("", None),
        ];
        for (text, want) in rows {
            let input = DhcpExplain { architectures: vec![text.to_owned()], ..of_card() };
            let got = question(&input).map(|it| it.architectures);
            match want {
                Some(number) => assert_eq!(got.unwrap(), [number], "{text}"),
                None => assert_eq!(got.unwrap_err().code(), Some("ARCHITECTURE_INVALID"), "{text}"),
            }
        }
    }

    #[test]
    fn identifiers_are_text_or_hexadecimal() {
        let rows = [
            ("eth0/1", Some(&b"eth0/1"[..])),
            ("0x01:52:54", Some(b"\x01\x52\x54")),
            ("0x015", None),
            ("0xzz", None),
        ];
        for (text, want) in rows {
            let input = DhcpExplain { circuit_id: Some(text.to_owned()), ..of_card() };
            let got = question(&input).map(|it| it.circuit_id);
            assert_eq!(got.ok().as_deref(), want, "{text}");
        }
        let long = DhcpExplain { vendor_class: Some("x".repeat(256)), ..of_card() };
        assert_eq!(question(&long).unwrap_err().code(), Some("CLIENT_INVALID"));
    }
}
