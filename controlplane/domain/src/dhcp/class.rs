//! Conditions of client classes.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::bytes;
use super::key::{Hex, unhex};
use crate::Refusal;
use crate::refusal::Unknown;
use crate::text_enum::text_enum;

const VALUE_BYTES_MAX: usize = 255;

text_enum! {
    /// How a condition compares.
    MatchOperator, "comparison" {
        Present = "PRESENT",
        Equals = "EQUALS",
        StartsWith = "STARTS_WITH",
        Contains = "CONTAINS",
    }
}

/// What a condition looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClassField {
    Mac,
    RelayAddress,
    Option { code: u16, sub: Option<u16> },
}

impl ClassField {
    pub const VENDOR_CLASS: Self = Self::Option { code: 60, sub: None };
    pub const CLIENT_ID: Self = Self::Option { code: 61, sub: None };
    pub const USER_CLASS: Self = Self::Option { code: 77, sub: None };
    pub const CIRCUIT_ID: Self = Self::Option { code: 82, sub: Some(1) };
    pub const REMOTE_ID: Self = Self::Option { code: 82, sub: Some(2) };
    pub const ARCHITECTURE: Self = Self::Option { code: 93, sub: None };
}

/// One condition of a class.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClassCondition {
    pub field: ClassField,
    pub operator: MatchOperator,
    pub value: Vec<u8>,
    /// Holds where it otherwise would not.
    pub negate: bool,
}

/// A condition as it is written down.
#[derive(Clone, Debug)]
pub struct ConditionWords {
    pub field: ClassField,
    pub operator: MatchOperator,
    pub value: Option<String>,
    pub negate: bool,
}

/// Reads a condition.
///
/// # Errors
/// `CONDITION_INVALID`, naming what is wrong and how it is written.
pub fn condition(words: &ConditionWords, field: &[&str]) -> Result<ClassCondition, Refusal> {
    let ConditionWords { field: looks_at, operator, value, negate } = words;
    let refused = |name: &str, why: String| {
        Err(Refusal::new("CONDITION_INVALID", &[field, &[name]].concat(), why))
    };
    if let ClassField::Option { code: 0 | 255, .. } = looks_at {
        return refused("option", "Options 0 and 255 carry nothing; choose another.".to_owned());
    }
    let condition =
        |value| ClassCondition { field: *looks_at, operator: *operator, value, negate: *negate };
    if *operator == MatchOperator::Present {
        if value.is_some() {
            return refused("value", "PRESENT compares with nothing: leave the value out.".into());
        }
        return Ok(condition(Vec::new()));
    }
    let Some(text) = value.as_deref().filter(|it| !it.is_empty()) else {
        return refused("value", format!("{operator} needs a value to compare with."));
    };
    let whole = *operator == MatchOperator::Equals;
    match read_value(*looks_at, text, whole) {
        Some(value) if value.len() <= VALUE_BYTES_MAX => Ok(condition(value)),
        Some(_) => refused("value", "A value has at most 255 bytes.".to_owned()),
        None => {
            let shown: String = text.chars().take(64).collect();
            let how = match looks_at {
                ClassField::Mac => "a MAC address, or its beginning like 52:54:00",
                ClassField::RelayAddress => "an IP address",
                _ => "a number from 0 to 65535 like 7 or 0x0007",
            };
            refused("value", format!("`{shown}` does not read as {how}."))
        }
    }
}

fn read_value(looks_at: ClassField, text: &str, whole: bool) -> Option<Vec<u8>> {
    match looks_at {
        ClassField::Mac => {
            let dashed = text.replace('-', ":");
            let pairs = dashed.split(':').map(|pair| unhex(pair).filter(|it| it.len() == 1));
            let value: Vec<u8> = pairs.collect::<Option<Vec<_>>>()?.concat();
            let fits = if whole { value.len() == 6 } else { value.len() <= 6 };
            fits.then_some(value)
        }
        ClassField::RelayAddress => match text.parse().ok()? {
            IpAddr::V4(it) => Some(it.octets().to_vec()),
            IpAddr::V6(it) => Some(it.octets().to_vec()),
        },
        ClassField::ARCHITECTURE => {
            let number = match text.strip_prefix("0x") {
                Some(digits) => u16::from_str_radix(digits, 16),
                None => text.parse(),
            };
            number.ok().map(|it| it.to_be_bytes().to_vec())
        }
        ClassField::Option { .. } => Some(bytes::read(text)),
    }
}

