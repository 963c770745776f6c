//! The way into a session: capabilities, Open Session, RAKP 1 to 4. Datagrams in, datagrams out.

use ipmi_rs_core::app::auth::{GetChannelAuthenticationCapabilities, PrivilegeLevel};
use ipmi_rs_core::connection::{Channel, IpmiCommand, Message};

use super::packet::{self, PacketError, PayloadType, u32_at};
use super::session::Session;
use super::suite::{Keys, Suite};
use crate::{BmcError, Credentials};

/// Looks the user up by name alone and asks for ADMINISTRATOR (IPMI §13.20).
const ROLE: u8 = 0x14;
pub(super) const PRIVILEGE_ADMINISTRATOR: u8 = 4;

/// Tags share the six bits of a request's number.
const TAG_MAX: u8 = 0x3f;

/// The numbers a login draws. Chance is an argument, so that a test can replay a login.
#[derive(Clone, Copy, Debug)]
pub struct Nonces {
    /// Our name for the session, never 0.
    pub console_id: u32,
    pub console_random: [u8; 16],
}

/// One login with one cipher suite.
///
/// Send [`Login::request`], again after silence, and hand every datagram to [`Login::handle`].
#[derive(Debug)]
pub struct Login {
    credentials: Credentials,
    suite: Suite,
    nonces: Nonces,
    tag: u8, // Differs at each step, so that a late answer to the last one is told apart.
    step: Step,
}

#[derive(Debug)]
enum Step {
    Capabilities,
    Open,
    Rakp1 { bmc_id: u32 },
    Rakp3 { bmc_id: u32, code: Vec<u8>, expected: Vec<u8>, session_key: Vec<u8> },
}

/// What a datagram did to the login.
#[derive(Debug)]
pub enum Progress {
    /// Send [`Login::request`] now: it is a new one.
    Next,
    Done(Session),
}

/// What a datagram is to the login: `Ok`, not ours, or the end.
#[derive(Debug)]
pub enum LoginError {
    /// Not an answer to the current request: wait on.
    Ignored(PacketError),
    /// The BMC does not take this suite: another login may do.
    SuiteRefused,
    Failed(BmcError),
}

impl From<PacketError> for LoginError {
    fn from(error: PacketError) -> Self {
        Self::Ignored(error)
    }
}

impl Login {
    #[must_use]
    pub fn new(credentials: Credentials, suite: Suite, nonces: Nonces) -> Self {
        Self { credentials, suite, nonces, tag: 0, step: Step::Capabilities }
    }

    /// A login that skips the capabilities, since they were asked for the suite before. `tag`
    /// numbers its first request: a late answer to the login before must not pass for its own.
    #[must_use]
    pub fn with_capabilities_known(mut self, tag: u8) -> Self {
        self.step = Step::Open;
        self.tag = tag & TAG_MAX;
        self
    }

    #[must_use]
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// Whether only the choice of the suite can explain that the BMC does not answer now.
    #[must_use]
    pub fn waits_for_suite(&self) -> bool {
        matches!(self.step, Step::Open)
    }

    /// The datagram of the current step, the same at every call.
    #[must_use]
    pub fn request(&self) -> Vec<u8> {
        match &self.step {
            Step::Capabilities => {
                let command = GetChannelAuthenticationCapabilities::new(
                    Channel::Current,
                    PrivilegeLevel::Administrator,
                );
                let message: Message = command.into();
                packet::encode_sessionless(&packet::encode_request(&message, self.tag))
            }
            Step::Open => packet::encode_plain(PayloadType::OpenSessionRequest, &self.open()),
            Step::Rakp1 { bmc_id } => {
                let mut payload = vec![self.tag, 0, 0, 0];
                payload.extend(bmc_id.to_le_bytes());
                payload.extend(self.nonces.console_random);
                payload.extend([ROLE, 0, 0]);
                payload.extend(self.user());
                packet::encode_plain(PayloadType::Rakp1, &payload)
            }
            Step::Rakp3 { bmc_id, code, .. } => {
                let mut payload = vec![self.tag, 0, 0, 0];
                payload.extend(bmc_id.to_le_bytes());
                payload.extend(code);
                packet::encode_plain(PayloadType::Rakp3, &payload)
            }
        }
    }

