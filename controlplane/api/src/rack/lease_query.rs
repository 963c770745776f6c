//! Who has an address, and who had it.

use async_graphql::connection::Connection;
use async_graphql::{Context, ID, InputObject, Result};
use ironherd_app::{Answer, CommandError, LeaseHistoryQuery, LeaseNetwork, PageRequest};
use ironherd_domain::{LeaseState as Standing, UnixMicros};

use super::LeaseState;
use super::lease::{Lease, LeaseSpan};
use crate::answer::app;
use crate::id::{self, Kind};
use crate::page;
use crate::scalar::At;
use crate::{access, answer};

/// Which leases. What is absent does not matter; what is given must all hold.
#[derive(InputObject, Debug, Default)]
pub(crate) struct LeaseFilter {
    /// The address, or the IPv6 prefix that was delegated.
    address: Option<String>,
    /// The network card that holds it.
    mac_address: Option<String>,
    /// Only addresses of this subnet: the id of a `Subnet` or of a `Subnet6`.
    subnet_id: Option<ID>,
    /// How it stands.
    state: Option<LeaseState>,
    /// What the name that the client gave itself begins with, in whatever case.
    hostname: Option<String>,
    /// What was leased at this instant, as far back as the history is kept. The other conditions
    /// then mean the holder of that time; `state` has no place beside it.
    at: Option<At>,
}

/// A span of time. Without a beginning or an end it has none.
#[derive(InputObject, Debug, Default)]
pub(crate) struct TimeSpan {
    /// When it begins.
    from: Option<At>,
    /// When it ends.
    until: Option<At>,
}

pub(super) async fn list(
    ctx: &Context<'_>,
    page: PageRequest,
    filter: LeaseFilter,
) -> Result<Connection<String, Lease>> {
    let actor = access::user(ctx)?;
    let query = answer::query(parse(filter))?;
    let then = query.at.is_some();
    let leases = answer::query(app(ctx).leases(actor, &page, &query).await)?;
    let now = app(ctx).now();
    Ok(page::connection(&page, leases, |row| {
        let over = !then && row.expires <= now;
        let state = match row.state {
            Standing::Active if over => Standing::Expired,
            other => other,
        };
        Lease { row, state }
    }))
}

pub(super) async fn history(
    ctx: &Context<'_>,
    page: PageRequest,
    address: Option<String>,
    mac_address: Option<String>,
    between: TimeSpan,
) -> Result<Connection<String, LeaseSpan>> {
    let actor = access::user(ctx)?;
    let (from, until) = (between.from.map(micros), between.until.map(micros));
    let query = LeaseHistoryQuery { address, mac_address, from, until };
    let spans = answer::query(app(ctx).lease_history(actor, &page, &query).await)?;
    Ok(page::connection(&page, spans, LeaseSpan))
}

fn parse(it: LeaseFilter) -> Answer<ironherd_app::LeaseQuery> {
    Ok(ironherd_app::LeaseQuery {
        address: it.address,
        mac_address: it.mac_address,
        subnet: it.subnet_id.map(|id| network(&id)).transpose()?,
        hostname: it.hostname,
        state: it.state.map(Into::into),
        at: it.at.map(micros),
    })
}

fn network(id: &str) -> Result<LeaseNetwork, CommandError> {
    let v4 = id::key(Kind::Subnet, id).map(LeaseNetwork::V4);
    let found = v4.or_else(|| id::key(Kind::Subnet6, id).map(LeaseNetwork::V6));
    found.ok_or_else(|| id::not_found(Kind::Subnet, &["filter", "subnetId"]))
}

fn micros(at: At) -> UnixMicros {
    UnixMicros(at.unix_ms().saturating_mul(1_000))
}
