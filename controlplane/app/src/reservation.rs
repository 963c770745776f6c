use std::net::Ipv4Addr;

use ironherd_domain::{LeaseState, Mac, Refusal, ReservationId, hostname, ipam};
use ironherd_store::{Reservation, SnapshotChange, Subnet, lease, reservation, subnet};

use crate::subnet::load;
use crate::work::{Inner, Work, not_found, transact};
use crate::{Actor, Answer, App, ReservationCreate, ReservationUpdate, address};

impl App {
    /// Keeps an address for one client: the given one, or the next free one.
    ///
    /// # Errors
    /// Refusals: `SUBNET_NOT_FOUND`, `CLIENT_INVALID`, `CLIENT_TAKEN`, `MAC_INVALID`, `MAC_TAKEN`,
    /// `ADDRESS_INVALID`, `ADDRESS_OUTSIDE_SUBNET`, `ADDRESS_IN_RANGE`, `ADDRESS_TAKEN`,
    /// `SUBNET_FULL`, `HOSTNAME_INVALID`.
    pub async fn reservation_create(
        &self,
        actor: &Actor,
        input: ReservationCreate,
    ) -> Answer<Subnet> {
        actor.must_be_user()?;
        let key = input.client.read(&["input"])?;
        let field = ["input", "address"];
        let wanted = input.address.as_deref().map(|it| ipam::address(it, &field)).transpose()?;
        if let Some(name) = &input.hostname {
            hostname::check(name, &["input", "hostname"])?;
        }
        transact!(self, actor, |work| {
            let mut it = load(&mut work, input.subnet_id, "input.subnetId").await?;
            if let Some(other) = it.reservations.iter().find(|it| it.key == key) {
                let (code, path) = match key.mac() {
                    Some(_) => ("MAC_TAKEN", &["input", "macAddress"][..]),
                    None => ("CLIENT_TAKEN", &["input"][..]),
                };
                let why = format!(
                    "{} has {} here already; change or delete that.",
                    key.told(),
                    other.address
                );
                return Err(Refusal::new(code, path, why).into());
            }
            let address = match wanted {
                Some(address) => {
                    let plan = address::plan(&mut work, &it).await?;
                    plan.check_reservation(address, &field)?;
                    check_leased(&mut work, address, key.mac(), &field).await?;
                    address
                }
                None => address::next_free(&mut work, &it, key.mac(), &field).await?,
            };
            subnet::touch(&mut work.tx, &it).await?;
            let row = Reservation {
                id: ReservationId::new(),
                subnet_id: it.id,
                key: key.clone(),
                address,
                hostname: input.hostname.clone(),
            };
            reservation::insert(&mut work.tx, &row).await?;
            work.event(None, "RESERVATION_CREATED", format!("{address} for {}", key.told()));
            work.touch(SnapshotChange::Reservation(it.id, address));
            it.generation += 1;
            it.reservations.push(row); // Reading thousands again would cost more than all else.
            Ok(it)
        })
    }

    /// Changes the address or the hostname of a client.
    ///
    /// # Errors
    /// Refusals: `NOT_FOUND`, `ADDRESS_INVALID`, `ADDRESS_OUTSIDE_SUBNET`, `ADDRESS_IN_RANGE`,
    /// `ADDRESS_TAKEN`, `HOSTNAME_INVALID`.
    pub async fn reservation_update(
        &self,
        actor: &Actor,
        id: ReservationId,
        input: ReservationUpdate,
    ) -> Answer<Subnet> {
        actor.must_be_user()?;
        let field = ["input", "address"];
        let wanted = input.address.as_deref().map(|it| ipam::address(it, &field)).transpose()?;
        if let Some(Some(name)) = &input.hostname {
            hostname::check(name, &["input", "hostname"])?;
        }
        transact!(self, actor, |work| {
            let found = reservation::by_id(&mut work.tx, id).await?;
            let Some(mut row) = found else { return Err(not_found("reservation", "id").into()) };
            let mut it = load(&mut work, row.subnet_id, "id").await?;
            if let Some(address) = wanted.filter(|it| *it != row.address) {
                let plan = address::plan(&mut work, &it).await?;
                plan.check_reservation(address, &field)?;
                check_leased(&mut work, address, row.key.mac(), &field).await?;
                work.touch(SnapshotChange::Reservation(it.id, row.address));
                row.address = address;
            }
            if let Some(name) = &input.hostname {
                row.hostname.clone_from(name);
            }
            subnet::touch(&mut work.tx, &it).await?;
            reservation::update(&mut work.tx, &row).await?;
            let text = format!("{} for {}", row.address, row.key.told());
            work.event(None, "RESERVATION_UPDATED", text);
            work.touch(SnapshotChange::Reservation(it.id, row.address));
            it.generation += 1;
            if let Some(held) = it.reservations.iter_mut().find(|it| it.id == id) {
                *held = row;
            }
            Ok(it)
        })
    }

    /// # Errors
    /// Refusals: `NOT_FOUND`.
    pub async fn reservation_delete(&self, actor: &Actor, id: ReservationId) -> Answer<Subnet> {
        actor.must_be_user()?;
        transact!(self, actor, |work| {
            let found = reservation::by_id(&mut work.tx, id).await?;
            let Some(row) = found else { return Err(not_found("reservation", "id").into()) };
            reservation::delete(&mut work.tx, id).await?;
            let text = format!("{} of {}", row.address, row.key.told());
            work.event(None, "RESERVATION_DELETED", text);
            work.touch(SnapshotChange::Reservation(row.subnet_id, row.address));
            load(&mut work, row.subnet_id, "id").await
        })
    }
}

/// A machine that uses an address under a lease would share it with the reservation's.
async fn check_leased(
    work: &mut Work,
    at: Ipv4Addr,
    mac: Option<Mac>,
    field: &[&str],
) -> Inner<()> {
    let held = lease::by_address(&mut work.tx, at).await?;
    let held = held.filter(|it| it.state == LeaseState::Active && work.now < it.expires);
    match held.filter(|it| it.mac != mac) {
        None => Ok(()),
        Some(lease) => {
            let seconds = lease.expires.since(work.now).as_secs() + 1;
            let holder = lease.mac.map_or("another client".to_owned(), |it| it.to_string());
            let why = format!(
                "{at} is leased to {holder} for another {seconds} s. Choose another address, or \
                none."
            );
            Err(Refusal::new("ADDRESS_TAKEN", field, why).into())
        }
    }
}
