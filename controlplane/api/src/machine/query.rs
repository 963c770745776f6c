//! Looking machines up.

use async_graphql::connection::Connection;
use async_graphql::{Context, ID, Object, Result};
use ironherd_app::{Actor, Answer, MachineFilter as Filter};
use ironherd_domain::MachineId;

use super::Machine;
use super::input::MachineFilter;
use crate::answer::app;
use crate::id::{self, Kind};
use crate::page;
use crate::{access, answer};

#[derive(Debug, Default)]
pub(crate) struct MachineQuery;

#[Object]
impl MachineQuery {
    /// One machine; null if there is no such machine.
    async fn machine(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its id or its hostname.")] id: ID,
    ) -> Result<Option<Machine>> {
        let actor = access::user(ctx)?;
        Ok(answer::query(by_id_or_hostname(ctx, actor, &id).await)?.map(Machine))
    }

    /// The machines, oldest first.
    #[graphql(complexity = "page::complexity(first, child_complexity)")]
    async fn machines(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most: 1 to 500, 50 when absent.")] first: Option<i32>,
        #[graphql(desc = "The cursor that the last page ended with.")] after: Option<String>,
        #[graphql(desc = "Which machines; all when absent.")] filter: Option<MachineFilter>,
    ) -> Result<Connection<String, Machine>> {
        let actor = access::user(ctx)?;
        let page = page::request(first, after.as_deref())?;
        let filter = parse(filter.unwrap_or_default())?;
        let machines = answer::query(app(ctx).machines(actor, &page, &filter).await)?;
        Ok(page::connection(&page, machines, Machine))
    }
}

fn parse(it: MachineFilter) -> Result<Filter> {
    let mac = it.mac_address.map(|text| {
        text.parse().map_err(|_| page::bad_input("`macAddress` is no MAC address.".into()))
    });
    Ok(Filter {
        states: it.states.unwrap_or_default().into_iter().map(Into::into).collect(),
        hostname: it.hostname,
        mac: mac.transpose()?,
    })
}

async fn by_id_or_hostname(
    ctx: &Context<'_>,
    actor: &Actor,
    id: &str,
) -> Answer<Option<ironherd_app::Machine>> {
    match id::decode(id) {
        Some((Kind::Machine, key)) => match key.parse() {
            Ok(id) => app(ctx).machine(actor, id).await,
            Err(_) => Ok(None),
        },
        Some(_) => Ok(None),
        None => app(ctx).machine_by_hostname(actor, id).await,
    }
}

/// Reads the `id` of a mutation: a global id, or a hostname as people type it.
///
/// # Errors
/// `NOT_FOUND` if it names no machine.
pub(super) async fn argument(ctx: &Context<'_>, actor: &Actor, id: &str) -> Answer<MachineId> {
    if let Some(id) = id::key(Kind::Machine, id) {
        return Ok(id); // The command itself finds out whether it exists.
    }
    let machine = by_id_or_hostname(ctx, actor, id).await?;
    machine.map(|it| it.id).ok_or_else(|| id::not_found(Kind::Machine, &["id"]))
}

/// Reads the argument `machineId` of a list.
///
/// # Errors
/// `NOT_FOUND` if it names no machine.
pub(crate) async fn machine_argument(
    ctx: &Context<'_>,
    actor: &Actor,
    id: Option<ID>,
) -> Result<Option<MachineId>> {
    let Some(id) = id else { return Ok(None) };
    let machine = answer::query(by_id_or_hostname(ctx, actor, &id).await)?;
    let id = machine.map(|it| it.id).ok_or_else(|| id::not_found(Kind::Machine, &["machineId"]));
    answer::query(id).map(Some)
}
