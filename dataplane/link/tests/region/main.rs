//! The link against a small region that speaks HTTP, GraphQL and graphql-transport-ws.

#![allow(clippy::unwrap_used, reason = "in a test a failure is the message")]

mod request;
mod store;
mod world;

use std::sync::Arc;
use std::time::Duration;

use ironherd_link::{BootReport, LeaseReport, LeaseState, Report, Stage};
use ironherd_snapshot::{Mac, Snapshot};
use serde_json::json;

use world::{Script, TOKEN, World, delta, digest, file, full};

#[tokio::test]
async fn a_snapshot_is_taken_then_deltas_then_deltas_again_after_a_cut() {
    let mut world = World::start(Script {
        snapshot: full(5, &[]),
        // The first subscription is cut after one item, the second goes on.
        deltas: vec![vec![delta(6, &["a"])], vec![delta(7, &["b"]), delta(8, &["a"])]],
        ..Script::default()
    })
    .await;
    let snapshot = world.snapshot_of(8).await;
    let mut hostnames: Vec<_> = snapshot.machines.iter().map(|it| it.hostname.as_str()).collect();
    hostnames.sort_unstable();
    assert_eq!(hostnames, ["a", "b"]);
    let log = world.log();
    assert_eq!(log.queries("RackSnapshot"), 1, "a cut is no reason to take it all again");
    assert!(1 < log.queries("RackRegister"), "each connection registers");
    assert_eq!(log.after, [json!(5), json!(6)], "each subscription resumes where the last ended");
    assert_eq!(log.registered["name"], "rack-1");
    assert_eq!(log.registered["addresses"], json!(["10.77.0.1"]));
}

#[tokio::test]
async fn the_snapshot_of_the_last_run_is_resumed_from() {
    let base = Snapshot { generation: 41, ..Snapshot::default() };
    let script = Script { deltas: vec![vec![delta(42, &["a"])]], ..Script::default() };
    let mut world = World::start_from(script, Some(Arc::new(base))).await;
    world.snapshot_of(42).await;
    let log = world.log();
    assert_eq!((log.queries("RackSnapshot"), log.after), (0, vec![json!(41)]));
}

#[tokio::test]
async fn everything_anew_replaces_what_was_there() {
    let mut all = delta(3, &["c"]);
    all["machinesRemoved"] = json!(["*"]);
    let script = Script {
        snapshot: full(9, &[]),
        deltas: vec![vec![delta(10, &["a", "b"]), all]],
        ..Script::default()
    };
    let mut world = World::start(script).await;
    let snapshot = world.snapshot_of(3).await;
    assert_eq!(snapshot.machines.len(), 1);
}

#[tokio::test]
async fn a_cut_download_is_resumed_and_announced_when_whole() {
    let content = b"0123456789".repeat(100_000);
    let script = Script {
        snapshot: full(5, &[file("vmlinuz", &content)]),
        contents: vec![(digest(&content), content.clone())],
        cuts: vec![300_000, 700_000], // Two tries end early, at these places of the file.
        ..Script::default()
    };
    let mut world = World::start(script).await;
    world.snapshot_of(5).await;
    world.until_kept(&digest(&content)).await;
    assert_eq!(world.store.read(&digest(&content)), content);
    let ranges = world.log().ranges;
    assert_eq!(ranges.len(), 3, "{ranges:?}");
    assert_eq!(ranges[0], None);
    assert!(ranges[1].is_some() && ranges[2].is_some(), "later tries go on: {ranges:?}");
    assert_eq!(world.snapshot_again().await.generation, 5);
}

#[tokio::test]
async fn a_download_of_an_earlier_run_is_resumed() {
    let content = b"abcdefghij".repeat(10_000);
    let script = Script {
        snapshot: full(5, &[file("initrd", &content)]),
        contents: vec![(digest(&content), content.clone())],
        ..Script::default()
    };
    let store = store::FolderStore::new();
    store.write_part(&digest(&content), &content[..12_345]);
    let world = World::start_with(script, None, store).await;
    world.until_kept(&digest(&content)).await;
    assert_eq!(world.store.read(&digest(&content)), content);
    assert_eq!(world.log().ranges, [Some("bytes=12345-".to_owned())]);
}

#[tokio::test]
async fn bytes_with_another_digest_are_refused() {
    let (good, bad) = (b"good".repeat(1000), b"evil".repeat(1000));
    let script = Script {
        snapshot: full(5, &[file("grub", &good)]),
        // The first answer is wrong, the next right.
        contents: vec![(digest(&good), bad), (digest(&good), good.clone())],
        ..Script::default()
    };
    let world = World::start(script).await;
    world.until_kept(&digest(&good)).await;
    assert_eq!(world.store.read(&digest(&good)), good);
    assert_eq!(world.store.discarded(), 1);
    assert_eq!(world.log().ranges, [None, None], "wrong bytes are not built upon");
}

