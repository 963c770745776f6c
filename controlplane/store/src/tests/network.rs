use ironherd_domain::{
    ImageId, ImageKind, ImageState, LeaseId, LeaseState, RackId, RangeId, ReservationId,
    ReservationKey, SubnetId, TokenId, VlanId,
};

use super::{NOW, both, mac, machine};
use crate::{
    Image, Lease, LeaseFilter, Range, Reservation, StoreError, Subnet, image, lease, lease_list,
    machine as machines, rack, range, reservation, setting, subnet,
};

fn a_subnet() -> Subnet {
    Subnet {
        id: SubnetId::new(),
        generation: 1,
        vlan_id: VlanId::DEFAULT,
        name: "lab".into(),
        cidr: "10.20.0.0/24".parse().unwrap(),
        gateway: Some("10.20.0.1".parse().unwrap()),
        dns_servers: vec!["10.20.0.2".parse().unwrap(), "10.20.0.3".parse().unwrap()],
        ntp_servers: Vec::new(),
        domain: Some("lab.example".into()),
        mtu: Some(9000),
        lease_seconds: 600,
        ranges: Vec::new(),
        reservations: Vec::new(),
    }
}

#[tokio::test]
async fn a_subnet_comes_back_with_ranges_and_reservations() {
    for (_database, db) in both().await {
        let mut it = a_subnet();
        let (first, last) = ("10.20.0.100".parse().unwrap(), "10.20.0.199".parse().unwrap());
        it.ranges =
            vec![Range { id: RangeId::new(), subnet_id: it.id, first, last, class_id: None }];
        let reserved = |number: u8| Reservation {
            id: ReservationId::new(),
            subnet_id: it.id,
            key: ReservationKey::Mac(mac(number)),
            address: [10, 20, 0, number].into(),
            hostname: Some(format!("node-{number}")),
        };
        it.reservations = vec![reserved(10), reserved(11)];
        let mut tx = db.write().await.unwrap();
        subnet::insert(&mut tx, &it).await.unwrap();
        range::insert(&mut tx, &it.ranges[0]).await.unwrap();
        for row in &it.reservations {
            reservation::insert(&mut tx, row).await.unwrap();
        }
        assert_eq!(subnet::by_id(&mut tx, it.id).await.unwrap().unwrap(), it);
        machines::insert(&mut tx, &machine(10)).await.unwrap();
        let owner = machines::by_mac(&mut tx, mac(10)).await.unwrap().unwrap();
        assert_eq!(owner.address, Some([10, 20, 0, 10].into()));
        subnet::touch(&mut tx, &it).await.unwrap();
        assert!(matches!(subnet::update(&mut tx, &it).await, Err(StoreError::Moved { .. })));
        assert!(subnet::delete(&mut tx, it.id).await.unwrap());
        assert!(range::of_subnet(&mut tx, it.id).await.unwrap().is_empty());
        assert!(reservation::of_mac(&mut tx, mac(10)).await.unwrap().is_empty());
        assert!(subnet::networks(&mut tx).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn an_address_and_a_card_are_reserved_once() {
    for (_database, db) in both().await {
        let it = a_subnet();
        let row = |number: u8, last: u8| Reservation {
            id: ReservationId::new(),
            subnet_id: it.id,
            key: ReservationKey::Mac(mac(number)),
            address: [10, 20, 0, last].into(),
            hostname: None,
        };
        let mut tx = db.write().await.unwrap();
        subnet::insert(&mut tx, &it).await.unwrap();
        reservation::insert(&mut tx, &row(10, 10)).await.unwrap();
        tx.commit().await.unwrap();
        for other in [row(11, 10), row(10, 11)] {
            let mut tx = db.write().await.unwrap();
            let error = reservation::insert(&mut tx, &other).await.unwrap_err();
            assert!(matches!(error, StoreError::Taken(_)), "{error}");
        }
    }
}

#[tokio::test]
async fn a_report_counts_once_an_epoch() {
    for (_database, db) in both().await {
        let mut tx = db.write().await.unwrap();
        let token = TokenId::new();
        let addresses = ["10.20.0.2".to_owned()];
        let first = rack::upsert(&mut tx, "r1", "1", &addresses, Some(token), NOW).await.unwrap();
        let again = rack::upsert(&mut tx, "r1", "2", &addresses, Some(token), NOW).await.unwrap();
        assert_eq!((first.id, again.version.as_str()), (again.id, "2"));
        assert_eq!(rack::by_token(&mut tx, token).await.unwrap().unwrap().id, first.id);
        let rows = [
            (5, 1, true),
            (5, 1, false), // The answer was lost; sent again.
            (5, 2, true),
            (5, 1, false),
            (4, 1, true), // Another epoch counts for itself.
            (6, 1, true),
        ];
        for (epoch, sequence, want) in rows {
            let taken = rack::report(&mut tx, first.id, epoch, sequence, false, NOW).await.unwrap();
            assert_eq!(taken, want, "epoch {epoch}, sequence {sequence}");
        }
        rack::seen(&mut tx, first.id, NOW, 7).await.unwrap();
        let it = rack::by_id(&mut tx, first.id).await.unwrap().unwrap();
        assert_eq!((it.snapshot_generation, it.addresses), (Some(7), addresses.to_vec()));
    }
}

#[tokio::test]
async fn an_address_has_one_lease_row() {
    for (_database, db) in both().await {
        let mut tx = db.write().await.unwrap();
        let row = |number: u8, state| Lease {
            id: LeaseId::new(),
            address: std::net::Ipv4Addr::new(10, 20, 0, 100).into(),
            mac: Some(mac(number)),
            client: None,
            hostname: None,
            state,
            started: NOW,
            expires: NOW,
            rack_id: RackId::new(),
            epoch: 1,
            sequence: 1,
        };
        lease::upsert(&mut tx, &row(1, LeaseState::Active)).await.unwrap();
        lease::upsert(&mut tx, &row(2, LeaseState::Declined)).await.unwrap();
        let all = lease_list::page(&mut tx, &LeaseFilter::default(), NOW, None, 9).await.unwrap();
        assert_eq!((all.len(), all[0].mac, all[0].state), (1, Some(mac(2)), LeaseState::Declined));
        assert!(lease::of_mac(&mut tx, mac(1)).await.unwrap().is_empty());
        let it = lease::by_address(&mut tx, [10, 20, 0, 100].into()).await.unwrap();
        assert_eq!(it.unwrap().mac, Some(mac(2)));
    }
}

#[tokio::test]
async fn images_that_share_content_become_ready_together() {
    for (_database, db) in both().await {
        let mut tx = db.write().await.unwrap();
        let row = |name: &str| Image {
            id: ImageId::new(),
            name: name.into(),
            kind: ImageKind::DiskZstd,
            sha256: "ab".repeat(32),
            size_bytes: 5 << 30,
            disk_bytes: Some(10 << 30),
            architecture: Some("amd64".into()),
            state: ImageState::Uploading,
            created: NOW,
        };
        let (one, two) = (row("one"), row("two"));
        image::insert(&mut tx, &one).await.unwrap();
        image::insert(&mut tx, &two).await.unwrap();
        assert_eq!(image::ready(&mut tx, &one.sha256).await.unwrap(), 2);
        let got = image::by_ids(&mut tx, &[one.id]).await.unwrap();
        assert_eq!(got, [Image { state: ImageState::Ready, ..one.clone() }]);
        image::delete(&mut tx, one.id).await.unwrap();
        assert_eq!(image::by_sha256(&mut tx, &two.sha256).await.unwrap().len(), 1);
        let error = image::insert(&mut tx, &row("two")).await.unwrap_err();
        assert!(matches!(error, StoreError::Taken(_)));
    }
}

#[tokio::test]
async fn settings_and_counters_hold() {
    for (_database, db) in both().await {
        let mut tx = db.write().await.unwrap();
        assert_eq!(setting::ensure(&mut tx, "a", "1").await.unwrap(), "1");
        assert_eq!(setting::ensure(&mut tx, "a", "2").await.unwrap(), "1");
        setting::upsert(&mut tx, "a", "3").await.unwrap();
        assert_eq!(setting::all(&mut tx).await.unwrap().get("a").unwrap(), "3");
        let before = setting::counter(&mut tx, "snapshot").await.unwrap();
        assert_eq!(setting::count(&mut tx, "snapshot").await.unwrap(), before + 1);
    }
}
