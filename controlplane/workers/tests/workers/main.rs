//! Goal: what a step of the lifecycle asks for happens at the BMC, or fails with words that help.
//! Method: a whole region on SQLite; BMCs are scripted, and once OpenIPMI's simulator.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod region;
#[path = "../../../bmc/tests/ipmi_sim/simulator.rs"]
mod simulator;

use std::time::Duration;

use ironherd_app::{MachinePower, MachineRelease, PowerInput, Secret};
use ironherd_bmc::scripted::ScriptedBmc;
use ironherd_bmc::{BmcError, BmcPool, PoolConfig};
use ironherd_domain::{
    BootDevice, EraseMode, Event, MachineState, OperationState, PowerAction, PowerProtocol,
    PowerState,
};
use ironherd_workers::WorkersConfig;
use region::{CONFIG, OPERATOR, Region, address};

fn silence() -> BmcError {
    BmcError::Unreachable { after: Duration::from_secs(4) }
}

#[tokio::test]
async fn commissioning_starts_the_machine_from_the_network() {
    let rows: [(_, &[&str]); 2] = [
        (PowerState::Off, &["login", "boot network", "on"]),
        (PowerState::On, &["login", "off", "boot network", "on"]),
    ];
    for (power, log) in rows {
        let region = Region::open().await;
        let power = match power {
            PowerState::On => ironherd_bmc::PowerState::On,
            _ => ironherd_bmc::PowerState::Off,
        };
        let id = region.machine(1, ScriptedBmc { power, ..ScriptedBmc::default() }).await;
        let workers = region.workers(CONFIG);
        region.commission(id).await;
        // The first poll may log in as well: what counts is what was pressed.
        region.until(id, |_| pressed(&region, 1).len() + 1 == log.len()).await;
        assert_eq!(pressed(&region, 1), log[1..]);
        let machine = region.until(id, |it| it.power_state == PowerState::On).await;
        assert_eq!(machine.state, MachineState::Commissioning);
        workers.shutdown().await;
    }
}

/// What happened at the BMC, logins left out.
fn pressed(region: &Region, number: u8) -> Vec<String> {
    let log = region.driver.log(&address(number)).into_iter();
    log.filter(|it| !["login", "refused", "fault", "hang"].contains(&it.as_str())).collect()
}

#[tokio::test]
async fn faults_of_the_bmc_end_in_words_that_help() {
    let plain = ScriptedBmc::default();
    let rows = [
        // BMC, words of the failure.
        (ScriptedBmc { always: Some(silence()), ..plain.clone() }, "power.address: the BMC at 10"),
        (ScriptedBmc { password: "other".into(), ..plain.clone() }, "power.password: the BMC at"),
        (
            ScriptedBmc { always: Some(BmcError::UnknownUser), ..plain.clone() },
            "power.username: the BMC at 10.0.0.1:623 knows no user \"admin\"",
        ),
        (
            ScriptedBmc { always: Some(BmcError::PrivilegeTooLow), ..plain.clone() },
            "give it the role ADMINISTRATOR",
        ),
        (ScriptedBmc { dead_button: true, ..plain.clone() }, "accepted the command, but"),
        (ScriptedBmc { hangs: true, ..plain.clone() }, "does not answer"),
    ];
    for (bmc, words) in rows {
        let region = Region::open().await;
        let text = format!("{bmc:?}");
        let id = region.machine(1, bmc).await;
        region.commission(id).await;
        let workers = region.workers(CONFIG);
        let failed = MachineState::FailedCommissioning;
        let machine = region.until(id, |it| it.state == failed).await;
        let failure = machine.failure.unwrap();
        assert!(failure.contains(words), "{text}: {failure}");
        assert!(!failure.contains("secret"), "{failure}");
        workers.shutdown().await;
    }
}

#[tokio::test]
async fn a_refused_password_is_guessed_once_for_each_command() {
    let region = Region::open().await;
    let bmc = ScriptedBmc { password: "other".into(), ..ScriptedBmc::default() };
    let id = region.machine(1, bmc).await;
    region.commission(id).await;
    // Polls ask all the time; they and the power-off that follows the failure must not guess.
    let config = WorkersConfig { poll_period: Duration::from_millis(10), ..CONFIG };
    let workers = region.workers(config);
    let failed = MachineState::FailedCommissioning;
    region.until(id, |it| it.state == failed && it.power_error.is_some()).await;
    workers.shutdown().await;
    let guesses = region.driver.log(&address(1)).len();
    // A poll may have been the first, before the command let the password be tried once more.
    assert!((1..=2).contains(&guesses), "{guesses} guesses");
}

