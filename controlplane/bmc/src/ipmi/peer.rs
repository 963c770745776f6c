//! A small BMC for tests: what `ipmi_sim` lacks is suite 17, faults on demand and low privilege.

use std::collections::VecDeque;
use std::net::SocketAddr;

use ipmi_rs_core::connection::Message;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

use super::packet::{self, PayloadType, checksum, u32_at};
use super::suite::{Keys, Suite};

/// How the peer behaves.
#[derive(Clone, Debug)]
pub(super) struct Behaviour {
    pub(super) username: &'static str,
    pub(super) password: &'static str,
    pub(super) suites: Vec<Suite>,
    /// Says nothing to a suite it does not know, instead of refusing it.
    pub(super) silent_on_suite: bool,
    /// The level that it grants: 4 is ADMINISTRATOR.
    pub(super) privilege: u8,
    /// Drops each n-th datagram that comes in; 0 drops none.
    pub(super) drop_each: usize,
    /// Sends every answer twice.
    pub(super) twice: bool,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            username: "admin",
            password: "correct-horse",
            suites: vec![Suite::Suite17, Suite::Suite3],
            silent_on_suite: false,
            privilege: 4,
            drop_each: 0,
            twice: false,
        }
    }
}

const BMC_ID: u32 = 0x0bad_cafe;
const RANDOM: [u8; 16] = [0x5e; 16];
const GUID: [u8; 16] = [0x61; 16];

pub(super) struct Peer {
    behaviour: Behaviour,
    suite: Suite,
    console_id: [u8; 4],
    console_random: Vec<u8>,
    role_and_user: (u8, Vec<u8>),
    keys: Option<Keys>,
    sequence: u32,
    power: bool,
    pub(super) commands: VecDeque<Message>, // What was called inside the session, in order.
}

/// Runs a peer on a free loopback port. Abort the task to stop it.
pub(super) async fn spawn(behaviour: Behaviour) -> (SocketAddr, JoinHandle<()>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let mut peer = Peer::new(behaviour);
        let mut buffer = [0; 1500];
        for number in 1.. {
            let Ok((length, from)) = socket.recv_from(&mut buffer).await else { return };
            let drop_each = peer.behaviour.drop_each;
            if drop_each != 0 && number % drop_each == 0 {
                continue;
            }
            let Some(answer) = peer.answer(&buffer[..length]) else { continue };
            for _ in 0..=usize::from(peer.behaviour.twice) {
                let _ = socket.send_to(&answer, from).await;
            }
        }
    });
    (address, task)
}

impl Peer {
    pub(super) fn new(behaviour: Behaviour) -> Self {
        Self {
            behaviour,
            suite: Suite::Suite17,
            console_id: [0; 4],
            console_random: Vec::new(),
            role_and_user: (0, Vec::new()),
            keys: None,
            sequence: 0,
            power: false,
            commands: VecDeque::new(),
        }
    }

    /// Answers one datagram, or stays silent.
    pub(super) fn answer(&mut self, datagram: &[u8]) -> Option<Vec<u8>> {
        if let Ok(message) = packet::decode_sessionless(datagram) {
            // Channel 1, IPMI 2.0 alone, a named user.
            let reply = reply_to(message, 0, &[1, 0x80, 0x04, 0x02, 0, 0, 0, 0]);
            return Some(packet::encode_sessionless(&reply));
        }
        let code_bytes = self.suite.code_bytes();
        let packet = packet::decode(datagram, code_bytes).ok()?;
        let body = packet.payload;
        match packet.payload_type {
            PayloadType::OpenSessionRequest => self.open(body),
            PayloadType::Rakp1 => Some(self.rakp1(body)),
            PayloadType::Rakp3 => Some(self.rakp3(body)),
            PayloadType::Ipmi => {
                let keys = self.keys.clone()?;
                assert_eq!(packet.session_id, BMC_ID);
                assert_eq!(packet.code, keys.sign(packet.covered), "the client signs wrongly");
                let message = keys.decrypt(packet.payload).unwrap();
                let reply = self.command(&message);
                self.sequence += 1;
                let console_id = u32::from_le_bytes(self.console_id);
                let sealed = keys.encrypt(&reply, [7; 16]);
                let sign = |covered: &[u8]| keys.sign(covered);
                Some(packet::encode_sealed(console_id, self.sequence, &sealed, sign))
            }
            _ => None,
        }
    }