impl ClassCondition {
    /// The value as [`condition`] reads it; `None` where there is nothing to compare with.
    #[must_use]
    pub fn value_text(&self) -> Option<String> {
        if self.operator == MatchOperator::Present {
            return None;
        }
        Some(match (self.field, self.value.as_slice()) {
            (ClassField::Mac, value) => {
                value.iter().map(|it| format!("{it:02x}")).collect::<Vec<_>>().join(":")
            }
            (ClassField::RelayAddress, value) => {
                let four = <[u8; 4]>::try_from(value).map(IpAddr::from);
                let any = four.or_else(|_| <[u8; 16]>::try_from(value).map(IpAddr::from));
                any.map_or_else(|_| bytes::show(value), |it| it.to_string())
            }
            (ClassField::ARCHITECTURE, [high, low]) => {
                u16::from_be_bytes([*high, *low]).to_string()
            }
            (_, value) => bytes::show(value),
        })
    }
}

/// The form that the database uses: no spaces, `field/operator/negate/value`.
impl fmt::Display for ClassCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field {
            ClassField::Mac => f.write_str("mac")?,
            ClassField::RelayAddress => f.write_str("relay")?,
            ClassField::Option { code, sub: None } => write!(f, "{code}")?,
            ClassField::Option { code, sub: Some(sub) } => write!(f, "{code}.{sub}")?,
        }
        let negate = if self.negate { "not" } else { "is" };
        write!(f, "/{}/{negate}/{}", self.operator, Hex(&self.value))
    }
}

impl FromStr for ClassCondition {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Unknown> {
        let read = || {
            let mut parts = text.split('/');
            let field = match parts.next()? {
                "mac" => ClassField::Mac,
                "relay" => ClassField::RelayAddress,
                it => match it.split_once('.') {
                    None => ClassField::Option { code: it.parse().ok()?, sub: None },
                    Some((code, sub)) => ClassField::Option {
                        code: code.parse().ok()?,
                        sub: Some(sub.parse().ok()?),
                    },
                },
            };
            let operator = parts.next()?.parse().ok()?;
            let negate = parts.next()? == "not";
            Some(Self { field, operator, value: unhex(parts.next()?)?, negate })
        };
        read().ok_or_else(|| Unknown::new("condition of a class", text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_read_by_its_field_or_refused() {
        use ClassField as F;
        use MatchOperator::{Contains, Equals, Present, StartsWith};
        let plain = F::Option { code: 43, sub: Some(7) };
        let rows = [
            (F::Mac, StartsWith, Some("52:54:00"), Ok("mac/STARTS_WITH/is/525400")),
            (F::Mac, Equals, Some("52-54-00-00-00-01"), Ok("mac/EQUALS/is/525400000001")),
            (F::Mac, Equals, Some("52:54:00"), Err("value")),
            (F::Mac, StartsWith, Some("lab"), Err("value")),
            (F::RelayAddress, Equals, Some("10.0.0.1"), Ok("relay/EQUALS/is/0a000001")),
            (F::RelayAddress, Equals, Some("ten"), Err("value")),
            (F::ARCHITECTURE, Equals, Some("0x0010"), Ok("93/EQUALS/is/0010")),
            (F::ARCHITECTURE, Equals, Some("7"), Ok("93/EQUALS/is/0007")),
            (F::ARCHITECTURE, Equals, Some("70000"), Err("value")),
            (F::VENDOR_CLASS, Contains, Some("Arch:7"), Ok("60/CONTAINS/is/417263683a37")),
            (F::CIRCUIT_ID, Present, None, Ok("82.1/PRESENT/is/")),
            (plain, Equals, Some("0xff"), Ok("43.7/EQUALS/is/ff")),
            (F::CIRCUIT_ID, Present, Some("x"), Err("value")),
            (F::USER_CLASS, Equals, None, Err("value")),
            (F::USER_CLASS, Equals, Some(""), Err("value")),
            (F::Option { code: 0, sub: None }, Present, None, Err("option")),
        ];
        for (looks_at, operator, value, want) in rows {
            let value = value.map(str::to_owned);
            let words = ConditionWords { field: looks_at, operator, value, negate: false };
            match condition(&words, &["input", "conditions", "0"]) {
                Ok(it) => {
                    assert_eq!(Ok(it.to_string().as_str()), want, "{words:?}");
                    assert_eq!(it.to_string().parse::<ClassCondition>().as_ref(), Ok(&it));
                    let again = ConditionWords { value: it.value_text(), ..words };
                    assert_eq!(condition(&again, &[]).as_ref(), Ok(&it));
                }
                Err(refusal) => {
                    assert_eq!(refusal.code, "CONDITION_INVALID");
                    assert_eq!(Err(refusal.field[3].as_str()), want, "{words:?}");
                }
            }
        }
    }
}
