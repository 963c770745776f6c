//! A lab machine: a folder with its disk, its firmware's variables and, while it is on, its QEMU.
//!
//! Nothing of a machine lives in memory alone. Its BMC simulator, the IPMI simulator's helpers
//! and the command line all open the same folder and take the same lock, so any of them can press
//! any button, and all of them see the one real power state: whether the QEMU process runs.

pub mod boot;
pub mod config;
pub mod qemu;
mod qmp;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use self::boot::BootOverride;
use self::config::{BmcKind, MachineConfig};
use self::qmp::Qmp;
use crate::process::ProcessRecord;
use crate::{BootEnabled, LAB_MARKER, namespace, smbios};

const CONFIG: &str = "machine.json";
const BOOT: &str = "boot.json";
const PROCESS: &str = "qemu.json";
const LOCK: &str = "lock";

/// Handle on a machine's folder. Cheap; make as many as you like.
#[derive(Clone, Debug)]
pub struct Machine {
    dir: PathBuf,
    config: MachineConfig,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerState {
    On,
    Off,
}

#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("cannot enter network namespace {name}: {source}")]
    Namespace { name: String, source: io::Error },
    /// QEMU ended before the machine ran; what it said on stderr.
    #[error("{program} did not start: {detail}")]
    Start { program: &'static str, detail: String },
    #[error("cannot stop QEMU: {0}")]
    Stop(io::Error),
    #[error("QEMU does not answer: {0}")]
    Monitor(io::Error),
    #[error("the machine is off")]
    Off,
}

impl Machine {
    /// Makes the folder of a new machine: an empty sparse disk, fresh firmware variables.
    ///
    /// # Errors
    /// [`MachineError::File`] when a file cannot be written or a firmware image is missing.
    pub fn create(dir: &Path, config: MachineConfig) -> Result<Self, MachineError> {
        let machine = Self { dir: dir.to_owned(), config };
        fs::create_dir_all(dir).map_err(at(dir))?;
        let disk = dir.join(qemu::DISK);
        let file = File::create(&disk).map_err(at(&disk))?;
        file.set_len(machine.config.disk_bytes).map_err(at(&disk))?;
        if let Some(files) = qemu::firmware_files(machine.config.firmware) {
            fs::copy(files.vars, dir.join(qemu::VARS)).map_err(at(Path::new(files.vars)))?;
        }
        if machine.config.bmc.kind == BmcKind::Redfish {
            let path = dir.join(qemu::SMBIOS);
            let table = smbios::host_interface(&machine.config);
            fs::write(&path, table).map_err(at(&path))?;
        }
        machine.write(CONFIG, &machine.config)?;
        machine.write(BOOT, &BootOverride::default())?;
        Ok(machine)
    }

    /// Opens the folder of a machine made by [`Machine::create`].
    ///
    /// # Errors
    /// [`MachineError::File`] when the folder holds no readable machine.
    pub fn open(dir: &Path) -> Result<Self, MachineError> {
        // QEMU runs elsewhere: relative names would mean other files to it.
        let dir = fs::canonicalize(dir).map_err(at(dir))?;
        let config = read(&dir.join(CONFIG))?;
        Ok(Self { dir, config })
    }

    #[must_use]
    pub fn config(&self) -> &MachineConfig {
        &self.config
    }

    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The machine's QEMU, if it runs.
    #[must_use]
    pub fn process(&self) -> Option<ProcessRecord> {
        let record: ProcessRecord = read(&self.dir.join(PROCESS)).ok()?;
        record.is_running().then_some(record)
    }

    #[must_use]
    pub fn power(&self) -> PowerState {
        if self.process().is_some() { PowerState::On } else { PowerState::Off }
    }

    /// Switches the machine on; one that is on stays as it is.
    ///
    /// # Errors
    /// [`MachineError::Start`] with QEMU's own words, or why it could not even be tried.
    pub fn power_on(&self) -> Result<(), MachineError> {
        let _lock = self.lock()?;
        self.start()
    }

    /// Cuts the power.
    ///
    /// # Errors
    /// [`MachineError::Stop`] if the process will not go.
    pub fn power_off(&self) -> Result<(), MachineError> {
        let _lock = self.lock()?;
        self.stop()
    }

