use ironherd_domain::machine::{STEPS, next};
use ironherd_domain::{
    BootStage, EraseMode, Event, FirmwareKind, ImageId, MachineState, PowerState, UnixMicros,
};
use sqlx::AssertSqlSafe;

use super::{NOW, both, mac, machine};
use crate::row::binds;
use crate::{Db, Machine, MachineFilter, StoreError, machine as store};

async fn add(db: &Db, it: &mut Machine) {
    let mut tx = db.write().await.unwrap();
    it.generation = store::insert(&mut tx, it).await.unwrap();
    tx.commit().await.unwrap();
}

async fn load(db: &Db, it: &Machine) -> Machine {
    store::by_id(&mut db.read().await.unwrap(), it.id).await.unwrap().unwrap()
}

#[tokio::test]
async fn every_column_comes_back_as_it_went_in() {
    for (_database, db) in both().await {
        let mut it = machine(1);
        it.macs = vec![mac(1), mac(0x11)];
        it.deadline = Some(UnixMicros(5));
        it.failure = Some("no disk".into());
        it.owner = Some("ada".into());
        it.architecture = Some("amd64".into());
        it.firmware = Some(FirmwareKind::Uefi);
        it.smbios_uuid = Some("u".into());
        it.power_password = Some(vec![1, 2, 3]);
        it.power_state = PowerState::Off;
        it.boot_stage = Some(BootStage::Script);
        it.boot_stage_since = Some(NOW);
        it.attempt = 3;
        it.commissioned = true;
        it.disk_dirty = true;
        it.erase_pending = Some(EraseMode::Quick);
        it.image_id = Some(ImageId::new());
        it.user_data = Some("#cloud-config\n".into());
        add(&db, &mut it).await;
        let got = load(&db, &it).await;
        assert_eq!((got.generation, &got.macs), (it.generation, &it.macs));
        assert_eq!((got.state, got.deadline, &got.failure), (it.state, it.deadline, &it.failure));
        assert_eq!((got.firmware, got.boot_stage), (it.firmware, it.boot_stage));
        assert_eq!((&got.power_password, got.power_state), (&it.power_password, PowerState::Off));
        assert_eq!((got.commissioned, got.image_written, got.disk_dirty), (true, false, true));
        assert_eq!((got.erase_pending, got.image_id), (it.erase_pending, it.image_id));
        assert_eq!((got.attempt, &got.boot_key, &got.user_data), (3, &it.boot_key, &it.user_data));
        assert!(!format!("{got:?}").contains("password"), "secrets stay out of Debug");
    }
}

#[tokio::test]
async fn the_generation_is_the_lock() {
    for (_database, db) in both().await {
        let mut it = machine(1);
        add(&db, &mut it).await;
        let (mut first, mut second) = (load(&db, &it).await, load(&db, &it).await);
        first.hostname = "first".into();
        let mut tx = db.write().await.unwrap();
        store::update(&mut tx, &first).await.unwrap();
        tx.commit().await.unwrap();
        second.hostname = "second".into();
        let mut tx = db.write().await.unwrap();
        let error = store::update(&mut tx, &second).await.unwrap_err();
        assert!(matches!(error, StoreError::Moved { .. }) && error.is_retryable());
        drop(tx);
        assert_eq!(load(&db, &it).await.hostname, "first");
        let mut tx = db.write().await.unwrap();
        assert!(matches!(store::delete(&mut tx, &second).await, Err(StoreError::Moved { .. })));
    }
}