    fn open(&self) -> Vec<u8> {
        let mut payload = vec![self.tag, PRIVILEGE_ADMINISTRATOR, 0, 0];
        payload.extend(self.nonces.console_id.to_le_bytes());
        for (kind, algorithm) in (0..).zip(self.suite.algorithms()) {
            payload.extend([kind, 0, 0, 8, algorithm, 0, 0, 0]);
        }
        payload
    }

    /// Length of the name and the name, as RAKP 1 carries and every hash covers them.
    fn user(&self) -> Vec<u8> {
        let name = self.credentials.username.as_bytes();
        // `Target::ipmi` lets no name of more than 16 bytes pass.
        let mut out = vec![u8::try_from(name.len()).unwrap_or(u8::MAX)];
        out.extend(name);
        out
    }

    /// Takes one datagram from the BMC.
    ///
    /// # Errors
    /// [`LoginError::Ignored`] changes nothing; the other two end this login.
    pub fn handle(&mut self, datagram: &[u8]) -> Result<Progress, LoginError> {
        match &self.step {
            Step::Capabilities => {
                handle_capabilities(datagram, self.tag)?;
                self.advance(Step::Open);
            }
            Step::Open => {
                let body = self.answer(datagram, PayloadType::OpenSessionResponse)?;
                let bmc_id = self.handle_open(body)?;
                self.advance(Step::Rakp1 { bmc_id });
            }
            Step::Rakp1 { bmc_id } => {
                let body = self.answer(datagram, PayloadType::Rakp2)?;
                let next = self.handle_rakp2(*bmc_id, body)?;
                self.advance(next);
            }
            Step::Rakp3 { bmc_id, expected, session_key, .. } => {
                let body = self.answer(datagram, PayloadType::Rakp4)?;
                let code = body.get(8..8 + self.suite.code_bytes()).ok_or(LoginError::Failed(
                    BmcError::protocol("RAKP 4 carries no whole integrity code"),
                ))?;
                if !equal(code, expected) {
                    let error = BmcError::protocol("RAKP 4 carries a wrong integrity code");
                    return Err(LoginError::Failed(error));
                }
                let keys = Keys::derive(self.suite, session_key);
                return Ok(Progress::Done(Session::new(keys, self.nonces.console_id, *bmc_id)));
            }
        }
        Ok(Progress::Next)
    }

    fn advance(&mut self, step: Step) {
        self.tag = self.tag.wrapping_add(1) & TAG_MAX;
        self.step = step;
    }

