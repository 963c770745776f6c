use std::collections::HashMap;

use ironherd_domain::{IpFamily, Refusal, ScopeId};
use ironherd_store::{
    DhcpOption, SnapshotChange, client_class, dhcp_option, fabric, machine, range, reservation,
    reservation6, subnet, subnet6, vlan,
};
use ironherd_wire::dhcp::catalog::{self, Family};

use crate::work::{Inner, Work, not_found, transact};
use crate::{Actor, Answer, App, DhcpOptionKnown, DhcpOptionSet, DhcpOptionView};

/// Longer ones do not fit beside the rest in one answer.
const DATA_BYTES_MAX: usize = 1_024;
const OPTIONS_MAX: usize = 64;

impl App {
    /// Sets an option for everything in a scope, or suppresses what a wider scope says.
    ///
    /// # Errors
    /// Refusals: `SCOPE_NOT_FOUND`, `SCOPE_MISMATCH`, `FAMILY_MISMATCH`, `OPTION_UNKNOWN`,
    /// `OPTION_REFUSED`, `VALUE_INVALID`, `OPTIONS_TOO_MANY`.
    pub async fn dhcp_option_set(
        &self,
        actor: &Actor,
        input: DhcpOptionSet,
    ) -> Answer<Vec<DhcpOptionView>> {
        actor.must_be_user()?;
        let DhcpOptionSet { on, family, option, value, force, suppress } = input;
        let code = code(on, family, &option)?;
        let data = data(family, code, value.as_deref(), suppress)?;
        let it = DhcpOption { scope: on.scope(), family, code, data, force };
        transact!(self, actor, |work| {
            let (name, part) = scope(&mut work, on).await?;
            let there = options_of(&mut work, on).await?;
            let known = there.iter().any(|it| (it.family, it.code) == (family, code));
            if !known && OPTIONS_MAX <= there.len() {
                let why = format!("{name} has {OPTIONS_MAX} options already; unset one first.");
                return Err(Refusal::new("OPTIONS_TOO_MANY", &["input", "option"], why).into());
            }
            dhcp_option::upsert(&mut work.tx, on, &it).await?;
            let said = if suppress { "suppressed" } else { "set" };
            let text = format!("{} {said} for {name}", label(family, code));
            work.event(None, "DHCP_OPTION_SET", text);
            work.touch(part);
            Ok(views(&options_of(&mut work, on).await?))
        })
    }

    /// Takes an option away, so that the wider scope's holds again.
    ///
    /// # Errors
    /// Refusals: `SCOPE_NOT_FOUND`, `SCOPE_MISMATCH`, `FAMILY_MISMATCH`, `OPTION_UNKNOWN`,
    /// `OPTION_REFUSED`, `OPTION_NOT_SET`.
    pub async fn dhcp_option_unset(
        &self,
        actor: &Actor,
        on: ScopeId,
        family: IpFamily,
        option: String,
    ) -> Answer<Vec<DhcpOptionView>> {
        actor.must_be_user()?;
        let code = code(on, family, &option)?;
        transact!(self, actor, |work| {
            let (name, part) = scope(&mut work, on).await?;
            if !dhcp_option::delete(&mut work.tx, on, family, code).await? {
                let why = format!("{} is not set for {name}.", label(family, code));
                return Err(Refusal::new("OPTION_NOT_SET", &["input", "option"], why).into());
            }
            let text = format!("{} of {name}", label(family, code));
            work.event(None, "DHCP_OPTION_UNSET", text);
            work.touch(part);
            Ok(views(&options_of(&mut work, on).await?))
        })
    }

    /// The options that are set on each of these, by their scopes' texts.
    ///
    /// # Errors
    /// [`CommandError::Forbidden`](crate::CommandError::Forbidden) unless a user asks.
    pub async fn dhcp_options(
        &self,
        actor: &Actor,
        scopes: &[String],
    ) -> Answer<HashMap<String, Vec<DhcpOptionView>>> {
        actor.must_be_user()?;
        let found = dhcp_option::of(&mut self.read().await?, scopes).await?;
        Ok(found.into_iter().map(|(scope, options)| (scope, views(&options))).collect())
    }

    /// The options that have names, with how their values are written.
    #[must_use]
    pub fn dhcp_options_known(family: IpFamily) -> Vec<DhcpOptionKnown> {
        let known = |it: &catalog::Known| DhcpOptionKnown {
            code: it.code,
            name: it.name,
            value: it.kind.how(),
        };
        catalog::all(table(family)).iter().map(known).collect()
    }
}

fn table(family: IpFamily) -> Family {
    match family {
        IpFamily::V4 => Family::V4,
        IpFamily::V6 => Family::V6,
    }
}

fn label(family: IpFamily, code: u16) -> String {
    let name = catalog::by_code(table(family), code).map_or("", |it| it.name);
    let version = if family == IpFamily::V4 { "DHCPv4" } else { "DHCPv6" };
    format!("{version} option {code} {name}").trim_end().to_owned()
}

