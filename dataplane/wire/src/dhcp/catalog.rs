//! The options that operators may set: their names, and how their values are written.
//!
//! One row an option, for DHCPv4 and DHCPv6; a code without a row takes hexadecimal. This is for
//! configuration and for people: it allocates, and no packet passes through it.
//!
//! # Source
//! IANA's registries of DHCPv4 and DHCPv6 options; formats by RFC 2132, 3397, 3442, 5859, 5970,
//! 8415, 8910 and 8925.

mod table;
mod value;

pub use value::{Kind, ValueError};

/// DHCPv4 and DHCPv6 number their options apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    V4,
    V6,
}

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    pub code: u16,
    pub name: &'static str,
    pub kind: Kind,
}

/// Every option with a name, in the order of the codes.
#[must_use]
pub fn all(family: Family) -> &'static [Known] {
    match family {
        Family::V4 => table::V4,
        Family::V6 => table::V6,
    }
}

#[must_use]
pub fn by_code(family: Family, code: u16) -> Option<&'static Known> {
    all(family).iter().find(|it| it.code == code)
}

/// Looks a name up; case does not matter, and `_` is as good as `-`.
#[must_use]
pub fn by_name(family: Family, name: &str) -> Option<&'static Known> {
    let same = |it: &&Known| {
        it.name.len() == name.len()
            && it.name.bytes().zip(name.bytes()).all(|(a, b)| match b {
                b'_' => a == b'-',
                _ => a == b.to_ascii_lowercase(),
            })
    };
    all(family).iter().find(same)
}

/// How values of a code are written.
#[must_use]
pub fn kind(family: Family, code: u16) -> Kind {
    by_code(family, code).map_or(Kind::Bytes, |it| it.kind)
}

/// Why an operator may not set a code, and what to do instead; `None` if it may be set.
#[must_use]
pub fn refused(family: Family, code: u16) -> Option<&'static str> {
    let list = match family {
        Family::V4 if code == 0 || 255 <= code => return Some("DHCPv4 options are 1 to 254"),
        Family::V6 if code == 0 => return Some("DHCPv6 options are 1 to 65535"),
        Family::V4 => table::OURS_V4,
        Family::V6 => table::OURS_V6,
    };
    list.iter().find(|(it, _)| *it == code).map(|(_, why)| *why)
}
