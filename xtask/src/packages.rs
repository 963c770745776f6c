//! The Debian packages that the demo and the tests run on, and how they get here.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use crate::run;

/// Package, and a file that shows it is there (the first that exists is enough).
type Packages = &'static [(&'static str, &'static [&'static str])];

const PACKAGES: Packages = &[
    ("build-essential", &["/usr/bin/cc"]),
    ("cmake", &["/usr/bin/cmake"]),
    ("pkg-config", &["/usr/bin/pkg-config"]),
    ("iproute2", &["/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip"]),
    ("qemu-system-x86", &["/usr/bin/qemu-system-x86_64"]),
    ("qemu-system-arm", &["/usr/bin/qemu-system-aarch64"]),
    ("qemu-efi-aarch64", &["/usr/share/AAVMF/AAVMF_CODE.fd"]),
    ("ovmf", &["/usr/share/OVMF/OVMF_CODE_4M.fd"]),
    ("ipxe", &["/usr/lib/ipxe/snponly.efi"]),
    ("ipxe-qemu", &["/usr/lib/ipxe/qemu/pxe-virtio.rom"]),
    ("grub-efi-amd64-bin", &["/usr/lib/grub/x86_64-efi/normal.mod"]),
    ("grub-pc-bin", &["/usr/lib/grub/i386-pc/normal.mod"]),
    ("grub-common", &["/usr/bin/grub-mkstandalone"]),
    ("busybox-static", &["/bin/busybox", "/usr/bin/busybox"]),
    ("kmod", &["/usr/sbin/depmod", "/sbin/depmod"]),
    ("mmdebstrap", &["/usr/bin/mmdebstrap"]),
    ("dosfstools", &["/usr/sbin/mkfs.vfat", "/sbin/mkfs.vfat"]),
    ("mtools", &["/usr/bin/mcopy"]),
    ("gdisk", &["/usr/sbin/sgdisk", "/sbin/sgdisk"]),
    ("fdisk", &["/usr/sbin/sfdisk", "/sbin/sfdisk"]),
    ("e2fsprogs", &["/usr/sbin/mke2fs", "/sbin/mke2fs"]),
    ("zstd", &["/usr/bin/zstd"]),
    ("xz-utils", &["/usr/bin/xz"]),
    ("openipmi", &["/usr/bin/ipmi_sim"]),
    ("ipmitool", &["/usr/bin/ipmitool"]),
    ("postgresql", &["/usr/lib/postgresql/15/bin/initdb", "/usr/lib/postgresql"]),
    ("isc-dhcp-client", &["/usr/sbin/dhclient", "/sbin/dhclient"]),
    ("isc-dhcp-relay", &["/usr/sbin/dhcrelay"]),
    ("dhcpcd-base", &["/usr/sbin/dhcpcd", "/sbin/dhcpcd"]),
    ("klibc-utils", &["/usr/lib/klibc/bin/ipconfig"]),
    ("nmap", &["/usr/bin/nmap"]),
    ("dnsmasq-base", &["/usr/sbin/dnsmasq"]),
    ("systemd", &["/lib/systemd/systemd-networkd", "/usr/lib/systemd/systemd-networkd"]),
    ("procps", &["/usr/sbin/sysctl", "/sbin/sysctl"]),
    ("tcpdump", &["/usr/bin/tcpdump", "/usr/sbin/tcpdump"]),
    ("tftp-hpa", &["/usr/bin/tftp"]),
    ("atftp", &["/usr/bin/atftp"]),
    ("curl", &["/usr/bin/curl"]),
    ("wrk", &["/usr/bin/wrk"]),
    ("openssh-client", &["/usr/bin/ssh-keygen"]),
];

/// The servers and the generator of others, for `cargo xtask bench dhcp`, `tftp` and `http`.
const PEERS: Packages = &[
    ("iproute2", &["/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip"]),
    ("kea-dhcp4-server", &["/usr/sbin/kea-dhcp4"]),
    ("kea-admin", &["/usr/sbin/perfdhcp"]),
    ("isc-dhcp-server", &["/usr/sbin/dhcpd"]),
    ("dnsmasq-base", &["/usr/sbin/dnsmasq"]),
    ("atftpd", &["/usr/sbin/atftpd"]),
    ("nginx-light", &["/usr/sbin/nginx"]),
    ("strace", &["/usr/bin/strace"]),
    ("util-linux", &["/usr/bin/setpriv"]),
];

