//! Whom to talk to, and with which credentials.

use std::fmt;

use sha2::{Digest, Sha256};

/// The protocol a BMC speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    Ipmi,
    Redfish,
}

/// A text that never shows in a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the wire only.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A user name and its password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    pub username: String,
    pub password: Secret,
}

impl Credentials {
    #[must_use]
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self { username: username.into(), password: Secret::new(password) }
    }

    /// Names these credentials without holding them, for the guard against lock-outs.
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.username.as_bytes());
        hash.update([0]);
        hash.update(self.password.expose().as_bytes());
        hash.finalize().into()
    }
}

/// How far the certificate of a Redfish service is believed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TlsTrust {
    /// By the certificate authorities of this host.
    System,
    /// By the SHA-256 of the service's own certificate, whoever signed it.
    Pinned([u8; 32]),
    /// Not at all: the certificate is whatever the BMC shows.
    Insecure,
}

/// One BMC and the credentials for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub protocol: Protocol,
    /// IPMI: `host:port`. Redfish: `scheme://host[:port]`, without a path.
    pub address: String,
    pub trust: TlsTrust,
    pub credentials: Credentials,
}

/// Why an address cannot name a BMC.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    #[error("an IPMI address is host or host:port")]
    IpmiAddress,
    #[error("a Redfish address is https://host[:port], with #insecure or #sha256=… behind it")]
    RedfishAddress,
    #[error("a fingerprint is the 64 hexadecimal digits of a SHA-256")]
    Fingerprint,
    #[error("an IPMI user name has at most 16 bytes and its password at most 20")]
    CredentialsTooLong,
}

/// The IPMI port (RMCP).
const IPMI_PORT: u16 = 623;
/// IPMI 2.0 §13.20 and §22.30: the fields on the wire end there.
const IPMI_USERNAME_BYTES_MAX: usize = 16;
const IPMI_PASSWORD_BYTES_MAX: usize = 20;

impl Target {
    /// An IPMI BMC at `host`, `host:port`, `[v6]` or `[v6]:port`.
    ///
    /// # Errors
    /// [`TargetError`] if the address cannot be one or the credentials do not fit the wire.
    pub fn ipmi(address: &str, credentials: Credentials) -> Result<Self, TargetError> {
        if IPMI_USERNAME_BYTES_MAX < credentials.username.len()
            || IPMI_PASSWORD_BYTES_MAX < credentials.password.expose().len()
        {
            return Err(TargetError::CredentialsTooLong);
        }
        let address = ipmi_address(address.trim()).ok_or(TargetError::IpmiAddress)?;
        Ok(Self { protocol: Protocol::Ipmi, address, trust: TlsTrust::System, credentials })
    }

    /// A Redfish service at `https://host[:port]` or `http://…`.
    ///
    /// Most BMCs sign their own certificate: `#insecure` behind the address accepts any, and
    /// `#sha256=<64 hex digits>` accepts exactly one.
    ///
    /// # Errors
    /// [`TargetError`] if the address or the fingerprint cannot be one.
    pub fn redfish(address: &str, credentials: Credentials) -> Result<Self, TargetError> {
        let (url, trust) = match address.trim().split_once('#') {
            None => (address.trim(), TlsTrust::System),
            Some((url, "insecure")) => (url, TlsTrust::Insecure),
            Some((url, pin)) => {
                let digits = pin.strip_prefix("sha256=").ok_or(TargetError::RedfishAddress)?;
                (url, TlsTrust::Pinned(fingerprint(digits).ok_or(TargetError::Fingerprint)?))
            }
        };
        let url = reqwest::Url::parse(url).map_err(|_| TargetError::RedfishAddress)?;
        let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
        let root = matches!(url.path().trim_end_matches('/'), "" | "/redfish" | "/redfish/v1");
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !plain || !root {
            return Err(TargetError::RedfishAddress);
        }
        let address = url.origin().ascii_serialization();
        Ok(Self { protocol: Protocol::Redfish, address, trust, credentials })
    }
}

fn ipmi_address(text: &str) -> Option<String> {
    if let Ok(ip) = text.parse::<std::net::Ipv6Addr>() {
        return Some(format!("[{ip}]:{IPMI_PORT}"));
    }
    let bracketed_end = text.rfind(']').map_or(0, |at| at + 1);
    let (host, port) = match text[bracketed_end..].rfind(':') {
        Some(at) => {
            let at = bracketed_end + at;
            (&text[..at], text[at + 1..].parse().ok()?)
        }
        None => (text, IPMI_PORT),
    };
    let name = |it: char| it.is_ascii_alphanumeric() || matches!(it, '.' | '-' | '_');
    let inner = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    let valid = match inner {
        Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.chars().all(name),
    };
    (valid && 0 < port).then(|| format!("{host}:{port}"))
}

fn fingerprint(digits: &str) -> Option<[u8; 32]> {
    let digits: String = digits.chars().filter(|it| *it != ':').collect();
    let mut out = [0; 32];
    if digits.len() != 64 || !digits.is_ascii() {
        return None;
    }
    for (byte, pair) in out.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).ok()?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipmi_addresses() {
        let rows = [
            ("10.0.0.5", Some("10.0.0.5:623")),
            (" 10.0.0.5:9000 ", Some("10.0.0.5:9000")),
            ("bmc-7.rack", Some("bmc-7.rack:623")),
            ("2001:db8::1", Some("[2001:db8::1]:623")),
            ("[2001:db8::1]", Some("[2001:db8::1]:623")),
            ("[2001:db8::1]:624", Some("[2001:db8::1]:624")),
            ("", None),
            ("https://10.0.0.5", None),
            ("10.0.0.5:0", None),
            ("10.0.0.5:70000", None),
            ("a b", None),
        ];
        for (text, want) in rows {
            let got = Target::ipmi(text, Credentials::new("admin", "x")).ok();
            assert_eq!(got.map(|it| it.address).as_deref(), want, "{text:?}");
        }
    }

    #[test]
    fn redfish_addresses() {
        let pin = "ab".repeat(32);
        let pinned = format!("https://b/#sha256={pin}");
        let rows = [
            ("https://10.0.0.5", Some(("https://10.0.0.5", TlsTrust::System))),
            ("https://b:8443/", Some(("https://b:8443", TlsTrust::System))),
            ("http://b/redfish/v1/#insecure", Some(("http://b", TlsTrust::Insecure))),
            (&pinned, Some(("https://b", TlsTrust::Pinned([0xab; 32])))),
            ("https://b#sha256=12", None),
            ("https://b#what", None),
            ("10.0.0.5", None),
            ("ftp://b", None),
            ("https://user:pass@b", None),
            ("https://b/elsewhere", None),
        ];
        for (text, want) in rows {
            let got = Target::redfish(text, Credentials::new("admin", "x")).ok();
            let got = got.as_ref().map(|it| (it.address.as_str(), it.trust.clone()));
            assert_eq!(got, want, "{text:?}");
        }
    }

    #[test]
    fn debug_shows_no_password() {
        let target = Target::ipmi("b", Credentials::new("admin", "hunter2")).unwrap();
        assert!(!format!("{target:?}").contains("hunter2"));
    }
}
