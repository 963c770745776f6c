use ironherd_app::{
    EffectKind, MachineCreate, MachineDeploy, MachinePower, MachineUpdate, PowerInput,
};
use ironherd_domain::{
    BootDevice, ImageId, ImageKind, MachineState, OperationState, PowerAction, PowerProtocol,
};

use crate::harness::{CARD, admin, code, redfish, regions};

fn power_on() -> MachinePower {
    MachinePower { action: PowerAction::On, boot_device: None }
}

fn create(hostname: Option<&str>, cards: &[&str]) -> MachineCreate {
    MachineCreate {
        hostname: hostname.map(str::to_owned),
        mac_addresses: cards.iter().map(|it| (*it).to_owned()).collect(),
        ..MachineCreate::default()
    }
}

#[tokio::test]
async fn a_machine_needs_a_fresh_name_and_fresh_cards() {
    for region in regions().await {
        region.app.machine_create(&admin(), create(Some("one"), &[CARD])).await.unwrap();
        let (other, card) = ("52:54:00:77:00:11", [CARD]);
        let bad_power = PowerInput { address: Some("root@bmc".into()), ..redfish() };
        let rows = [
            (create(Some("one"), &[other]), "HOSTNAME_TAKEN"),
            (create(Some("two"), &card), "MAC_TAKEN"),
            (create(Some("two"), &[]), "MAC_MISSING"),
            (create(Some("two"), &["ff:ff:ff:ff:ff:ff"]), "MAC_INVALID"),
            (create(Some("Two"), &[other]), "HOSTNAME_INVALID"),
            (
                MachineCreate { architecture: Some("vax".into()), ..create(Some("two"), &[other]) },
                "ARCHITECTURE_UNKNOWN",
            ),
            (
                MachineCreate { power: Some(bad_power), ..create(Some("two"), &[other]) },
                "POWER_INVALID",
            ),
            (
                MachineCreate { commission: true, ..create(Some("two"), &[other]) },
                "EPHEMERAL_MISSING",
            ),
        ];
        for (input, want) in rows {
            let shown = format!("{input:?}");
            assert_eq!(code(region.app.machine_create(&admin(), input).await), want, "{shown}");
        }
        let two = region.app.machine_by_hostname(&admin(), "two").await.unwrap();
        assert!(two.is_none(), "a refused command leaves nothing");
    }
}

#[tokio::test]
async fn many_who_create_one_name_at_once_make_one_machine() {
    for region in regions().await {
        let mut users = tokio::task::JoinSet::new();
        for number in 0..6 {
            let app = region.app.clone();
            let card = format!("52:54:00:78:00:0{number}");
            users.spawn(async move {
                app.machine_create(&admin(), create(Some("one"), &[&card])).await
            });
        }
        let answers = users.join_all().await;
        assert_eq!(answers.iter().filter(|it| it.is_ok()).count(), 1, "{}", region.engine);
        for refused in answers.into_iter().filter(Result::is_err) {
            assert_eq!(code(refused), "HOSTNAME_TAKEN");
        }
    }
}

#[tokio::test]
async fn an_update_keeps_what_it_does_not_name() {
    for region in regions().await {
        region.furnish().await;
        let it = region.machine(CARD).await;
        let power = PowerInput { password: None, username: Some("admin".into()), ..redfish() };
        let input = MachineUpdate {
            hostname: Some("renamed".into()),
            power: Some(power),
            kernel_args: Some(" console=ttyS0 ".into()),
            boot_file: Some(Some("http://10.20.0.2/x.efi".into())),
        };
        let it = region.app.machine_update(&admin(), it.id, input).await.unwrap();
        assert_eq!((it.hostname.as_str(), it.kernel_args.as_str()), ("renamed", "console=ttyS0"));
        let target = region.app.power_target(it.id).await.unwrap().unwrap();
        let password = redfish().password.unwrap();
        assert_eq!((target.username.as_str(), &target.password), ("admin", &password));
        let mut changes = region.app.snapshot_changes();
        let named = |_: &u64| {
            let snapshot = region.app.snapshot();
            // The first snapshots may be older than the subnet.
            let reservation = snapshot.subnets.first().and_then(|it| it.reservations.first());
            reservation.is_some_and(|it| it.hostname.as_deref() == Some("renamed"))
        };
        changes.wait_for(named).await.unwrap();
        for args in ["a\nb", "${net0/ip}", "ü"] {
            let input =
                MachineUpdate { kernel_args: Some(args.into()), ..MachineUpdate::default() };
            let refused = region.app.machine_update(&admin(), it.id, input).await;
            assert_eq!(code(refused), "KERNEL_ARGS_INVALID", "{args:?}");
        }
    }
}