/// Reads the name or number of an option that may be set on `on`.
fn code(on: ScopeId, family: IpFamily, option: &str) -> Result<u16, Refusal> {
    if !on.takes(family) {
        let why = "IPv4 networks have DHCPv4 options and IPv6 networks DHCPv6 options alone.";
        return Err(Refusal::new("FAMILY_MISMATCH", &["input", "family"], why));
    }
    let field = ["input", "option"];
    let text = option.trim();
    let named = catalog::by_name(table(family), text).map(|it| it.code);
    let Some(code) = named.or_else(|| text.parse().ok()) else {
        let shown: String = text.chars().take(64).collect();
        let why = format!(
            "No option is called `{shown}`; write its number, or a name of `dhcpOptionsKnown`."
        );
        return Err(Refusal::new("OPTION_UNKNOWN", &field, why));
    };
    match catalog::refused(table(family), code) {
        None => Ok(code),
        Some(reason) => {
            let why = format!("{} cannot be set: {reason}.", label(family, code));
            Err(Refusal::new("OPTION_REFUSED", &field, why))
        }
    }
}

fn data(
    family: IpFamily,
    code: u16,
    value: Option<&str>,
    suppress: bool,
) -> Result<Vec<u8>, Refusal> {
    let refused = |why: String| Err(Refusal::new("VALUE_INVALID", &["input", "value"], why));
    let kind = catalog::kind(table(family), code);
    match (value, suppress) {
        (None, true) => Ok(Vec::new()),
        (Some(_), true) => refused("Suppressing an option takes no value: leave it out.".into()),
        (None, false) => refused(format!("Write {}, or suppress the option.", kind.how())),
        (Some(text), false) => match kind.parse(text) {
            Ok(data) if data.len() <= DATA_BYTES_MAX => Ok(data),
            Ok(data) => {
                let len = data.len();
                refused(format!("The value has {len} bytes; at most {DATA_BYTES_MAX} fit."))
            }
            Err(error) => refused(format!("{error}.")),
        },
    }
}

pub(crate) fn views(options: &[DhcpOption]) -> Vec<DhcpOptionView> {
    let view = |it: &DhcpOption| {
        let known = catalog::by_code(table(it.family), it.code);
        let kind = catalog::kind(table(it.family), it.code);
        let suppressed = it.data.is_empty();
        DhcpOptionView {
            family: it.family,
            code: it.code,
            name: known.map(|it| it.name),
            value: (!suppressed).then(|| kind.show(&it.data)),
            data: it.data.clone(),
            force: it.force,
        }
    };
    options.iter().map(view).collect()
}

async fn options_of(work: &mut Work, on: ScopeId) -> Inner<Vec<DhcpOption>> {
    let text = on.to_text();
    let mut found = dhcp_option::of(&mut work.tx, std::slice::from_ref(&text)).await?;
    Ok(found.remove(&text).unwrap_or_default())
}

/// What the scope is called, and the part of the snapshot that has its options; refused if there
/// is no such thing.
async fn scope(work: &mut Work, on: ScopeId) -> Inner<(String, SnapshotChange)> {
    use SnapshotChange::{Machine, Networks, Reservation, Settings, Subnet, Subnet6};
    let tx = &mut work.tx;
    let found = match on {
        ScopeId::Global => Some(("every network".to_owned(), Settings)),
        ScopeId::Fabric(id) => fabric::by_id(tx, id).await?.map(|it| (it.name, Networks)),
        ScopeId::Vlan(id) => vlan::by_id(tx, id).await?.map(|it| (it.name, Networks)),
        ScopeId::Class(id) => client_class::by_id(tx, id).await?.map(|it| (it.name, Networks)),
        ScopeId::Subnet(id) => {
            subnet::without_reservations(tx, id).await?.map(|it| (it.name, Subnet(id)))
        }
        ScopeId::Range(id) => range::by_id(tx, id)
            .await?
            .map(|it| (format!("{}–{}", it.first, it.last), Subnet(it.subnet_id))),
        ScopeId::Reservation(id) => reservation::by_id(tx, id)
            .await?
            .map(|it| (it.key.told(), Reservation(it.subnet_id, it.address))),
        ScopeId::Subnet6(id) => subnet6::by_id(tx, id).await?.map(|it| (it.name, Subnet6(id))),
        ScopeId::Reservation6(id) => {
            let found = reservation6::by_id(tx, id).await?;
            found.map(|it| (it.key.told(), Subnet6(it.subnet6_id)))
        }
        ScopeId::Machine(id) => machine::by_id(tx, id).await?.map(|it| (it.hostname, Machine(id))),
    };
    found.ok_or_else(|| {
        let refusal = not_found("scope", "input.scopeId");
        Refusal { code: "SCOPE_NOT_FOUND", ..refusal }.into()
    })
}
