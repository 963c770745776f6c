//! Goal: the Redfish client does what the button does, and names what goes wrong.
//! Method: a small service on loopback that records what it is told and misbehaves on demand.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod emulator;
mod service;
mod tls;

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use ironherd_bmc::redfish::{RedfishConfig, RedfishDriver};
use ironherd_bmc::{
    BmcError, BmcPool, Boot, BootDevice, Credentials, PoolConfig, PowerAction, PowerState, Target,
};
use service::{Behaviour, PASSWORD, Service};

const NETWORK: Boot = Boot { device: BootDevice::Network, efi: true };
const DISK: Boot = Boot { device: BootDevice::Disk, efi: false };

fn target(service: &Service, password: &str) -> Target {
    let address = format!("http://{}", service.address);
    Target::redfish(&address, Credentials::new("admin", password)).unwrap()
}

fn pool() -> BmcPool {
    let config = PoolConfig { settle_timeout: Duration::from_millis(300), ..PoolConfig::default() };
    BmcPool::new(config)
}

#[tokio::test]
async fn power_follows_the_button_with_and_without_sessions() {
    use PowerState::{Off, On};
    let rows: [(PowerAction, Option<Boot>, PowerState, &[&str]); 6] = [
        (PowerAction::On, Some(NETWORK), On, &["boot Pxe Once UEFI", "reset On"]),
        (PowerAction::On, None, On, &[]),
        (PowerAction::Cycle, Some(DISK), On, &["reset ForceOff", "boot Hdd Once -", "reset On"]),
        (PowerAction::Reset, None, On, &["reset ForceRestart"]),
        (PowerAction::SoftOff, None, Off, &["reset GracefulShutdown"]),
        (PowerAction::Off, None, Off, &[]),
    ];
    for no_sessions in [false, true] {
        let service = Service::start(Behaviour { no_sessions, ..Behaviour::default() }).await;
        let (pool, target) = (pool(), target(&service, PASSWORD));
        assert_eq!(pool.status(&target).await, Ok(Off));
        for (action, boot, state, log) in rows {
            let before = service.log().len();
            assert_eq!(pool.power(&target, action, boot).await, Ok(state), "{action:?}");
            assert_eq!(service.log()[before..], *log, "{action:?}");
        }
        assert_eq!(service.open_sessions(), 0, "every session is closed");
    }
}

#[tokio::test]
async fn refusals_are_named() {
    let plain = Behaviour::default();
    let rows = [
        (plain, "wrong", Err(BmcError::WrongPassword)),
        (Behaviour { no_sessions: true, ..plain }, "wrong", Err(BmcError::WrongPassword)),
        (Behaviour { read_only: true, ..plain }, PASSWORD, Err(BmcError::PrivilegeTooLow)),
        (plain, PASSWORD, Ok(PowerState::On)),
    ];
    for (behaviour, password, want) in rows {
        let service = Service::start(behaviour).await;
        let got = pool().power(&target(&service, password), PowerAction::On, None).await;
        assert_eq!(got, want, "{behaviour:?}, {password:?}");
        assert_eq!(service.open_sessions(), 0);
    }
}

#[tokio::test]
async fn a_dead_button_is_noticed() {
    let service = Service::start(Behaviour { dead_button: true, ..Behaviour::default() }).await;
    let got = pool().power(&target(&service, PASSWORD), PowerAction::On, None).await;
    let Err(BmcError::NotReached { wanted, seen, .. }) = got else { panic!("{got:?}") };
    assert_eq!((wanted, seen), (PowerState::On, PowerState::Off));
}

#[tokio::test]
async fn boot_settings_suit_strict_services_and_http_only_firmware() {
    let plain = Behaviour::default();
    let rows: [(Behaviour, Boot, &[&str]); 3] = [
        (plain, NETWORK, &["boot Pxe Once UEFI"]),
        (Behaviour { strict_etag: true, ..plain }, NETWORK, &["stale", "boot Pxe Once UEFI"]),
        (Behaviour { http_boot_only: true, ..plain }, NETWORK, &["boot UefiHttp Once UEFI"]),
    ];
    for (behaviour, boot, log) in rows {
        let service = Service::start(behaviour).await;
        let got = pool().boot_device(&target(&service, PASSWORD), boot).await;
        assert_eq!(got, Ok(()), "{behaviour:?}");
        assert_eq!(service.log(), log, "{behaviour:?}");
    }
    let service = Service::start(Behaviour { no_boot_choice: true, ..plain }).await;
    let got = pool().boot_device(&target(&service, PASSWORD), NETWORK).await;
    assert!(matches!(got, Err(BmcError::Refused { .. })), "{got:?}");
}

#[tokio::test]
async fn silence_ends_in_bounded_time() {
    // Listens and never answers; the backlog takes the connection.
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let timeout = Duration::from_millis(200);
    let config = RedfishConfig { connect_timeout: timeout, request_timeout: timeout };
    for address in [deaf.local_addr().unwrap(), closed] {
        let target = format!("http://{address}");
        let target = Target::redfish(&target, Credentials::new("admin", "x")).unwrap();
        let driver = Arc::new(RedfishDriver::new(config));
        let got = BmcPool::with_driver(driver, PoolConfig::default()).status(&target).await;
        assert!(matches!(got, Err(BmcError::Unreachable { .. })), "{got:?}");
    }
}
