use ironherd_app::{
    Actor, LeaseQuery, PageRequest, RackAlarmReport, RackBootEvent, RackLease, RackRegister,
    RackReport, rack_alarms,
};
use ironherd_domain::{BootStage, LeaseState, RackAlarmKind};

use crate::harness::{CARD, Region, admin, code, regions};

pub(crate) async fn rack(region: &Region) -> Actor {
    let token = region.app.rack_token_ensure().await.unwrap();
    let actor = region.app.actor(token.expose()).await.unwrap();
    let input = RackRegister {
        name: "rack-1".into(),
        version: "0.1".into(),
        addresses: vec!["10.20.0.2".into()],
    };
    region.app.rack_register(&actor, input).await.unwrap();
    actor
}

fn lease(address: &str, card: &str) -> RackLease {
    RackLease {
        address: address.into(),
        mac_address: Some(card.into()),
        client: None,
        hostname: Some("node".into()),
        state: LeaseState::Active,
        started_unix_seconds: 1_700_000_000,
        expires_unix_seconds: 1_700_000_600,
    }
}

#[tokio::test]
async fn a_repeated_report_changes_nothing() {
    for region in regions().await {
        let rack = rack(&region).await;
        let report = |sequence, address: &str| RackReport {
            epoch: 7,
            sequence,
            snapshot_generation: 3,
            leases: vec![lease(address, CARD), lease("nonsense", CARD)],
            ..RackReport::default()
        };
        let rows = [(1, "10.20.0.50", 1), (1, "10.20.0.51", 1), (2, "10.20.0.52", 2)];
        for (sequence, address, leases) in rows {
            let taken = region.app.rack_report(&rack, report(sequence, address)).await.unwrap();
            assert_eq!(taken.sequence, sequence);
            let query = LeaseQuery::default();
            let all = region.app.leases(&admin(), &PageRequest::default(), &query).await.unwrap();
            assert_eq!(all.items.len(), leases, "{}", region.engine);
        }
        let racks = region.app.racks(&admin(), &PageRequest::default()).await.unwrap();
        let it = &racks.items[0].1;
        assert_eq!((it.name.as_str(), it.snapshot_generation), ("rack-1", Some(3)));
        assert!(region.app.rack_connected(it));
        region.pass(std::time::Duration::from_mins(1));
        assert!(!region.app.rack_connected(it));
    }
}

#[tokio::test]
async fn a_rack_registers_before_it_reports() {
    for region in regions().await {
        let token = region.app.rack_token_ensure().await.unwrap();
        let actor = region.app.actor(token.expose()).await.unwrap();
        let refused = region.app.rack_report(&actor, RackReport::default()).await;
        assert_eq!(code(refused), "RACK_UNKNOWN");
    }
}

#[tokio::test]
async fn a_boot_makes_one_event_a_stage() {
    for region in regions().await {
        region.furnish().await;
        let rack = rack(&region).await;
        let it = region.machine(CARD).await;
        region.app.machine_commission(&admin(), it.id, None).await.unwrap();
        let seen = |second: i64, stage| RackBootEvent {
            at_unix_ms: 1_700_000_000_000 + second * 1_000,
            mac_address: CARD.into(),
            stage,
            detail: "as seen".into(),
        };
        let unknown =
            RackBootEvent { mac_address: "52:54:00:00:00:99".into(), ..seen(1, BootStage::Dhcp) };
        let boot_events = vec![
            seen(1, BootStage::Dhcp),
            seen(2, BootStage::Dhcp),
            seen(3, BootStage::Tftp),
            seen(4, BootStage::Tftp),
            seen(5, BootStage::Script),
            seen(20, BootStage::Dhcp), // The kernel asks for an address: the same boot.
            unknown,
        ];
        let report = RackReport { sequence: 1, boot_events, ..RackReport::default() };
        region.app.rack_report(&rack, report).await.unwrap();
        let page = PageRequest { first: Some(500), after: None };
        let events = region.app.events(&admin(), &page, Some(it.id)).await.unwrap();
        let boots = events.items.iter().filter(|(_, it)| it.kind == "BOOT");
        let said: Vec<_> = boots.map(|(_, it)| it.message.as_str()).collect();
        assert_eq!(said, ["DHCP: as seen", "TFTP: as seen", "SCRIPT: as seen"]);
        let it = region.load(it.id).await;
        assert_eq!(it.boot_stage, Some(BootStage::Script));
        let reboot = RackReport {
            sequence: 2,
            boot_events: vec![seen(600, BootStage::Dhcp)],
            ..RackReport::default()
        };
        region.app.rack_report(&rack, reboot).await.unwrap();
        assert_eq!(region.load(it.id).await.boot_stage, Some(BootStage::Dhcp), "it booted again");
    }
}

