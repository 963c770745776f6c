use std::net::Ipv6Addr;

use super::code;

/// The options of one message or of one option that holds options. Ends at an option that claims
/// more bytes than are left: nothing behind it can be found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options<'a>(&'a [u8]);

impl<'a> Options<'a> {
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Every option, with its code.
    pub fn iter(&self) -> impl Iterator<Item = (u16, &'a [u8])> + use<'a> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (head, after) = rest.split_first_chunk::<4>()?;
            let [code @ .., l1, l0] = *head;
            let len = usize::from(u16::from_be_bytes([l1, l0]));
            let (value, after) = after.split_at_checked(len)?;
            rest = after;
            Some((u16::from_be_bytes(code), value))
        })
    }

    /// The first option of this code.
    #[must_use]
    pub fn find(&self, code: u16) -> Option<&'a [u8]> {
        self.all(code).next()
    }

    pub fn all(&self, code: u16) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.iter().filter(move |it| it.0 == code).map(|it| it.1)
    }

    /// The value of a status option, without its text.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        let value = self.find(code::STATUS)?;
        value.first_chunk().map(|it| u16::from_be_bytes(*it))
    }
}

/// Values that each carry their own length in two bytes (user and vendor class).
#[derive(Clone, Copy, Debug)]
pub struct Items<'a>(&'a [u8]);

impl<'a> Items<'a> {
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (len, after) = self.0.split_first_chunk()?;
        let (item, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
        self.0 = after;
        Some(item)
    }
}

/// What an identity association is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IaKind {
    /// IA_NA: addresses.
    Address,
    /// IA_TA: addresses that change by themselves; obsolete since RFC 9915.
    Temporary,
    /// IA_PD: prefixes to delegate.
    Prefix,
}

impl IaKind {
    #[must_use]
    pub const fn of(code: u16) -> Option<Self> {
        match code {
            code::IA_NA => Some(Self::Address),
            code::IA_TA => Some(Self::Temporary),
            code::IA_PD => Some(Self::Prefix),
            _ => None,
        }
    }

    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Address => code::IA_NA,
            Self::Temporary => code::IA_TA,
            Self::Prefix => code::IA_PD,
        }
    }
}

/// One identity association of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ia<'a> {
    pub kind: IaKind,
    pub id: u32,
    /// Seconds until the client renews, and until it asks any server. Zero of IA_TA.
    pub t1: u32,
    pub t2: u32,
    pub options: Options<'a>,
}

impl<'a> Ia<'a> {
    pub(crate) fn parse(kind: IaKind, value: &'a [u8]) -> Option<Self> {
        let (id, rest) = split_u32(value)?;
        let (t1, t2, rest) = match kind {
            IaKind::Temporary => (0, 0, rest),
            IaKind::Address | IaKind::Prefix => {
                let (t1, rest) = split_u32(rest)?;
                let (t2, rest) = split_u32(rest)?;
                (t1, t2, rest)
            }
        };
        Some(Self { kind, id, t1, t2, options: Options::new(rest) })
    }

    /// The addresses or prefixes in it; one of the wrong form is stepped over.
    pub fn resources(&self) -> impl Iterator<Item = Resource<'a>> + use<'a> {
        let (wanted, parse): (_, fn(&'a [u8]) -> _) = match self.kind {
            IaKind::Prefix => (code::IA_PREFIX, Resource::parse_prefix),
            IaKind::Address | IaKind::Temporary => (code::IA_ADDRESS, Resource::parse_address),
        };
        self.options.all(wanted).filter_map(parse)
    }
}

/// An address, or a prefix, with its lifetimes in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resource<'a> {
    pub address: Ipv6Addr,
    /// 128 for an address.
    pub len: u8,
    pub preferred: u32,
    pub valid: u32,
    pub options: Options<'a>,
}

impl<'a> Resource<'a> {
    fn parse_address(value: &'a [u8]) -> Option<Self> {
        let (address, rest) = value.split_first_chunk::<16>()?;
        let (preferred, rest) = split_u32(rest)?;
        let (valid, rest) = split_u32(rest)?;
        let options = Options::new(rest);
        Some(Self { address: (*address).into(), len: 128, preferred, valid, options })
    }

    fn parse_prefix(value: &'a [u8]) -> Option<Self> {
        let (preferred, rest) = split_u32(value)?;
        let (valid, rest) = split_u32(rest)?;
        let (len, rest) = rest.split_first()?;
        let (address, rest) = rest.split_first_chunk::<16>()?;
        let options = Options::new(rest);
        let len = Some(*len).filter(|it| *it <= 128)?;
        Some(Self { address: (*address).into(), len, preferred, valid, options })
    }
}

fn split_u32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u32::from_be_bytes(*number), rest))
}
