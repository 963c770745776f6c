use async_graphql::{Context, ID, InputObject, Object, Result};
use ironherd_app as app;
use ironherd_app::CommandError;
use ironherd_domain::ScopeId;

use super::{DhcpOption, IpFamily, OptionScope};
use crate::answer::app;
use crate::id::{self, Kind};
use crate::user_error::payload;
use crate::{access, answer};

/// One option to set.
#[derive(InputObject, Debug)]
pub(crate) struct DhcpOptionSetInput {
    /// Where it holds.
    scope: OptionScope,
    /// The id of the fabric, VLAN, subnet (IPv4 or IPv6), range, class, machine or reservation;
    /// absent for `GLOBAL`.
    scope_id: Option<ID>,
    /// DHCPv4 or DHCPv6.
    family: IpFamily,
    /// Its name or number.
    option: String,
    /// Its value, as `dhcpOptionsKnown` says; hexadecimal pairs for an option without a name.
    value: Option<String>,
    /// Send it even to a client that does not ask for it.
    force: Option<bool>,
    /// Do not send what a wider scope says. Takes no value.
    suppress: Option<bool>,
}

/// One option to take away.
#[derive(InputObject, Debug)]
pub(crate) struct DhcpOptionUnsetInput {
    /// Where it was set.
    scope: OptionScope,
    /// The id of what it was set on; absent for `GLOBAL`.
    scope_id: Option<ID>,
    /// DHCPv4 or DHCPv6.
    family: IpFamily,
    /// Its name or number.
    option: String,
}

payload! { "dhcpOptionSet" => DhcpOptionSetPayload {
        /// The options of the scope as they are now.
        options: Vec<DhcpOption>,
    }
    DhcpOptionSetUserError DhcpOptionSetErrorCode {
        /// There is nothing with this id to set options on.
        ScopeNotFound,
        /// The id is of another kind than the scope.
        ScopeMismatch,
        /// Options of this family mean nothing there.
        FamilyMismatch,
        /// No option has this name.
        OptionUnknown,
        /// The server must say this option itself.
        OptionRefused,
        /// The value is none of this option's kind.
        ValueInvalid,
        /// The scope has too many options.
        OptionsTooMany,
    }
}
payload! { "dhcpOptionUnset" => DhcpOptionUnsetPayload {
        /// The options of the scope as they are now.
        options: Vec<DhcpOption>,
    }
    DhcpOptionUnsetUserError DhcpOptionUnsetErrorCode {
        /// There is nothing with this id to set options on.
        ScopeNotFound,
        /// The id is of another kind than the scope.
        ScopeMismatch,
        /// Options of this family mean nothing there.
        FamilyMismatch,
        /// No option has this name.
        OptionUnknown,
        /// The server must say this option itself.
        OptionRefused,
        /// The option is not set there.
        OptionNotSet,
    }
}

#[derive(Debug, Default)]
pub(crate) struct DhcpOptionMutation;

#[Object]
impl DhcpOptionMutation {
    /// Sets a DHCP option for everything in a scope. Racks send it within moments.
    async fn dhcp_option_set(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The option.")] input: DhcpOptionSetInput,
    ) -> Result<DhcpOptionSetPayload> {
        let actor = access::user(ctx)?;
        let answer = async {
            let on = scope(input.scope, input.scope_id.as_ref())?;
            let input = app::DhcpOptionSet {
                on,
                family: input.family.into(),
                option: input.option,
                value: input.value,
                force: input.force.unwrap_or(false),
                suppress: input.suppress.unwrap_or(false),
            };
            app(ctx).dhcp_option_set(actor, input).await
        };
        answer::mutation(answer.await, |it| DhcpOptionSetPayload::done(shown(it)))
    }

    /// Takes a DHCP option away, so that the wider scope's holds again.
    async fn dhcp_option_unset(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The option.")] input: DhcpOptionUnsetInput,
    ) -> Result<DhcpOptionUnsetPayload> {
        let actor = access::user(ctx)?;
        let answer = async {
            let on = scope(input.scope, input.scope_id.as_ref())?;
            app(ctx).dhcp_option_unset(actor, on, input.family.into(), input.option).await
        };
        answer::mutation(answer.await, |it| DhcpOptionUnsetPayload::done(shown(it)))
    }
}

fn shown(options: Vec<app::DhcpOptionView>) -> Vec<DhcpOption> {
    options.into_iter().map(Into::into).collect()
}

fn scope(scope: OptionScope, given: Option<&ID>) -> app::Answer<ScopeId> {
    let field = ["input", "scopeId"];
    let refused = |code, why: &str| Err(CommandError::refused(code, &field, why));
    let on = match given {
        None => Some(ScopeId::Global),
        Some(given) => id::decode(given).and_then(|(kind, key)| of(kind, &key)),
    };
    match on {
        None => refused("SCOPE_NOT_FOUND", "There is nothing with this id to set options on."),
        Some(on) if on.scope() == scope.into() => Ok(on),
        Some(ScopeId::Global) => {
            refused("SCOPE_MISMATCH", "Give the id of what the option is set on.")
        }
        Some(on) => {
            let why = format!("This id is of the scope {}, which was not asked for.", on.scope());
            refused("SCOPE_MISMATCH", &why)
        }
    }
}

fn of(kind: Kind, key: &str) -> Option<ScopeId> {
    Some(match kind {
        Kind::Fabric => ScopeId::Fabric(key.parse().ok()?),
        Kind::Vlan => ScopeId::Vlan(key.parse().ok()?),
        Kind::Subnet => ScopeId::Subnet(key.parse().ok()?),
        Kind::Subnet6 => ScopeId::Subnet6(key.parse().ok()?),
        Kind::Range => ScopeId::Range(key.parse().ok()?),
        Kind::ClientClass => ScopeId::Class(key.parse().ok()?),
        Kind::Machine => ScopeId::Machine(key.parse().ok()?),
        Kind::Reservation => ScopeId::Reservation(key.parse().ok()?),
        Kind::Reservation6 => ScopeId::Reservation6(key.parse().ok()?),
        _ => return None,
    })
}