#[tokio::test]
async fn a_flaky_bmc_is_tried_again() {
    let region = Region::open().await;
    let faults = [silence(), BmcError::Busy].into();
    let id = region.machine(1, ScriptedBmc { faults, ..ScriptedBmc::default() }).await;
    region.commission(id).await;
    let workers = region.workers(CONFIG);
    let machine = region.until(id, |it| it.power_state == PowerState::On).await;
    assert_eq!(machine.state, MachineState::Commissioning);
    assert_eq!(pressed(&region, 1), ["boot network", "on"]);
    workers.shutdown().await;
}

#[tokio::test]
async fn a_release_ends_when_the_bmc_reports_off() {
    let region = Region::open().await;
    let on = ScriptedBmc { power: ironherd_bmc::PowerState::On, ..ScriptedBmc::default() };
    let id = region.machine(1, on).await;
    region.commission(id).await;
    let workers = region.workers(CONFIG);
    region.until(id, |it| it.power_state == PowerState::On).await;
    region.app.machine_event(id, Event::Finished, "").await.unwrap();
    region.app.machine_allocate(&OPERATOR, id).await.unwrap();
    let release = MachineRelease { erase: EraseMode::None, request_id: None };
    region.app.machine_release(&OPERATOR, id, release).await.unwrap();
    let machine = region.until(id, |it| it.state == MachineState::Ready).await;
    assert_eq!(machine.power_state, PowerState::Off);
    assert_eq!(pressed(&region, 1).last().map(String::as_str), Some("off"));
    workers.shutdown().await;
}

#[tokio::test]
async fn power_commands_of_a_person_end_their_operation() {
    let region = Region::open().await;
    let id = region.machine(1, ScriptedBmc::default()).await;
    let workers = region.workers(CONFIG);
    let rows = [
        (PowerAction::Query, None, PowerState::Off),
        (PowerAction::On, Some(BootDevice::Disk), PowerState::On),
        (PowerAction::Cycle, Some(BootDevice::Network), PowerState::On),
        (PowerAction::Off, None, PowerState::Off),
    ];
    for (action, boot_device, want) in rows {
        let input = MachinePower { action, boot_device };
        let started = region.app.machine_power(&OPERATOR, id, input).await.unwrap();
        finished(&region, &started.operation, OperationState::Done).await;
        assert_eq!(region.read(id).await.power_state, want, "{action}");
    }
    assert_eq!(
        pressed(&region, 1),
        ["boot disk", "on", "off", "boot network", "on", "off"],
        "no more and no less than was asked for"
    );
    region.driver.change(&address(1), |bmc| bmc.always = Some(BmcError::UnknownUser));
    let input = MachinePower { action: PowerAction::On, boot_device: None };
    let started = region.app.machine_power(&OPERATOR, id, input).await.unwrap();
    finished(&region, &started.operation, OperationState::Failed).await;
    assert_eq!(region.read(id).await.state, MachineState::New, "the machine itself stays");
    workers.shutdown().await;
}

async fn finished(region: &Region, started: &ironherd_app::Operation, want: OperationState) {
    let mut feed = region.app.changes(&OPERATOR, Some(0)).await.unwrap();
    loop {
        let it = region.app.operation(&OPERATOR, started.id).await.unwrap().unwrap();
        if it.state != OperationState::Running {
            assert_eq!(it.state, want, "{:?}", it.error);
            return;
        }
        // Not every end is an event: look again after a moment at the latest.
        let _ = tokio::time::timeout(Duration::from_millis(50), feed.next()).await;
    }
}

#[tokio::test]
async fn manual_power_is_left_to_the_operator() {
    let region = Region::open().await;
    let id = region.machine_with(1, None).await;
    let workers = region.workers(CONFIG);
    let machine = region.commission(id).await;
    let reasons = region.app.wait_reasons(&[machine]).await.unwrap();
    assert!(reasons[&id].contains("switch the machine on"), "{reasons:?}");
    assert!(region.app.effects_claim(10, CONFIG.effect_lease).await.unwrap().is_empty());
    workers.shutdown().await;
}

