use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

const NAME_BYTES_MAX: usize = 255;
const LABEL_BYTES_MAX: usize = 63;

/// How the values of an option are written, and what they are on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Address,
    Addresses,
    /// An even number of addresses.
    AddressPairs,
    Addresses6,
    U8,
    U16,
    U16s,
    I32,
    /// Four bytes, unsigned.
    Seconds,
    Bool,
    /// Without a NUL at its end.
    Text,
    /// One name, in DNS's own form.
    Domain,
    Domains,
    /// Destinations with their routers (RFC 3442).
    Routes,
    /// Texts, each with its length in front (RFC 5970 §3.2).
    Params,
    /// Hexadecimal.
    Bytes,
}

/// A text that does not read as a value of its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueError {
    pub kind: Kind,
    /// The part that was not understood, cut short.
    pub text: String,
}

impl std::fmt::Display for ValueError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` does not read as {}", self.text, self.kind.how())
    }
}

impl std::error::Error for ValueError {}

impl Kind {
    /// What to write, for people.
    #[must_use]
    pub const fn how(self) -> &'static str {
        match self {
            Self::Address => "an IPv4 address",
            Self::Addresses => "IPv4 addresses with commas between",
            Self::AddressPairs => "pairs of IPv4 addresses like 10.0.0.0 10.20.0.1",
            Self::Addresses6 => "IPv6 addresses with commas between",
            Self::U8 => "a number from 0 to 255",
            Self::U16 => "a number from 0 to 65535",
            Self::U16s => "numbers from 0 to 65535 with commas between",
            Self::I32 => "a whole number",
            Self::Seconds => "a number of seconds",
            Self::Bool => "true or false",
            Self::Text => "a text without line breaks or NUL",
            Self::Domain => "a domain name",
            Self::Domains => "domain names with commas between",
            Self::Routes => "routes like 10.0.0.0/8 via 10.20.0.1, with commas between",
            Self::Params => "words with spaces between",
            Self::Bytes => "hexadecimal pairs like 0x0a1b or 0a:1b",
        }
    }

    /// # Errors
    /// [`ValueError`] if the text is none of this kind. An empty text never is.
    pub fn parse(self, text: &str) -> Result<Vec<u8>, ValueError> {
        let text = text.trim();
        let cut = |part: &str| ValueError { kind: self, text: part.chars().take(64).collect() };
        let read = |part: &str| self.parse_one(part).ok_or_else(|| cut(part));
        let bytes = match self {
            Self::Addresses | Self::Addresses6 | Self::U16s | Self::Domains | Self::Routes => {
                let parts = text.split(',').map(str::trim);
                parts.map(read).collect::<Result<Vec<_>, _>>()?.concat()
            }
            Self::AddressPairs | Self::Params => {
                let parts = text.split([' ', ',']).filter(|it| !it.is_empty());
                parts.map(read).collect::<Result<Vec<_>, _>>()?.concat()
            }
            _ => read(text)?,
        };
        let odd = self == Self::AddressPairs && !bytes.len().is_multiple_of(8);
        if bytes.is_empty() || odd { Err(cut(text)) } else { Ok(bytes) }
    }

    /// Writes what [`Self::parse`] reads; hexadecimal where the bytes are no value of this kind.
    #[must_use]
    pub fn show(self, bytes: &[u8]) -> String {
        self.show_all(bytes).unwrap_or_else(|| hexadecimal(bytes))
    }

    fn parse_one(self, part: &str) -> Option<Vec<u8>> {
        Some(match self {
            Self::Address | Self::Addresses | Self::AddressPairs => {
                part.parse::<Ipv4Addr>().ok()?.octets().to_vec()
            }
            Self::Addresses6 => part.parse::<Ipv6Addr>().ok()?.octets().to_vec(),
            Self::U8 => vec![number::<u8>(part)?],
            Self::U16 | Self::U16s => number::<u16>(part)?.to_be_bytes().to_vec(),
            Self::I32 => number::<i32>(part)?.to_be_bytes().to_vec(),
            Self::Seconds => number::<u32>(part)?.to_be_bytes().to_vec(),
            Self::Bool => match part.to_ascii_lowercase().as_str() {
                "true" | "1" | "on" | "yes" => vec![1],
                "false" | "0" | "off" | "no" => vec![0],
                _ => return None,
            },
            Self::Text => plain(part).then(|| part.as_bytes().to_vec())?,
            Self::Domain | Self::Domains => domain(part)?,
            Self::Routes => route(part)?,
            Self::Params => {
                let len = u16::try_from(part.len()).ok().filter(|_| plain(part))?;
                [&len.to_be_bytes(), part.as_bytes()].concat()
            }
            Self::Bytes => unhexadecimal(part)?,
        })
    }

    fn show_all(self, bytes: &[u8]) -> Option<String> {
        match self {
            Self::Address => one(bytes, |it: [u8; 4]| Ipv4Addr::from(it)),
            Self::Addresses => each(bytes, ", ", |it: [u8; 4]| Ipv4Addr::from(it)),
            Self::AddressPairs => each(bytes, ", ", |[a, b, c, d, e, f, g, h]: [u8; 8]| {
                format!("{} {}", Ipv4Addr::new(a, b, c, d), Ipv4Addr::new(e, f, g, h))
            }),
            Self::Addresses6 => each(bytes, ", ", |it: [u8; 16]| Ipv6Addr::from(it)),
            Self::U8 => one(bytes, |[it]: [u8; 1]| it),
            Self::U16 => one(bytes, u16::from_be_bytes),
            Self::U16s => each(bytes, ", ", u16::from_be_bytes),
            Self::I32 => one(bytes, i32::from_be_bytes),
            Self::Seconds => one(bytes, u32::from_be_bytes),
            Self::Bool => match bytes {
                [0] => Some("false".to_owned()),
                [1] => Some("true".to_owned()),
                _ => None,
            },
            Self::Text => std::str::from_utf8(bytes).ok().filter(|it| plain(it)).map(str::to_owned),
            Self::Domain => show_domains(bytes).filter(|it| it.len() == 1)?.pop(),
            Self::Domains => Some(show_domains(bytes)?.join(", ")),
            Self::Routes => show_routes(bytes),
            Self::Params => show_params(bytes),
            Self::Bytes => None,
        }
    }
}

fn number<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

fn plain(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(char::is_control)
}

/// A name without compression: each label with its length, a zero at the end (RFC 1035 §3.1).
fn domain(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() + 2);
    for label in text.strip_suffix('.').unwrap_or(text).split('.') {
        let letters = |it: u8| it.is_ascii_alphanumeric() || it == b'-' || it == b'_';
        if label.is_empty() || LABEL_BYTES_MAX < label.len() || !label.bytes().all(letters) {
            return None;
        }
        bytes.push(u8::try_from(label.len()).ok()?);
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    (bytes.len() <= NAME_BYTES_MAX).then_some(bytes)
}

fn route(text: &str) -> Option<Vec<u8>> {
    let (destination, router) = text.split_once(" via ")?;
    let (network, len) = destination.trim().split_once('/')?;
    let (network, len) = (network.parse::<Ipv4Addr>().ok()?, len.parse::<u8>().ok()?);
    let router = router.trim().parse::<Ipv4Addr>().ok()?;
    let mask = u32::MAX.checked_shl(32_u32.checked_sub(len.into())?).unwrap_or(0);
    if u32::from(network) & !mask != 0 {
        return None; // A destination with host bits is a slip of the pen.
    }
    let significant = network.octets().into_iter().take(usize::from(len.div_ceil(8)));
    Some(std::iter::once(len).chain(significant).chain(router.octets()).collect())
}

fn show_domains(mut bytes: &[u8]) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut labels: Vec<&str> = Vec::new();
    while let Some((len, rest)) = bytes.split_first() {
        if *len == 0 {
            names.push(labels.join("."));
            labels.clear();
            bytes = rest;
            continue;
        }
        let (label, rest) = rest.split_at_checked(usize::from(*len))?;
        labels.push(std::str::from_utf8(label).ok()?);
        bytes = rest;
    }
    let whole = labels.is_empty() && !names.is_empty() && names.iter().all(|it| plain(it));
    whole.then_some(names)
}

fn show_routes(mut bytes: &[u8]) -> Option<String> {
    let mut routes = Vec::new();
    while let Some((len, rest)) = bytes.split_first() {
        let len = Some(*len).filter(|it| *it <= 32)?;
        let (significant, rest) = rest.split_at_checked(usize::from(len.div_ceil(8)))?;
        let (router, rest) = rest.split_first_chunk::<4>()?;
        let mut network = [0; 4];
        network.get_mut(..significant.len())?.copy_from_slice(significant);
        let (network, router) = (Ipv4Addr::from(network), Ipv4Addr::from(*router));
        routes.push(format!("{network}/{len} via {router}"));
        bytes = rest;
    }
    Some(routes.join(", "))
}

fn show_params(mut bytes: &[u8]) -> Option<String> {
    let mut words = Vec::new();
    while let Some((len, rest)) = bytes.split_first_chunk::<2>() {
        let (word, rest) = rest.split_at_checked(u16::from_be_bytes(*len).into())?;
        words.push(std::str::from_utf8(word).ok().filter(|it| plain(it))?);
        bytes = rest;
    }
    bytes.is_empty().then(|| words.join(" "))
}

fn one<const N: usize, T: ToString>(bytes: &[u8], show: impl Fn([u8; N]) -> T) -> Option<String> {
    Some(show(bytes.try_into().ok()?).to_string())
}

fn each<const N: usize, T: ToString>(
    bytes: &[u8],
    between: &str,
    show: impl Fn([u8; N]) -> T,
) -> Option<String> {
    if bytes.is_empty() || !bytes.len().is_multiple_of(N) {
        return None;
    }
    let chunks = bytes.chunks_exact(N).map(|it| one(it, &show));
    Some(chunks.collect::<Option<Vec<_>>>()?.join(between))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::from("0x"), |mut text, byte| {
        // Writing into a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits: String = text.strip_prefix("0x").unwrap_or(text).replace([':', '-', ' '], "");
    if !digits.len().is_multiple_of(2) || !digits.bytes().all(|it| it.is_ascii_hexdigit()) {
        return None;
    }
    let pairs = (0..digits.len()).step_by(2).map(|at| digits.get(at..at + 2));
    pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
}
