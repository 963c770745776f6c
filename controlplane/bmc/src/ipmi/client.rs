//! The thin driver: one UDP socket a session, the clock, and bounded tries.

use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::rand;
use ipmi_rs_core::connection::{IpmiCommand, Message};
use tokio::net::{UdpSocket, lookup_host};
use tokio::time::{Instant, timeout_at};

use super::command::{self, BootOption, ChassisControl, ChassisStatus, CloseSession};
use super::login::{Login, LoginError, Nonces, PRIVILEGE_ADMINISTRATOR, Progress};
use super::packet::Reply;
use super::session::Session;
use super::suite::Suite;
use crate::driver::{BmcFuture, Boot, Connection, Control, Driver, PowerState};
use crate::{BmcError, Target};

/// An RMCP packet fits one Ethernet frame.
const DATAGRAM_BYTES_MAX: usize = 1500;
/// Beyond every tag of the first login.
const SECOND_TAG: u8 = 8;
/// How many BMCs' suites are remembered; beyond that each login starts with suite 17 again.
const SUITES_KNOWN_MAX: usize = 65_536;

/// How long and how often one datagram is waited for.
#[derive(Clone, Copy, Debug)]
pub struct IpmiConfig {
    pub try_timeout: Duration,
    /// How often a request is sent in all before the BMC counts as unreachable.
    pub tries: u32,
}

impl Default for IpmiConfig {
    /// Slow BMCs take most of a second for RAKP 2; four seconds of silence is an answer.
    fn default() -> Self {
        Self { try_timeout: Duration::from_secs(1), tries: 4 }
    }
}

/// Opens IPMI sessions.
#[derive(Debug, Default)]
pub struct IpmiDriver {
    config: IpmiConfig,
    suites: Mutex<HashMap<String, Suite>>, // What each BMC took last: spares it a refusal.
}

impl IpmiDriver {
    #[must_use]
    pub fn new(config: IpmiConfig) -> Self {
        Self { config, suites: Mutex::default() }
    }

    /// Logs in as ADMINISTRATOR.
    ///
    /// # Errors
    /// [`BmcError`] names what the BMC refused, or that it is silent.
    pub async fn open(&self, target: &Target) -> Result<IpmiSession, BmcError> {
        let mut wire = Wire::connect(&target.address, self.config).await?;
        let known = self.suites().get(&target.address).copied();
        let first = known.unwrap_or(Suite::Suite17);
        let others = Suite::ALL.into_iter().filter(|it| *it != first);
        let mut tried = false;
        for suite in std::iter::once(first).chain(others) {
            let login = Login::new(target.credentials.clone(), suite, nonces()?);
            // The first suite's login has asked for the capabilities already.
            let login = if tried { login.with_capabilities_known(SECOND_TAG) } else { login };
            tried = true;
            let Some(session) = wire.login(login).await? else { continue };
            let mut session = IpmiSession { wire, session };
            if session.call(command::RaisePrivilege).await? < PRIVILEGE_ADMINISTRATOR {
                return Err(BmcError::PrivilegeTooLow);
            }
            self.remember(&target.address, suite);
            return Ok(session);
        }
        Err(BmcError::CipherRefused)
    }

    fn remember(&self, address: &str, suite: Suite) {
        let mut suites = self.suites();
        if suites.len() < SUITES_KNOWN_MAX || suites.contains_key(address) {
            suites.insert(address.to_owned(), suite);
        }
    }

    fn suites(&self) -> std::sync::MutexGuard<'_, HashMap<String, Suite>> {
        self.suites.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Driver for IpmiDriver {
    fn connect<'a>(&'a self, target: &'a Target) -> BmcFuture<'a, Box<dyn Connection>> {
        Box::pin(async { Ok(Box::new(self.open(target).await?) as Box<dyn Connection>) })
    }
}

/// A session together with its socket.
#[derive(Debug)]
pub struct IpmiSession {
    wire: Wire,
    session: Session,
}

impl IpmiSession {
    /// Which suite the session runs under.
    #[must_use]
    pub fn suite(&self) -> Suite {
        self.session.suite()
    }

    /// Runs one command and parses its answer.
    ///
    /// # Errors
    /// [`BmcError`] if the BMC is silent, refuses it or answers too little.
    pub async fn call<C: IpmiCommand>(&mut self, command: C) -> Result<C::Output, BmcError> {
        let message: Message = command.into();
        let reply = self.exchange(&message).await?;
        if reply.completion != 0 {
            return Err(command::completion_error(&message, reply.completion));
        }
        let cut = || BmcError::protocol(format!("command {:#04x} is cut short", message.cmd()));
        C::parse_success_response(&reply.data).map_err(|_| cut())
    }

    async fn exchange(&mut self, message: &Message) -> Result<Reply, BmcError> {
        let started = Instant::now();
        self.session.begin();
        for _ in 0..self.wire.config.tries {
            let packet = self.session.seal(message, random()?);
            self.wire.send(&packet, started).await?;
            let deadline = self.wire.deadline();
            while let Some(datagram) = self.wire.receive(deadline, started).await? {
                match self.session.open(message, datagram) {
                    Ok(reply) => return Ok(reply),
                    Err(reason) => tracing::debug!(%reason, "IPMI datagram ignored"),
                }
            }
        }
        Err(BmcError::Unreachable { after: started.elapsed() })
    }