    /// Off, if it was on, and on.
    ///
    /// # Errors
    /// As [`Machine::power_off`] and [`Machine::power_on`].
    pub fn power_cycle(&self) -> Result<(), MachineError> {
        let _lock = self.lock()?;
        self.stop()?;
        self.start()
    }

    /// Presses reset. With a boot override waiting this is a power cycle: the order of devices
    /// and the firmware's switches are fixed for the life of a QEMU.
    ///
    /// # Errors
    /// [`MachineError::Off`] if there is nothing to reset, [`MachineError::Monitor`].
    pub fn reset(&self) -> Result<(), MachineError> {
        let _lock = self.lock()?;
        if self.process().is_none() {
            return Err(MachineError::Off);
        }
        if self.boot_override()?.enabled == BootEnabled::Disabled {
            return self.monitor("system_reset", Value::Null);
        }
        self.stop()?;
        self.start()
    }

    /// Presses the power button of a running machine: ACPI asks its system to shut down.
    ///
    /// # Errors
    /// [`MachineError::Off`] if it does not run, [`MachineError::Monitor`].
    pub fn shutdown(&self) -> Result<(), MachineError> {
        let _lock = self.lock()?;
        if self.process().is_none() {
            return Err(MachineError::Off);
        }
        self.monitor("system_powerdown", Value::Null)
    }

    /// # Errors
    /// [`MachineError::File`].
    pub fn boot_override(&self) -> Result<BootOverride, MachineError> {
        read(&self.dir.join(BOOT))
    }

    /// Sets what the next start by the BMC boots.
    ///
    /// # Errors
    /// [`MachineError::File`].
    pub fn set_boot_override(&self, wanted: &BootOverride) -> Result<(), MachineError> {
        let _lock = self.lock()?;
        self.write(BOOT, wanted)
    }

    /// Where everything the machine ever wrote to its serial port is kept.
    #[must_use]
    pub fn serial_log(&self) -> PathBuf {
        self.dir.join(qemu::SERIAL_LOG)
    }

    /// Connects to the machine's serial port.
    ///
    /// # Errors
    /// [`MachineError::Off`] if it does not run.
    pub fn serial(&self) -> Result<UnixStream, MachineError> {
        self.process().ok_or(MachineError::Off)?;
        self.connect(qemu::SERIAL_SOCKET)
    }

    fn start(&self) -> Result<(), MachineError> {
        if self.process().is_some() {
            return Ok(());
        }
        let wanted = self.boot_override()?;
        let plan = wanted.plan(self.config.firmware);
        self.launch(&qemu::arguments(&self.config, &self.dir, plan))?;
        if wanted.enabled == BootEnabled::Once {
            self.write(BOOT, &BootOverride::default())?;
            if plan.disk_first {
                // Takes effect at the next reset only: when the guest reboots, the network comes
                // first again. The card has index 2 now, so 3 puts the disk behind it.
                self.monitor(
                    "qom-set",
                    json!({
                        "path": "/machine/peripheral/blk0", "property": "bootindex", "value": 3,
                    }),
                )?;
            }
        }
        Ok(())
    }

    /// Runs QEMU until it has made the machine and gone to the background.
    fn launch(&self, arguments: &[String]) -> Result<(), MachineError> {
        let program = qemu::program(self.config.firmware);
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(&self.dir)
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env(LAB_MARKER, &self.config.lab)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let output = namespace::enter(&self.config.namespace, move || command.output())
            .map_err(|source| MachineError::Namespace {
                name: self.config.namespace.clone(),
                source,
            })?
            .map_err(|error| MachineError::Start { program, detail: error.to_string() })?;
        if !output.status.success() {
            let detail = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(MachineError::Start { program, detail });
        }
        let path = self.dir.join(qemu::PID_FILE);
        let text = fs::read_to_string(&path).map_err(at(&path))?;
        let record = text.trim().parse().ok().and_then(ProcessRecord::of).ok_or_else(|| {
            MachineError::Start { program, detail: "it ended at once".to_owned() }
        })?;
        self.write(PROCESS, &record)
    }

    fn stop(&self) -> Result<(), MachineError> {
        if let Some(process) = self.process() {
            process.kill().map_err(MachineError::Stop)?;
        }
        Ok(())
    }

