//! The pool over scripted BMCs. Time is tokio's paused clock: waits cost nothing.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{BmcPool, PoolConfig, PowerAction};
use crate::PowerState::{Off, On};
use crate::scripted::{ScriptedBmc, ScriptedDriver};
use crate::{BmcError, Boot, BootDevice, Credentials, Target};

const ADDRESS: &str = "10.0.0.1:623";

fn silence() -> BmcError {
    BmcError::Unreachable { after: Duration::from_secs(4) }
}

fn target(password: &str) -> Target {
    Target::ipmi(ADDRESS, Credentials::new("admin", password)).unwrap()
}

fn pool(bmc: ScriptedBmc) -> (BmcPool, ScriptedDriver) {
    let driver = ScriptedDriver::default();
    driver.add(ADDRESS, bmc);
    (BmcPool::with_driver(Arc::new(driver.clone()), PoolConfig::default()), driver)
}

#[tokio::test(start_paused = true)]
async fn actions_send_only_what_is_needed() {
    let network = Some(Boot { device: BootDevice::Network, efi: true });
    let rows: [(PowerAction, _, _, _, &[&str]); 7] = [
        (PowerAction::On, Off, network, On, &["login", "boot network efi", "on"]),
        (PowerAction::On, On, None, On, &["login"]),
        (PowerAction::Off, On, None, Off, &["login", "off"]),
        (PowerAction::Off, Off, None, Off, &["login"]),
        (PowerAction::Cycle, On, network, On, &["login", "off", "boot network efi", "on"]),
        (PowerAction::Cycle, Off, network, On, &["login", "boot network efi", "on"]),
        (PowerAction::SoftOff, On, None, Off, &["login", "softoff"]),
    ];
    for (action, power, boot, want, log) in rows {
        let (pool, driver) = pool(ScriptedBmc { power, ..ScriptedBmc::default() });
        let got = pool.power(&target("secret"), action, boot).await;
        assert_eq!(got, Ok(want), "{action:?} while {power:?}");
        assert_eq!(driver.log(ADDRESS), log, "{action:?} while {power:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_button_is_named_when_the_time_is_up() {
    let (pool, _) = pool(ScriptedBmc { dead_button: true, ..ScriptedBmc::default() });
    let got = pool.power(&target("secret"), PowerAction::On, None).await;
    let Err(BmcError::NotReached { wanted: On, seen: Off, after }) = got else { panic!("{got:?}") };
    assert!(PoolConfig::default().settle_timeout <= after);
}

#[tokio::test(start_paused = true)]
async fn a_refused_password_is_not_tried_again_until_it_changes() {
    let (pool, driver) = pool(ScriptedBmc::default());
    for _ in 0..5 {
        let got = pool.status(&target("wrong")).await;
        assert_eq!(got, Err(BmcError::WrongPassword));
    }
    assert_eq!(driver.log(ADDRESS), ["refused"], "one guess reached the BMC");
    let got = pool.power(&target("wrong"), PowerAction::On, None).await;
    assert_eq!(got, Err(BmcError::WrongPassword), "actions are guarded too");
    assert_eq!(driver.log(ADDRESS), ["refused"]);

    pool.forgive(&target("wrong"));
    assert_eq!(pool.status(&target("wrong")).await, Err(BmcError::WrongPassword));
    assert_eq!(driver.log(ADDRESS), ["refused", "refused"], "a person asked again");

    assert_eq!(pool.status(&target("secret")).await, Ok(Off));
    assert_eq!(driver.log(ADDRESS), ["refused", "refused", "login"]);
}

#[tokio::test(start_paused = true)]
async fn a_silent_bmc_is_spared_after_three_tries() {
    let (pool, driver) = pool(ScriptedBmc { always: Some(silence()), ..ScriptedBmc::default() });
    for _ in 0..3 {
        assert_eq!(pool.status(&target("secret")).await, Err(silence()));
    }
    let got = pool.status(&target("secret")).await;
    let Err(BmcError::BackingOff { retry_in }) = got else { panic!("{got:?}") };
    assert_eq!(driver.log(ADDRESS).len(), 3, "nothing was sent while it is spared");

    driver.change(ADDRESS, |bmc| bmc.always = None);
    tokio::time::sleep(retry_in).await;
    assert_eq!(pool.status(&target("secret")).await, Ok(Off));
    driver.change(ADDRESS, |bmc| bmc.faults.push_back(silence()));
    assert_eq!(pool.status(&target("secret")).await, Err(silence()));
    assert_eq!(pool.status(&target("secret")).await, Ok(Off), "one answer clears the count");
}

#[tokio::test(start_paused = true)]
async fn reads_that_wait_share_one_answer() {
    let (pool, driver) = pool(ScriptedBmc::default());
    let target = target("secret");
    let reads = (0..20).map(|_| pool.status(&target));
    for got in join_all(reads).await {
        assert_eq!(got, Ok(Off));
    }
    let logins = driver.log(ADDRESS).len();
    assert!(logins <= 2, "{logins} logins for 20 reads at once");
}

#[tokio::test(start_paused = true)]
async fn a_hanging_bmc_holds_up_nobody_but_itself() {
    let (pool, driver) = pool(ScriptedBmc { hangs: true, ..ScriptedBmc::default() });
    driver.add("10.0.0.2:623", ScriptedBmc::default());
    let good = Target::ipmi("10.0.0.2", Credentials::new("admin", "secret")).unwrap();
    let started = Instant::now();
    let hanging = target("secret");
    let (hung, answered) = tokio::join!(pool.status(&hanging), async {
        let answer = pool.status(&good).await;
        (answer, started.elapsed())
    });
    assert_eq!(answered.0, Ok(Off));
    assert!(answered.1 < Duration::from_secs(1));
    assert!(matches!(hung, Err(BmcError::Unreachable { .. })), "{hung:?}");
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_says_so() {
    let (pool, _) = pool(ScriptedBmc { hangs: true, ..ScriptedBmc::default() });
    let target = target("secret");
    let actions = (0..20).map(|_| pool.power(&target, PowerAction::On, None));
    let busy = join_all(actions).await.into_iter().filter(|it| *it == Err(BmcError::Busy));
    assert!(8 <= busy.count());
}

#[tokio::test(start_paused = true)]
async fn actions_go_before_reads() {
    let (pool, driver) = pool(ScriptedBmc { hangs: true, ..ScriptedBmc::default() });
    let (target, other) = (target("secret"), target("wrong"));
    let boot = Boot { device: BootDevice::Disk, efi: false };
    // The first read occupies the lane until its time is up; by then the others wait in line.
    let first = pool.status(&target);
    let read = pool.status(&other);
    let act = async {
        tokio::task::yield_now().await;
        driver.change(ADDRESS, |bmc| bmc.hangs = false);
        pool.boot_device(&target, boot).await
    };
    let (_, read, act) = tokio::join!(first, read, act);
    assert_eq!((read, act), (Err(BmcError::WrongPassword), Ok(())));
    let log = driver.log(ADDRESS);
    let at = |what: &str| log.iter().position(|it| it == what);
    assert!(at("boot disk") < at("refused"), "{log:?}");
}

#[tokio::test(start_paused = true)]
async fn idle_lanes_end_and_guards_stay() {
    let (pool, _) = pool(ScriptedBmc::default());
    let _ = pool.status(&target("secret")).await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(pool.shared.lanes().len(), 0);
    let _ = pool.status(&target("wrong")).await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(pool.shared.lanes().len(), 1, "the refusal is remembered");
}

async fn join_all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.map(Box::pin).collect();
    let mut outputs: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        for (future, output) in futures.iter_mut().zip(&mut outputs) {
            if output.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(cx)
            {
                *output = Some(value);
            }
        }
        if outputs.iter().all(Option::is_some) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    outputs.into_iter().flatten().collect()
}