/// Debian asks this program before it starts a service: 101 forbids it.
const POLICY: &str = "/usr/sbin/policy-rc.d";
const FORBID: &str = "#!/bin/sh\\nexit 101\\n"; // As `printf` takes it.

/// Installs what is missing when it may, else fails with the one line that would.
pub(crate) fn ensure() -> anyhow::Result<()> {
    install(PACKAGES)
}

/// The same for the peers of the bench.
pub(crate) fn ensure_peers() -> anyhow::Result<()> {
    install(PEERS)
}

/// Debian's tftpd-hpa, which cannot be installed beside atftpd: unpacked into a folder.
pub(crate) fn unpack_tftpd_hpa(folder: &Path) -> anyhow::Result<PathBuf> {
    let program = folder.join("usr/sbin/in.tftpd");
    if !program.exists() {
        std::fs::create_dir_all(folder)?;
        let script = "apt-get download -q tftpd-hpa && dpkg-deb -x tftpd-hpa_*.deb .";
        run::command(Command::new("sh").args(["-ec", script]).current_dir(folder))?;
    }
    Ok(program)
}

fn install(packages: Packages) -> anyhow::Result<()> {
    let missing = missing(packages);
    if missing.is_empty() {
        return Ok(());
    }
    let line = format!("apt-get install --no-install-recommends {}", missing.join(" "));
    let root = run_quietly(Command::new("id").arg("-u")).is_some_and(|id| id.trim() == "0");
    let sudo =
        !root && Command::new("sudo").args(["-n", "true"]).status().is_ok_and(|it| it.success());
    if !Path::new("/usr/bin/apt-get").exists() || (!root && !sudo) {
        bail!("missing packages; run as root:\n    {line}");
    }
    eprintln!("Installing {} Debian packages: {}", missing.len(), missing.join(" "));
    // A relay or a server among them must not start to serve the host's networks.
    let root_shell = |script: &str| {
        let mut command = Command::new(if sudo { "sudo" } else { "sh" });
        command.args(if sudo { &["-n", "sh", "-c"][..] } else { &["-c"] }).arg(script);
        run::command(&mut command)
    };
    let ours = !Path::new(POLICY).exists();
    if ours {
        let script = format!("printf '{FORBID}' > {POLICY} && chmod 755 {POLICY}");
        root_shell(&script)
            .with_context(|| format!("cannot write {POLICY}, which keeps servers from serving"))?;
    }
    let installed = install_by_apt(&missing, sudo);
    if ours {
        root_shell(&format!("rm {POLICY}"))?;
    }
    installed?;
    let left = self::missing(packages);
    if !left.is_empty() {
        bail!("apt installed, yet these are not found: {}", left.join(" "));
    }
    Ok(())
}

fn install_by_apt(missing: &[&str], sudo: bool) -> anyhow::Result<()> {
    let apt = |arguments: &[&str]| {
        let mut command = Command::new(if sudo { "sudo" } else { "apt-get" });
        if sudo {
            command.arg("-n").arg("apt-get");
        }
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        command.stdin(Stdio::null()).stdout(Stdio::null());
        run::command(&mut command)
    };
    apt(&["update", "-qq"])?;
    let mut install = vec!["install", "-y", "-qq", "--no-install-recommends"];
    install.extend(missing);
    if apt(&install).is_err() {
        // A qemu-utils from backports forbids the stable release's QEMU: bring it into line.
        let release = debian_release();
        let utils = format!("qemu-utils/{release}");
        eprintln!("Trying once more with {utils}, which may be newer than {release}'s QEMU.");
        install.extend(["--allow-downgrades", utils.as_str()]);
        apt(&install)?;
    }
    Ok(())
}

fn missing(packages: Packages) -> Vec<&'static str> {
    let absent = |files: &[&str]| !files.iter().any(|file| Path::new(file).exists());
    packages.iter().filter(|(_, files)| absent(files)).map(|(package, _)| *package).collect()
}

fn debian_release() -> String {
    let text = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    line.unwrap_or("stable").trim_matches('"').to_owned()
}

fn run_quietly(command: &mut Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
