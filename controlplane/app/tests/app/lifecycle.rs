use ironherd_app::{
    AgentFinished, AgentProgress, EffectKind, MachineDeploy, MachineRelease, PageRequest,
};
use ironherd_domain::{
    AgentNext, AgentTaskKind, BootDevice, EraseMode, ImageKind, MachineState, OperationState,
};
use ironherd_snapshot::Intent;

use crate::harness::{CARD, Region, admin, found, regions};

const DONE: AgentFinished = AgentFinished { success: true, message: None };

#[tokio::test]
async fn a_machine_lives_from_new_to_deployed_and_back_to_ready() {
    for region in regions().await {
        region.furnish().await;
        let image = region.disk_image().await;
        let machine = region.machine(CARD).await;
        assert_eq!(machine.hostname, "node-770010");
        assert_eq!(machine.address, Some([10, 20, 0, 2].into()));
        commission(&region, machine.id).await;
        let input = MachineDeploy {
            image_id: image.id,
            ssh_keys: vec!["ssh-ed25519 AAAA ada".into()],
            user_data: None,
            request_id: None,
        };
        let started = region.app.machine_deploy(&admin(), machine.id, input).await.unwrap();
        assert_eq!(started.machine.owner.as_deref(), Some("ada"));
        deploy(&region, machine.id).await;
        let operation = region.app.operation(&admin(), started.operation.id).await.unwrap();
        assert_eq!(operation.unwrap().state, OperationState::Done);
        let steps = region.app.operation_steps(&admin(), started.operation.id).await.unwrap();
        let names: Vec<_> = steps.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["power on", "boot", "agent", "write", "first boot"]);
        assert!(steps.iter().all(|it| it.finished.is_some()));
        release(&region, machine.id).await;
        let it = region.load(machine.id).await;
        assert_eq!((it.owner, it.image_id, it.deadline), (None, None, None), "{}", region.engine);
        assert_eq!(it.address, machine.address, "the address stays");
        let events = region.app.events(&admin(), &PageRequest::default(), Some(it.id)).await;
        let kinds: Vec<String> = events.unwrap().items.into_iter().map(|(_, it)| it.kind).collect();
        for kind in ["CREATED", "COMMISSION", "FINISHED", "DEPLOY", "SYSTEM_READY", "ERASE"] {
            assert!(kinds.iter().any(|it| it == kind), "{kind} in {kinds:?}");
        }
    }
}

async fn commission(region: &Region, id: ironherd_domain::MachineId) {
    region.app.machine_commission(&admin(), id, None).await.unwrap();
    region.published(id, Intent::Commission).await;
    let effect = region.obey(EffectKind::PowerCycle).await;
    assert_eq!(effect.boot, Some(BootDevice::Network));
    let agent = region.agent(id, 1).await;
    let task = region.app.agent_task(&agent).await.unwrap();
    assert_eq!(task.kind, AgentTaskKind::Commission);
    let next = region.app.agent_commissioned(&agent, found(CARD)).await.unwrap();
    assert_eq!(next, AgentNext::PowerOff);
    let again = region.app.agent_commissioned(&agent, found(CARD)).await.unwrap();
    assert_eq!(again, next, "a repeated call gets the same answer");
    let it = region.load(id).await;
    assert_eq!((it.state, it.commissioned), (MachineState::Ready, true));
    assert_eq!(region.app.hardware(&it).unwrap().cpu_threads, Some(8));
    region.published(id, Intent::PowerOff).await;
}

