use ironherd_domain::{
    MachineId, OperationId, OperationKind, OperationState, Progress, UnixMicros,
};

use super::{NOW, both, machine};
use crate::{Db, NewEvent, Operation, StoreError, event, machine as machines, operation};

fn new_event(kind: &'static str, machine: Option<MachineId>) -> NewEvent {
    NewEvent {
        at: NOW,
        machine: machine.map(|id| (id, "node".into())),
        kind,
        message: "so it was".into(),
        actor: "ada".into(),
    }
}

#[tokio::test]
async fn events_are_numbered_in_the_order_of_commits() {
    for (database, db) in both().await {
        let mut writers = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let db = db.clone();
            writers.spawn(async move {
                for _ in 0..5 {
                    let mut tx = db.write().await.unwrap();
                    event::append(&mut tx, &new_event("A", None)).await.unwrap();
                    tx.commit().await.unwrap();
                }
            });
        }
        // A reader that resumes by sequence sees each number once and in order, while they write.
        let (mut seen, mut expected) = (0, 1);
        while seen < 40 {
            let mut tx = db.read().await.unwrap();
            for it in event::after(&mut tx, None, seen, 7).await.unwrap() {
                assert_eq!(it.sequence, expected, "{}", database.engine);
                expected += 1;
                seen = it.sequence;
            }
            tokio::task::yield_now().await;
        }
        writers.join_all().await;
    }
}

#[tokio::test]
async fn events_of_one_machine_are_found_and_an_undone_one_leaves_no_gap() {
    for (_database, db) in both().await {
        let id = MachineId::new();
        let mut tx = db.write().await.unwrap();
        event::append(&mut tx, &new_event("LOST", None)).await.unwrap();
        drop(tx);
        let mut tx = db.write().await.unwrap();
        for kind in ["A", "B"] {
            event::append(&mut tx, &new_event(kind, None)).await.unwrap();
            event::append(&mut tx, &new_event(kind, Some(id))).await.unwrap();
        }
        tx.commit().await.unwrap();
        let mut tx = db.read().await.unwrap();
        let of_it = event::after(&mut tx, Some(id), 0, 9).await.unwrap();
        assert_eq!(of_it.iter().map(|it| it.sequence).collect::<Vec<_>>(), [2, 4]);
        let last = event::by_sequence(&mut tx, 4).await.unwrap().unwrap();
        assert_eq!((last.kind.as_str(), last.machine_name.as_deref()), ("B", Some("node")));
        assert!(event::by_sequence(&mut tx, 5).await.unwrap().is_none());
    }
}

fn new_operation(machine_id: MachineId, request_id: Option<&str>) -> Operation {
    Operation {
        id: OperationId::new(),
        kind: OperationKind::Deploy,
        state: OperationState::Running,
        machine_id,
        request_id: request_id.map(str::to_owned),
        created: NOW,
        finished: None,
        deadline: Some(UnixMicros(NOW.0 + 9)),
        error: None,
        progress: None,
    }
}

async fn a_machine(db: &Db) -> MachineId {
    let it = machine(1);
    let mut tx = db.write().await.unwrap();
    machines::insert(&mut tx, &it).await.unwrap();
    tx.commit().await.unwrap();
    it.id
}

#[tokio::test]
async fn an_operation_has_steps_one_after_the_other_and_ends_once() {
    for (_database, db) in both().await {
        let machine = a_machine(&db).await;
        let it = new_operation(machine, Some("r1"));
        let mut tx = db.write().await.unwrap();
        operation::insert(&mut tx, &it).await.unwrap();
        operation::step_begin(&mut tx, it.id, "boot", NOW).await.unwrap();
        operation::step_begin(&mut tx, it.id, "write", UnixMicros(NOW.0 + 1)).await.unwrap();
        let open = operation::step_open(&mut tx, it.id).await.unwrap();
        assert_eq!(open.as_deref(), Some("write"));
        let progress = Progress {
            step: "write".into(),
            percent: Some(40),
            bytes_done: Some(4 << 40),
            bytes_total: None,
            message: None,
            at: NOW,
        };
        operation::progress(&mut tx, it.id, &progress).await.unwrap();
        let running = operation::running(&mut tx, &[machine]).await.unwrap();
        assert_eq!(running[0].progress.as_ref(), Some(&progress));
        for state in [OperationState::Failed, OperationState::Done] {
            let why = Some("no disk");
            operation::finish(&mut tx, it.id, state, why, UnixMicros(NOW.0 + 2)).await.unwrap();
        }
        let got = operation::by_request(&mut tx, "r1").await.unwrap().unwrap();
        assert_eq!((got.state, got.error.as_deref()), (OperationState::Failed, Some("no disk")));
        let steps = operation::steps(&mut tx, it.id).await.unwrap();
        let ends: Vec<_> =
            steps.iter().map(|it| (it.name.as_str(), it.finished.is_some())).collect();
        assert_eq!(ends, [("boot", true), ("write", true)]);
        assert_eq!(steps[1].error.as_deref(), Some("no disk"));
        assert!(operation::running(&mut tx, &[machine]).await.unwrap().is_empty());
        let again = operation::insert(&mut tx, &new_operation(machine, Some("r1"))).await;
        assert!(matches!(again, Err(StoreError::Taken(_))));
    }
}

#[tokio::test]
async fn operations_without_a_request_id_do_not_clash() {
    for (_database, db) in both().await {
        let machine = a_machine(&db).await;
        let mut tx = db.write().await.unwrap();
        for _ in 0..3 {
            operation::insert(&mut tx, &new_operation(machine, None)).await.unwrap();
        }
        let first = operation::page(&mut tx, Some(machine), None, 2).await.unwrap();
        let rest = operation::page(&mut tx, None, Some(first[1].id), 2).await.unwrap();
        assert_eq!((first.len(), rest.len()), (2, 1));
    }
}
