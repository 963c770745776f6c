use std::time::Duration;

use ironherd_domain::{LeaseBlock, LeaseState, Mac, Refusal, Subnet6Id, SubnetId, UnixMicros};
use ironherd_store::{
    Lease, LeaseFilter, LeaseSpan, LeaseSubject, Tx, lease, lease_history, lease_list, subnet,
    subnet6,
};

use crate::work::{Inner, not_found, transact};
use crate::{Actor, Answer, App, PageRequest, Paged, settings};

/// Which leases are wanted. What is absent does not matter.
#[derive(Clone, Debug, Default)]
pub struct LeaseQuery {
    pub address: Option<String>,
    pub mac_address: Option<String>,
    pub subnet: Option<LeaseNetwork>,
    pub hostname: Option<String>,
    pub state: Option<LeaseState>,
    pub at: Option<UnixMicros>,
}

/// A subnet of either family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseNetwork {
    V4(SubnetId),
    V6(Subnet6Id),
}

/// Whose history is wanted, and of which time.
#[derive(Clone, Debug, Default)]
pub struct LeaseHistoryQuery {
    pub address: Option<String>,
    pub mac_address: Option<String>,
    pub from: Option<UnixMicros>,
    pub until: Option<UnixMicros>,
}

/// A rack that is alive tells of an ended lease within seconds. After this long it will not.
const OVERDUE_GRACE: Duration = Duration::from_hours(1);
/// Rows of one transaction: others shall not wait for it for long.
const SWEEP_ROWS: u32 = 2_000;
/// Transactions of one sweep; what is left waits for the next.
const SWEEP_ROUNDS: u32 = 100;
const HOSTNAME_MAX: usize = 255;

impl App {
    /// The leases that racks told of, by address; or those of an instant.
    ///
    /// # Errors
    /// [`CommandError::Forbidden`](crate::CommandError::Forbidden) unless a user asks. Refusals:
    /// `ADDRESS_INVALID`, `MAC_INVALID`, `HOSTNAME_INVALID`, `NOT_FOUND`, `STATE_WITH_AT`,
    /// `CURSOR_INVALID`.
    pub async fn leases(
        &self,
        actor: &Actor,
        page: &PageRequest,
        query: &LeaseQuery,
    ) -> Answer<Paged<Lease>> {
        actor.must_be_user()?;
        let after: Option<String> = page.cursor()?;
        if query.at.is_some() && query.state.is_some() {
            let why = "What was leased at an instant was ACTIVE then; leave out one of the two.";
            return Err(Refusal::new("STATE_WITH_AT", &["filter", "state"], why).into());
        }
        if query.hostname.as_ref().is_some_and(|it| HOSTNAME_MAX < it.len()) {
            let why = format!("A hostname has at most {HOSTNAME_MAX} bytes; give its beginning.");
            return Err(Refusal::new("HOSTNAME_INVALID", &["filter", "hostname"], why).into());
        }
        let mut tx = self.read().await?;
        let filter = LeaseFilter {
            address: block(query.address.as_deref(), &["filter", "address"])?,
            mac: mac(query.mac_address.as_deref(), &["filter", "macAddress"])?,
            keys: match query.subnet {
                Some(network) => Some(keys(&mut tx, network).await?),
                None => None,
            },
            hostname: query.hostname.clone(),
            state: query.state,
            at: query.at,
        };
        let (now, limit) = (self.now(), page.limit() + 1);
        let rows = lease_list::page(&mut tx, &filter, now, after.as_deref(), limit).await?;
        Ok(page.cut(rows, |it| it.address.key()))
    }

