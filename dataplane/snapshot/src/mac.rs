use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An Ethernet address. Written with colons; read with colons, dashes or nothing between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

/// Says what was read, so that the message can stand alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MacParseError(String);

impl fmt::Display for MacParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no MAC address; write six pairs like 52:54:00:12:34:56", self.0)
    }
}

impl std::error::Error for MacParseError {}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl FromStr for Mac {
    type Err = MacParseError;

    fn from_str(text: &str) -> Result<Self, MacParseError> {
        let refused = || MacParseError(text.chars().take(32).collect());
        let digits: Vec<u8> = text.bytes().filter(|b| !matches!(b, b':' | b'-')).collect();
        let well_formed = digits.len() == 12 && digits.iter().all(u8::is_ascii_hexdigit);
        if !well_formed {
            return Err(refused());
        }
        let mut mac = [0; 6];
        for (octet, pair) in mac.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| refused())?;
            *octet = u8::from_str_radix(pair, 16).map_err(|_| refused())?;
        }
        Ok(Self(mac))
    }
}

impl Serialize for Mac {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Mac {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mac_is_read_in_its_usual_spellings_only() {
        let rows = [
            ("52:54:00:77:00:1a", Some([0x52, 0x54, 0, 0x77, 0, 0x1a])),
            ("52-54-00-77-00-1A", Some([0x52, 0x54, 0, 0x77, 0, 0x1a])),
            ("52540077001a", Some([0x52, 0x54, 0, 0x77, 0, 0x1a])),
            ("52:54:00:77:00", None),
            ("52:54:00:77:00:zz", None),
            ("+2:54:00:77:00:1a", None),
            ("", None),
        ];
        for (text, want) in rows {
            assert_eq!(text.parse::<Mac>().ok().map(|it| it.0), want, "{text:?}");
        }
    }
}