    fn monitor(&self, command: &str, arguments: Value) -> Result<(), MachineError> {
        let stream = self.connect(qemu::QMP_SOCKET)?;
        let mut qmp = Qmp::begin(stream).map_err(MachineError::Monitor)?;
        qmp.execute(command, arguments).map_err(MachineError::Monitor)?;
        Ok(())
    }

    /// Connects to a socket in the folder, however long the folder's path is.
    fn connect(&self, name: &str) -> Result<UnixStream, MachineError> {
        let dir = File::open(&self.dir).map_err(at(&self.dir))?;
        // The name of a socket is limited to 107 bytes; this way around is short.
        let short = format!("/proc/self/fd/{}/{name}", dir.as_raw_fd());
        UnixStream::connect(short).map_err(at(&self.dir.join(name)))
    }

    /// Waits for the lock that every change of the machine is made under.
    fn lock(&self) -> Result<File, MachineError> {
        let path = self.dir.join(LOCK);
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(at(&path))?;
        file.lock().map_err(at(&path))?;
        Ok(file)
    }

    fn write(&self, name: &str, value: &impl Serialize) -> Result<(), MachineError> {
        let path = self.dir.join(name);
        write_private(&path, value).map_err(at(&path))
    }
}

/// Replaces a JSON file in one step, readable by its owner alone.
///
/// # Errors
/// What the file system says.
pub fn write_private(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let text = serde_json::to_vec_pretty(value).map_err(io::Error::other)?;
    let _ = fs::remove_file(&temporary); // The mode below counts only for a file that is made.
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&temporary)?;
    file.write_all(&text)?;
    fs::rename(temporary, path)
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, MachineError> {
    let text = fs::read(path).map_err(at(path))?;
    serde_json::from_slice(&text).map_err(io::Error::other).map_err(at(path))
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> MachineError {
    let path = path.to_owned();
    move |source| MachineError::File { path, source }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::config::{BmcConfig, DiskBus, Firmware, Secret};
    use super::*;
    use crate::BootTarget;

    pub(crate) fn sample() -> MachineConfig {
        MachineConfig {
            name: "m1".into(),
            lab: "test".into(),
            namespace: "ironherd-none".into(),
            uuid: "00112233-4455-8677-8899-aabbccddeeff".into(),
            serial: "S1".into(),
            mac: "52:54:00:00:00:01".into(),
            tap: "tap1".into(),
            firmware: Firmware::Bios,
            memory_mib: 512,
            disk_bytes: 1 << 30,
            disk_bus: DiskBus::Virtio,
            bmc: BmcConfig {
                kind: BmcKind::Redfish,
                address: [10, 77, 0, 201].into(),
                prefix_len: 24,
                gateway: [10, 77, 0, 1].into(),
                port: 8000,
                mac: "52:54:00:00:00:fe".into(),
                username: "admin".into(),
                password: Secret("hunter2".into()),
                in_band_port: 9001,
            },
        }
    }

    #[test]
    fn a_folder_is_a_machine() {
        let dir = tempfile::tempdir().expect("folder");
        let made = Machine::create(dir.path(), sample()).expect("made");
        assert_eq!(made.power(), PowerState::Off);

        let wanted = BootOverride::new(BootEnabled::Once, BootTarget::Hdd);
        made.set_boot_override(&wanted).expect("set");
        let opened = Machine::open(dir.path()).expect("opened");
        assert_eq!(opened.boot_override().expect("read"), wanted);
        assert_eq!(opened.config().bmc.password, Secret("hunter2".into()));
        assert!(matches!(opened.reset(), Err(MachineError::Off)));
        assert!(matches!(opened.shutdown(), Err(MachineError::Off)));
        opened.power_off().expect("off already");

        let mode = fs::metadata(dir.path().join(CONFIG)).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let disk = fs::metadata(dir.path().join(qemu::DISK)).expect("there");
        assert_eq!(disk.len(), 1 << 30);
    }

    #[test]
    fn a_missing_namespace_is_named() {
        let dir = tempfile::tempdir().expect("folder");
        let machine = Machine::create(dir.path(), sample()).expect("made");
        let error = machine.power_on().expect_err("there is no such namespace");
        assert!(error.to_string().contains("ironherd-none"), "{error}");
    }
}
