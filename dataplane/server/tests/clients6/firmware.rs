//! Real UEFI firmware, which gets its address by DHCPv6 and its boot file by TFTP over IPv6.

use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::process::skip;
use super::world::{KNOWN, World};

const CODE: &str = "/usr/share/OVMF/OVMF_CODE_4M.fd";
const VARIABLES: &str = "/usr/share/OVMF/OVMF_VARS_4M.fd";
const TAP: &str = "tap6";
/// Many times what it takes: emulated machines share their host with strangers.
const PATIENCE_SECONDS: &str = "150";

struct Machine(Child);

impl Machine {
    /// What it says on its serial port, up to and including `wanted`.
    fn said_until(&mut self, wanted: &str) -> String {
        let mut serial = self.0.stdout.take().unwrap();
        let (mut said, mut chunk) = (String::new(), [0; 4096]);
        while !said.contains(wanted) {
            let len = serial.read(&mut chunk).unwrap();
            assert_ne!(len, 0, "the machine ended without `{wanted}`: {said}");
            said.push_str(&String::from_utf8_lossy(&chunk[..len]));
            assert!(!said.contains("PXE-E"), "{said}");
        }
        said
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // A kill would end `timeout` alone; this it passes on.
        let _ = kill_process(Pid::from_child(&self.0), Signal::TERM);
        let _ = self.0.wait();
    }
}

/// Starts a machine with the card that the snapshot knows, and nothing to boot but IPv6 PXE. Its
/// serial port is its standard output; it ends by itself after a while.
fn start(world: &World) -> Machine {
    let variables = world.file("variables.fd");
    std::fs::copy(VARIABLES, &variables).unwrap();
    let variables = variables.display();
    let line = format!(
        "-accel tcg -machine q35,graphics=off -cpu max -m 256 -smp 1 -display none -vga none \
         -nodefaults -no-reboot -uuid 77770000-0000-4000-8000-000000000010 -serial stdio \
         -fw_cfg name=opt/org.tianocore/IPv4PXESupport,string=n \
         -netdev tap,id=n0,ifname={TAP},script=no,downscript=no \
         -device virtio-net-pci,netdev=n0,mac={KNOWN},bootindex=1,romfile= \
         -object rng-random,id=rng0,filename=/dev/urandom -device virtio-rng-pci,rng=rng0 \
         -drive if=pflash,unit=0,format=raw,readonly=on,file={CODE} \
         -drive if=pflash,unit=1,format=raw,file={variables}",
    );
    let mut command = world.server().command("timeout");
    command.args([PATIENCE_SECONDS, "qemu-system-x86_64"]);
    let words = line.split(' ').filter(|it| !it.is_empty());
    let child = command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    Machine(child.unwrap())
}

#[test]
fn ovmf_boots_over_ipv6_as_far_as_its_boot_file() {
    let qemu = Command::new("which").arg("qemu-system-x86_64").output();
    if !qemu.is_ok_and(|it| it.status.success()) || !Path::new(CODE).exists() {
        skip("QEMU or OVMF is not installed");
        return;
    }
    let Some(world) = World::new("ovmf") else { return };
    world.serve_tap(TAP);
    let _rack = world.start_rack();
    let mut machine = start(&world);
    let said = machine.said_until("NBP file downloaded successfully");
    // By its card, although its DUID is the machine's UUID.
    assert!(said.contains("Station IP address is FD77:0:0:0:0:0:0:137"), "{said}");
    assert!(said.contains("NBP filename is snponly.efi"), "{said}");
}
