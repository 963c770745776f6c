//! Labs with real firmware and BMCs over the network: what `ironherd lab` makes, and removes.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use ironherd_bmc_sim::{LAB_MARKER, Machine, PowerState, namespace, process};
use serde_json::Value;

/// Emulated firmware on a busy host is slow; the limit is there to end a test, not to time it.
const FIRMWARE_MAX: Duration = Duration::from_secs(180);
const POLL: Duration = Duration::from_millis(100);

/// A lab that is taken down with the test.
struct TestLab {
    name: String,
    dir: tempfile::TempDir,
}

impl TestLab {
    fn up(name: &str, machines: &[&str]) -> Self {
        let name = format!("{name}-{}", std::process::id());
        let lab = Self { name, dir: tempfile::tempdir().expect("a folder") };
        let mut arguments = vec!["up", "--memory", "512"];
        for machine in machines {
            arguments.extend(["--machine", machine]);
        }
        lab.run(&arguments);
        lab
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ironherd"));
        command.arg("lab").args(arguments).args(["--name", &self.name]);
        let output = command.arg("--data-dir").arg(self.dir.path()).output().expect("it runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "lab {arguments:?}: {errors}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    fn netns(&self) -> String {
        format!("ironherd-{}", self.name)
    }

    fn machine_dir(&self, name: &str) -> PathBuf {
        self.dir.path().join("lab").join(&self.name).join("machines").join(name)
    }

    fn machine(&self, name: &str) -> Machine {
        Machine::open(&self.machine_dir(name)).expect("the machine is there")
    }

    fn serial(&self, name: &str) -> String {
        let log = fs::read(self.machine(name).serial_log()).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// A program inside the lab's network; answers what it printed, or its errors.
    fn inside(&self, words: &[&str]) -> Result<String, String> {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.netns()]).args(words);
        let output = command.output().expect("ip runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match output.status.success() {
            true => Ok(text(&output.stdout)),
            false => Err(text(&output.stderr) + &text(&output.stdout)),
        }
    }

    /// `ipmitool` with cipher suite 3; the password goes by file.
    fn ipmi(&self, user: &str, password: &str, words: &str) -> Result<String, String> {
        let file = self.dir.path().join(format!("password-{user}"));
        fs::write(&file, password).expect("written");
        let file = file.to_str().expect("UTF-8");
        let mut line = vec!["ipmitool", "-I", "lanplus", "-C", "3", "-H", "10.77.0.201"];
        line.extend(["-U", user, "-f", file]);
        line.extend(words.split_whitespace());
        self.inside(&line)
    }

    fn password(&self, machine: &str) -> String {
        self.machine(machine).config().bmc.password.0.clone()
    }
}

impl Drop for TestLab {
    fn drop(&mut self) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ironherd"));
        command.args(["lab", "down", "--name", &self.name, "--data-dir"]);
        let down = command.arg(self.dir.path()).output();
        if !std::thread::panicking() {
            assert!(down.is_ok_and(|it| it.status.success()), "`lab down` failed");
        }
    }
}

#[test]
fn machines_obey_ipmi() {
    if !can_run(&["/usr/bin/ipmi_sim", "/usr/bin/ipmitool"]) {
        return;
    }
    let lab = TestLab::up("ipmi", &["bios:ipmi"]);
    let password = lab.password("node1");
    let ask = |words: &str| lab.ipmi("admin", &password, words).expect(words);
    assert!(ask("chassis power status").contains("off"));
    assert!(lab.ipmi("admin", "wrong", "chassis power status").is_err());
    // The BMC can be found from inside the machine only if it knows its own address.
    assert!(ask("lan print 1").contains("10.77.0.201"));

    ask("chassis bootdev disk");
    ask("chassis power on");
    assert!(ask("chassis power status").contains("on"));
    let first = lab.machine("node1").process().expect("QEMU runs");
    wait("the disk is tried", || lab.serial("node1").contains("Booting from Hard Disk"));
    assert!(ask("chassis bootparam get 5").contains("No override"), "the override held once");

    let log_bytes = lab.serial("node1").len();
    ask("chassis power cycle");
    wait("it comes back", || lab.machine("node1").process().is_some_and(|second| second != first));
    wait("the network is tried", || lab.serial("node1")[log_bytes..].contains("Configuring (net0"));
    let second = &lab.serial("node1")[log_bytes..];
    assert!(!second.contains("Booting from Hard Disk"), "the network comes first: {second}");

    ask("chassis power off");
    assert_eq!(lab.machine("node1").power(), PowerState::Off);
    check_user_made_in_band(&lab);
}