/// Goal: a process that dies at any step loses nothing and repeats nothing that is done.
#[tokio::test]
async fn effects_survive_a_process_that_dies() {
    let region = Region::open().await;
    let id = region.machine(1, ScriptedBmc { hangs: true, ..ScriptedBmc::default() }).await;
    region.commission(id).await;
    // Claimed by a process that dies right after, before it did anything.
    let claimed = region.app.effects_claim(1, CONFIG.effect_lease).await.unwrap();
    assert_eq!(claimed.len(), 1);
    assert!(region.app.effects_claim(1, CONFIG.effect_lease).await.unwrap().is_empty());

    // Claimed again by one that dies while the BMC thinks.
    region.advance(CONFIG.effect_lease);
    let workers = region.workers(CONFIG);
    hanging(&region).await;
    drop(workers);
    assert!(region.app.effects_claim(1, CONFIG.effect_lease).await.unwrap().is_empty());

    region.advance(CONFIG.effect_lease);
    region.driver.change(&address(1), |bmc| bmc.hangs = false);
    let workers = region.workers(CONFIG);
    let machine = region.until(id, |it| it.power_state == PowerState::On).await;
    assert_eq!(machine.state, MachineState::Commissioning);
    assert_eq!(pressed(&region, 1), ["boot network", "on"]);
    // The dead one's report comes too late to count.
    region.app.effect_failed(&claimed[0], "late", None).await.unwrap();
    assert_eq!(region.read(id).await.state, MachineState::Commissioning);
    workers.shutdown().await;
    region.advance(CONFIG.effect_lease);
    assert!(region.app.effects_claim(1, CONFIG.effect_lease).await.unwrap().is_empty());
}

