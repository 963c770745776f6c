use std::time::Duration;

use ironherd_app::{
    Actor, AgentFinished, AgentProgress, CommandError, Effect, EffectKind, MachineCreate,
    MachinePower, MachineRelease, effect_is_moot,
};
use ironherd_domain::{
    AgentNext, EraseMode, Event, MachineId, MachineState, OperationId, OperationState, PowerAction,
    PowerState,
};

use crate::harness::{CARD, admin, code, redfish, regions};

#[tokio::test]
async fn an_illegal_step_names_the_state_and_what_is_possible() {
    for region in regions().await {
        region.furnish().await;
        let it = region.machine(CARD).await;
        let input = region.deploy_input().await;
        let error = region.app.machine_deploy(&admin(), it.id, input).await.unwrap_err();
        let CommandError::Refused(refusals) = error else { panic!("{error}") };
        assert_eq!((refusals[0].code, refusals[0].field[0].as_str()), ("ILLEGAL_TRANSITION", "id"));
        let want = "DEPLOY is not possible while the machine is NEW. Possible now: COMMISSION, \
                    MARK_BROKEN, DELETE.";
        assert_eq!(refusals[0].message, want);
        assert_eq!(region.load(it.id).await.image_id, None, "nothing was stored");
    }
}

#[tokio::test]
async fn an_unknown_machine_is_refused_by_every_command() {
    for region in regions().await {
        let (app, id, user) = (&region.app, MachineId::new(), admin());
        assert_eq!(code(app.machine_commission(&user, id, None).await), "NOT_FOUND");
        assert_eq!(code(app.machine_allocate(&user, id).await), "NOT_FOUND");
        assert_eq!(code(app.machine_abort(&user, id).await), "NOT_FOUND");
        assert_eq!(code(app.machine_retry(&user, id).await), "NOT_FOUND");
        assert_eq!(code(app.machine_delete(&user, id, true).await), "NOT_FOUND");
        assert_eq!(code(app.machine_event(id, Event::Expire, "").await), "NOT_FOUND");
        assert!(app.machine(&user, id).await.unwrap().is_none());
        assert!(app.power_target(id).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_deadline_ends_the_wait_and_says_what_for() {
    for region in regions().await {
        region.furnish().await;
        let it = region.machine(CARD).await;
        let started = region.app.machine_commission(&admin(), it.id, None).await.unwrap();
        let reasons = region.app.wait_reasons(std::slice::from_ref(&started.machine)).await;
        assert_eq!(reasons.unwrap()[&it.id], "Waiting for the BMC to start the machine.");
        region.obey(EffectKind::PowerCycle).await;
        let early = region.app.machine_event(it.id, Event::Expire, "").await;
        assert_eq!(code(early), "NOT_DUE");
        assert!(region.app.deadlines_passed(region.app.now(), 9).await.unwrap().is_empty());
        region.pass(Duration::from_mins(20));
        let late = region.app.deadlines_passed(region.app.now(), 9).await.unwrap();
        assert_eq!(late[0].waiting_for, "Started; waiting for its first network boot request.");
        let it = region.app.machine_event(it.id, Event::Expire, "").await.unwrap();
        assert_eq!((it.state, it.deadline), (MachineState::FailedCommissioning, None));
        let want = "Gave up COMMISSIONING after 20 min. Started; waiting for its first network \
                    boot request.";
        assert_eq!(it.failure.as_deref(), Some(want));
        let operation = region.app.operation(&admin(), started.operation.id).await.unwrap();
        let operation = operation.unwrap();
        assert_eq!(
            (operation.state, operation.error.as_deref()),
            (OperationState::Failed, Some(want))
        );
        region.obey(EffectKind::PowerOff).await;
        assert!(region.app.deadlines_passed(region.app.now(), 9).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_silent_agent_is_called_silent() {
    for region in regions().await {
        region.furnish().await;
        let it = region.machine(CARD).await;
        region.app.machine_commission(&admin(), it.id, None).await.unwrap();
        region.obey(EffectKind::PowerCycle).await;
        region.agent(it.id, 1).await;
        for (minutes, want) in [(1, "at work"), (4, "silent for 5 min")] {
            region.pass(Duration::from_mins(minutes));
            let it = region.load(it.id).await;
            let reasons = region.app.wait_reasons(std::slice::from_ref(&it)).await.unwrap();
            assert!(reasons[&it.id].contains(want), "{}", reasons[&it.id]);
        }
    }
}

#[tokio::test]
async fn a_bmc_that_does_not_answer_shows_then_fails_the_state_and_a_retry_mends_it() {
    for region in regions().await {
        region.furnish().await;
        let it = region.machine(CARD).await;
        region.app.machine_commission(&admin(), it.id, None).await.unwrap();
        let effect = region.effect().await;
        let later = Some(Duration::from_secs(5));
        region.app.effect_failed(&effect, "No route to host.", later).await.unwrap();
        let loaded = region.load(it.id).await;
        assert_eq!(loaded.power_error.as_deref(), Some("No route to host."));
        let reasons = region.app.wait_reasons(std::slice::from_ref(&loaded)).await.unwrap();
        assert!(reasons[&it.id].contains("No route to host."), "{}", reasons[&it.id]);
        region.pass(Duration::from_secs(5));
        let effect = region.effect().await;
        assert_eq!(effect.tries, 2);
        region.app.effect_failed(&effect, "No route to host.", None).await.unwrap();
        let failed = region.load(it.id).await;
        assert_eq!(failed.state, MachineState::FailedCommissioning);
        let want = "POWER_CYCLE did not work: No route to host.";
        assert_eq!(failed.failure.as_deref(), Some(want));
        region.obey(EffectKind::PowerOff).await;
        let retried = region.app.machine_retry(&admin(), it.id).await.unwrap().machine;
        assert_eq!((retried.state, &retried.failure), (MachineState::Commissioning, &None));
        assert!(failed.attempt < retried.attempt);
    }
}

#[tokio::test]
async fn a_stale_effect_fails_nothing() {
    for region in regions().await {
        region.furnish().await;
        let it = region.machine(CARD).await;
        region.app.machine_commission(&admin(), it.id, None).await.unwrap();
        let old = region.effect().await;
        region.app.machine_abort(&admin(), it.id).await.unwrap();
        region.app.machine_commission(&admin(), it.id, None).await.unwrap();
        region.app.effect_failed(&old, "late", None).await.unwrap();
        assert_eq!(region.state(it.id).await, MachineState::Commissioning);
    }
}

#[tokio::test]
async fn an_aborted_agent_is_told_to_stop() {
    for region in regions().await {
        region.furnish().await;
        let it = region.ready(CARD, 1).await;
        let input = region.deploy_input().await;
        let started = region.app.machine_deploy(&admin(), it.id, input).await.unwrap();
        region.obey(EffectKind::PowerCycle).await;
        let agent = region.agent(it.id, 2).await;
        let it = region.app.machine_abort(&admin(), it.id).await.unwrap();
        assert_eq!((it.state, it.image_id), (MachineState::Allocated, None));
        assert_eq!(it.owner.as_deref(), Some("ada"), "the owner stays");
        let progress = AgentProgress { step: "write".into(), ..AgentProgress::default() };
        let next = region.app.agent_progress(&agent, progress).await.unwrap();
        assert_eq!(next, AgentNext::Stop);
        let done = AgentFinished { success: true, message: None };
        assert_eq!(region.app.agent_finished(&agent, done).await.unwrap(), AgentNext::Stop);
        assert_eq!(region.state(it.id).await, MachineState::Allocated);
        assert_eq!(code(region.app.agent_task(&agent).await), "TASK_STALE");
        let operation = region.app.operation(&admin(), started.operation.id).await.unwrap();
        assert_eq!(operation.unwrap().state, OperationState::Cancelled);
    }
}

#[tokio::test]
async fn a_failed_deployment_is_retried_in_place() {
    for region in regions().await {
        region.furnish().await;
        let it = region.ready(CARD, 1).await;
        let input = region.deploy_input().await;
        region.app.machine_deploy(&admin(), it.id, input).await.unwrap();
        region.obey(EffectKind::PowerCycle).await;
        let agent = region.agent(it.id, 2).await;
        let task = region.app.agent_task(&agent).await.unwrap();
        let first = task.deploy.unwrap();
        let failed = AgentFinished { success: false, message: Some("No disk.".into()) };
        for _ in 0..2 {
            let next = region.app.agent_finished(&agent, failed.clone()).await.unwrap();
            assert_eq!(next, AgentNext::PowerOff);
        }
        let loaded = region.load(it.id).await;
        assert_eq!(loaded.state, MachineState::FailedDeployment);
        assert_eq!(loaded.failure.as_deref(), Some("No disk."));
        region.obey(EffectKind::PowerOff).await;
        let retried = region.app.machine_retry(&admin(), it.id).await.unwrap().machine;
        assert_eq!((&retried.owner, retried.image_id), (&loaded.owner, loaded.image_id));
        region.obey(EffectKind::PowerCycle).await;
        let agent = region.agent(it.id, 3).await;
        let second = region.app.agent_task(&agent).await.unwrap().deploy.unwrap();
        assert_ne!(first.meta_data, second.meta_data, "a new instance id");
        let stale = region.app.system_ready(first.phone_home_token.expose()).await;
        assert_eq!(code(stale), "TOKEN_INVALID");
        region.app.system_ready(second.phone_home_token.expose()).await.unwrap();
    }
}

#[tokio::test]
async fn manual_power_waits_for_nobody() {
    for region in regions().await {
        region.furnish().await;
        let input = MachineCreate {
            mac_addresses: vec![CARD.into()],
            commission: true,
            ..Default::default()
        };
        let it = region.app.machine_create(&admin(), input).await.unwrap();
        assert_eq!(it.state, MachineState::Commissioning);
        let due = region.app.effects_claim(9, Duration::from_secs(60)).await.unwrap();
        assert!(due.is_empty());
        let agent = region.agent(it.id, 1).await;
        region.app.agent_commissioned(&agent, crate::harness::found(CARD)).await.unwrap();
        region.app.machine_allocate(&admin(), it.id).await.unwrap();
        let input = MachineRelease { erase: EraseMode::Quick, request_id: None };
        let started = region.app.machine_release(&admin(), it.id, input).await.unwrap();
        assert_eq!(started.machine.state, MachineState::Ready);
        assert_eq!(started.operation.state, OperationState::Done);
    }
}

#[tokio::test]
async fn a_fixed_machine_goes_back_to_where_it_was() {
    for region in regions().await {
        region.furnish().await;
        let new = region.machine("52:54:00:77:00:20").await;
        let ready = region.ready(CARD, 1).await;
        for (id, want) in [(new.id, MachineState::New), (ready.id, MachineState::Ready)] {
            assert_eq!(
                code(region.app.machine_mark_broken(&admin(), id, " ").await),
                "REASON_MISSING"
            );
            let it = region.app.machine_mark_broken(&admin(), id, "A fan is dead").await.unwrap();
            assert_eq!(it.failure.as_deref(), Some("A fan is dead"));
            let it = region.app.machine_mark_fixed(&admin(), id).await.unwrap();
            assert_eq!((it.state, it.failure), (want, None));
        }
        let input = region.deploy_input().await;
        region.app.machine_deploy(&admin(), ready.id, input).await.unwrap();
        region.obey(EffectKind::PowerCycle).await;
        let agent = region.agent(ready.id, 2).await;
        let task = region.app.agent_task(&agent).await.unwrap().deploy.unwrap();
        region.app.system_ready(task.phone_home_token.expose()).await.unwrap();
        region.app.machine_mark_broken(&admin(), ready.id, "noisy").await.unwrap();
        let it = region.app.machine_mark_fixed(&admin(), ready.id).await.unwrap();
        assert_eq!((it.state, it.owner.as_deref()), (MachineState::Deployed, Some("ada")));
    }
}

#[tokio::test]
async fn of_two_who_want_one_machine_one_gets_it() {
    for region in regions().await {
        region.furnish().await;
        let it = region.ready(CARD, 1).await;
        let mut users = tokio::task::JoinSet::new();
        for name in ["ada", "bob", "eve", "joe"] {
            let app = region.app.clone();
            let actor = Actor::System(name);
            users.spawn(async move { app.machine_allocate(&actor, it.id).await });
        }
        let answers = users.join_all().await;
        assert_eq!(answers.iter().filter(|it| it.is_ok()).count(), 1, "{}", region.engine);
        for refused in answers.into_iter().filter(Result::is_err) {
            assert_eq!(code(refused), "ILLEGAL_TRANSITION");
        }
    }
}

#[tokio::test]
async fn a_poll_that_sees_the_machine_off_moves_a_release_on() {
    for region in regions().await {
        region.furnish().await;
        let it = region.ready(CARD, 1).await;
        assert_eq!(region.app.power_stale(Duration::from_secs(30), 9).await.unwrap(), []);
        region.pass(Duration::from_mins(1));
        assert_eq!(region.app.power_stale(Duration::from_secs(30), 9).await.unwrap(), [it.id]);
        region.app.machine_allocate(&admin(), it.id).await.unwrap();
        let input = MachineRelease { erase: EraseMode::Quick, request_id: None };
        region.app.machine_release(&admin(), it.id, input).await.unwrap();
        region.app.power_observed(it.id, Err("busy".into())).await.unwrap();
        assert_eq!(region.state(it.id).await, MachineState::Releasing);
        region.app.power_observed(it.id, Ok(PowerState::Off)).await.unwrap();
        let it = region.load(it.id).await;
        assert_eq!((it.state, it.power_state), (MachineState::Ready, PowerState::Off));
        let target = region.app.power_target(it.id).await.unwrap().unwrap();
        assert_eq!(target.password.expose(), redfish().password.unwrap().expose());
    }
}

#[tokio::test]
async fn a_power_cycle_that_comes_too_late_does_no_harm() {
    for region in regions().await {
        region.furnish().await;
        let it = region.machine(CARD).await;
        region.app.machine_commission(&admin(), it.id, None).await.unwrap();
        let effect = region.effect().await;
        assert!(!effect_is_moot(&effect, &region.load(it.id).await));
        region.agent(it.id, 1).await;
        let loaded = region.load(it.id).await;
        assert!(effect_is_moot(&effect, &loaded), "the agent is at work");
        let asked = Effect { operation_id: Some(OperationId::new()), ..effect.clone() };
        assert!(!effect_is_moot(&asked, &loaded), "a person asked for it");
        // Given up although the machine booted: its state goes on.
        region.app.effect_failed(&effect, "No answer.", None).await.unwrap();
        assert_eq!(region.state(it.id).await, MachineState::Commissioning);
    }
}

#[tokio::test]
async fn a_replaced_power_command_ends_its_operation() {
    for region in regions().await {
        let it = region.machine(CARD).await;
        let power = |action| MachinePower { action, boot_device: None };
        let on = power(PowerAction::On);
        let first = region.app.machine_power(&admin(), it.id, on).await.unwrap().operation;
        let running = region.effect().await;
        let off = power(PowerAction::Off);
        region.app.machine_power(&admin(), it.id, off).await.unwrap();
        let later = Some(Duration::from_secs(5));
        region.app.effect_failed(&running, "No answer.", later).await.unwrap();
        let first = region.app.operation(&admin(), first.id).await.unwrap().unwrap();
        assert_eq!(first.state, OperationState::Cancelled);
        region.obey(EffectKind::PowerOff).await;
    }
}
