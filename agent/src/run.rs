//! The agent's life: network, hello, tasks, and an end that the region knows about.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use crate::cmdline::{self, Arguments};
use crate::console::say;
use crate::gateway::{self, CallError, Document, Gateway, PATIENCE};
use crate::progress::{Heart, Progress, TaskError};
use crate::protocol::{
    AgentPayload, EnlistInput, FinishedInput, HelloInput, HelloPayload, Next, Task, TaskKind,
};
use crate::{bmc, deploy, erase, inventory, network, smbios, system};

/// One boot does one task; more than this many in a row is a region gone wrong.
const TASKS_MAX: usize = 4;
const DISK_SETTLE_LIMIT: Duration = Duration::from_secs(8);
const BMC_DEVICE_LIMIT: Duration = Duration::from_secs(10);
/// Long enough to read the last line on a console.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// Runs until the machine goes off or starts anew.
pub(crate) fn run() -> ExitCode {
    say(&format!("version {}", env!("CARGO_PKG_VERSION")));
    let end = match boot() {
        Ok(next) => next,
        Err(reason) => {
            say(&format!("failed: {reason}"));
            std::thread::sleep(LAST_WORDS);
            Next::PowerOff
        }
    };
    match end {
        Next::Reboot => system::reboot(),
        Next::PowerOff | Next::Stop | Next::Continue => system::power_off(),
    }
}

fn boot() -> Result<Next, String> {
    let text = std::fs::read_to_string("/proc/cmdline").map_err(|error| error.to_string())?;
    let arguments = cmdline::parse(&text).map_err(|error| error.to_string())?;
    let _network = network::start(arguments.boot_mac.as_deref())?;
    say(&format!("reporting to {}", arguments.gateway));
    let (gateway, first) = match hello(&arguments)? {
        Greeting::Task(gateway, kind) => (gateway, kind),
        Greeting::End(next) => return Ok(next),
    };
    let progress = Progress::default();
    let _heart = Heart::start(&progress, &gateway);
    let mut kind = first;
    for _ in 0..TASKS_MAX {
        match task(&arguments, &gateway, &progress, kind)? {
            Next::Continue => {}
            next => return Ok(next),
        }
        let task: Task = gateway.call(gateway::TASK, &(), PATIENCE).map_err(|it| it.to_string())?;
        kind = task.kind;
    }
    Err("the region keeps asking for more; one boot does not do so much".to_owned())
}

enum Greeting {
    Task(Gateway, TaskKind),
    End(Next),
}

fn hello(arguments: &Arguments) -> Result<Greeting, String> {
    let gateway = Gateway::new(&arguments.gateway);
    let input =
        HelloInput { boot_token: &arguments.token, agent_version: env!("CARGO_PKG_VERSION") };
    let payload: HelloPayload =
        gateway.call(gateway::HELLO, &input, PATIENCE).map_err(|it| it.to_string())?;
    if let Some(error) = payload.user_errors.first() {
        say(&format!("the region refuses this boot: {}: {}", error.code, error.message));
        std::thread::sleep(LAST_WORDS);
        // A token is spent when its answer got lost, stale when another boot was ordered: the
        // next network boot gets a fresh one. Anything else would only repeat itself.
        let again = matches!(error.code.as_str(), "TOKEN_USED" | "TOKEN_STALE");
        return Ok(Greeting::End(if again { Next::Reboot } else { Next::PowerOff }));
    }
    match (payload.session_token, payload.task) {
        (Some(token), Some(kind)) => Ok(Greeting::Task(gateway.with_session(token), kind)),
        _ => Err("the region accepted this boot but gave no task".to_owned()),
    }
}

/// Does one task and reports its end.
fn task(
    arguments: &Arguments,
    gateway: &Gateway,
    progress: &Progress,
    kind: TaskKind,
) -> Result<Next, String> {
    say(&format!("task: {kind:?}"));
    let done = match kind {
        TaskKind::Enlist => enlist(gateway, progress, gateway::ENLIST),
        TaskKind::Commission => enlist(gateway, progress, gateway::COMMISSIONED),
        TaskKind::Deploy => deploy_task(arguments, gateway, progress),
        TaskKind::Erase => {
            settle_disks(Path::new("/"));
            erase::erase(progress).and_then(|message| finished(gateway, &message))
        }
    };
    match done {
        Ok(next) => {
            say(&format!("done; the region says {next:?}"));
            Ok(next)
        }
        Err(TaskError::Ordered(Next::Stop)) => {
            say("the region called this task off");
            Ok(Next::PowerOff)
        }
        Err(TaskError::Ordered(next)) => Ok(next),
        Err(TaskError::SessionOver(reason)) => Err(format!("this session is over: {reason}")),
        Err(error @ TaskError::Failed { .. }) => {
            report_failure(gateway, progress, &error.to_string())
        }
    }
}

