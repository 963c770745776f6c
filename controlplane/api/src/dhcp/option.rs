use async_graphql::{Context, Object, Result, SimpleObject};
use ironherd_app as app;
use ironherd_domain::ScopeId;

use super::IpFamily;
use crate::access;
use crate::loader::{self, OptionsOf};

/// A DHCP option that is set in some scope.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct DhcpOption {
    /// DHCPv4 or DHCPv6.
    family: IpFamily,
    /// Its number.
    code: i32,
    /// Its name, if it has one.
    name: Option<String>,
    /// Its value as it is written; null: what a wider scope says is not sent.
    value: Option<String>,
    /// The bytes that are sent, hexadecimal.
    data: String,
    /// Sent even to a client that does not ask for it.
    force: bool,
}

/// A DHCP option that has a name.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct DhcpOptionKnown {
    /// Its number.
    code: i32,
    /// Its name.
    name: &'static str,
    /// How its value is written.
    value: &'static str,
}

impl From<app::DhcpOptionView> for DhcpOption {
    fn from(it: app::DhcpOptionView) -> Self {
        Self {
            family: it.family.into(),
            code: it.code.into(),
            name: it.name.map(str::to_owned),
            value: it.value,
            data: it.data.iter().map(|byte| format!("{byte:02x}")).collect(),
            force: it.force,
        }
    }
}

/// The options that are set on one object, for a field of it.
pub(crate) async fn options(ctx: &Context<'_>, on: ScopeId) -> Result<Vec<DhcpOption>> {
    let found = loader::load(ctx, OptionsOf(on)).await?.unwrap_or_default();
    Ok(found.into_iter().map(Into::into).collect())
}

#[derive(Debug, Default)]
pub(crate) struct DhcpOptionQuery;

#[Object]
impl DhcpOptionQuery {
    /// The options that can be set by name. Any other can be set by its number, as bytes, unless
    /// the server itself must say it.
    async fn dhcp_options_known(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "DHCPv4 or DHCPv6.")] family: IpFamily,
    ) -> Result<Vec<DhcpOptionKnown>> {
        access::user(ctx)?;
        let known = |it: app::DhcpOptionKnown| DhcpOptionKnown {
            code: it.code.into(),
            name: it.name,
            value: it.value,
        };
        Ok(app::App::dhcp_options_known(family.into()).into_iter().map(known).collect())
    }
}
