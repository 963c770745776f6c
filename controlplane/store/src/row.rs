use std::str::FromStr;

use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use crate::StoreError;

/// One value to bind. Both engines get the same types; a missing value keeps its type, because
/// PostgreSQL refuses an untyped NULL where it expects a number.
#[derive(Clone, Debug)]
pub enum Value {
    Text(Option<String>),
    Int(Option<i64>),
    Flag(bool),
    Bytes(Option<Vec<u8>>),
}

/// One row of either engine, read by column name.
#[derive(Debug)]
pub enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

macro_rules! read {
    ($row:expr, $name:expr) => {
        match $row {
            Row::Sqlite(row) => row.try_get($name)?,
            Row::Postgres(row) => row.try_get($name)?,
        }
    };
}

impl Row {
    /// # Errors
    /// [`StoreError::Sql`] if the column is absent or of another type; so for all of these.
    pub fn text(&self, name: &str) -> Result<String, StoreError> {
        Ok(read!(self, name))
    }

    pub(crate) fn text_maybe(&self, name: &str) -> Result<Option<String>, StoreError> {
        Ok(read!(self, name))
    }

    pub(crate) fn int(&self, name: &str) -> Result<i64, StoreError> {
        Ok(read!(self, name))
    }

    pub(crate) fn int_maybe(&self, name: &str) -> Result<Option<i64>, StoreError> {
        Ok(read!(self, name))
    }

    pub(crate) fn flag(&self, name: &str) -> Result<bool, StoreError> {
        Ok(read!(self, name))
    }

    pub(crate) fn bytes(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        Ok(read!(self, name))
    }

    pub(crate) fn bytes_maybe(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(read!(self, name))
    }

    /// A text column that holds an id, an enum, an address or the like.
    pub(crate) fn parsed<T>(&self, name: &'static str) -> Result<T, StoreError>
    where
        T: FromStr,
        T::Err: std::fmt::Display,
    {
        parse(name, &self.text(name)?)
    }

    pub(crate) fn parsed_maybe<T>(&self, name: &'static str) -> Result<Option<T>, StoreError>
    where
        T: FromStr,
        T::Err: std::fmt::Display,
    {
        self.text_maybe(name)?.map(|text| parse(name, &text)).transpose()
    }

    /// A whole number that is never negative.
    pub(crate) fn count<T: TryFrom<i64>>(&self, name: &'static str) -> Result<T, StoreError> {
        let number = self.int(name)?;
        T::try_from(number).map_err(|_| StoreError::corrupt(name, &number.to_string()))
    }

    pub(crate) fn count_maybe<T>(&self, name: &'static str) -> Result<Option<T>, StoreError>
    where
        T: TryFrom<i64>,
    {
        let Some(number) = self.int_maybe(name)? else { return Ok(None) };
        let read = T::try_from(number);
        read.map(Some).map_err(|_| StoreError::corrupt(name, &number.to_string()))
    }

    /// Space-separated values of one column: lists that are never searched.
    pub(crate) fn list<T>(&self, name: &'static str) -> Result<Vec<T>, StoreError>
    where
        T: FromStr,
        T::Err: std::fmt::Display,
    {
        self.text(name)?.split_whitespace().map(|it| parse(name, it)).collect()
    }
}

fn parse<T>(name: &'static str, text: &str) -> Result<T, StoreError>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| StoreError::corrupt(name, &error.to_string()))
}

/// Joins what [`Row::list`] splits.
pub(crate) fn joined<T: std::fmt::Display>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

macro_rules! values {
    ($($from:ty, $it:ident => $to:expr;)+) => {$(
        impl From<$from> for Value {
            fn from($it: $from) -> Self {
                $to
            }
        }
    )+};
}

values! {
    &str, it => Value::Text(Some(it.to_owned()));
    String, it => Value::Text(Some(it));
    &String, it => Value::Text(Some(it.clone()));
    Option<String>, it => Value::Text(it);
    Option<&str>, it => Value::Text(it.map(str::to_owned));
    i64, it => Value::Int(Some(it));
    u32, it => Value::Int(Some(it.into()));
    u64, it => Value::Int(Some(i64::try_from(it).unwrap_or(i64::MAX)));
    Option<i64>, it => Value::Int(it);
    Option<u64>, it => Value::Int(it.map(|it| i64::try_from(it).unwrap_or(i64::MAX)));
    bool, it => Value::Flag(it);
    Vec<u8>, it => Value::Bytes(Some(it));
    &[u8], it => Value::Bytes(Some(it.to_vec()));
    Option<Vec<u8>>, it => Value::Bytes(it);
}

/// Types that are stored as their text.
macro_rules! text_values {
    ($($name:ty),+ $(,)?) => {$(
        impl From<$name> for Value {
            fn from(it: $name) -> Self {
                Value::Text(Some(it.to_string()))
            }
        }
        impl From<Option<$name>> for Value {
            fn from(it: Option<$name>) -> Self {
                Value::Text(it.map(|it| it.to_string()))
            }
        }
    )+};
}

text_values! {
    ironherd_domain::MachineId, ironherd_domain::SubnetId, ironherd_domain::RangeId,
    ironherd_domain::ReservationId, ironherd_domain::ImageId, ironherd_domain::OperationId,
    ironherd_domain::EffectId, ironherd_domain::RackId, ironherd_domain::LeaseId,
    ironherd_domain::TokenId, ironherd_domain::CredentialId, ironherd_domain::Mac,
    ironherd_domain::MachineState, ironherd_domain::PowerProtocol, ironherd_domain::PowerState,
    ironherd_domain::FirmwareKind, ironherd_domain::BootStage, ironherd_domain::BootDevice,
    ironherd_domain::EraseMode, ironherd_domain::ImageKind, ironherd_domain::ImageState,
    ironherd_domain::LeaseState, ironherd_domain::LeaseBlock, ironherd_domain::LeaseEnd,
    ironherd_domain::OperationKind, ironherd_domain::OperationState,
    ironherd_domain::AgentTaskKind, ironherd_domain::AgentNext,
    ironherd_domain::FabricId, ironherd_domain::VlanId, ironherd_domain::ClassId,
    ironherd_domain::Subnet6Id, ironherd_domain::Reservation6Id, ironherd_domain::DhcpMode,
    ironherd_domain::IpFamily, ironherd_domain::OptionScope, std::net::Ipv4Addr,
    std::net::Ipv6Addr, ipnet::Ipv4Net, ipnet::Ipv6Net,
}

impl From<ironherd_domain::UnixMicros> for Value {
    fn from(it: ironherd_domain::UnixMicros) -> Self {
        Self::Int(Some(it.0))
    }
}

impl From<Option<ironherd_domain::UnixMicros>> for Value {
    fn from(it: Option<ironherd_domain::UnixMicros>) -> Self {
        Self::Int(it.map(|it| it.0))
    }
}

/// The binds of one statement, in the order of `$1`, `$2`, ….
macro_rules! binds {
    ($($value:expr),* $(,)?) => {
        vec![$($crate::Value::from($value)),*]
    };
}

pub(crate) use binds;
