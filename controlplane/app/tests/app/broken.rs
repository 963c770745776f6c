use ironherd_app::{EffectKind, MachineDeploy, MachineRelease};
use ironherd_domain::{EraseMode, Event, MachineState};

use crate::harness::{CARD, admin, code, regions};

#[tokio::test]
async fn a_broken_machine_with_an_owners_data_comes_back_only_by_a_release() {
    for region in regions().await {
        region.furnish().await;
        let it = region.ready(CARD, 1).await;
        let input = MachineDeploy {
            ssh_keys: vec!["ssh-ed25519 AAAA ada".into()],
            user_data: Some("#!/bin/sh".into()),
            ..region.deploy_input().await
        };
        region.app.machine_deploy(&admin(), it.id, input).await.unwrap();
        region.obey(EffectKind::PowerCycle).await;
        region.app.machine_event(it.id, Event::Failed, "no disk").await.unwrap();
        region.obey(EffectKind::PowerOff).await;
        let broken = region.app.machine_mark_broken(&admin(), it.id, "disk").await.unwrap();
        assert!(broken.disk_dirty && broken.ssh_keys.is_some());
        let error = region.app.machine_mark_fixed(&admin(), it.id).await.unwrap_err();
        assert!(error.to_string().contains("Release it with"), "{error}");
        assert_eq!(error.code(), Some("DISK_DIRTY"));
        let refused = region.app.machine_commission(&admin(), it.id, None).await;
        assert_eq!(code(refused), "DISK_DIRTY");
        let input = MachineRelease { erase: EraseMode::Quick, request_id: None };
        region.app.machine_release(&admin(), it.id, input).await.unwrap();
        region.obey(EffectKind::PowerOff).await;
        assert_eq!(region.state(it.id).await, MachineState::DiskErasing);
        region.obey(EffectKind::PowerCycle).await;
        region.app.machine_event(it.id, Event::Finished, "").await.unwrap();
        // Erased; then its BMC falls silent, and somebody looks after it.
        region.app.machine_event(it.id, Event::Failed, "silent").await.unwrap();
        let broken = region.app.machine_mark_broken(&admin(), it.id, "BMC").await.unwrap();
        assert!(!broken.disk_dirty && broken.ssh_keys.is_some());
        let it = region.app.machine_mark_fixed(&admin(), it.id).await.unwrap();
        assert_eq!((it.state, it.owner), (MachineState::Ready, None), "{}", region.engine);
        assert_eq!((it.image_id, it.ssh_keys, it.user_data), (None, None, None));
    }
}