#[tokio::test]
async fn machine_changes_do_not_wait_for_downloads() {
    let script = Script {
        snapshot: full(5, &[file("disk.img", b"never comes")]),
        deltas: vec![vec![delta(6, &["a"])]],
        ..Script::default() // No contents: the download answers 404 for ever.
    };
    let mut world = World::start(script).await;
    let snapshot = world.snapshot_of(6).await;
    assert_eq!((snapshot.machines.len(), snapshot.files.len()), (1, 1));
}

#[tokio::test]
async fn reports_are_batched_numbered_and_repeated_until_acknowledged() {
    let script = Script { report_failures: 2, ..Script::default() };
    let world = World::start(script).await;
    for last in 0..=255 {
        for _ in 0..3 {
            world.reports.send(lease(last)).await.unwrap();
        }
    }
    world.reports.send(boot()).await.unwrap();
    let batches = world.until_reported(256 * 3 + 1).await;
    for (sequence, batch) in (1..).zip(&batches) {
        assert_eq!(batch["epoch"], 1_700_000_000_000_000_u64);
        assert_eq!(batch["sequence"], sequence, "repeats carry the number of the first try");
        let len = |it: &str| batch[it].as_array().map_or(0, Vec::len);
        assert!(len("leases") + len("bootEvents") <= 500);
    }
    let leases = batches.iter().find_map(|it| it["leases"].get(0)).unwrap();
    let want = json!({
        "address": "10.77.0.0", "macAddress": "52:54:00:77:00:00", "client": null, "hostname": null,
        "state": "ACTIVE", "startedAt": 1_700_000_000, "expiresAt": 1_700_000_600,
    });
    assert_eq!(*leases, want);
    let events = batches.iter().find_map(|it| it["bootEvents"].get(0)).unwrap();
    let want = json!({
        "at": 1_700_000_000_123_u64, "macAddress": "52:54:00:77:00:10",
        "stage": "SCRIPT", "detail": "deploy",
    });
    assert_eq!(*events, want);
    assert_eq!(world.log().report_failures, 0);
}

#[tokio::test]
async fn a_round_that_every_source_has_told_is_said_to_be_whole() {
    let world = World::start(Script::default()).await;
    let (one, two) = (world.rounds.join(), world.rounds.join());
    world.reports.send(Report::RoundBegin { round: 0 }).await.unwrap();
    world.reports.send(lease(1)).await.unwrap();
    world.reports.send(Report::RoundEnd { round: 0, source: one }).await.unwrap();
    let first = world.until_reported(1).await.last().unwrap()["sequence"].clone();
    world.reports.send(lease(2)).await.unwrap();
    world.reports.send(Report::RoundEnd { round: 0, source: two }).await.unwrap();
    world.reports.send(lease(3)).await.unwrap();
    let batches = world.until_reported(3).await;
    let whole: Vec<_> = batches.iter().filter_map(|it| it.get("resyncedSince")).collect();
    assert_eq!(whole, [&first], "{batches:?}");
    assert!(batches.iter().all(|it| it["rack"] == "rack-1"), "{batches:?}");
}

#[tokio::test]
async fn a_new_address_of_the_rack_is_told() {
    let mut world = World::start(Script::default()).await;
    world.snapshot_of(1).await;
    world.until_registered(&["10.77.0.1"]).await;
    world.addresses.send(vec!["10.77.0.1".to_owned(), "10.78.0.1".to_owned()]).unwrap();
    world.until_registered(&["10.77.0.1", "10.78.0.1"]).await;
}

#[tokio::test]
async fn a_region_that_is_away_is_waited_for() {
    let mut world =
        World::start_later(Script { snapshot: full(5, &[]), ..Script::default() }).await;
    // Nothing listens yet: the link tries, fails, waits, and tries again.
    tokio::time::timeout(Duration::from_millis(100), world.snapshot_of(5)).await.unwrap_err();
    world.listen().await;
    world.snapshot_of(5).await;
    assert!(world.log().bearers.iter().all(|it| it == &format!("Bearer {TOKEN}")));
}

fn lease(last: u8) -> Report {
    Report::Lease(LeaseReport {
        address: format!("10.77.0.{last}"),
        mac: Some(Mac([0x52, 0x54, 0, 0x77, 0, last])),
        client: None,
        hostname: None,
        state: LeaseState::Active,
        started_at: 1_700_000_000,
        expires_at: 1_700_000_600,
    })
}

fn boot() -> Report {
    Report::Boot(BootReport {
        at: 1_700_000_000_123,
        mac: Mac([0x52, 0x54, 0, 0x77, 0, 0x10]),
        stage: Stage::Script,
        detail: "deploy".to_owned(),
    })
}