    /// Who held an address, or what a card held, the latest first.
    ///
    /// # Errors
    /// [`CommandError::Forbidden`](crate::CommandError::Forbidden) unless a user asks. Refusals:
    /// `ADDRESS_INVALID`, `MAC_INVALID`, `SUBJECT_INVALID`, `CURSOR_INVALID`.
    pub async fn lease_history(
        &self,
        actor: &Actor,
        page: &PageRequest,
        query: &LeaseHistoryQuery,
    ) -> Answer<Paged<LeaseSpan>> {
        actor.must_be_user()?;
        let address = block(query.address.as_deref(), &["address"])?;
        let mac = mac(query.mac_address.as_deref(), &["macAddress"])?;
        let subject = match (address, mac) {
            (Some(block), None) => LeaseSubject::Block(block),
            (None, Some(mac)) => LeaseSubject::Card(mac),
            _ => {
                let why = "Give either `address` or `macAddress`.";
                return Err(Refusal::new("SUBJECT_INVALID", &["address"], why).into());
            }
        };
        let from = query.from.unwrap_or(UnixMicros(i64::MIN));
        let until = query.until.unwrap_or(UnixMicros(i64::MAX));
        let after = page.cursor::<Place>()?.map(|it| (it.from, it.id));
        let (mut tx, limit) = (self.read().await?, page.limit() + 1);
        let rows = lease_history::page(&mut tx, subject, (from, until), after, limit).await?;
        Ok(page.cut(rows, |it| format!("{}/{}", it.from.0, it.id)))
    }

    /// Ends leases that ran out unnoticed, and forgets what is older than the region keeps.
    ///
    /// # Errors
    /// See [`App::sweep`].
    pub(crate) async fn sweep_leases(&self) -> Answer<()> {
        for _ in 0..SWEEP_ROUNDS {
            let touched: u64 =
                transact!(self, &Actor::System("region"), |work| sweep(&mut work.tx, work.now)
                    .await)?;
            if touched < u64::from(SWEEP_ROWS) {
                break;
            }
        }
        Ok(())
    }
}

/// One round; returns the most rows that any of its statements touched.
async fn sweep(tx: &mut Tx, now: UnixMicros) -> Inner<u64> {
    let grace_us = i64::try_from(OVERDUE_GRACE.as_micros()).unwrap_or(i64::MAX);
    let days = settings::load(tx).await?.lease_history_days;
    let kept = i64::from(days).saturating_mul(24 * 60 * 60 * 1_000_000);
    let before = UnixMicros(now.0.saturating_sub(kept));
    let ended = lease_history::end_overdue(tx, now, grace_us, SWEEP_ROWS).await?;
    let forgotten = lease_history::prune(tx, before, SWEEP_ROWS).await?;
    let addresses = lease::prune(tx, before, SWEEP_ROWS).await?;
    Ok(ended.max(forgotten).max(addresses))
}

/// Where a page of the history ended.
struct Place {
    from: i64,
    id: String,
}

impl std::str::FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (from, id) = text.split_once('/').ok_or(())?;
        Ok(Self { from: from.parse().map_err(drop)?, id: id.to_owned() })
    }
}

fn block(text: Option<&str>, field: &[&str]) -> Result<Option<LeaseBlock>, Refusal> {
    let read = |text: &str| {
        text.trim().parse().map_err(|_| {
            let shown: String = text.chars().take(64).collect();
            let why = format!(
                "`{shown}` is no address; write it like 10.20.0.1, 2001:db8::1 or 2001:db8::/56."
            );
            Refusal::new("ADDRESS_INVALID", field, why)
        })
    };
    text.map(read).transpose()
}

fn mac(text: Option<&str>, field: &[&str]) -> Result<Option<Mac>, Refusal> {
    let read = |text: &str| {
        text.trim().parse().map_err(|_| {
            let shown: String = text.chars().take(64).collect();
            let why = format!("`{shown}` is no MAC address; write it like 52:54:00:12:34:56.");
            Refusal::new("MAC_INVALID", field, why)
        })
    };
    text.map(read).transpose()
}

async fn keys(tx: &mut Tx, network: LeaseNetwork) -> Answer<(String, String)> {
    let cidr: Option<ipnet::IpNet> = match network {
        LeaseNetwork::V4(id) => subnet::by_id(tx, id).await?.map(|it| it.cidr.into()),
        LeaseNetwork::V6(id) => subnet6::by_id(tx, id).await?.map(|it| it.cidr.into()),
    };
    let cidr = cidr.ok_or_else(|| not_found("subnet", "filter.subnetId"))?;
    Ok(LeaseBlock::keys_in(&cidr))
}
