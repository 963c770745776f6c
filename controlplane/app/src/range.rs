use std::net::Ipv4Addr;

use ironherd_domain::ipam::{self, Plan, Span};
use ironherd_domain::{ClassId, RangeId};
use ironherd_store::{Range, SnapshotChange, Subnet, lease, range, subnet};

use crate::subnet::load;
use crate::work::{Inner, Work, not_found, transact};
use crate::{Actor, Answer, App, RangeCreate, RangeUpdate, RangeUpdated, address, client_class};

/// Leases in more addresses than this are not counted one by one.
const COUNTED_MAX: u64 = 65_536;

impl App {
    /// Gives the rack addresses to hand out itself.
    ///
    /// # Errors
    /// Refusals: `SUBNET_NOT_FOUND`, `ADDRESS_INVALID`, `RANGE_BACKWARDS`,
    /// `RANGE_OUTSIDE_SUBNET`, `RANGE_OVERLAP`, `RANGE_HOLDS_GATEWAY`, `RANGE_HOLDS_RESERVATION`,
    /// `CLASS_NOT_FOUND`.
    pub async fn range_create(&self, actor: &Actor, input: RangeCreate) -> Answer<Subnet> {
        actor.must_be_user()?;
        let span = Span {
            first: ipam::address(&input.first, &["input", "first"])?,
            last: ipam::address(&input.last, &["input", "last"])?,
        };
        transact!(self, actor, |work| {
            let it = load(&mut work, input.subnet_id, "input.subnetId").await?;
            let plan = address::plan(&mut work, &it).await?;
            plan.check_range(span, &["input", "first"])?;
            check_class(&mut work, input.class_id).await?;
            subnet::touch(&mut work.tx, &it).await?;
            let Span { first, last } = span;
            let (id, subnet_id, class_id) = (RangeId::new(), it.id, input.class_id);
            range::insert(&mut work.tx, &Range { id, subnet_id, first, last, class_id }).await?;
            work.event(None, "RANGE_CREATED", format!("{first}–{last} in {}", it.name));
            work.touch(SnapshotChange::Subnet(it.id));
            load(&mut work, it.id, "input.subnetId").await
        })
    }

    /// Moves the ends of a range, or says whom it is for. What it no longer holds is drained: a
    /// lease there lives until it ends and is not renewed, and nobody new gets the address.
    ///
    /// # Errors
    /// Refusals: `NOT_FOUND` and those of [`App::range_create`]: `ADDRESS_INVALID`,
    /// `RANGE_BACKWARDS`, `RANGE_OUTSIDE_SUBNET`, `RANGE_OVERLAP`, `RANGE_HOLDS_GATEWAY`,
    /// `RANGE_HOLDS_RESERVATION`, `CLASS_NOT_FOUND`.
    pub async fn range_update(
        &self,
        actor: &Actor,
        id: RangeId,
        input: RangeUpdate,
    ) -> Answer<RangeUpdated> {
        actor.must_be_user()?;
        let end = |text: &Option<String>, name| {
            text.as_deref().map(|it| ipam::address(it, &["input", name])).transpose()
        };
        let (first, last) = (end(&input.first, "first")?, end(&input.last, "last")?);
        transact!(self, actor, |work| {
            let Some(old) = range::by_id(&mut work.tx, id).await? else {
                return Err(not_found("range", "id").into());
            };
            let mut new = old.clone();
            new.first = first.unwrap_or(old.first);
            new.last = last.unwrap_or(old.last);
            new.class_id = input.class_id.unwrap_or(old.class_id);
            check_class(&mut work, new.class_id).await?;
            let it = load(&mut work, old.subnet_id, "id").await?;
            let plan = without(address::plan(&mut work, &it).await?, &old);
            let span = Span { first: new.first, last: new.last };
            plan.check_range(span, &["input", "first"])?;
            subnet::touch(&mut work.tx, &it).await?;
            range::update(&mut work.tx, &new).await?;
            let draining = draining(&mut work, &old, &new).await?;
            let text = format!("{}–{} is now {}–{}", old.first, old.last, new.first, new.last);
            work.event(None, "RANGE_UPDATED", text);
            work.touch(SnapshotChange::Subnet(old.subnet_id));
            let subnet = load(&mut work, old.subnet_id, "id").await?;
            Ok(RangeUpdated { subnet, draining })
        })
    }

    /// # Errors
    /// Refusals: `NOT_FOUND`.
    pub async fn range_delete(&self, actor: &Actor, id: RangeId) -> Answer<Subnet> {
        actor.must_be_user()?;
        transact!(self, actor, |work| {
            let found = range::by_id(&mut work.tx, id).await?;
            let Some(row) = found else { return Err(not_found("range", "id").into()) };
            range::delete(&mut work.tx, id).await?;
            work.event(None, "RANGE_DELETED", format!("{}–{}", row.first, row.last));
            work.touch(SnapshotChange::Subnet(row.subnet_id));
            load(&mut work, row.subnet_id, "id").await
        })
    }
}

/// The plan as if the range were not there: it may overlap what it was.
fn without(mut plan: Plan, old: &Range) -> Plan {
    plan.ranges.retain(|it| (it.first, it.last) != (old.first, old.last));
    plan
}

async fn check_class(work: &mut Work, id: Option<ClassId>) -> Inner<()> {
    match id {
        None => Ok(()),
        Some(id) => {
            client_class::load(work, id, "CLASS_NOT_FOUND", "input.classId").await.map(|_| ())
        }
    }
}

/// How many live leases lie in what the range no longer holds; `None` if it is too much to count.
async fn draining(work: &mut Work, old: &Range, new: &Range) -> Inner<Option<u64>> {
    let (first, last) = (u64::from(u32::from(old.first)), u64::from(u32::from(old.last)));
    let (low, high) = (u64::from(u32::from(new.first)), u64::from(u32::from(new.last)));
    let (below, above) = (first..low.min(last + 1), first.max(high + 1)..last + 1);
    let len = |it: &std::ops::Range<u64>| it.end.saturating_sub(it.start);
    let size = len(&below) + len(&above);
    if COUNTED_MAX < size {
        return Ok(None);
    }
    let address = |it| u32::try_from(it).ok().map(Ipv4Addr::from);
    let gone: Vec<Ipv4Addr> = below.chain(above).filter_map(address).collect();
    Ok(Some(lease::count_active(&mut work.tx, &gone, work.now).await?))
}
