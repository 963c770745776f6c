//! `ironherd lab console`: a person's terminal on a machine's serial port.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;

use anyhow::{Context as _, bail};
use ironherd_bmc_sim::Machine;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcsetattr};

/// Ctrl-], as telnet has it.
const LEAVE: u8 = 0x1d;

/// Prints all the machine ever wrote to its serial port.
pub(super) fn print_log(machine: &Machine) -> anyhow::Result<()> {
    let path = machine.serial_log();
    match File::open(&path) {
        Ok(mut log) => {
            io::copy(&mut log, &mut io::stdout().lock()).context("cannot print the log")?;
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()), // It was never on.
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Joins terminal and serial port until Ctrl-] or the end of the machine.
pub(super) fn attach(machine: &Machine) -> anyhow::Result<()> {
    let serial = machine.serial().with_context(|| {
        format!("cannot reach the console of {} (--log prints what it said)", machine.config().name)
    })?;
    eprintln!("Connected to {}. Ctrl-] leaves.\r", machine.config().name);
    let raw = RawTerminal::enter()?;
    let ended = relay(&serial);
    drop(raw);
    eprintln!();
    ended
}

fn relay(mut serial: &UnixStream) -> anyhow::Result<()> {
    let stdin = io::stdin();
    let mut stdout = io::stdout().lock();
    let mut bytes = [0_u8; 4096];
    loop {
        let mut ready = [PollFd::new(serial, PollFlags::IN), PollFd::new(&stdin, PollFlags::IN)];
        match poll(&mut ready, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let [from_machine, from_person] = ready.map(|it| !it.revents().is_empty());
        if from_machine {
            match serial.read(&mut bytes)? {
                0 => bail!("the machine was switched off"),
                count => stdout.write_all(&bytes[..count])?,
            }
            stdout.flush()?;
        }
        if from_person {
            // Past the standard library's buffer: poll() knows nothing of what waits in there.
            let count = rustix::io::read(stdin.as_fd(), &mut bytes)?;
            let typed = &bytes[..count];
            if count == 0 || typed.contains(&LEAVE) {
                return Ok(());
            }
            serial.write_all(typed)?;
        }
    }
}

/// The terminal without echo, line editing and signals; as it was again when dropped.
struct RawTerminal {
    before: Option<Termios>,
}

impl RawTerminal {
    fn enter() -> anyhow::Result<Self> {
        let stdin = io::stdin();
        if !isatty(&stdin) {
            return Ok(Self { before: None }); // A pipe needs no care.
        }
        let before = tcgetattr(&stdin)?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(&stdin, OptionalActions::Now, &raw)?;
        Ok(Self { before: Some(before) })
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
    }
}
