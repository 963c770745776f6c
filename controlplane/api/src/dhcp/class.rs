use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use ironherd_domain::{ClassCondition as Condition, ClassField, ScopeId, dhcp};

use super::{DhcpOption, MatchOperator, options};
use crate::answer::app;
use crate::id::{self, Kind};
use crate::{access, answer};

/// What a condition of a class looks at.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClassConditionField {
    /// The card's address, e.g. `52:54:00`.
    Mac,
    /// Option 60, e.g. `PXEClient`.
    VendorClass,
    /// Option 77, e.g. `iPXE`.
    UserClass,
    /// Option 61 with its type byte.
    ClientId,
    /// Option 93, as a number, e.g. `7` for UEFI on x86-64.
    Architecture,
    /// Option 82, sub-option 1.
    CircuitId,
    /// Option 82, sub-option 2.
    RemoteId,
    /// The relay's IP address.
    RelayAddress,
    /// Any option, or a sub-option of it, by number.
    Option,
}

/// One condition of a class.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct ClassCondition {
    /// What it looks at.
    field: ClassConditionField,
    /// Number of the option, for `OPTION` alone.
    option: Option<i32>,
    /// Number of the sub-option; null: the option itself.
    sub_option: Option<i32>,
    /// How it compares.
    operator: MatchOperator,
    /// What it compares with; null for `PRESENT`.
    value: Option<String>,
    /// Holds where it otherwise would not.
    negate: bool,
}

/// One condition of a class.
#[derive(InputObject, Clone, Debug)]
pub(crate) struct ClassConditionInput {
    /// What it looks at.
    field: ClassConditionField,
    /// Number of the option, for `OPTION` alone.
    option: Option<i32>,
    /// Number of the sub-option, for `OPTION` alone; absent: the option itself.
    sub_option: Option<i32>,
    /// How it compares.
    operator: MatchOperator,
    /// What it compares with: hexadecimal pairs like `0x0a1b`, else the text itself; absent for
    /// `PRESENT`.
    value: Option<String>,
    /// Whether it shall hold where it otherwise would not.
    negate: Option<bool>,
}

/// A kind of client, told by what it sends.
#[derive(Clone, Debug)]
pub(crate) struct ClientClass(pub(crate) ironherd_app::ClientClass);

/// A kind of client, told by what it sends.
#[Object]
impl ClientClass {
    /// Global id.
    pub(crate) async fn id(&self) -> ID {
        id::encode(Kind::ClientClass, &self.0.id.to_text())
    }

    /// Its name, unique among all classes.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The conditions: all must hold. Without any, every client is a member.
    async fn conditions(&self) -> Vec<ClassCondition> {
        self.0.conditions.iter().map(Into::into).collect()
    }

    /// A TFTP name or a URL that its members get instead of what the boot table says. The first
    /// class in order that names one wins.
    async fn boot_file(&self) -> Option<&str> {
        self.0.boot_file.as_deref()
    }

    /// DHCP options for its members.
    async fn dhcp_options(&self, ctx: &Context<'_>) -> Result<Vec<DhcpOption>> {
        options(ctx, ScopeId::Class(self.0.id)).await
    }
}

impl From<&Condition> for ClassCondition {
    fn from(it: &Condition) -> Self {
        let (field, option, sub_option) = match it.field {
            ClassField::Mac => (ClassConditionField::Mac, None, None),
            ClassField::RelayAddress => (ClassConditionField::RelayAddress, None, None),
            ClassField::VENDOR_CLASS => (ClassConditionField::VendorClass, None, None),
            ClassField::USER_CLASS => (ClassConditionField::UserClass, None, None),
            ClassField::CLIENT_ID => (ClassConditionField::ClientId, None, None),
            ClassField::ARCHITECTURE => (ClassConditionField::Architecture, None, None),
            ClassField::CIRCUIT_ID => (ClassConditionField::CircuitId, None, None),
            ClassField::REMOTE_ID => (ClassConditionField::RemoteId, None, None),
            ClassField::Option { code, sub } => (ClassConditionField::Option, Some(code), sub),
        };
        Self {
            field,
            option: option.map(i32::from),
            sub_option: sub_option.map(i32::from),
            operator: it.operator.into(),
            value: it.value_text(),
            negate: it.negate,
        }
    }
}

impl From<ClassConditionInput> for dhcp::ConditionWords {
    fn from(it: ClassConditionInput) -> Self {
        // Zero is refused with the other numbers that no option has.
        let number = |it: i32| u16::try_from(it).unwrap_or(0);
        let field = match it.field {
            ClassConditionField::Mac => ClassField::Mac,
            ClassConditionField::RelayAddress => ClassField::RelayAddress,
            ClassConditionField::VendorClass => ClassField::VENDOR_CLASS,
            ClassConditionField::UserClass => ClassField::USER_CLASS,
            ClassConditionField::ClientId => ClassField::CLIENT_ID,
            ClassConditionField::Architecture => ClassField::ARCHITECTURE,
            ClassConditionField::CircuitId => ClassField::CIRCUIT_ID,
            ClassConditionField::RemoteId => ClassField::REMOTE_ID,
            ClassConditionField::Option => ClassField::Option {
                code: it.option.map_or(0, number),
                sub: it.sub_option.map(number),
            },
        };
        let (operator, negate) = (it.operator.into(), it.negate.unwrap_or(false));
        Self { field, operator, value: it.value, negate }
    }
}

#[derive(Debug, Default)]
pub(crate) struct ClientClassQuery;

#[Object]
impl ClientClassQuery {
    /// The client classes, in the order in which they are tried: at most 256.
    async fn client_classes(&self, ctx: &Context<'_>) -> Result<Vec<ClientClass>> {
        let actor = access::user(ctx)?;
        let classes = answer::query(app(ctx).client_classes(actor).await)?;
        Ok(classes.into_iter().map(ClientClass).collect())
    }
}
