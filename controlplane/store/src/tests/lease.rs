use ironherd_domain::{LeaseBlock, LeaseEnd, LeaseId, LeaseState, RackId, UnixMicros};

use super::{NOW, both, mac};
use crate::{Lease, LeaseFilter, LeaseSubject, Tx, lease, lease_history, lease_list, rack};

const SECOND: i64 = 1_000_000;
const ALWAYS: (UnixMicros, UnixMicros) = (UnixMicros(i64::MIN), UnixMicros(i64::MAX));

fn at(second: i64) -> UnixMicros {
    UnixMicros(NOW.0 + second * SECOND)
}

/// What a rack says at one second of a lease of `address` that ends at another.
fn said(address: &str, card: u8, state: LeaseState, from: i64, until: i64) -> Lease {
    Lease {
        id: LeaseId::new(),
        address: address.parse().unwrap(),
        mac: Some(mac(card)),
        client: None,
        hostname: Some(format!("Node-{card}")),
        state,
        started: at(from),
        expires: at(until),
        rack_id: RackId(uuid::Uuid::nil()),
        epoch: 1,
        sequence: 1,
    }
}

/// Card, from, until, end of a row of history; seconds.
type Span = (u8, i64, i64, Option<LeaseEnd>);
/// Card, state, from, until of a report; seconds.
type Step = (u8, LeaseState, i64, i64);

async fn history(tx: &mut Tx, subject: LeaseSubject) -> Vec<Span> {
    let rows = lease_history::page(tx, subject, ALWAYS, None, 99).await.unwrap();
    let second = |it: UnixMicros| (it.0 - NOW.0) / SECOND;
    rows.iter()
        .map(|it| (it.mac.unwrap().0[5], second(it.from), second(it.until), it.ended))
        .collect()
}

#[tokio::test]
async fn a_lease_is_one_row_of_history_however_often_it_is_renewed() {
    use LeaseState::{Active, Declined, Expired, Released};
    const ADDRESS: &str = "10.20.0.100";
    let rows: &[(&str, &[Step], &[Span])] = &[
        ("renewed", &[(1, Active, 0, 60), (1, Active, 30, 90)], &[(1, 0, 90, None)]),
        (
            "released and had again",
            &[(1, Active, 0, 60), (1, Released, 10, 60), (1, Active, 20, 80)],
            &[(1, 20, 80, None), (1, 0, 10, Some(LeaseEnd::Released))],
        ),
        (
            "ran out, told late",
            &[(1, Active, 0, 60), (1, Expired, 65, 60)],
            &[(1, 0, 60, Some(LeaseEnd::Expired))],
        ),
        (
            "found in use",
            &[(1, Active, 0, 60), (1, Declined, 5, 3600)],
            &[(1, 0, 5, Some(LeaseEnd::Declined))],
        ),
        (
            "another client, before the end",
            &[(1, Active, 0, 60), (2, Active, 30, 90)],
            &[(2, 30, 90, None), (1, 0, 30, Some(LeaseEnd::Moved))],
        ),
        (
            "another client, after the end",
            &[(1, Active, 0, 60), (2, Active, 70, 130)],
            &[(2, 70, 130, None), (1, 0, 60, Some(LeaseEnd::Expired))],
        ),
        (
            "the end of the last holder is told after the next has it",
            &[(1, Active, 0, 60), (2, Active, 61, 130), (1, Expired, 62, 60)],
            &[(2, 61, 130, None), (1, 0, 60, Some(LeaseEnd::Expired))],
        ),
        ("told twice", &[(1, Released, 5, 60), (1, Released, 5, 60)], &[]),
    ];
    for (_database, db) in both().await {
        for (what, steps, want) in rows {
            let mut tx = db.write().await.unwrap();
            for (card, state, from, until) in *steps {
                let row = said(ADDRESS, *card, *state, *from, *until);
                lease::upsert(&mut tx, &row).await.unwrap();
            }
            let subject = LeaseSubject::Block(ADDRESS.parse().unwrap());
            assert_eq!(history(&mut tx, subject).await, *want, "{what}");
            let of_card = history(&mut tx, LeaseSubject::Card(mac(1))).await;
            let want: Vec<_> = want.iter().filter(|it| it.0 == 1).copied().collect();
            assert_eq!(of_card, want, "{what}");
        }
    }
}