    fn open(&mut self, body: &[u8]) -> Option<Vec<u8>> {
        let asked = [body[12], body[20], body[28]];
        let suite = self.behaviour.suites.iter().find(|it| it.algorithms() == asked);
        let Some(suite) = suite else {
            let refusal = [&[body[0], 0x11, 0, 0], &body[4..8]].concat();
            let packet = packet::encode_plain(PayloadType::OpenSessionResponse, &refusal);
            return (!self.behaviour.silent_on_suite).then_some(packet);
        };
        self.suite = *suite;
        self.console_id.copy_from_slice(&body[4..8]);
        let mut answer = vec![body[0], 0, 4, 0];
        answer.extend(self.console_id);
        answer.extend(BMC_ID.to_le_bytes());
        answer.extend(&body[8..32]);
        Some(packet::encode_plain(PayloadType::OpenSessionResponse, &answer))
    }

    fn rakp1(&mut self, body: &[u8]) -> Vec<u8> {
        self.console_random = body[8..24].to_vec();
        self.role_and_user = (body[24], body[27..].to_vec());
        let mut answer = vec![body[0], 0, 0, 0];
        answer.extend(self.console_id);
        let known = &body[28..] == self.behaviour.username.as_bytes();
        if !known || self.behaviour.privilege == 0 {
            answer[1] = if known { 0x0a } else { 0x0d };
            return packet::encode_plain(PayloadType::Rakp2, &answer);
        }
        assert_eq!(u32_at(body, 4), Ok(BMC_ID));
        let (role, user) = &self.role_and_user;
        let (bmc_id, random) = (BMC_ID.to_le_bytes(), &self.console_random);
        let code = self.suite.hash(
            self.behaviour.password.as_bytes(),
            &[&self.console_id, &bmc_id, random, &RANDOM, &GUID, &[*role], user],
        );
        answer.extend(RANDOM);
        answer.extend(GUID);
        answer.extend(code);
        packet::encode_plain(PayloadType::Rakp2, &answer)
    }

    fn rakp3(&mut self, body: &[u8]) -> Vec<u8> {
        let (role, user) = &self.role_and_user;
        let password = self.behaviour.password.as_bytes();
        let expected = self.suite.hash(password, &[&RANDOM, &self.console_id, &[*role], user]);
        assert_eq!(body[8..], expected, "RAKP 3 was sent without knowing the password");
        let session_key =
            self.suite.hash(password, &[&self.console_random, &RANDOM, &[*role], user]);
        let bmc_id = BMC_ID.to_le_bytes();
        let code = self.suite.code(&session_key, &[&self.console_random, &bmc_id, &GUID]);
        self.keys = Some(Keys::derive(self.suite, &session_key));
        let answer = [&[body[0], 0, 0, 0][..], &self.console_id, &code].concat();
        packet::encode_plain(PayloadType::Rakp4, &answer)
    }

    fn command(&mut self, message: &[u8]) -> Vec<u8> {
        let (netfn, command) = (message[1] >> 2, message[5]);
        let data = &message[6..message.len() - 1];
        self.commands.push_back(Message::new_raw(netfn, command, data.to_vec()));
        match (netfn, command, data) {
            (0x00, 0x01, _) => reply_to(message, 0, &[u8::from(self.power), 0, 0]),
            (0x00, 0x02, [code]) => {
                self.power = *code != 0 && *code != 5;
                reply_to(message, 0, &[])
            }
            // Knows no acknowledgement, as some BMCs do not.
            (0x00, 0x08, [0x04, ..]) => reply_to(message, 0x80, &[]),
            (0x00, 0x08, _) | (0x06, 0x3c, _) => reply_to(message, 0, &[]),
            (0x06, 0x3b, [wanted]) if *wanted <= self.behaviour.privilege => {
                reply_to(message, 0, &[*wanted])
            }
            (0x06, 0x3b, _) => reply_to(message, 0x81, &[]),
            _ => reply_to(message, 0xc1, &[]),
        }
    }
}

/// An answer to a request on the bus.
fn reply_to(request: &[u8], completion: u8, data: &[u8]) -> Vec<u8> {
    let mut out = vec![0x81, request[1] + 4];
    out.push(checksum(&out));
    out.extend([0x20, request[4], request[5], completion]);
    out.extend(data);
    out.push(checksum(&out[3..]));
    out
}