#[tokio::test]
async fn a_machine_in_use_is_deleted_by_force_only() {
    for region in regions().await {
        region.furnish().await;
        let it = region.ready(CARD, 1).await;
        region.app.machine_allocate(&admin(), it.id).await.unwrap();
        assert_eq!(code(region.app.machine_delete(&admin(), it.id, false).await), "MACHINE_IN_USE");
        region.app.machine_delete(&admin(), it.id, true).await.unwrap();
        assert!(region.app.machine(&admin(), it.id).await.unwrap().is_none());
        let gone = region.app.machine_power(&admin(), it.id, power_on()).await;
        assert_eq!(code(gone), "NOT_FOUND");
        let again = region.machine("52:54:00:77:00:12").await;
        assert_eq!(again.address, it.address, "its address is free");
    }
}

#[tokio::test]
async fn a_deployment_is_checked_before_it_begins() {
    for region in regions().await {
        region.furnish().await;
        let it = region.ready(CARD, 1).await;
        let kernel = region.image("k", ImageKind::EphemeralKernel, b"kernel").await;
        let good = region.deploy_input().await;
        let rows = [
            (MachineDeploy { image_id: ImageId::new(), ..good.clone() }, "IMAGE_NOT_FOUND"),
            (MachineDeploy { image_id: kernel.id, ..good.clone() }, "IMAGE_KIND_WRONG"),
            (MachineDeploy { ssh_keys: vec!["mykey".into()], ..good.clone() }, "SSH_KEY_INVALID"),
            (
                MachineDeploy { user_data: Some("x".repeat(300_000)), ..good.clone() },
                "USER_DATA_TOO_LARGE",
            ),
            (
                MachineDeploy { request_id: Some(String::new()), ..good.clone() },
                "REQUEST_ID_INVALID",
            ),
        ];
        for (input, want) in rows {
            let got = code(region.app.machine_deploy(&admin(), it.id, input).await);
            assert_eq!(got, want);
        }
        assert_eq!(region.state(it.id).await, MachineState::Ready);
        region.app.machine_deploy(&admin(), it.id, good.clone()).await.unwrap();
        let used = region.app.image_delete(&admin(), good.image_id).await;
        assert_eq!(code(used), "IMAGE_IN_USE");
    }
}

#[tokio::test]
async fn power_is_switched_through_an_operation() {
    for region in regions().await {
        region.furnish().await;
        let it = region.machine(CARD).await;
        let on = MachinePower { action: PowerAction::On, boot_device: Some(BootDevice::Disk) };
        let first = region.app.machine_power(&admin(), it.id, on).await.unwrap();
        let off = MachinePower { action: PowerAction::Off, boot_device: None };
        let second = region.app.machine_power(&admin(), it.id, off).await.unwrap();
        let first = region.app.operation(&admin(), first.operation.id).await.unwrap().unwrap();
        assert_eq!(first.state, OperationState::Cancelled, "a later command replaced it");
        region.obey(EffectKind::PowerOff).await;
        let second = region.app.operation(&admin(), second.operation.id).await.unwrap().unwrap();
        assert_eq!(second.state, OperationState::Done);
        let third = region.app.machine_power(&admin(), it.id, on).await.unwrap();
        let effect = region.effect().await;
        assert_eq!((effect.kind, effect.boot), (EffectKind::PowerOn, Some(BootDevice::Disk)));
        region.app.effect_failed(&effect, "The BMC says no.", None).await.unwrap();
        let third = region.app.operation(&admin(), third.operation.id).await.unwrap().unwrap();
        assert_eq!(third.error.as_deref(), Some("The BMC says no."));
        region.app.machine_commission(&admin(), it.id, None).await.unwrap();
        let busy = region.app.machine_power(&admin(), it.id, off).await;
        assert_eq!(code(busy), "MACHINE_BUSY");
        let query = MachinePower { action: PowerAction::Query, boot_device: None };
        region.app.machine_power(&admin(), it.id, query).await.unwrap();
        let manual = PowerInput {
            protocol: PowerProtocol::Manual,
            address: None,
            username: None,
            password: None,
        };
        let input =
            MachineCreate { power: Some(manual), ..create(Some("manual"), &["52:54:00:77:00:13"]) };
        let it = region.app.machine_create(&admin(), input).await.unwrap();
        assert_eq!(code(region.app.machine_power(&admin(), it.id, on).await), "POWER_MANUAL");
    }
}
