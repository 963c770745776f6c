use ironherd_app::{AgentProgress, EffectKind, PageRequest, SettingsUpdate};
use ironherd_domain::ImageKind;
use ironherd_snapshot::Intent;

use crate::harness::{CARD, admin, code, open, regions};

#[tokio::test]
async fn changes_resume_where_a_listener_left() {
    for region in regions().await {
        region.furnish().await;
        let mut feed = region.app.changes(&admin(), None).await.unwrap();
        let it = region.machine(CARD).await;
        let first = feed.next().await.unwrap();
        assert_eq!(first.machine, Some(it.id));
        assert_eq!(first.event.unwrap().kind, "CREATED");
        drop(feed);
        region.app.machine_commission(&admin(), it.id, None).await.unwrap();
        let mut feed = region.app.changes(&admin(), Some(first.sequence)).await.unwrap();
        let mut kinds = Vec::new();
        for _ in 0..2 {
            kinds.push(feed.next().await.unwrap().event.unwrap().kind);
        }
        assert_eq!(kinds, ["ADDRESS_RESERVED", "COMMISSION"]);
        region.obey(EffectKind::PowerCycle).await;
        let agent = region.agent(it.id, 1).await;
        let progress = AgentProgress { step: "disks".into(), ..AgentProgress::default() };
        region.app.agent_progress(&agent, progress).await.unwrap();
        loop {
            let change = feed.next().await.unwrap();
            if change.event.is_none() {
                assert_eq!(change.machine, Some(it.id));
                break;
            }
        }
        let mut old = region.app.changes(&admin(), Some(0)).await.unwrap();
        assert_eq!(old.next().await.unwrap().sequence, 1, "from the beginning");
    }
}

#[tokio::test]
async fn a_feed_waits_for_what_comes() {
    for region in regions().await {
        let mut feed = region.app.changes(&admin(), None).await.unwrap();
        let waiting = tokio::spawn(async move { feed.next().await });
        let it = region.machine(CARD).await;
        assert_eq!(waiting.await.unwrap().unwrap().machine, Some(it.id));
    }
}

#[tokio::test]
async fn the_snapshot_holds_what_racks_need_and_its_number_never_goes_back() {
    for region in regions().await {
        assert!(region.app.snapshot().settings.ephemeral.is_none());
        region.furnish().await;
        region.image("snponly.efi", ImageKind::BootFile, b"efi").await;
        let disk = region.disk_image().await;
        let input = SettingsUpdate {
            ephemeral_kernel_args: Some("console=ttyS0".into()),
            ..SettingsUpdate::default()
        };
        region.app.settings_update(&admin(), input).await.unwrap();
        let it = region.machine(CARD).await;
        region.app.machine_commission(&admin(), it.id, None).await.unwrap();
        region.published(it.id, Intent::Commission).await;
        let snapshot = region.app.snapshot();
        let ephemeral = snapshot.settings.ephemeral.as_ref().unwrap();
        assert_eq!(ephemeral.kernel, "ephemeral/amd64/vmlinuz");
        assert_eq!(ephemeral.initrd, "ephemeral/amd64/initrd.img");
        assert_eq!(ephemeral.kernel_args, "console=ttyS0");
        let mut names: Vec<_> = snapshot.files.iter().map(|it| it.name.clone()).collect();
        names.sort();
        let mut want = [
            "ephemeral/amd64/initrd.img".to_owned(),
            "ephemeral/amd64/vmlinuz".to_owned(),
            format!("images/{}", disk.sha256),
            "snponly.efi".to_owned(),
        ];
        want.sort();
        assert_eq!(names, want);
        let machine = &snapshot.machines[0];
        assert_eq!((machine.attempt, machine.macs.len()), (1, 1));
        assert_eq!(snapshot.subnets[0].reservations[0].mac(), Some(machine.macs[0]));
        assert_eq!(region.app.snapshot_at(snapshot.generation), Some(snapshot.clone()));
        assert_eq!(*region.app.snapshot_changes().borrow(), snapshot.generation);
        region.app.close().await;
        let again = open(&region.folder, &region.database, &region.clock).await;
        assert_eq!(again.snapshot(), snapshot, "a restart changes nothing, on {}", region.engine);
        again.ready().await.unwrap();
    }
}

#[tokio::test]
async fn lists_come_in_pages_and_refuse_foreign_cursors() {
    for region in regions().await {
        for number in 0..5 {
            region.machine(&format!("52:54:00:77:00:2{number}")).await;
        }
        let mut after = None;
        let mut seen = Vec::new();
        loop {
            let page = PageRequest { first: Some(2), after };
            let part = region.app.machines(&admin(), &page, &Default::default()).await.unwrap();
            after = part.items.last().map(|(cursor, _)| cursor.clone());
            seen.extend(part.items.into_iter().map(|(_, it)| it.hostname));
            if !part.has_next {
                break;
            }
        }
        assert_eq!(seen.len(), 5);
        let page = PageRequest { first: None, after: Some("x".into()) };
        let refused = region.app.machines(&admin(), &page, &Default::default()).await;
        assert_eq!(code(refused), "CURSOR_INVALID");
    }
}

#[tokio::test]
async fn an_image_shared_by_two_names_keeps_its_bytes() {
    for region in regions().await {
        let one = region.image("one", ImageKind::DiskRaw, b"bytes").await;
        let two = region.image("two", ImageKind::DiskRaw, b"bytes").await;
        let path = region.app.image_path(&one.sha256);
        assert_eq!(region.app.image_received_bytes(&two), 5);
        region.app.image_delete(&admin(), one.id).await.unwrap();
        let served = region.app.image_file(&admin(), &two.sha256).await.unwrap();
        assert!(path.exists() && served == Some(path.clone()));
        region.app.image_delete(&admin(), two.id).await.unwrap();
        assert!(!path.exists());
        assert_eq!(region.app.image_file(&admin(), &two.sha256).await.unwrap(), None);
    }
}

#[tokio::test]
async fn regions_on_one_postgres_learn_of_each_others_changes() {
    for region in regions().await.into_iter().filter(|it| it.engine == "postgres") {
        let other = open(&region.folder, &region.database, &region.clock).await;
        let mut feed = other.changes(&admin(), None).await.unwrap();
        let it = region.machine(CARD).await;
        assert_eq!(feed.next().await.unwrap().machine, Some(it.id));
        let mut changes = other.snapshot_changes();
        changes.wait_for(|_| other.snapshot().machines.len() == 1).await.unwrap();
        region
            .app
            .snapshot_changes()
            .wait_for(|it| *it == other.snapshot().generation)
            .await
            .unwrap();
        assert_eq!(region.app.snapshot(), other.snapshot());
    }
}
