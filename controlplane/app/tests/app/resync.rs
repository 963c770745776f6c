//! Whatever of a rack's reports is lost: once it has told all, the region's table is the rack's.

use std::collections::BTreeMap;

use ironherd_app::{Actor, LeaseHistoryQuery, LeaseQuery, PageRequest, RackLease, RackReport};
use ironherd_domain::LeaseState;

use crate::harness::{Region, admin, regions};
use crate::rack::rack;

/// What a rack holds, and what is on its way to the region.
struct Rack {
    random: u64,
    held: BTreeMap<u8, u8>, // Address and card, by their last bytes.
    now: i64,
    epoch: u64,
    sequence: u64,
}

impl Rack {
    fn draw(&mut self, below: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.random >> 33) % below
    }

    fn lease(&self, address: u8, card: u8, state: LeaseState) -> RackLease {
        RackLease {
            address: format!("10.20.0.{address}"),
            mac_address: Some(format!("52:54:00:77:00:{card:02x}")),
            client: None,
            hostname: None,
            state,
            started_unix_seconds: self.now,
            expires_unix_seconds: self.now + 1_000_000,
        }
    }

    /// One client does something.
    fn step(&mut self) -> RackLease {
        self.now += 1;
        let address = u8::try_from(self.draw(12)).unwrap();
        let card = u8::try_from(self.draw(5)).unwrap();
        match self.held.get(&address).copied() {
            Some(holder) if self.draw(2) == 0 => {
                self.held.remove(&address);
                self.lease(address, holder, LeaseState::Released)
            }
            Some(holder) => self.lease(address, holder, LeaseState::Active),
            None => {
                self.held.insert(address, card);
                self.lease(address, card, LeaseState::Active)
            }
        }
    }

    fn report(&mut self, leases: Vec<RackLease>, resynced_since: Option<u64>) -> RackReport {
        self.sequence += 1;
        let (epoch, sequence) = (self.epoch, self.sequence);
        RackReport { epoch, sequence, leases, resynced_since, ..RackReport::default() }
    }
}

#[tokio::test]
async fn after_a_round_the_tables_are_equal_whatever_was_lost() {
    for region in regions().await {
        let actor = rack(&region).await;
        for seed in 1..=6 {
            check_round(&region, &actor, seed).await;
        }
    }
}

async fn check_round(region: &Region, actor: &Actor, seed: u64) {
    let mut it = Rack {
        random: seed,
        held: BTreeMap::new(), // A new run, whose journal was lost as well.
        now: region.app.now().0 / 1_000_000 + i64::try_from(seed).unwrap() * 10_000,
        epoch: seed,
        sequence: 0,
    };
    for _ in 0..20 {
        let steps: Vec<_> = (0..10).map(|_| it.step()).collect();
        let told = steps.into_iter().filter(|_| it.draw(3) != 0).collect();
        let report = it.report(told, None);
        if it.draw(4) != 0 {
            region.app.rack_report(actor, report).await.unwrap();
        }
    }
    let since = it.sequence + 1;
    // The rack tells its table in parts; clients go on meanwhile, and of that nothing is lost.
    for part in 0..4 {
        let table: Vec<_> = it.held.iter().filter(|(address, _)| *address % 4 == part).collect();
        let table = table.iter().map(|(address, card)| (**address, **card));
        let mut leases: Vec<_> =
            table.map(|(address, card)| it.lease(address, card, LeaseState::Active)).collect();
        leases.extend((0..5).map(|_| it.step()));
        let report = it.report(leases, (part == 3).then_some(since));
        for _ in 0..2 {
            // Its answer was lost: it comes again and changes nothing.
            region.app.rack_report(actor, report.clone()).await.unwrap();
        }
    }
    let query = LeaseQuery { state: Some(LeaseState::Active), ..LeaseQuery::default() };
    let active = region.app.leases(&admin(), &PageRequest::default(), &query).await.unwrap();
    let got: BTreeMap<u8, u8> = active
        .items
        .iter()
        .map(|(_, it)| (it.address.v4().unwrap().octets()[3], it.mac.unwrap().0[5]))
        .collect();
    assert_eq!(got, it.held, "{}, seed {seed}", region.engine);
    for address in 0..12 {
        let address = Some(format!("10.20.0.{address}"));
        let query = LeaseHistoryQuery { address, ..LeaseHistoryQuery::default() };
        let page = PageRequest { first: Some(500), ..PageRequest::default() };
        let spans = region.app.lease_history(&admin(), &page, &query).await.unwrap().items;
        let open = spans.iter().filter(|(_, it)| it.ended.is_none()).count();
        assert!(open <= 1, "{}, seed {seed}: {spans:?}", region.engine);
        // The latest first, and nobody holds an address while another does.
        let apart = spans.windows(2).all(|it| it[1].1.until <= it[0].1.from);
        assert!(apart, "{}, seed {seed}: {spans:?}", region.engine);
    }
}
