use std::time::Duration;

use ironherd_app::{
    RackLease, RackRegister, RackReport, RangeCreate, ReservationCreate, SubnetCreate, SubnetUpdate,
};
use ironherd_domain::dhcp::KeyWords;
use ironherd_domain::{LeaseState, RangeId, ReservationId, SubnetId};

use crate::harness::{CARD, admin, code, regions};

fn client(mac: &str) -> KeyWords {
    KeyWords { mac_address: Some(mac.into()), ..KeyWords::default() }
}

fn subnet(cidr: &str) -> SubnetCreate {
    SubnetCreate { cidr: cidr.into(), ..SubnetCreate::default() }
}

#[tokio::test]
async fn a_subnet_is_checked_before_it_is_kept() {
    for region in regions().await {
        let app = &region.app;
        let it = app.subnet_create(&admin(), subnet("10.20.0.0/24")).await.unwrap();
        assert_eq!((it.name.as_str(), it.lease_seconds), ("10.20.0.0/24", 600));
        let outside = Some("10.9.0.1".to_owned());
        let rows = [
            (subnet("10.20.0.7/24"), "CIDR_INVALID", "the network is 10.20.0.0/24"),
            (subnet("mars"), "CIDR_INVALID", "write it like"),
            (subnet("10.20.0.0/16"), "SUBNET_OVERLAP", "overlaps the subnet 10.20.0.0/24"),
            (
                SubnetCreate { gateway: outside, ..subnet("10.8.0.0/24") },
                "GATEWAY_OUTSIDE_SUBNET",
                "10.8.0.1 to 10.8.0.254",
            ),
            (
                SubnetCreate { dns_servers: vec!["x".into()], ..subnet("10.8.0.0/24") },
                "ADDRESS_INVALID",
                "`x`",
            ),
            (SubnetCreate { mtu: Some(70_000), ..subnet("10.8.0.0/24") }, "MTU_INVALID", "70000"),
            (
                SubnetCreate { lease_seconds: Some(1), ..subnet("10.8.0.0/24") },
                "LEASE_SECONDS_INVALID",
                "60",
            ),
            (
                SubnetCreate { domain: Some("a..b".into()), ..subnet("10.8.0.0/24") },
                "DOMAIN_INVALID",
                "dots",
            ),
            (
                SubnetCreate { name: Some(it.name.clone()), ..subnet("10.8.0.0/24") },
                "NAME_TAKEN",
                "10.20.0.0/24",
            ),
        ];
        for (input, want, part) in rows {
            let error = app.subnet_create(&admin(), input).await.unwrap_err();
            assert_eq!(error.code(), Some(want));
            assert!(error.to_string().contains(part), "{error}");
        }
        let update =
            SubnetUpdate { gateway: Some(Some("10.20.0.254".into())), ..Default::default() };
        let it = app.subnet_update(&admin(), it.id, update).await.unwrap();
        assert_eq!(it.gateway, Some([10, 20, 0, 254].into()));
        let update =
            SubnetUpdate { gateway: Some(None), mtu: Some(Some(9000)), ..Default::default() };
        let it = app.subnet_update(&admin(), it.id, update).await.unwrap();
        assert_eq!((it.gateway, it.mtu, it.lease_seconds), (None, Some(9000), 600));
        app.subnet_delete(&admin(), it.id).await.unwrap();
        assert_eq!(code(app.subnet_delete(&admin(), it.id).await), "NOT_FOUND");
    }
}

#[tokio::test]
async fn ranges_and_reservations_keep_clear_of_each_other() {
    for region in regions().await {
        region.furnish().await;
        let app = &region.app;
        let subnets = app.subnets(&admin(), &Default::default()).await.unwrap();
        let subnet_id = subnets.items[0].1.id;
        let range = |first: &str, last: &str| RangeCreate {
            subnet_id,
            first: first.into(),
            last: last.into(),
            class_id: None,
        };
        let reserve = |mac: &str, address: Option<&str>| ReservationCreate {
            subnet_id,
            client: client(mac),
            address: address.map(str::to_owned),
            hostname: None,
        };
        let it = app.range_create(&admin(), range("10.20.0.2", "10.20.0.99")).await.unwrap();
        let rows = [
            (range("10.20.0.50", "10.20.0.150"), "RANGE_OVERLAP"),
            (range("10.20.0.150", "10.20.0.140"), "RANGE_BACKWARDS"),
            (range("10.20.0.200", "10.20.1.2"), "RANGE_OUTSIDE_SUBNET"),
            (range("10.20.0.1", "10.20.0.1"), "RANGE_HOLDS_GATEWAY"),
            (
                RangeCreate { subnet_id: SubnetId::new(), ..range("10.0.0.1", "10.0.0.2") },
                "SUBNET_NOT_FOUND",
            ),
        ];
        for (input, want) in rows {
            assert_eq!(code(app.range_create(&admin(), input).await), want);
        }
        let reserved = app.reservation_create(&admin(), reserve(CARD, None)).await.unwrap();
        assert_eq!(reserved.reservations[0].address.to_string(), "10.20.0.100", "next free");
        let other = "52:54:00:77:00:11";
        let rows = [
            (reserve(CARD, None), "MAC_TAKEN"),
            (reserve("x", None), "MAC_INVALID"),
            (reserve(other, Some("10.20.0.50")), "ADDRESS_IN_RANGE"),
            (reserve(other, Some("10.20.0.100")), "ADDRESS_TAKEN"),
            (reserve(other, Some("10.20.0.1")), "ADDRESS_TAKEN"),
            (reserve(other, Some("10.21.0.5")), "ADDRESS_OUTSIDE_SUBNET"),
            (reserve(other, Some("5")), "ADDRESS_INVALID"),
        ];
        for (input, want) in rows {
            assert_eq!(code(app.reservation_create(&admin(), input).await), want);
        }
        let held = app.range_create(&admin(), range("10.20.0.100", "10.20.0.110")).await;
        assert_eq!(code(held), "RANGE_HOLDS_RESERVATION");
        let it = app.range_delete(&admin(), it.ranges[0].id).await.unwrap();
        assert!(it.ranges.is_empty());
        let row = it.reservations[0].id;
        assert!(app.reservation_delete(&admin(), row).await.unwrap().reservations.is_empty());
        assert_eq!(code(app.range_delete(&admin(), RangeId::new()).await), "NOT_FOUND");
        let unknown = app.reservation_delete(&admin(), ReservationId::new()).await;
        assert_eq!(code(unknown), "NOT_FOUND");
    }
}