async fn deploy(region: &Region, id: ironherd_domain::MachineId) {
    region.published(id, Intent::Deploy).await;
    region.obey(EffectKind::PowerCycle).await;
    let agent = region.agent(id, 2).await;
    let task = region.app.agent_task(&agent).await.unwrap();
    let documents = task.deploy.unwrap();
    assert_eq!(documents.format, ImageKind::DiskRaw);
    assert_eq!(documents.image_path, format!("/images/{}", documents.sha256));
    let attempt = region.load(id).await.attempt;
    let meta_data = format!(
        "instance-id: \"{id}-{attempt}\"\nlocal-hostname: \"node-770010\"\npublic-keys:\n  \
         - \"ssh-ed25519 AAAA ada\"\n"
    );
    assert_eq!(documents.meta_data, meta_data);
    assert_eq!(documents.user_data, "#cloud-config\n{}\n");
    assert!(documents.vendor_data.starts_with("#!/bin/sh\n"));
    assert!(documents.network_config.contains("macaddress: \"52:54:00:77:00:10\""));
    let progress = AgentProgress { step: "write".into(), percent: Some(50), ..Default::default() };
    let next = region.app.agent_progress(&agent, progress).await.unwrap();
    assert_eq!(next, AgentNext::Continue);
    for _ in 0..2 {
        let next = region.app.agent_finished(&agent, DONE).await.unwrap();
        assert_eq!(next, AgentNext::Reboot);
    }
    region.published(id, Intent::Local).await;
    assert_eq!(region.state(id).await, MachineState::Deploying, "the system has not reported");
    let token = documents.phone_home_token.expose();
    for _ in 0..2 {
        region.app.system_ready(token).await.unwrap(); // Twice: the first answer may be lost.
        assert_eq!(region.state(id).await, MachineState::Deployed);
    }
}

async fn release(region: &Region, id: ironherd_domain::MachineId) {
    let input = MachineRelease { erase: EraseMode::Quick, request_id: None };
    let started = region.app.machine_release(&admin(), id, input).await.unwrap();
    assert_eq!(started.machine.state, MachineState::Releasing);
    region.obey(EffectKind::PowerOff).await;
    assert_eq!(region.state(id).await, MachineState::DiskErasing);
    region.published(id, Intent::Erase).await;
    region.obey(EffectKind::PowerCycle).await;
    let agent = region.agent(id, 3).await;
    assert_eq!(region.app.agent_task(&agent).await.unwrap().kind, AgentTaskKind::Erase);
    let next = region.app.agent_finished(&agent, DONE).await.unwrap();
    assert_eq!(next, AgentNext::PowerOff);
    assert_eq!(region.state(id).await, MachineState::Releasing);
    region.obey(EffectKind::PowerOff).await;
    assert_eq!(region.state(id).await, MachineState::Ready);
    let operation = region.app.operation(&admin(), started.operation.id).await.unwrap().unwrap();
    assert_eq!(operation.state, OperationState::Done);
}

#[tokio::test]
async fn a_release_without_erasing_skips_it() {
    for region in regions().await {
        region.furnish().await;
        let it = region.ready(CARD, 1).await;
        let input = region.deploy_input().await;
        region.app.machine_deploy(&admin(), it.id, input).await.unwrap();
        region.obey(EffectKind::PowerCycle).await;
        let input = MachineRelease { erase: EraseMode::None, request_id: None };
        region.app.machine_release(&admin(), it.id, input).await.unwrap();
        region.obey(EffectKind::PowerOff).await;
        assert_eq!(region.state(it.id).await, MachineState::Ready);
        assert!(region.load(it.id).await.disk_dirty, "what was not erased is remembered");
    }
}

#[tokio::test]
async fn an_allocated_machine_that_nobody_wrote_to_is_not_erased() {
    for region in regions().await {
        region.furnish().await;
        let it = region.ready(CARD, 1).await;
        let it = region.app.machine_allocate(&admin(), it.id).await.unwrap();
        assert_eq!((it.state, it.owner.as_deref()), (MachineState::Allocated, Some("ada")));
        let input = MachineRelease { erase: EraseMode::Quick, request_id: None };
        region.app.machine_release(&admin(), it.id, input).await.unwrap();
        region.obey(EffectKind::PowerOff).await;
        assert_eq!(region.state(it.id).await, MachineState::Ready);
    }
}

#[tokio::test]
async fn a_request_id_begins_one_operation() {
    for region in regions().await {
        region.furnish().await;
        let it = region.machine(CARD).await;
        let other = region.machine("52:54:00:77:00:11").await;
        let ask = async |id| region.app.machine_commission(&admin(), id, Some("r-1".into())).await;
        let first = ask(it.id).await.unwrap();
        let again = ask(it.id).await.unwrap();
        assert_eq!(first.operation.id, again.operation.id);
        assert_eq!(first.machine.attempt, again.machine.attempt, "nothing was done twice");
        let error = ask(other.id).await.unwrap_err();
        assert_eq!(error.code(), Some("REQUEST_ID_REUSED"));
        assert_eq!(region.state(other.id).await, MachineState::New);
    }
}
