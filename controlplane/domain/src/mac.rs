use std::fmt;
use std::str::FromStr;

/// An Ethernet address. Written with colons; read with colons, dashes or nothing between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no MAC address of a card; write six pairs like 52:54:00:12:34:56")]
pub struct MacError(String);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl FromStr for Mac {
    type Err = MacError;

    fn from_str(text: &str) -> Result<Self, MacError> {
        let refused = || MacError(text.chars().take(32).collect());
        let digits: String = text.chars().filter(|it| !matches!(it, ':' | '-')).collect();
        if digits.len() != 12 || !digits.bytes().all(|it| it.is_ascii_hexdigit()) {
            return Err(refused());
        }
        let mut mac = [0; 6];
        for (at, octet) in mac.iter_mut().enumerate() {
            let pair = digits.get(at * 2..at * 2 + 2).ok_or_else(refused)?;
            *octet = u8::from_str_radix(pair, 16).map_err(|_| refused())?;
        }
        // A group address or all zeroes names no card: taking it in would match many machines.
        if mac == [0; 6] || mac[0] & 1 == 1 {
            return Err(refused());
        }
        Ok(Self(mac))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_address_of_one_card_is_read() {
        let rows = [
            ("52:54:00:77:00:1a", Some("52:54:00:77:00:1a")),
            ("52-54-00-77-00-1A", Some("52:54:00:77:00:1a")),
            ("52540077001a", Some("52:54:00:77:00:1a")),
            ("52:54:00:77:00", None),
            ("ff:ff:ff:ff:ff:ff", None), // Broadcast.
            ("01:00:5e:00:00:01", None), // Multicast.
            ("00:00:00:00:00:00", None),
            ("", None),
        ];
        for (text, want) in rows {
            let got = text.parse::<Mac>().ok().map(|it| it.to_string());
            assert_eq!(got.as_deref(), want, "{text:?}");
        }
    }
}