    async fn boot(&mut self, boot: Boot) -> Result<(), BmcError> {
        // Not every BMC knows the acknowledgement; the flags that follow are what matters.
        match self.call(BootOption::Acknowledge).await {
            Ok(()) | Err(BmcError::Refused { .. }) => {}
            Err(error) => return Err(error),
        }
        self.call(BootOption::Flags { device: boot.device, efi: boot.efi }).await
    }

    /// Says good-bye once: a lost farewell costs the BMC one slot for a minute.
    async fn logout(mut self) -> Result<(), BmcError> {
        let message = CloseSession { bmc_id: self.session.bmc_id() }.into();
        self.session.begin();
        let packet = self.session.seal(&message, random()?);
        self.wire.send(&packet, Instant::now()).await
    }
}

impl Connection for IpmiSession {
    fn power_state(&mut self) -> BmcFuture<'_, PowerState> {
        Box::pin(self.call(ChassisStatus))
    }

    fn control(&mut self, control: Control) -> BmcFuture<'_, ()> {
        Box::pin(self.call(ChassisControl(control)))
    }

    fn boot_once(&mut self, boot: Boot) -> BmcFuture<'_, ()> {
        Box::pin(self.boot(boot))
    }

    fn close(self: Box<Self>) -> BmcFuture<'static, ()> {
        Box::pin(self.logout())
    }
}

/// A connected socket and one buffer.
#[derive(Debug)]
struct Wire {
    socket: UdpSocket,
    config: IpmiConfig,
    buffer: Box<[u8; DATAGRAM_BYTES_MAX]>,
}

impl Wire {
    async fn connect(address: &str, config: IpmiConfig) -> Result<Self, BmcError> {
        let started = Instant::now();
        let silent = |_| BmcError::Unreachable { after: started.elapsed() };
        let lookup = timeout_at(started + config.try_timeout * config.tries, lookup_host(address));
        let found = lookup.await.map_err(|_| silent(()))?.map_err(|_| silent(()))?.next();
        let remote = found.ok_or_else(|| silent(()))?;
        let any = if remote.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any).await.map_err(|_| silent(()))?;
        socket.connect(remote).await.map_err(|_| silent(()))?;
        Ok(Self { socket, config, buffer: Box::new([0; DATAGRAM_BYTES_MAX]) })
    }

    /// Runs one login. `None` says that the BMC does not take its suite.
    async fn login(&mut self, mut login: Login) -> Result<Option<Session>, BmcError> {
        let started = Instant::now();
        let mut tries = 0;
        while tries < self.config.tries {
            tries += 1;
            self.send(&login.request(), started).await?;
            let deadline = self.deadline();
            while let Some(datagram) = self.receive(deadline, started).await? {
                match login.handle(datagram) {
                    Ok(Progress::Done(session)) => return Ok(Some(session)),
                    Ok(Progress::Next) => {
                        tries = 0; // At most four steps, each with tries of its own.
                        break;
                    }
                    Err(LoginError::Ignored(reason)) => {
                        tracing::debug!(%reason, "IPMI datagram ignored");
                    }
                    Err(LoginError::SuiteRefused) => return Ok(None),
                    Err(LoginError::Failed(error)) => return Err(error),
                }
            }
        }
        // Some BMCs drop an Open Session Request with a suite that they do not know.
        if login.waits_for_suite() && login.suite() == Suite::Suite17 {
            return Ok(None);
        }
        Err(BmcError::Unreachable { after: started.elapsed() })
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.config.try_timeout
    }

    async fn send(&self, packet: &[u8], started: Instant) -> Result<(), BmcError> {
        let sent = self.socket.send(packet).await;
        sent.map(drop).map_err(|error| unreachable(&error, started))
    }

    /// The next datagram, or `None` at the deadline.
    async fn receive(
        &mut self,
        until: Instant,
        started: Instant,
    ) -> Result<Option<&[u8]>, BmcError> {
        match timeout_at(until, self.socket.recv(&mut self.buffer[..])).await {
            Err(_) => Ok(None),
            Ok(Ok(length)) => Ok(Some(&self.buffer[..length])),
            // The host or a router says that nobody is there: no use in waiting.
            Ok(Err(error)) => Err(unreachable(&error, started)),
        }
    }
}

fn unreachable(error: &io::Error, started: Instant) -> BmcError {
    tracing::debug!(%error, "IPMI socket");
    BmcError::Unreachable { after: started.elapsed() }
}

fn nonces() -> Result<Nonces, BmcError> {
    let id: [u8; 4] = random()?;
    Ok(Nonces { console_id: u32::from_le_bytes(id).max(1), console_random: random()? })
}

fn random<const N: usize>() -> Result<[u8; N], BmcError> {
    let mut bytes = [0; N];
    let filled = rand::fill(&mut bytes);
    filled.map_err(|_| BmcError::protocol("this host has no random numbers"))?;
    Ok(bytes)
}