/// Waits until somebody hangs at the BMC.
async fn hanging(region: &Region) {
    while !region.driver.log(&address(1)).iter().any(|it| it == "hang") {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_shutdown_puts_back_what_it_cannot_finish() {
    let region = Region::open().await;
    let id = region.machine(1, ScriptedBmc { hangs: true, ..ScriptedBmc::default() }).await;
    region.commission(id).await;
    let config = WorkersConfig { shutdown_grace: Duration::ZERO, ..CONFIG };
    let workers = region.workers(config);
    hanging(&region).await;
    workers.shutdown().await;
    // No lease has to run out: the next process gets it at once.
    let claimed = region.app.effects_claim(1, CONFIG.effect_lease).await.unwrap();
    assert_eq!(claimed.len(), 1);
}

/// Goal: a command that was carried out but not reported must not hit a machine at work.
#[tokio::test]
async fn a_late_power_cycle_spares_a_machine_that_moved_on() {
    let region = Region::open().await;
    let on = ScriptedBmc { power: ironherd_bmc::PowerState::On, ..ScriptedBmc::default() };
    let id = region.machine(1, on).await;
    region.commission(id).await;
    let claimed = region.app.effects_claim(1, CONFIG.effect_lease).await.unwrap();
    assert_eq!(claimed.len(), 1);
    region.app.machine_event(id, Event::Finished, "").await.unwrap();
    region.advance(CONFIG.effect_lease);
    let workers = region.workers(CONFIG);
    ended(&region).await;
    assert_eq!(pressed(&region, 1), [""; 0], "the lease ran out, and yet nothing was pressed");
    assert_eq!(region.read(id).await.state, MachineState::Ready);
    workers.shutdown().await;
}

/// Waits until no effect is left.
async fn ended(region: &Region) {
    // Only what waits or runs has a time: without any, this waits as long as an idle worker.
    let idle = Duration::from_secs(1);
    while tokio::time::timeout(idle, region.app.effects_wait()).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn tries_that_run_out_of_time_come_to_an_end() {
    let region = Region::open().await;
    let id = region.machine(1, ScriptedBmc { hangs: true, ..ScriptedBmc::default() }).await;
    region.commission(id).await;
    // All but 20 ms of this lease is the margin.
    let effect_lease = Duration::from_millis(5_020);
    let workers = region.workers(WorkersConfig { effect_lease, ..CONFIG });
    let failed = MachineState::FailedCommissioning;
    let machine = region.until(id, |it| it.state == failed).await;
    assert!(machine.failure.unwrap().contains("the BMC took longer than"));
    workers.shutdown().await;
}

#[tokio::test]
async fn a_power_command_that_nobody_carries_out_ends() {
    let region = Region::open().await;
    let id = region.machine(1, ScriptedBmc::default()).await;
    let workers = region.workers(WorkersConfig { effects_at_once: 0, ..CONFIG });
    let input = MachinePower { action: PowerAction::On, boot_device: None };
    let started = region.app.machine_power(&OPERATOR, id, input).await.unwrap();
    region.advance(Duration::from_secs(21 * 60));
    finished(&region, &started.operation, OperationState::Failed).await;
    assert!(region.app.effects_claim(9, CONFIG.effect_lease).await.unwrap().is_empty());
    workers.shutdown().await;
}

#[tokio::test]
async fn polls_reach_good_bmcs_among_dead_ones() {
    let region = Region::open().await;
    let dead = ScriptedBmc { hangs: true, ..ScriptedBmc::default() };
    for number in 1..=20 {
        region.machine(number, dead.clone()).await;
    }
    let on = ScriptedBmc { power: ironherd_bmc::PowerState::On, ..ScriptedBmc::default() };
    let mut good = Vec::new();
    for number in 101..=104 {
        good.push(region.machine(number, on.clone()).await);
    }
    let config = WorkersConfig { poll_period: Duration::from_secs(3600), ..CONFIG };
    let workers = region.workers(config);
    for id in good {
        let machine = region.until(id, |it| it.power_state == PowerState::On).await;
        assert!(machine.power_checked.is_some() && machine.power_error.is_none());
    }
    workers.shutdown().await;
}

#[tokio::test]
async fn a_poll_records_what_is_wrong() {
    let region = Region::open().await;
    let bmc = ScriptedBmc { always: Some(silence()), ..ScriptedBmc::default() };
    let id = region.machine(1, bmc).await;
    let config = WorkersConfig { poll_period: Duration::from_millis(50), ..CONFIG };
    let workers = region.workers(config);
    let machine = region.until(id, |it| it.power_error.is_some()).await;
    assert_eq!(machine.power_state, PowerState::Unknown);
    assert!(machine.power_error.unwrap().contains("does not answer"));
    region.driver.change(&address(1), |bmc| bmc.always = None);
    let machine = region.until(id, |it| it.power_state == PowerState::Off).await;
    assert_eq!(machine.power_error, None);
    workers.shutdown().await;
}

#[tokio::test]
async fn deadlines_end_what_lasts_too_long() {
    let region = Region::open().await;
    let id = region.machine(1, ScriptedBmc::default()).await;
    let workers = region.workers(CONFIG);
    region.commission(id).await;
    region.until(id, |it| it.power_state == PowerState::On).await;
    region.advance(Duration::from_secs(21 * 60));
    let failed = MachineState::FailedCommissioning;
    let machine = region.until(id, |it| it.state == failed).await;
    assert!(machine.failure.unwrap().contains("waiting"), "it says what it waited for");
    region.until(id, |it| it.power_state == PowerState::Off).await;
    assert_eq!(pressed(&region, 1), ["boot network", "on", "off"]);
    workers.shutdown().await;
}

/// The whole way once, with a BMC that we did not write.
#[tokio::test]
async fn an_effect_reaches_the_chassis() {
    let Some(simulator) = simulator::start() else { return };
    let region = Region::open().await;
    let power = PowerInput {
        protocol: PowerProtocol::Ipmi,
        address: Some(simulator.address().to_owned()),
        username: Some(simulator::USERNAME.to_owned()),
        password: Some(Secret::new(simulator::PASSWORD)),
    };
    let id = region.machine_with(1, Some(power)).await;
    region.commission(id).await;
    // The simulator may not listen yet: the retries must carry the effect over that.
    let patient = WorkersConfig {
        effect_tries: 100,
        retry_after_min: Duration::from_millis(50),
        retry_after_max: Duration::from_millis(200),
        ..CONFIG
    };
    let pool = PoolConfig {
        breaker_pause_min: Duration::from_millis(50),
        breaker_pause_max: Duration::from_millis(200),
        ..PoolConfig::default()
    };
    let workers = ironherd_workers::spawn(region.app.clone(), BmcPool::new(pool), patient);
    let machine = region.until(id, |it| it.power_state == PowerState::On).await;
    assert_eq!(machine.state, MachineState::Commissioning);
    assert_eq!(simulator.calls(), ["boot pxe", "power 1"]);
    region.app.machine_abort(&OPERATOR, id).await.unwrap();
    region.until(id, |it| it.power_state == PowerState::Off).await;
    assert_eq!(simulator.calls(), ["boot pxe", "power 1", "power 0"]);
    workers.shutdown().await;
}