/// What the agent does through `/dev/ipmi0`, done on the wire that QEMU puts it on: a user made
/// there can log in over the network.
fn check_user_made_in_band(lab: &TestLab) {
    const PASSWORD: &str = "0123456789abcdeF";
    let port = lab.machine("node1").config().bmc.in_band_port;
    namespace::enter(&lab.netns(), || {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the simulator");
        let mut wire = InBand { stream, sequence: 0 };
        let mut name = [0; 16];
        name[..8].copy_from_slice(b"ironherd");
        wire.app(0x45, &[&[3], &name[..]].concat()); // Set User Name.
        wire.app(0x47, &[&[3, 2], PASSWORD.as_bytes()].concat()); // Set User Password.
        wire.app(0x43, &[0x91, 3, 4, 0]); // Set User Access: channel 1, messages, administrator.
        wire.app(0x47, &[3, 1]); // Enable the user.
    })
    .expect("the namespace is there");
    let answer = lab.ipmi("ironherd", PASSWORD, "chassis power status").expect("logged in");
    assert!(answer.contains("off"), "{answer}");
}

/// The host side of OpenIPMI's "VM" protocol, as QEMU's `ipmi-bmc-extern` speaks it.
struct InBand {
    stream: TcpStream,
    sequence: u8,
}

impl InBand {
    const END: u8 = 0xa0;
    const END_OF_COMMAND: u8 = 0xa1;
    const ESCAPE: u8 = 0xaa;

    /// One request of network function App, which must succeed.
    fn app(&mut self, command: u8, data: &[u8]) {
        self.sequence += 1;
        let mut message = [&[self.sequence, 0x06 << 2, command], data].concat();
        let sum = message.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
        message.push(sum.wrapping_neg());
        let mut wire = Vec::new();
        for byte in message {
            match byte {
                Self::END | Self::END_OF_COMMAND | Self::ESCAPE => {
                    wire.extend([Self::ESCAPE, byte | 0x10]);
                }
                _ => wire.push(byte),
            }
        }
        wire.push(Self::END);
        self.stream.write_all(&wire).expect("sent");
        let answer = self.read_answer();
        assert_eq!(answer.get(3), Some(&0), "command {command:#04x}: {answer:02x?}");
    }

    fn read_answer(&mut self) -> Vec<u8> {
        let (mut answer, mut byte, mut escaped) = (Vec::new(), [0], false);
        loop {
            self.stream.read_exact(&mut byte).expect("an answer");
            match byte[0] {
                Self::ESCAPE => escaped = true,
                Self::END => return answer,
                Self::END_OF_COMMAND => answer.clear(), // The simulator's own commands to QEMU.
                plain if escaped => {
                    answer.push(plain & !0x10);
                    escaped = false;
                }
                plain => answer.push(plain),
            }
        }
    }
}

