//! Goal: our IPMI session works against a BMC that we did not write.
//! Method: OpenIPMI's simulator on loopback, whose chassis script records what it is told.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod simulator;

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use ipmi_rs_core::app::GetDeviceId;
use ironherd_bmc::ipmi::suite::Suite;
use ironherd_bmc::ipmi::{IpmiConfig, IpmiDriver};
use ironherd_bmc::{
    BmcError, BmcPool, Boot, BootDevice, Credentials, PoolConfig, PowerAction, PowerState, Target,
};
use simulator::{PASSWORD, Simulator, USERNAME};

fn target(simulator: &Simulator) -> Target {
    Target::ipmi(simulator.address(), Credentials::new(USERNAME, PASSWORD)).unwrap()
}

/// Waits until the simulator listens: it says so nowhere, so it is asked until it answers.
async fn ready() -> Option<Simulator> {
    let simulator = simulator::start()?;
    let driver = IpmiDriver::default();
    let until = Instant::now() + Duration::from_secs(20);
    while let Err(error) = driver.open(&target(&simulator)).await {
        assert!(Instant::now() < until, "ipmi_sim does not answer: {error}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Some(simulator)
}

#[tokio::test]
async fn login_falls_back_to_suite_3() {
    let Some(simulator) = ready().await else { return };
    let driver = IpmiDriver::default();
    let mut session = driver.open(&target(&simulator)).await.unwrap();
    assert_eq!(session.suite(), Suite::Suite3, "ipmi_sim knows no suite 17");
    let device = session.call(GetDeviceId).await.unwrap();
    assert_eq!((device.manufacturer_id, device.product_id), (0x1291, 0xf02));
}

#[tokio::test]
async fn refusals_are_named() {
    let Some(simulator) = ready().await else { return };
    let rows =
        [(USERNAME, "wrong", BmcError::WrongPassword), ("nobody", PASSWORD, BmcError::UnknownUser)];
    for (username, password, want) in rows {
        let credentials = Credentials::new(username, password);
        let target = Target::ipmi(simulator.address(), credentials).unwrap();
        let got = BmcPool::new(PoolConfig::default()).status(&target).await;
        assert_eq!(got, Err(want), "{username} with {password:?}");
    }
    assert_eq!(simulator.calls(), [""; 0]);
}

#[tokio::test]
async fn power_follows_the_button() {
    use PowerState::{Off, On};
    let Some(simulator) = ready().await else { return };
    let (pool, target) = (BmcPool::new(PoolConfig::default()), target(&simulator));
    assert_eq!(pool.status(&target).await, Ok(Off));
    let network = Some(Boot { device: BootDevice::Network, efi: true });
    let disk = Some(Boot { device: BootDevice::Disk, efi: false });
    let rows: [(PowerAction, Option<Boot>, PowerState, &[&str]); 7] = [
        (PowerAction::Off, None, Off, &[]),
        (PowerAction::On, network, On, &["boot pxe", "power 1"]),
        (PowerAction::On, None, On, &[]),
        (PowerAction::Cycle, disk, On, &["power 0", "boot default", "power 1"]),
        (PowerAction::Reset, None, On, &["reset 1"]),
        (PowerAction::SoftOff, None, Off, &["shutdown 1"]),
        (PowerAction::Cycle, network, On, &["boot pxe", "power 1"]),
    ];
    for (action, boot, state, calls) in rows {
        let before = simulator.calls().len();
        assert_eq!(pool.power(&target, action, boot).await, Ok(state), "{action:?}");
        assert_eq!(simulator.calls()[before..], *calls, "{action:?}");
        assert_eq!(pool.status(&target).await, Ok(state), "{action:?}");
    }
    let boot = Boot { device: BootDevice::Network, efi: false };
    assert_eq!(pool.boot_device(&target, boot).await, Ok(()));
}

#[tokio::test]
async fn silence_ends_in_bounded_time() {
    // Bound, so that nobody else takes the port, and never read.
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let deaf = socket.local_addr().unwrap().to_string();
    let config = IpmiConfig { try_timeout: Duration::from_millis(50), tries: 3 };
    let target = Target::ipmi(&deaf, Credentials::new(USERNAME, PASSWORD)).unwrap();
    let error = IpmiDriver::new(config).open(&target).await.unwrap_err();
    let BmcError::Unreachable { after } = error else { panic!("{error}") };
    assert!((150..1_000).contains(&after.as_millis()), "{after:?}");

    let closed = {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.local_addr().unwrap().to_string()
    };
    let target = Target::ipmi(&closed, Credentials::new(USERNAME, PASSWORD)).unwrap();
    let started = Instant::now();
    let result = BmcPool::new(PoolConfig::default()).status(&target).await;
    assert!(matches!(result, Err(BmcError::Unreachable { .. })), "{result:?}");
    assert!(started.elapsed() < Duration::from_secs(8));
}
