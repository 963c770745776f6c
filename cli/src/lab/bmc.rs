//! Starting the BMC simulator of a machine.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use ironherd_bmc_sim::{BmcKind, LAB_MARKER, Machine, ProcessRecord, ipmi_sim, namespace};

const READY_MAX: Duration = Duration::from_secs(30);
const POLL_EVERY: Duration = Duration::from_millis(20);
const LOG: &str = "bmc.log";

/// Starts the simulator inside the lab's namespace and answers which process it is.
pub(super) fn start(machine: &Machine, program: &Path) -> anyhow::Result<ProcessRecord> {
    let config = machine.config();
    let mut command = match config.bmc.kind {
        BmcKind::Ipmi => ipmi_sim::prepare(machine.dir(), config, program)?,
        BmcKind::Redfish => {
            let mut command = Command::new(program);
            command.args(["lab", "redfish-bmc", "--machine-dir"]).arg(machine.dir());
            command
        }
    };
    let log_path = machine.dir().join(LOG);
    let log = File::options().create(true).append(true).open(&log_path)?;
    command
        .current_dir(machine.dir())
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env(LAB_MARKER, &config.lab)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    detach(&mut command);
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = namespace::enter(&config.namespace, move || command.spawn())?
        .with_context(|| format!("cannot start {name}"))?;
    let record = ProcessRecord::of(child.id().cast_signed());
    // Whoever of us ends first: a simulator that ends is not to stay a zombie while we live.
    thread::spawn(move || child.wait());
    record.with_context(|| format!("{name} ended at once; see {}", log_path.display()))
}

/// Ctrl-C in the terminal is for the command, not for the lab it made.
fn detach(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;
    command.process_group(0);
}

/// Waits until the BMC answers on its address.
pub(super) fn wait_ready(machine: &Machine) -> anyhow::Result<()> {
    let config = machine.config();
    let address = SocketAddr::from((config.bmc.address, config.bmc.port));
    let answers = match config.bmc.kind {
        BmcKind::Ipmi => answers_ping,
        BmcKind::Redfish => accepts,
    };
    let ready = namespace::enter(&config.namespace, || {
        let started = Instant::now();
        while started.elapsed() < READY_MAX {
            if answers(address) {
                return true;
            }
            thread::sleep(POLL_EVERY);
        }
        false
    })?;
    if !ready {
        let log = machine.dir().join(LOG);
        bail!("the BMC of {} does not answer; see {}", config.name, log.display());
    }
    Ok(())
}

fn accepts(address: SocketAddr) -> bool {
    TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
}

/// RMCP/ASF presence ping (ASF 2.0 §3.2.4.2): any answer will do.
fn answers_ping(address: SocketAddr) -> bool {
    const PING: [u8; 12] = [0x06, 0, 0xff, 0x06, 0, 0, 0x11, 0xbe, 0x80, 0, 0, 0];
    let ask = || -> std::io::Result<usize> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.set_read_timeout(Some(Duration::from_millis(200)))?;
        socket.connect(address)?;
        socket.send(&PING)?;
        socket.recv(&mut [0; 64])
    };
    ask().is_ok()
}