/// What is asked for, and each `address/card` that is found, in order.
fn questions() -> Vec<(LeaseFilter, Vec<String>)> {
    use LeaseState::{Active, Declined, Released};
    let filter = LeaseFilter::default;
    let now = |it: &str| -> (LeaseFilter, Vec<String>) {
        (filter(), it.split_whitespace().map(str::to_owned).collect())
    };
    let of = |it: LeaseFilter, want: &str| (it, now(want).1);
    let keys = |net: &str| Some(LeaseBlock::keys_in(&net.parse().unwrap()));
    vec![
        now("10.20.0.9/3 10.20.0.10/2 10.20.0.100/1 10.21.0.1/4 2001:db8::7/6 2001:db8:1::/56/5"),
        of(
            LeaseFilter { keys: keys("10.20.0.0/24"), ..filter() },
            "10.20.0.9/3 10.20.0.10/2 10.20.0.100/1",
        ),
        of(LeaseFilter { keys: keys("2001:db8:1::/48"), ..filter() }, "2001:db8:1::/56/5"),
        of(LeaseFilter { address: "2001:DB8::7".parse().ok(), ..filter() }, "2001:db8::7/6"),
        of(LeaseFilter { mac: Some(mac(2)), ..filter() }, "10.20.0.10/2"),
        of(LeaseFilter { hostname: Some("nODE-3".into()), ..filter() }, "10.20.0.9/3"),
        of(LeaseFilter { hostname: Some("ode".into()), ..filter() }, ""),
        of(LeaseFilter { state: Some(Declined), ..filter() }, "10.21.0.1/4"),
        of(LeaseFilter { state: Some(Released), ..filter() }, "10.20.0.9/3"),
        of(LeaseFilter { state: Some(LeaseState::Expired), ..filter() }, "10.20.0.100/1"),
        of(
            LeaseFilter { state: Some(Active), ..filter() },
            "10.20.0.10/2 2001:db8::7/6 2001:db8:1::/56/5",
        ),
        // At second 5 card 1 had .9 and .100, and card 4 had not declined yet.
        of(LeaseFilter { at: Some(at(5)), ..filter() }, "10.20.0.9/1 10.20.0.100/1 10.21.0.1/4"),
        of(
            LeaseFilter { at: Some(at(5)), mac: Some(mac(1)), ..filter() },
            "10.20.0.9/1 10.20.0.100/1",
        ),
        of(
            LeaseFilter { at: Some(at(15)), hostname: Some("node-3".into()), ..filter() },
            "10.20.0.9/3",
        ),
        of(
            LeaseFilter { at: Some(at(15)), keys: keys("10.20.0.8/30"), ..filter() },
            "10.20.0.9/3 10.20.0.10/2",
        ),
        of(LeaseFilter { at: Some(at(35)), address: "10.20.0.9".parse().ok(), ..filter() }, ""),
        of(LeaseFilter { at: Some(at(-1)), ..filter() }, ""),
    ]
}