#[tokio::test]
async fn an_alarm_is_told_when_it_begins_and_when_it_is_over() {
    let alarm = |kind, subject: &str, message: &str| RackAlarmReport {
        kind,
        subject: subject.to_owned(),
        message: message.to_owned(),
    };
    let low = |message| alarm(RackAlarmKind::PoolLow, "10.20.0.100-10.20.0.199", message);
    let foreign = |server| alarm(RackAlarmKind::ForeignDhcpServer, server, "stop it");
    for region in regions().await {
        let rack = rack(&region).await;
        // What the rack says; how many alarms stand then, and the kind of the last event.
        let rows = [
            (Some(vec![low("80 of 100")]), 1, "ALARM_RAISED"),
            (None, 1, "ALARM_RAISED"),
            (Some(vec![low("81 of 100"), foreign("10.20.0.9 on lab")]), 2, "ALARM_RAISED"),
            // A rack of this region is no stranger: that is the first one's own address.
            (Some(vec![low("82 of 100"), foreign("10.20.0.2 on lab")]), 1, "ALARM_OVER"),
            (Some(Vec::new()), 0, "ALARM_OVER"),
        ];
        let mut since = None;
        for (sequence, (alarms, count, event)) in (1..).zip(rows) {
            let report =
                RackReport { epoch: 7, sequence, alarms: alarms.clone(), ..RackReport::default() };
            region.app.rack_report(&rack, report.clone()).await.unwrap();
            region.app.rack_report(&rack, report).await.unwrap(); // The answer was lost.
            let racks = region.app.racks(&admin(), &PageRequest::default()).await.unwrap();
            let standing = rack_alarms(&racks.items[0].1);
            assert_eq!(standing.len(), count, "{} {alarms:?}", region.engine);
            if let Some(low) = standing.iter().find(|it| it.kind == RackAlarmKind::PoolLow) {
                assert_eq!(*since.get_or_insert(low.since), low.since, "since it began");
            }
            let events = region.app.events(&admin(), &PageRequest::default(), None).await.unwrap();
            assert_eq!(events.items.last().unwrap().1.kind, event);
            region.pass(std::time::Duration::from_secs(10));
        }
        let events = region.app.events(&admin(), &PageRequest::default(), None).await.unwrap();
        let of = |kind| events.items.iter().filter(|it| it.1.kind == kind).count();
        assert_eq!((of("ALARM_RAISED"), of("ALARM_OVER")), (2, 2), "each once");
    }
}

#[tokio::test]
async fn a_gap_is_told_again_when_its_answer_was_lost() {
    for region in regions().await {
        let rack = rack(&region).await;
        // The sequence, and whether all leases are to be told.
        let rows =
            [(1, false), (5, true), (5, true), (6, false), (6, false), (9, true), (10, false)];
        for (sequence, want) in rows {
            let report = RackReport { epoch: 7, sequence, ..RackReport::default() };
            let taken = region.app.rack_report(&rack, report).await.unwrap();
            assert_eq!((taken.sequence, taken.resync), (sequence, want), "{}", region.engine);
        }
    }
}