fn report_failure(gateway: &Gateway, progress: &Progress, message: &str) -> Result<Next, String> {
    say(&format!("failed: {message}"));
    let input = FinishedInput { success: false, message: Some(message) };
    let payload: AgentPayload =
        gateway.call(gateway::FINISHED, &input, PATIENCE).map_err(|it| it.to_string())?;
    progress.stop();
    std::thread::sleep(LAST_WORDS);
    Ok(match payload.next {
        Some(Next::Reboot) => Next::Reboot,
        _ => Next::PowerOff,
    })
}

fn enlist(gateway: &Gateway, progress: &Progress, document: Document) -> Result<Next, TaskError> {
    let root = Path::new("/");
    progress.step("Taking stock of the hardware");
    settle_disks(root);
    let hardware = inventory::hardware(root);
    say(&format!(
        "{} cores, {} MiB, {} disks, {} network cards",
        hardware.cpu_cores,
        hardware.memory_bytes >> 20,
        hardware.disks.len(),
        hardware.nics.len()
    ));
    // Commissioning must not change the credentials that the region already uses.
    let bmc = if document.is(gateway::ENLIST) {
        progress.step("Looking for the management controller");
        prepare_ipmi(root);
        bmc::discover(root)
    } else {
        None
    };
    progress.check()?;
    progress.step("Reporting the hardware");
    send(gateway, document, &EnlistInput { hardware: &hardware, bmc: bmc.as_ref() })
}

/// Loads what makes `/dev/ipmi0` appear and waits for it where the firmware lists a BMC.
fn prepare_ipmi(root: &Path) {
    const IPMI_DEVICE: u8 = 38;
    let modules = ["ipmi_si", "ipmi_ssif", "ipmi_devintf"].map(str::to_owned);
    system::modprobe(&modules);
    let table = inventory::smbios_table(root);
    if smbios::structures(&table).any(|it| it.kind == IPMI_DEVICE) {
        let appeared = || Path::new("/dev/ipmi0").exists().then_some(());
        if system::wait_for(BMC_DEVICE_LIMIT, appeared).is_none() {
            say("the firmware lists an IPMI controller, but no driver found it");
        }
    }
}

/// Storage controllers find their disks in their own time: wait until two looks agree.
fn settle_disks(root: &Path) {
    let mut last: Option<usize> = None;
    let mut agreed = 0;
    let settled = system::wait_for(DISK_SETTLE_LIMIT, || {
        network::load_drivers(root);
        let now = inventory::block_devices(root).len();
        agreed = if last == Some(now) && 0 < now { agreed + 1 } else { 0 };
        last = Some(now);
        (2 <= agreed).then_some(())
    });
    if settled.is_none() && last == Some(0) {
        say("no disk found");
    }
}

fn deploy_task(
    arguments: &Arguments,
    gateway: &Gateway,
    progress: &Progress,
) -> Result<Next, TaskError> {
    progress.step("Fetching the deployment");
    let task: Task = gateway.call(gateway::TASK, &(), PATIENCE).map_err(call_failed)?;
    let order =
        task.deploy.ok_or_else(|| TaskError::failed("Fetching the deployment", "it is empty"))?;
    settle_disks(Path::new("/"));
    let message = deploy::deploy(arguments, &order, progress)?;
    finished(gateway, &message)
}

fn finished(gateway: &Gateway, message: &str) -> Result<Next, TaskError> {
    send(gateway, gateway::FINISHED, &FinishedInput { success: true, message: Some(message) })
}

fn send(
    gateway: &Gateway,
    document: Document,
    input: &impl serde::Serialize,
) -> Result<Next, TaskError> {
    let payload: AgentPayload = gateway.call(document, input, PATIENCE).map_err(call_failed)?;
    match (payload.next, payload.user_errors.first()) {
        (Some(next), _) => Ok(next),
        (None, Some(error)) => {
            Err(TaskError::failed("Reporting", format!("{}: {}", error.code, error.message)))
        }
        (None, None) => Ok(Next::PowerOff),
    }
}

fn call_failed(error: CallError) -> TaskError {
    match error {
        CallError::SessionOver(reason) => TaskError::SessionOver(reason),
        other => TaskError::failed("Reporting", other),
    }
}
