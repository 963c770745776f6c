//! Emulated machines whose firmware boots from the network.

use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::net::Namespace;
use crate::process::skip;

const CODE: &str = "/usr/share/OVMF/OVMF_CODE_4M.fd";
const VARIABLES: &str = "/usr/share/OVMF/OVMF_VARS_4M.fd";
/// Many times what it takes: emulated machines share their host with strangers.
const PATIENCE_SECONDS: &str = "150";

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Firmware {
    /// EDK2 with one version of IP for PXE.
    Uefi { ipv6: bool },
}

pub(crate) struct Machine(Child);

/// Whether such a machine can run here; says so if it cannot.
pub(crate) fn can_boot() -> bool {
    let qemu = Command::new("which").arg("qemu-system-x86_64").output();
    let can = qemu.is_ok_and(|it| it.status.success()) && Path::new(CODE).exists();
    if !can {
        skip(&format!("QEMU or {CODE} is not installed"));
    }
    can
}

impl Machine {
    /// Starts a machine with one card, at an interface of this namespace, and nothing to boot but
    /// that. Its serial port is its standard output; it ends by itself after a while.
    pub(crate) fn start(
        namespace: &Namespace,
        folder: &Path,
        firmware: Firmware,
        tap: &str,
        mac: &str,
    ) -> Self {
        let Firmware::Uefi { ipv6 } = firmware;
        let variables = folder.join("variables.fd");
        std::fs::copy(VARIABLES, &variables).unwrap();
        let unwanted = if ipv6 { "IPv4PXESupport" } else { "IPv6PXESupport" };
        let more = format!(
            "-fw_cfg name=opt/org.tianocore/{unwanted},string=n \
             -object rng-random,id=rng0,filename=/dev/urandom \
             -device virtio-rng-pci,rng=rng0 \
             -drive if=pflash,unit=0,format=raw,readonly=on,file={CODE} \
             -drive if=pflash,unit=1,format=raw,file={}",
            variables.display()
        );
        let line = format!(
            "-accel tcg -machine q35,graphics=off -cpu max -m 256 -smp 1 -display none -vga none \
             -nodefaults -no-reboot -uuid 77770000-0000-4000-8000-000000000010 -serial stdio \
             -netdev tap,id=n0,ifname={tap},script=no,downscript=no \
             -device virtio-net-pci,netdev=n0,mac={mac},bootindex=1,romfile= {more}",
        );
        let mut command = namespace.command("timeout");
        command.args([PATIENCE_SECONDS, "qemu-system-x86_64"]);
        let words = line.split(' ').filter(|it| !it.is_empty());
        let child = command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        Self(child.unwrap())
    }

    /// What it says on its serial port, up to and including `wanted`.
    pub(crate) fn said_until(&mut self, wanted: &str) -> String {
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