#[tokio::test]
async fn leases_are_found_now_and_then() {
    use LeaseState::{Active, Declined, Released};
    let rows = questions();
    for (_database, db) in both().await {
        let mut tx = db.write().await.unwrap();
        for row in [
            said("10.20.0.100", 1, Active, 0, 60),
            said("10.20.0.9", 1, Active, 0, 60),
            said("10.20.0.9", 3, Active, 10, 70),
            said("10.20.0.9", 3, Released, 30, 70),
            said("10.20.0.10", 2, Active, 10, 500),
            said("10.21.0.1", 4, Active, 0, 500),
            said("10.21.0.1", 4, Declined, 8, 500),
            said("2001:db8:1::/56", 5, Active, 20, 500),
            said("2001:db8::7", 6, Active, 20, 500),
        ] {
            lease::upsert(&mut tx, &row).await.unwrap();
        }
        for (filter, want) in &rows {
            // In pages of two: put together they are the list.
            let (mut got, mut after): (Vec<String>, Option<String>) = (Vec::new(), None);
            loop {
                let page = lease_list::page(&mut tx, filter, at(100), after.as_deref(), 2).await;
                let page = page.unwrap();
                got.extend(
                    page.iter().map(|it| format!("{}/{}", it.address, it.mac.unwrap().0[5])),
                );
                after = page.last().map(|it| it.address.key());
                if page.len() < 2 {
                    break;
                }
            }
            assert_eq!(got, *want, "{filter:?}");
        }
        assert_eq!(lease::of_mac(&mut tx, mac(2)).await.unwrap().len(), 1);
        let address = "10.20.0.10".parse().unwrap();
        assert_eq!(lease::count_active(&mut tx, &[address], at(100)).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn pages_of_a_history_put_together_are_the_history() {
    for (_database, db) in both().await {
        let mut tx = db.write().await.unwrap();
        for step in 0..7 {
            let card = u8::try_from(step % 2 + 1).unwrap();
            let row = said("10.20.0.5", card, LeaseState::Active, step * 10, step * 10 + 60);
            lease::upsert(&mut tx, &row).await.unwrap();
        }
        let subject = LeaseSubject::Block("10.20.0.5".parse().unwrap());
        let (mut got, mut after) = (Vec::new(), None);
        loop {
            let page = lease_history::page(&mut tx, subject, ALWAYS, after, 2).await.unwrap();
            got.extend(page.iter().map(|it| (it.from.0 - NOW.0) / SECOND));
            after = page.last().map(|it| (it.from.0, it.id.clone()));
            if page.len() < 2 {
                break;
            }
        }
        assert_eq!(got, [60, 50, 40, 30, 20, 10, 0]);
        let between = (at(25), at(45));
        let some = lease_history::page(&mut tx, subject, between, None, 9).await.unwrap();
        let some: Vec<i64> = some.iter().map(|it| (it.from.0 - NOW.0) / SECOND).collect();
        assert_eq!(some, [40, 30, 20]);
    }
}

#[tokio::test]
async fn what_ran_out_unnoticed_ends_and_what_is_old_is_forgotten() {
    const GRACE: i64 = 100 * SECOND;
    for (_database, db) in both().await {
        let mut tx = db.write().await.unwrap();
        let alive = rack::upsert(&mut tx, "alive", "1", &[], None, at(500)).await.unwrap().id;
        let away = rack::upsert(&mut tx, "away", "1", &[], None, at(0)).await.unwrap().id;
        for (address, rack_id, until) in [
            ("10.20.0.1", alive, 60),
            ("10.20.0.2", alive, 70),
            ("10.20.0.3", alive, 450), // Its end may yet be told.
            ("10.20.0.4", away, 60),   // Perhaps renewed: nobody has heard of the rack since.
        ] {
            let row = said(address, 1, LeaseState::Active, 0, until);
            lease::upsert(&mut tx, &Lease { rack_id, ..row }).await.unwrap();
        }
        for want in [1, 1, 0] {
            let ended = lease_history::end_overdue(&mut tx, at(500), GRACE, 1).await.unwrap();
            assert_eq!(ended, want);
        }
        let want = [
            (1, 0, 450, None),
            (1, 0, 70, Some(LeaseEnd::Expired)),
            (1, 0, 60, None),
            (1, 0, 60, Some(LeaseEnd::Expired)),
        ];
        let mut got = history(&mut tx, LeaseSubject::Card(mac(1))).await;
        got.sort_by_key(|it| (-it.2, it.3.is_some()));
        assert_eq!(got, want);
        for (before, want) in [(60, 0), (61, 1), (61, 0), (1_000, 1)] {
            let gone = lease_history::prune(&mut tx, at(before), 1).await.unwrap();
            assert_eq!(gone, want, "before {before}");
        }
        assert_eq!(lease::prune(&mut tx, at(1_000), 9).await.unwrap(), 2);
        let left = lease_list::page(&mut tx, &LeaseFilter::default(), at(0), None, 9).await;
        assert_eq!(left.unwrap().len(), 2, "what runs stays");
    }
}

#[tokio::test]
async fn what_a_rack_no_longer_names_is_over() {
    let other = RackId(uuid::Uuid::max());
    for (_database, db) in both().await {
        let mut tx = db.write().await.unwrap();
        let active = |address, until| said(address, 1, LeaseState::Active, 0, until);
        for row in [
            Lease { epoch: 1, sequence: 9, ..active("10.20.0.1", 500) },
            Lease { epoch: 2, sequence: 3, ..active("10.20.0.2", 60) },
            Lease { epoch: 2, sequence: 4, ..active("10.20.0.3", 500) },
            Lease { rack_id: other, ..active("10.20.0.4", 500) },
        ] {
            lease::upsert(&mut tx, &row).await.unwrap();
        }
        let rack = RackId(uuid::Uuid::nil());
        for want in [2, 0] {
            let ended = lease_history::end_unnamed(&mut tx, rack, 2, 4, at(100)).await.unwrap();
            assert_eq!(ended, want);
        }
        let mut ends = Vec::new();
        for last in 1..=4 {
            let subject = LeaseSubject::Block(format!("10.20.0.{last}").parse().unwrap());
            ends.extend(history(&mut tx, subject).await);
        }
        let want = [
            (1, 0, 100, Some(LeaseEnd::Unreported)),
            (1, 0, 60, Some(LeaseEnd::Expired)),
            (1, 0, 500, None),
            (1, 0, 500, None),
        ];
        assert_eq!(ends, want);
    }
}
