//! The QEMU command line of a lab machine.

use std::path::{Path, PathBuf};

use super::boot::BootPlan;
use super::config::{BmcKind, DiskBus, Firmware, MachineConfig};

/// Names of the things in a machine's folder.
pub(crate) const DISK: &str = "disk.raw";
pub(crate) const VARS: &str = "vars.fd";
pub(crate) const SMBIOS: &str = "redfish-host.smbios";
pub(crate) const SERIAL_SOCKET: &str = "serial.sock";
pub(crate) const SERIAL_LOG: &str = "serial.log";
pub(crate) const QMP_SOCKET: &str = "qmp.sock";
pub(crate) const PID_FILE: &str = "qemu.pid";

/// Firmware images: code, and the template of the machine's own variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirmwareFiles {
    pub code: &'static str,
    pub vars: &'static str,
}

/// Which firmware files a machine needs; SeaBIOS comes with QEMU.
#[must_use]
pub fn firmware_files(firmware: Firmware) -> Option<FirmwareFiles> {
    match firmware {
        Firmware::Bios => None,
        Firmware::Uefi | Firmware::UefiHttp => Some(FirmwareFiles {
            code: "/usr/share/OVMF/OVMF_CODE_4M.fd",
            vars: "/usr/share/OVMF/OVMF_VARS_4M.fd",
        }),
        Firmware::Arm64 => Some(FirmwareFiles {
            code: "/usr/share/AAVMF/AAVMF_CODE.fd",
            vars: "/usr/share/AAVMF/AAVMF_VARS.fd",
        }),
    }
}

/// The emulator that runs a machine with this firmware.
#[must_use]
pub fn program(firmware: Firmware) -> &'static str {
    match firmware {
        Firmware::Bios | Firmware::Uefi | Firmware::UefiHttp => "qemu-system-x86_64",
        Firmware::Arm64 => "qemu-system-aarch64",
    }
}

/// Builds the arguments for one start. QEMU is to run with the machine's folder as its current
/// directory: sockets are named relative to it, since their paths may not exceed 107 bytes.
pub(crate) fn arguments(config: &MachineConfig, dir: &Path, plan: BootPlan) -> Vec<String> {
    let mut args = Arguments(Vec::with_capacity(64));
    machine(&mut args, config);
    args.pair("-pidfile", path_text(&dir.join(PID_FILE)));
    args.pair("-qmp", format!("unix:{QMP_SOCKET},server=on,wait=off"));
    args.pair(
        "-chardev",
        format!(
            "socket,id=serial0,path={SERIAL_SOCKET},server=on,wait=off,logfile={},logappend=on",
            option_text(&dir.join(SERIAL_LOG)),
        ),
    );
    args.pair("-serial", "chardev:serial0");
    if let Some(files) = firmware_files(config.firmware) {
        let vars = option_text(&dir.join(VARS));
        args.pair("-drive", format!("if=pflash,unit=0,format=raw,readonly=on,file={}", files.code));
        args.pair("-drive", format!("if=pflash,unit=1,format=raw,file={vars}"));
    }
    boot_devices(&mut args, config, dir, plan);
    management(&mut args, config, dir);
    args.0
}

fn machine(args: &mut Arguments, config: &MachineConfig) {
    args.flag("-daemonize");
    args.flag("-nodefaults");
    args.flag("-no-user-config");
    args.pair("-name", format!("{}/{}", config.lab, config.name));
    args.pair("-accel", "tcg,thread=multi,tb-size=256");
    match config.firmware {
        // Without graphics SeaBIOS and iPXE talk on the serial port.
        Firmware::Bios | Firmware::Uefi | Firmware::UefiHttp => {
            args.pair("-machine", "q35,graphics=off");
            args.pair("-cpu", "max");
            args.pair("-vga", "none");
        }
        Firmware::Arm64 => {
            args.pair("-machine", "virt");
            // `max` has pointer authentication, which is slow to emulate.
            args.pair("-cpu", "cortex-a57");
        }
    }
    args.pair("-smp", "1");
    args.pair("-m", config.memory_mib.to_string());
    args.pair("-display", "none");
    args.pair("-rtc", "base=utc");
    args.pair("-uuid", config.uuid.clone());
    args.pair(
        "-smbios",
        format!(
            "type=1,manufacturer=Ironherd,product=Lab Machine,version={},serial={}",
            config.firmware.as_str(),
            config.serial,
        ),
    );
    args.pair("-smbios", format!("type=3,manufacturer=Ironherd,serial={}", config.serial));
    args.pair("-object", "rng-random,id=rng0,filename=/dev/urandom");
    args.pair("-device", "virtio-rng-pci,rng=rng0");
    if config.firmware == Firmware::Bios {
        // A server tries its boot order again instead of stopping at "No bootable device".
        args.pair("-boot", "menu=off,reboot-timeout=10000");
    }
}