    /// The payload of an answer to the current step, its status checked.
    fn answer<'a>(&self, datagram: &'a [u8], want: PayloadType) -> Result<&'a [u8], LoginError> {
        let packet = packet::decode(datagram, 0)?;
        let body = packet.payload;
        let [tag, status, ..] = body else { return Err(PacketError::Truncated.into()) };
        if packet.payload_type != want || *tag != self.tag {
            return Err(PacketError::OtherRequest.into());
        }
        match (&self.step, *status) {
            (_, 0) => {}
            // RAKP 2 has proved that both know the password: it lost our random number, as
            // happens when it answered a repeated RAKP 1 afresh. The next login mends that.
            (Step::Rakp3 { .. }, 0x0f) => {
                let error = BmcError::protocol("it lost the thread of the login");
                return Err(LoginError::Failed(error));
            }
            (_, status) => return Err(refusal(status)),
        }
        if u32_at(body, 4)? != self.nonces.console_id {
            return Err(PacketError::OtherSession.into());
        }
        Ok(body)
    }

    fn handle_open(&self, body: &[u8]) -> Result<u32, LoginError> {
        let bmc_id = u32_at(body, 8)?;
        // A BMC may answer with other algorithms than the ones we asked for: never take them.
        for (at, want) in [16, 24, 32].into_iter().zip(self.suite.algorithms()) {
            let got = body.get(at).ok_or(PacketError::Truncated)?;
            if got & 0x3f != want {
                return Err(LoginError::SuiteRefused);
            }
        }
        Ok(bmc_id)
    }

    fn handle_rakp2(&self, bmc_id: u32, body: &[u8]) -> Result<Step, LoginError> {
        let end = 40 + self.suite.hash_bytes();
        let whole = body.get(..end).ok_or(LoginError::Failed(BmcError::protocol(
            "RAKP 2 carries no whole key exchange code",
        )))?;
        let (bmc_random, guid, code) = (&whole[8..24], &whole[24..40], &whole[40..]);
        let password = self.credentials.password.expose().as_bytes();
        let console_id = self.nonces.console_id.to_le_bytes();
        let console_random = &self.nonces.console_random[..];
        let (bmc_id_wire, user) = (bmc_id.to_le_bytes(), self.user());
        let expected = self.suite.hash(
            password,
            &[&console_id, &bmc_id_wire, console_random, bmc_random, guid, &[ROLE], &user],
        );
        if !equal(code, &expected) {
            // Only the password is secret here: the BMC computed with another one. It has not
            // counted a failed login, since RAKP 3 was not sent.
            return Err(LoginError::Failed(BmcError::WrongPassword));
        }
        // Without a BMC key of its own (K_G), the user's key takes its place (IPMI §13.31).
        let session_key = self.suite.hash(password, &[console_random, bmc_random, &[ROLE], &user]);
        Ok(Step::Rakp3 {
            bmc_id,
            code: self.suite.hash(password, &[bmc_random, &console_id, &[ROLE], &user]),
            expected: self.suite.code(&session_key, &[console_random, &bmc_id_wire, guid]),
            session_key,
        })
    }
}

fn handle_capabilities(datagram: &[u8], tag: u8) -> Result<(), LoginError> {
    let reply = packet::decode_reply(packet::decode_sessionless(datagram)?)?;
    if (reply.netfn, reply.command, reply.request) != (0x07, 0x38, tag) {
        return Err(PacketError::OtherRequest.into());
    }
    let failed = |detail: &str| LoginError::Failed(BmcError::protocol(detail));
    if reply.completion != 0 {
        return Err(failed("it does not tell its authentication capabilities"));
    }
    let capabilities = GetChannelAuthenticationCapabilities::parse_success_response(&reply.data)
        .map_err(|_| failed("its authentication capabilities are cut short"))?;
    if capabilities.ipmi2_connections_supported {
        Ok(())
    } else {
        Err(failed("it speaks IPMI 1.5 only; IPMI 2.0 is needed"))
    }
}

/// RMCP+ and RAKP status codes (IPMI table 13-15).
fn refusal(status: u8) -> LoginError {
    match status {
        0x04 | 0x05 | 0x06 | 0x07 | 0x10 | 0x11 => LoginError::SuiteRefused,
        0x09 | 0x0a => LoginError::Failed(BmcError::PrivilegeTooLow),
        0x0c | 0x0d => LoginError::Failed(BmcError::UnknownUser),
        0x0f => LoginError::Failed(BmcError::WrongPassword),
        0x01 | 0x0b => LoginError::Failed(BmcError::refused("it has no free session")),
        it => LoginError::Failed(BmcError::protocol(format!("login ends with status {it:#04x}"))),
    }
}

/// Compares without telling by the time it takes where the first difference is.
pub(super) fn equal(left: &[u8], right: &[u8]) -> bool {
    let differs = left.iter().zip(right).fold(0, |all, (a, b)| all | (a ^ b));
    left.len() == right.len() && differs == 0
}
