//! The client against the lab's Redfish emulator, which was written from the specification by
//! somebody else. Its machine is never started: that takes firmware and a namespace.

use std::net::SocketAddr;

use ironherd_bmc::{
    BmcError, BmcPool, Boot, BootDevice, Credentials, PoolConfig, PowerAction, PowerState, Target,
};
use ironherd_bmc_sim::{
    BmcConfig, BmcKind, BootEnabled, BootTarget, DiskBus, Firmware, Machine, MachineConfig, Secret,
    redfish,
};
use tokio::task::JoinHandle;

struct Emulator {
    machine: Machine,
    address: SocketAddr,
    task: JoinHandle<()>,
    _folder: tempfile::TempDir,
}

impl Emulator {
    async fn start(firmware: Firmware) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let machine = Machine::create(folder.path(), config(firmware)).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = redfish::router(machine.clone());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { machine, address, task, _folder: folder }
    }

    fn target(&self, password: &str) -> Target {
        let address = format!("http://{}", self.address);
        Target::redfish(&address, Credentials::new("admin", password)).unwrap()
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[tokio::test]
async fn boot_settings_reach_the_emulator() {
    use BootDevice::{Disk, Network};
    let rows = [
        (Firmware::Bios, Network, BootTarget::Pxe),
        (Firmware::Bios, Disk, BootTarget::Hdd),
        (Firmware::Uefi, Network, BootTarget::Pxe),
        (Firmware::Uefi, Disk, BootTarget::Hdd),
        (Firmware::UefiHttp, Network, BootTarget::Pxe),
        (Firmware::Arm64, Network, BootTarget::Pxe),
    ];
    for (firmware, device, want) in rows {
        let emulator = Emulator::start(firmware).await;
        let boot = Boot { device, efi: firmware != Firmware::Bios };
        let pool = BmcPool::new(PoolConfig::default());
        let target = emulator.target("hunter2");
        assert_eq!(pool.status(&target).await, Ok(PowerState::Off));
        assert_eq!(pool.boot_device(&target, boot).await, Ok(()), "{firmware:?}, {device:?}");
        let set = emulator.machine.boot_override().unwrap();
        assert_eq!((set.enabled, set.target), (BootEnabled::Once, want), "{firmware:?}");
        assert_eq!(pool.power(&target, PowerAction::Off, None).await, Ok(PowerState::Off));
    }
}

#[tokio::test]
async fn the_emulator_refuses_a_wrong_password() {
    let emulator = Emulator::start(Firmware::Uefi).await;
    let got = BmcPool::new(PoolConfig::default()).status(&emulator.target("wrong")).await;
    assert_eq!(got, Err(BmcError::WrongPassword));
}

fn config(firmware: Firmware) -> MachineConfig {
    let identity = MachineConfig::identity("bmc-test", 1);
    MachineConfig {
        name: "node1".into(),
        lab: "bmc-test".into(),
        namespace: "ironherd-not-there".into(),
        uuid: identity.uuid,
        serial: identity.serial,
        mac: identity.mac,
        tap: "tap1".into(),
        firmware,
        memory_mib: 512,
        disk_bytes: 1 << 20,
        disk_bus: DiskBus::Virtio,
        bmc: BmcConfig {
            kind: BmcKind::Redfish,
            address: [127, 0, 0, 1].into(),
            prefix_len: 8,
            gateway: [127, 0, 0, 1].into(),
            port: 80,
            mac: "52:54:01:00:00:01".into(),
            username: "admin".into(),
            password: Secret("hunter2".into()),
            in_band_port: 9001,
        },
    }
}
