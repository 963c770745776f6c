//! The two scalars beyond GraphQL's own.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use chrono::{DateTime, SecondsFormat, Utc};
use ironherd_domain::UnixMicros;

/// An integer beyond 32 bits, sent as a JSON number: bytes, generations, sequences.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Long(pub(crate) i64);

/// An integer beyond 32 bits, sent as a JSON number: bytes, generations, sequences.
#[Scalar(name = "Long")]
impl ScalarType for Long {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::Number(number) => number
                .as_i64()
                .map(Long)
                .ok_or_else(|| InputValueError::custom("expected an integer of up to 63 bits")),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::Number(self.0.into())
    }
}

impl From<u64> for Long {
    /// Counts never reach 2^63; one that did would rather be the greatest than negative.
    fn from(count: u64) -> Long {
        Long(i64::try_from(count).unwrap_or(i64::MAX))
    }
}

impl Long {
    /// The value as a count, or `None` where it is negative.
    pub(crate) fn count(self) -> Option<u64> {
        u64::try_from(self.0).ok()
    }
}

/// An instant in UTC, in the form of RFC 3339, e.g. `2026-03-01T12:30:00.250Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At(DateTime<Utc>);

/// An instant in UTC, in the form of RFC 3339, e.g. `2026-03-01T12:30:00.250Z`.
#[Scalar(name = "DateTime", specified_by_url = "https://www.rfc-editor.org/rfc/rfc3339")]
impl ScalarType for At {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => Ok(At(DateTime::parse_from_rfc3339(text)?.to_utc())),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl At {
    pub(crate) fn unix_ms(self) -> i64 {
        self.0.timestamp_millis()
    }

    /// An instant outside the calendar shows as the start of 1970.
    pub(crate) fn from_unix_us(at: u64) -> At {
        UnixMicros(i64::try_from(at).unwrap_or_default()).into()
    }
}

impl From<UnixMicros> for At {
    /// An instant outside the calendar shows as the start of 1970.
    fn from(at: UnixMicros) -> At {
        At(DateTime::from_timestamp_micros(at.0).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_written_in_utc_with_milliseconds() {
        let at = At::from(UnixMicros(1_700_000_000_250_999));
        assert_eq!(at.to_value(), Value::String("2023-11-14T22:13:20.250Z".to_owned()));
    }
}