fn boot_devices(args: &mut Arguments, config: &MachineConfig, dir: &Path, plan: BootPlan) {
    let (nic_index, disk_index) = if plan.disk_first { (2, 1) } else { (1, 2) };
    // The card's ROM is iPXE, which UEFI would run in the place of its own network stack.
    let rom = if config.firmware == Firmware::Bios { "" } else { ",romfile=" };
    args.pair("-netdev", format!("tap,id=net0,ifname={},script=no,downscript=no", config.tap,));
    args.pair("-device", format!(
        "virtio-net-pci,id=nic0,netdev=net0,mac={},bootindex={nic_index}{rom}",
        config.mac,
    ));
    args.pair(
        "-drive",
        format!(
            "if=none,id=disk0,format=raw,cache=unsafe,discard=unmap,detect-zeroes=unmap,file={}",
            option_text(&dir.join(DISK)),
        ),
    );
    let disk = match config.disk_bus {
        DiskBus::Virtio => "virtio-blk-pci",
        DiskBus::Nvme => "nvme",
    };
    args.pair(
        "-device",
        format!("{disk},id=blk0,drive=disk0,serial={}D0,bootindex={disk_index}", config.serial,),
    );
    if plan.http_only {
        for family in ["IPv4", "IPv6"] {
            args.pair("-fw_cfg", format!("name=opt/org.tianocore/{family}PXESupport,string=n"));
        }
    }
}

/// The machine's own side of its BMC.
fn management(args: &mut Arguments, config: &MachineConfig, dir: &Path) {
    match config.bmc.kind {
        // QEMU has no IPMI devices for that board: its BMC is reached over the network alone.
        BmcKind::Ipmi if config.firmware == Firmware::Arm64 => {}
        BmcKind::Ipmi => {
            args.pair(
                "-chardev",
                format!(
                    "socket,id=ipmi0,host=127.0.0.1,port={},reconnect=2",
                    config.bmc.in_band_port,
                ),
            );
            args.pair("-device", "ipmi-bmc-extern,id=bmc0,chardev=ipmi0");
            args.pair("-device", "isa-ipmi-kcs,bmc=bmc0");
        }
        BmcKind::Redfish => {
            args.pair("-smbios", format!("file={}", option_text(&dir.join(SMBIOS))));
        }
    }
}

struct Arguments(Vec<String>);

impl Arguments {
    fn flag(&mut self, flag: &str) {
        self.0.push(flag.to_owned());
    }

    fn pair(&mut self, flag: &str, value: impl Into<String>) {
        self.0.push(flag.to_owned());
        self.0.push(value.into());
    }
}

fn path_text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// A path inside an option: QEMU ends a value at a comma unless it is doubled.
fn option_text(path: &Path) -> String {
    path_text(path).replace(',', ",,")
}

/// Files and programs a machine needs from the host, with the Debian package of each.
#[must_use]
pub fn requirements(firmware: Firmware, bmc: BmcKind) -> Vec<(PathBuf, &'static str)> {
    let mut needed = Vec::new();
    let package = match firmware {
        Firmware::Arm64 => "qemu-system-arm",
        Firmware::Bios | Firmware::Uefi | Firmware::UefiHttp => "qemu-system-x86",
    };
    needed.push((PathBuf::from("/usr/bin").join(program(firmware)), package));
    match firmware {
        Firmware::Bios => needed.push(("/usr/lib/ipxe/qemu/pxe-virtio.rom".into(), "ipxe-qemu")),
        Firmware::Uefi | Firmware::UefiHttp | Firmware::Arm64 => {
            let package = if firmware == Firmware::Arm64 { "qemu-efi-aarch64" } else { "ovmf" };
            if let Some(files) = firmware_files(firmware) {
                needed.push((files.code.into(), package));
                needed.push((files.vars.into(), package));
            }
        }
    }
    if bmc == BmcKind::Ipmi {
        needed.push(("/usr/bin/ipmi_sim".into(), "openipmi"));
    }
    needed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::tests::sample;

    fn line(firmware: Firmware, kind: BmcKind, plan: BootPlan) -> String {
        let mut config = sample();
        config.firmware = firmware;
        config.bmc.kind = kind;
        arguments(&config, Path::new("/lab, one/m"), plan).join(" ")
    }

    const NETWORK: BootPlan = BootPlan { disk_first: false, http_only: false };

    #[test]
    fn boot_order_is_the_order_of_bootindex() {
        let network = line(Firmware::Bios, BmcKind::Ipmi, NETWORK);
        assert!(network.contains("id=nic0,netdev=net0,mac=52:54:00:00:00:01,bootindex=1 "));
        assert!(network.contains("serial=S1D0,bootindex=2"));
        let plan = BootPlan { disk_first: true, http_only: false };
        let disk = line(Firmware::Bios, BmcKind::Ipmi, plan);
        assert!(disk.contains("mac=52:54:00:00:00:01,bootindex=2 "));
        assert!(disk.contains("serial=S1D0,bootindex=1"));
    }

    #[test]
    fn a_guest_reboot_stays_in_the_process_and_the_password_out_of_it() {
        for firmware in Firmware::ALL {
            for kind in BmcKind::ALL {
                let line = line(firmware, kind, NETWORK);
                assert!(!line.contains("-no-reboot"));
                assert!(!line.contains("hunter2"));
                assert!(line.contains("/lab,, one/m/disk.raw"), "{line}");
            }
        }
    }

    #[test]
    fn uefi_runs_its_own_network_stack() {
        let bios = line(Firmware::Bios, BmcKind::Redfish, NETWORK);
        assert!(!bios.contains("romfile") && !bios.contains("pflash"));
        let uefi = line(Firmware::Uefi, BmcKind::Redfish, NETWORK);
        assert!(uefi.contains(",romfile=") && uefi.contains("smbios file="));
        assert!(!uefi.contains("PXESupport"));
        let plan = BootPlan { disk_first: false, http_only: true };
        assert!(
            line(Firmware::UefiHttp, BmcKind::Redfish, plan).contains("IPv4PXESupport,string=n")
        );
    }
}