#[tokio::test]
async fn names_and_cards_belong_to_one_machine() {
    for (database, db) in both().await {
        let mut it = machine(1);
        add(&db, &mut it).await;
        let mut same_name = machine(2);
        same_name.hostname.clone_from(&it.hostname);
        let mut same_card = machine(3);
        same_card.macs.clone_from(&it.macs);
        for other in [same_name, same_card] {
            let mut tx = db.write().await.unwrap();
            let error = store::insert(&mut tx, &other).await.unwrap_err();
            assert!(matches!(error, StoreError::Taken(_)), "{}: {error}", database.engine);
        }
        let mut tx = db.read().await.unwrap();
        let found = store::by_mac(&mut tx, mac(1)).await.unwrap().unwrap();
        assert_eq!(found.id, it.id);
        assert!(store::by_mac(&mut tx, mac(3)).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn the_database_refuses_raw_changes_that_the_table_lacks() {
    for (database, db) in both().await {
        let mut it = machine(1);
        it.state = MachineState::Deployed;
        let mut tx = db.write().await.unwrap();
        let error = store::insert(&mut tx, &it).await.unwrap_err();
        assert!(matches!(error, StoreError::StepRefused(_)), "{}: {error}", database.engine);
        drop(tx);
        it.state = MachineState::New;
        add(&db, &mut it).await;
        for to in MachineState::ALL {
            let set = format!("UPDATE machine SET state = '{to}' WHERE id = $1");
            let mut tx = db.write().await.unwrap();
            let got = tx.run(AssertSqlSafe(set), binds![it.id]).await;
            let legal =
                *to == it.state || STEPS.iter().any(|step| step.from == it.state && step.to == *to);
            assert_eq!(got.is_ok(), legal, "{} to {to}: {got:?}", database.engine);
        }
    }
}

#[tokio::test]
async fn every_step_of_the_table_can_be_stored() {
    for (database, db) in both().await {
        for (number, step) in (1..).zip(STEPS) {
            // A way from NEW to the state, then the step itself.
            let mut it = machine(number);
            add(&db, &mut it).await;
            for event in way(step.from).into_iter().chain([step.event]) {
                it.state = next(it.state, event).unwrap().to;
                let mut tx = db.write().await.unwrap();
                it.generation = store::update(&mut tx, &it).await.unwrap();
                tx.commit().await.unwrap();
            }
            assert_eq!(load(&db, &it).await.state, step.to, "{}", database.engine);
        }
    }
}

/// Events that lead from NEW to a state, the shortest way.
fn way(to: MachineState) -> Vec<Event> {
    let mut ways = std::collections::VecDeque::from([(MachineState::New, Vec::new())]);
    let mut seen = vec![MachineState::New];
    while let Some((at, events)) = ways.pop_front() {
        if at == to {
            return events;
        }
        for step in STEPS.iter().filter(|it| it.from == at) {
            if !seen.contains(&step.to) {
                seen.push(step.to);
                ways.push_back((step.to, [events.clone(), vec![step.event]].concat()));
            }
        }
    }
    panic!("{to} is never reached");
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repeat() {
    for (_database, db) in both().await {
        for number in 1..=7 {
            let mut it = machine(number);
            add(&db, &mut it).await;
            if number % 2 == 0 {
                it.state = MachineState::Commissioning;
                it.deadline = Some(NOW);
                let mut tx = db.write().await.unwrap();
                store::update(&mut tx, &it).await.unwrap();
                tx.commit().await.unwrap();
            }
        }
        let mut tx = db.read().await.unwrap();
        let (mut after, mut names) = (None, Vec::new());
        loop {
            let all = MachineFilter::default();
            let page = store::page(&mut tx, &all, after, 3).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            names.extend(page.into_iter().map(|it| it.hostname));
        }
        let want: Vec<String> = (1..=7).map(|it| format!("node-{it}")).collect();
        assert_eq!(names, want);
        let states = vec![MachineState::Commissioning, MachineState::Ready];
        let rows = [
            (MachineFilter { states, ..MachineFilter::default() }, 3),
            (MachineFilter { hostname: Some("node-2".into()), ..MachineFilter::default() }, 1),
            (MachineFilter { mac: Some(mac(5)), ..MachineFilter::default() }, 1),
            (MachineFilter { mac: Some(mac(99)), ..MachineFilter::default() }, 0),
        ];
        for (filter, want) in rows {
            let page = store::page(&mut tx, &filter, None, 100).await.unwrap();
            assert_eq!(page.len(), want, "{filter:?}");
        }
        let late = store::past_deadline(&mut tx, NOW, 2).await.unwrap();
        assert_eq!(late.len(), 2);
        assert!(store::past_deadline(&mut tx, UnixMicros(1), 2).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn heartbeats_and_power_leave_the_generation_alone() {
    for (_database, db) in both().await {
        let mut it = machine(1);
        add(&db, &mut it).await;
        let mut tx = db.write().await.unwrap();
        store::touch(&mut tx, it.id, NOW).await.unwrap();
        store::boot_seen(&mut tx, it.id, BootStage::Http, NOW).await.unwrap();
        let off = PowerState::Off;
        store::power_seen(&mut tx, it.id, off, Some("slow"), NOW).await.unwrap();
        tx.commit().await.unwrap();
        let got = load(&db, &it).await;
        assert_eq!(got.generation, it.generation);
        assert_eq!((got.agent_seen, got.boot_stage), (Some(NOW), Some(BootStage::Http)));
        assert_eq!((got.power_state, got.power_error.as_deref()), (off, Some("slow")));
        let mut tx = db.read().await.unwrap();
        let boots = store::boot_machines(&mut tx).await.unwrap();
        assert_eq!((boots.len(), &boots[0].macs), (1, &it.macs));
    }
}