#[tokio::test]
async fn a_leased_address_is_reserved_for_its_holder_only() {
    for region in regions().await {
        region.furnish().await;
        let app = &region.app;
        let rack = app.rack_token_ensure().await.unwrap();
        let rack = app.actor(rack.expose()).await.unwrap();
        let input = RackRegister {
            name: "rack-1".into(),
            version: "0.1".into(),
            addresses: vec!["10.20.0.2".into()],
        };
        app.rack_register(&rack, input).await.unwrap();
        let lease = |last: u8, state| RackLease {
            address: format!("10.20.0.{last}"),
            mac_address: Some(CARD.into()),
            client: None,
            hostname: None,
            state,
            started_unix_seconds: 1_700_000_000,
            expires_unix_seconds: 1_700_000_600,
        };
        let leases = vec![
            lease(7, LeaseState::Active),
            lease(8, LeaseState::Active),
            lease(9, LeaseState::Released),
        ];
        let report = RackReport { leases, sequence: 1, ..RackReport::default() };
        app.rack_report(&rack, report).await.unwrap();
        let subnets = app.subnets(&admin(), &Default::default()).await.unwrap();
        let reserve = |mac: &str, last: u8| ReservationCreate {
            subnet_id: subnets.items[0].1.id,
            client: client(mac),
            address: Some(format!("10.20.0.{last}")),
            hostname: None,
        };
        let (one, two) = ("52:54:00:77:00:11", "52:54:00:77:00:12");
        let error = app.reservation_create(&admin(), reserve(one, 7)).await.unwrap_err();
        assert_eq!(error.code(), Some("ADDRESS_TAKEN"));
        assert!(error.to_string().contains(CARD), "{error}");
        app.reservation_create(&admin(), reserve(one, 9)).await.unwrap(); // It was given back.
        app.reservation_create(&admin(), reserve(CARD, 7)).await.unwrap(); // Its own.
        assert_eq!(code(app.reservation_create(&admin(), reserve(two, 8)).await), "ADDRESS_TAKEN");
        region.pass(Duration::from_mins(10));
        app.reservation_create(&admin(), reserve(two, 8)).await.unwrap(); // It has run out.
    }
}

#[tokio::test]
async fn many_who_reserve_at_once_get_different_addresses() {
    for region in regions().await {
        region.furnish().await;
        let subnets = region.app.subnets(&admin(), &Default::default()).await.unwrap();
        let subnet_id = subnets.items[0].1.id;
        let mut users = tokio::task::JoinSet::new();
        for number in 0..6 {
            let app = region.app.clone();
            let input = ReservationCreate {
                subnet_id,
                client: client(&format!("52:54:00:79:00:0{number}")),
                address: None,
                hostname: None,
            };
            users.spawn(async move { app.reservation_create(&admin(), input).await });
        }
        for answer in users.join_all().await {
            answer.unwrap();
        }
        let it = region.app.subnet(&admin(), subnet_id).await.unwrap().unwrap();
        assert_eq!(it.reservations.len(), 6, "{}", region.engine);
    }
}

#[tokio::test]
async fn a_full_subnet_takes_machines_in_but_does_not_deploy_them() {
    for region in regions().await {
        region.furnish().await;
        let subnets = region.app.subnets(&admin(), &Default::default()).await.unwrap();
        let input = RangeCreate {
            subnet_id: subnets.items[0].1.id,
            first: "10.20.0.2".into(),
            last: "10.20.0.253".into(),
            class_id: None,
        };
        region.app.range_create(&admin(), input).await.unwrap();
        let input = RackRegister {
            name: "rack".into(),
            version: "1".into(),
            addresses: vec!["10.20.0.254".into()],
        };
        region.app.rack_register(&admin(), input).await.unwrap();
        let it = region.ready(CARD, 1).await;
        assert_eq!(it.address, None);
        let input = region.deploy_input().await;
        assert_eq!(code(region.app.machine_deploy(&admin(), it.id, input).await), "SUBNET_FULL");
    }
}

#[tokio::test]
async fn a_deployment_needs_to_know_the_subnet() {
    for region in regions().await {
        region.furnish().await;
        region.app.subnet_create(&admin(), subnet("10.21.0.0/24")).await.unwrap();
        let it = region.ready(CARD, 1).await;
        let input = region.deploy_input().await;
        let refused = region.app.machine_deploy(&admin(), it.id, input.clone()).await;
        assert_eq!(code(refused), "NO_ADDRESS", "two subnets, and the machine was seen in none");
        let subnets = region.app.subnets(&admin(), &Default::default()).await.unwrap();
        let reserve = ReservationCreate {
            subnet_id: subnets.items[1].1.id,
            client: client(CARD),
            address: None,
            hostname: None,
        };
        region.app.reservation_create(&admin(), reserve).await.unwrap();
        let started = region.app.machine_deploy(&admin(), it.id, input).await.unwrap();
        assert_eq!(started.machine.address, Some([10, 21, 0, 1].into()));
    }
}