#[test]
fn machines_obey_redfish() {
    if !can_run(&["/usr/bin/curl", "/usr/share/OVMF/OVMF_CODE_4M.fd"]) {
        return;
    }
    let lab = TestLab::up("redfish", &["uefi:redfish"]);
    let login = lab.dir.path().join("curlrc");
    fs::write(&login, format!("user = \"admin:{}\"", lab.password("node1"))).expect("written");
    let curl = |words: &[&str]| {
        let login = login.to_str().expect("UTF-8");
        let mut line = vec!["curl", "--silent", "--fail", "--config", login];
        line.extend(words);
        lab.inside(&line)
    };
    let system = "http://10.77.0.201/redfish/v1/Systems/1";
    let action = format!("{system}/Actions/ComputerSystem.Reset");
    let show =
        || -> Value { serde_json::from_str(&curl(&[system]).expect("the system")).expect("JSON") };
    let reset = |kind: &str| {
        let body = format!("{{\"ResetType\":\"{kind}\"}}");
        curl(&["--json", &body, &action]).expect(kind);
    };
    assert!(lab.inside(&["curl", "--silent", "--fail", system]).is_err(), "without a login");
    assert_eq!(show()["PowerState"], "Off");

    let boot = "{\"Boot\":{\"BootSourceOverrideEnabled\":\"Once\",\
                \"BootSourceOverrideTarget\":\"Pxe\"}}";
    curl(&["--request", "PATCH", "--json", boot, system]).expect("patched");
    assert_eq!(show()["Boot"]["BootSourceOverrideEnabled"], "Once");
    reset("On");
    let system = show();
    assert_eq!(system["PowerState"], "On");
    assert_eq!(system["Boot"]["BootSourceOverrideEnabled"], "Disabled", "it held once");
    let first = lab.machine("node1").process().expect("QEMU runs");
    wait("firmware tries PXE", || lab.serial("node1").contains("Start PXE over IPv4"));

    let log_bytes = lab.serial("node1").len();
    reset("ForceRestart");
    assert_eq!(lab.machine("node1").process(), Some(first), "a reset is no power cycle");
    wait("firmware starts again", || {
        lab.serial("node1")[log_bytes..].contains("Start PXE over IPv4")
    });
    reset("PowerCycle");
    assert_ne!(lab.machine("node1").process(), Some(first));
    reset("ForceOff");
    assert_eq!(show()["PowerState"], "Off");
}

#[test]
fn machines_of_a_crashed_lab_are_removed() {
    if !can_run(&["/usr/bin/ipmi_sim"]) {
        return;
    }
    let host_before = host_links();
    let lab = TestLab::up("crash", &["bios:ipmi", "bios:redfish"]);
    lab.run(&["power", "node1", "on"]);
    lab.run(&["power", "node2", "on"]);
    let status: Value =
        serde_json::from_str(&lab.run(&["status", "--output", "json"])).expect("JSON");
    let power = |index: usize| status["machines"][index]["power"].clone();
    assert_eq!((power(0), power(1)), ("on".into(), "on".into()));
    assert_eq!(process::marked(LAB_MARKER, &lab.name).len(), 4, "two machines, two BMCs");
    assert_eq!(host_links(), host_before, "the host's own network is not touched");

    // One machine and one BMC die, the other two run on; nobody remembers what ran.
    lab.machine("node1").process().expect("it runs").kill().expect("killed");
    let bmc = process::marked(LAB_MARKER, &lab.name).into_iter().find(|it| {
        fs::read_to_string(format!("/proc/{}/comm", it.pid)).is_ok_and(|it| it.trim() == "ipmi_sim")
    });
    bmc.expect("ipmi_sim runs").kill().expect("killed");
    fs::remove_dir_all(lab.machine_dir("node1").parent().expect("machines")).expect("removed");

    for _ in 0..2 {
        lab.run(&["down"]);
        assert_eq!(process::marked(LAB_MARKER, &lab.name), []);
        assert!(!namespace::path(&lab.netns()).exists());
        assert!(!lab.dir.path().join("lab").join(&lab.name).exists());
    }
    let mounts = fs::read_to_string("/proc/mounts").expect("mounts");
    assert!(!mounts.contains(&lab.name), "{mounts}");
}

fn host_links() -> BTreeSet<String> {
    let entries = fs::read_dir("/sys/class/net").expect("sysfs");
    entries.map(|it| it.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

#[track_caller]
fn wait(what: &str, condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < FIRMWARE_MAX, "not reached: {what}");
        std::thread::sleep(POLL);
    }
}

/// Says loudly what is missing for a lab, and fails where tests must not be skipped.
fn can_run(files: &[&str]) -> bool {
    let root = Command::new("id").arg("-u").output().is_ok_and(|it| it.stdout.trim_ascii() == b"0");
    let always = ["/usr/bin/qemu-system-x86_64", "/dev/net/tun"];
    let files = always.iter().chain(files).copied().filter(|it| !Path::new(it).exists());
    let missing: Vec<&str> = (!root).then_some("root").into_iter().chain(files).collect();
    if missing.is_empty() {
        return true;
    }
    let required = std::env::var("IRONHERD_TESTS_REQUIRE_ALL").is_ok_and(|it| it == "1");
    assert!(!required, "a lab cannot be made without {}", missing.join(", "));
    eprintln!("SKIPPED: a lab cannot be made without {}", missing.join(", "));
    false
}
