use std::time::Duration;

use ironherd_domain::{BootDevice, EffectId, MachineId, OperationId, UnixMicros};

use super::{NOW, both, machine};
use crate::effect::PutBack;
use crate::{Db, Effect, EffectKind, effect as store, machine as machines};

const LEASE: Duration = Duration::from_secs(60);

async fn a_machine(db: &Db, number: u8) -> MachineId {
    let it = machine(number);
    let mut tx = db.write().await.unwrap();
    machines::insert(&mut tx, &it).await.unwrap();
    tx.commit().await.unwrap();
    it.id
}

fn effect(machine_id: MachineId, kind: EffectKind) -> Effect {
    Effect {
        id: EffectId::new(),
        machine_id,
        operation_id: None,
        kind,
        boot: Some(BootDevice::Network),
        attempt: 4,
        tries: 0,
        created: NOW,
    }
}

async fn queue(db: &Db, it: &Effect) -> Vec<OperationId> {
    let mut tx = db.write().await.unwrap();
    let replaced = store::insert(&mut tx, it).await.unwrap();
    tx.commit().await.unwrap();
    replaced
}

async fn claim(db: &Db, now: UnixMicros, limit: u32) -> Vec<Effect> {
    let mut tx = db.write().await.unwrap();
    let claimed = store::claim(&mut tx, now, LEASE, limit).await.unwrap();
    tx.commit().await.unwrap();
    claimed
}

#[tokio::test]
async fn an_effect_is_held_until_its_lease_ends() {
    for (_database, db) in both().await {
        let it = effect(a_machine(&db, 1).await, EffectKind::PowerCycle);
        queue(&db, &it).await;
        assert!(claim(&db, UnixMicros(NOW.0 - 1), 9).await.is_empty(), "not due yet");
        let first = claim(&db, NOW, 9).await;
        assert_eq!(first, [Effect { tries: 1, ..it.clone() }]);
        assert!(claim(&db, NOW, 9).await.is_empty(), "held");
        // The worker died: another takes over, and the first can no longer end it.
        let later = NOW.after(LEASE);
        let second = claim(&db, later, 9).await;
        assert_eq!(second.iter().map(|it| it.tries).collect::<Vec<_>>(), [2]);
        let mut tx = db.write().await.unwrap();
        assert!(!store::done(&mut tx, &first[0]).await.unwrap());
        assert!(store::pending(&mut tx, it.machine_id).await.unwrap());
        assert!(store::done(&mut tx, &second[0]).await.unwrap());
        assert!(!store::pending(&mut tx, it.machine_id).await.unwrap());
        assert_eq!(store::next_due(&mut tx).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_later_command_replaces_what_waits_but_a_question_does_not() {
    for (_database, db) in both().await {
        let machine = a_machine(&db, 1).await;
        let operation = OperationId::new();
        let operation_id = Some(operation);
        let on = Effect { operation_id, ..effect(machine, EffectKind::PowerOn) };
        assert!(queue(&db, &on).await.is_empty());
        assert!(queue(&db, &effect(machine, EffectKind::PowerQuery)).await.is_empty());
        let off = effect(machine, EffectKind::PowerOff);
        assert_eq!(queue(&db, &off).await, [operation]);
        let claimed = claim(&db, NOW, 9).await;
        assert_eq!(claimed.iter().map(|it| it.id).collect::<Vec<_>>(), [off.id]);
    }
}

#[tokio::test]
async fn one_machine_gets_one_command_at_a_time() {
    for (_database, db) in both().await {
        let (one, two) = (a_machine(&db, 1).await, a_machine(&db, 2).await);
        queue(&db, &effect(one, EffectKind::PowerOn)).await;
        queue(&db, &effect(two, EffectKind::PowerOn)).await;
        let first = claim(&db, NOW, 1).await;
        assert_eq!(first[0].machine_id, one);
        queue(&db, &effect(one, EffectKind::PowerOff)).await;
        let second = claim(&db, NOW, 9).await;
        assert_eq!(second.iter().map(|it| it.machine_id).collect::<Vec<_>>(), [two]);
        let mut tx = db.write().await.unwrap();
        store::failed(&mut tx, &first[0], "no answer").await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(claim(&db, NOW, 9).await[0].kind, EffectKind::PowerOff);
    }
}

#[tokio::test]
async fn a_retry_waits_and_gives_way_to_a_newer_command() {
    for (_database, db) in both().await {
        let machine = a_machine(&db, 1).await;
        let operation_id = Some(OperationId::new());
        let cycle = Effect { operation_id, ..effect(machine, EffectKind::PowerCycle) };
        queue(&db, &cycle).await;
        let it = claim(&db, NOW, 9).await.remove(0);
        let later = NOW.after(Duration::from_secs(5));
        // A question that waits replaces nothing.
        let question = effect(machine, EffectKind::PowerQuery);
        queue(&db, &Effect { created: later.after(LEASE), ..question }).await;
        let mut tx = db.write().await.unwrap();
        let back = store::retry(&mut tx, &it, "no route", later).await.unwrap();
        assert_eq!(back, PutBack::Queued);
        let again = store::retry(&mut tx, &it, "no route", later).await.unwrap();
        assert_eq!(again, PutBack::Lost);
        let error = store::pending_error(&mut tx, machine).await.unwrap();
        assert_eq!(error.as_deref(), Some("no route"));
        assert_eq!(store::next_due(&mut tx).await.unwrap(), Some(later));
        tx.commit().await.unwrap();
        assert!(claim(&db, NOW, 9).await.is_empty());
        let it = claim(&db, later, 9).await.remove(0);
        let off = effect(machine, EffectKind::PowerOff);
        queue(&db, &off).await;
        let mut tx = db.write().await.unwrap();
        let back = store::retry(&mut tx, &it, "no route", later).await.unwrap();
        assert_eq!(back, PutBack::Superseded(operation_id));
        tx.commit().await.unwrap();
        let claimed = claim(&db, later, 9).await;
        assert_eq!(claimed.iter().map(|it| it.id).collect::<Vec<_>>(), [off.id]);
    }
}

#[tokio::test]
async fn many_workers_lose_and_double_nothing() {
    for (database, db) in both().await {
        for number in 1..=40 {
            let machine = a_machine(&db, number).await;
            queue(&db, &effect(machine, EffectKind::PowerOn)).await;
        }
        let mut workers = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let db = db.clone();
            workers.spawn(async move {
                let mut mine = Vec::new();
                loop {
                    let some = claim(&db, NOW, 3).await;
                    if some.is_empty() {
                        return mine;
                    }
                    mine.extend(some.into_iter().map(|it| it.id));
                }
            });
        }
        let mut all: Vec<EffectId> = workers.join_all().await.concat();
        all.sort();
        all.dedup();
        // A worker may find only rows that another holds and stop early, but none is taken twice.
        all.extend(claim(&db, NOW, 99).await.into_iter().map(|it| it.id));
        assert_eq!(all.len(), 40, "{}", database.engine);
        let mut tx = db.write().await.unwrap();
        assert_eq!(store::sweep(&mut tx, NOW.after(LEASE)).await.unwrap(), 0, "none has ended");
    }
}
