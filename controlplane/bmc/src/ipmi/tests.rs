//! Logins and sessions: against recorded packets, and against a loopback BMC with faults.

use std::time::Duration;

use ipmi_rs_core::connection::{Message, NetFn};

use super::command::{ChassisControl, ChassisStatus, RaisePrivilege};
use super::login::{Login, LoginError, Nonces, Progress};
use super::packet;
use super::peer::{self, Behaviour, Peer};
use super::suite::{Keys, Suite};
use super::{IpmiConfig, IpmiDriver};
use crate::{BmcError, Connection, Control, Credentials, PowerState, Target};

/// The hashes of one login, recorded with `ipmitool -C 3` against `ipmi_sim`. Those of suite 17
/// were computed from the specification by a program that yields the recorded ones for suite 3.
struct Recorded {
    suite: Suite,
    rakp2: &'static str,
    rakp3: &'static str,
    rakp4: &'static str,
    session_key: &'static str,
    /// Set Session Privilege Level, sealed as packet 3.
    packet: &'static str,
}

const RECORDED: [Recorded; 2] = [
    Recorded {
        suite: Suite::Suite3,
        rakp2: "aea92d3e844cbddeac54cac085f6a46ff9779cc0",
        rakp3: "11bb410c9abfc6c5d99197ccb684c196e357a4ca",
        rakp4: "63099399b994c5a440a1c635",
        session_key: "cc9c62af83285e2bace5535675e27a02ad983f26",
        packet: "0600ff0706c002000000030000002000c75db18f6f583e33fdc6ca221fffeb3572da682d08f1ed0e\
                 b2a4f0287c285c48ffff02079fe8f9d569e5e495dc76adb8",
    },
    Recorded {
        suite: Suite::Suite17,
        rakp2: "fee72728473240d607fdb98d2e4324fda76306ef6d0460fd1c8a9b7af9a0f8a8",
        rakp3: "19bd04d3b650d3faf50c62aa17fc8606fff995ebda9c1cfeed48dcc27eb31b40",
        rakp4: "09b5ba5b85deb9cc1cb70f34858a82b9",
        session_key: "9f40f50a3ab8b71f3fd876603e5dbf339da001df61f037040a2d67d952c6c33c",
        packet: "0600ff0706c002000000030000002000c75db18f6f583e33fdc6ca221fffeb3567fc2344c336a464\
                 2d6e78717a893c00ffff0207c3d18be0280ff4b5de90eca5e119e0e2",
    },
];

const NONCES: &str = "0e4702b6a5bd09e6416d65219ed0eadf";
const BMC_PROOF: &str = "806226627c2fedaec5a026a601519757a123456789abcdefa123456789abcdef";

#[test]
fn logins_match_the_recorded_ones() {
    for it in RECORDED {
        let [authentication, integrity, encryption] = it.suite.algorithms();
        let algorithms = format!(
            "00000008{authentication:02x}00000001000008{integrity:02x}00000002000008\
             {encryption:02x}000000"
        );
        let mut login = login("correct-horse", it.suite).with_capabilities_known(1);
        check_request(&login, 0x10, &format!("01040000a4a3a2a0{algorithms}"));
        let opened = format!("01000400a4a3a2a002000000{algorithms}");
        assert!(matches!(handle(&mut login, 0x11, &opened), Ok(Progress::Next)));

        let rakp1 = format!("0200000002000000{NONCES}1400000561646d696e");
        check_request(&login, 0x12, &rakp1);
        let rakp2 = format!("02000000a4a3a2a0{BMC_PROOF}{}", it.rakp2);
        assert!(matches!(handle(&mut login, 0x13, &rakp2), Ok(Progress::Next)));

        check_request(&login, 0x14, &format!("0300000002000000{}", it.rakp3));
        let rakp4 = format!("03000000a4a3a2a0{}", it.rakp4);
        assert!(matches!(handle(&mut login, 0x15, &rakp4), Ok(Progress::Done(_))));
    }
}

#[test]
fn sealed_messages_match_the_recorded_ones() {
    for it in RECORDED {
        let keys = Keys::derive(it.suite, &bytes(it.session_key));
        let message = packet::encode_request(&RaisePrivilege.into(), 1);
        let iv = bytes("c75db18f6f583e33fdc6ca221fffeb35").try_into().unwrap();
        let sealed = keys.encrypt(&message, iv);
        let got = packet::encode_sealed(2, 3, &sealed, |covered| keys.sign(covered));
        assert_eq!(got, bytes(it.packet), "{:?}", it.suite);
    }
}

#[test]
fn refusals_of_the_login_are_named() {
    let rows = [
        // Status in RAKP 2, what it means.
        (0x0d, Some(BmcError::UnknownUser)),
        (0x0c, Some(BmcError::UnknownUser)),
        (0x0f, Some(BmcError::WrongPassword)),
        (0x09, Some(BmcError::PrivilegeTooLow)),
        (0x0a, Some(BmcError::PrivilegeTooLow)),
        (0x01, Some(BmcError::refused("it has no free session"))),
        (0x12, Some(BmcError::protocol("login ends with status 0x12"))),
        (0x11, None), // Another suite may do.
        (0x10, None),
    ];
    for (status, want) in rows {
        let mut login = login_at_rakp1("correct-horse");
        let got = handle(&mut login, 0x13, &format!("02{status:02x}0000a4a3a2a0"));
        match (got, want) {
            (Err(LoginError::Failed(got)), Some(want)) => assert_eq!(got, want, "{status:#04x}"),
            (Err(LoginError::SuiteRefused), None) => {}
            (got, want) => panic!("{status:#04x}: {got:?} instead of {want:?}"),
        }
    }
}

#[test]
fn a_wrong_password_shows_before_it_is_tried() {
    let mut login = login_at_rakp1("wrong");
    let rakp2 = format!("02000000a4a3a2a0{BMC_PROOF}{}", RECORDED[0].rakp2);
    let got = handle(&mut login, 0x13, &rakp2);
    assert!(matches!(got, Err(LoginError::Failed(BmcError::WrongPassword))), "{got:?}");
}

#[test]
fn strangers_do_not_disturb_a_login() {
    let rows = [
        (0x13, "01000000a4a3a2a0"), // An answer to an earlier step.
        (0x13, "0200000011111111"), // Another console's session.
        (0x15, "02000000a4a3a2a0"), // Another kind of answer.
        (0x13, ""),
    ];
    for (kind, payload) in rows {
        let mut login = login_at_rakp1("correct-horse");
        let before = login.request();
        let got = handle(&mut login, kind, payload);
        assert!(matches!(got, Err(LoginError::Ignored(_))), "{payload:?}: {got:?}");
        assert_eq!(login.request(), before);
    }
    // Whatever arrives, nothing panics.
    let mut login = login_at_rakp1("correct-horse");
    let good = packet(0x13, &format!("02000000a4a3a2a0{BMC_PROOF}{}", RECORDED[0].rakp2));
    for end in 0..good.len() {
        let mut cut = good[..end].to_vec();
        if let Some(length) = cut.len().checked_sub(16).filter(|_| 16 <= cut.len()) {
            cut[14] = u8::try_from(length).unwrap();
        }
        assert!(!matches!(login.handle(&cut), Ok(Progress::Done(_))));
    }
}

#[test]
fn a_session_takes_only_what_is_signed_and_fresh() {
    let mut peer = Peer::new(Behaviour::default());
    let mut login = login("correct-horse", Suite::Suite17);
    let mut session = loop {
        let answer = peer.answer(&login.request()).unwrap();
        if let Progress::Done(session) = login.handle(&answer).unwrap() {
            break session;
        }
    };
    let message = Message::from(ChassisStatus);
    session.begin();
    let answer = peer.answer(&session.seal(&message, [1; 16])).unwrap();
    for at in 4..answer.len() {
        let mut damaged = answer.clone();
        damaged[at] ^= 1;
        assert!(session.open(&message, &damaged).is_err(), "byte {at} is not covered");
    }
    assert_eq!(session.open(&message, &answer).map(|it| it.data), Ok(vec![0, 0, 0]));
    let again = session.open(&message, &answer);
    assert_eq!(again, Err(packet::PacketError::Replayed));
    let late = peer.answer(&session.seal(&message, [2; 16])).unwrap();
    session.begin();
    assert_eq!(session.open(&message, &late), Err(packet::PacketError::OtherRequest));
    let other = Message::new_request(NetFn::App, 0x01, Vec::new());
    assert!(session.open(&other, &late).is_err());
}

#[tokio::test]
async fn sessions_stand_whatever_the_network_does() {
    let rows = [
        // Suites of the BMC, silent on others, drops each n-th, sends twice; the suite in use.
        (vec![Suite::Suite17], false, 0, false, Suite::Suite17),
        (vec![Suite::Suite3, Suite::Suite17], false, 0, true, Suite::Suite17),
        (vec![Suite::Suite3], false, 0, true, Suite::Suite3),
        (vec![Suite::Suite3], true, 0, false, Suite::Suite3),
        (vec![Suite::Suite17], false, 2, false, Suite::Suite17),
        (vec![Suite::Suite3], false, 3, true, Suite::Suite3),
    ];
    for (suites, silent_on_suite, drop_each, twice, want) in rows {
        let behaviour =
            Behaviour { suites, silent_on_suite, drop_each, twice, ..Behaviour::default() };
        let text = format!("{behaviour:?}");
        let (address, task) = peer::spawn(behaviour).await;
        let target = target(address, "correct-horse");
        let driver = driver();
        for login in 1..=2 {
            let mut session = driver.open(&target).await.unwrap();
            assert_eq!(session.suite(), want, "login {login}, {text}");
            session.call(ChassisControl(Control::On)).await.unwrap();
            let boot = crate::Boot { device: crate::BootDevice::Network, efi: true };
            session.boot_once(boot).await.unwrap();
            assert_eq!(session.power_state().await, Ok(PowerState::On), "{text}");
            let unknown = Message::new_request(NetFn::App, 0x77, Vec::new());
            let error = session.call(Raw(unknown)).await;
            assert!(matches!(error, Err(BmcError::Refused { .. })), "{error:?}");
            Box::new(session).close().await.unwrap();
        }
        task.abort();
    }
}

#[tokio::test]
async fn refusals_of_a_bmc_are_named() {
    let rows = [
        (Behaviour { privilege: 0, ..Behaviour::default() }, BmcError::PrivilegeTooLow),
        (Behaviour { privilege: 3, ..Behaviour::default() }, BmcError::PrivilegeTooLow),
        (Behaviour { username: "root", ..Behaviour::default() }, BmcError::UnknownUser),
        (Behaviour { password: "other", ..Behaviour::default() }, BmcError::WrongPassword),
        (Behaviour { suites: Vec::new(), ..Behaviour::default() }, BmcError::CipherRefused),
    ];
    for (behaviour, want) in rows {
        let (address, task) = peer::spawn(behaviour).await;
        let got = driver().open(&target(address, "correct-horse")).await.map(drop);
        assert_eq!(got, Err(want));
        task.abort();
    }
}

/// Any message at all.
struct Raw(Message);

impl From<Raw> for Message {
    fn from(raw: Raw) -> Self {
        raw.0
    }
}

impl ipmi_rs_core::connection::IpmiCommand for Raw {
    type Output = ();
    type Error = ();

    fn parse_success_response(_: &[u8]) -> Result<(), ()> {
        Ok(())
    }
}

fn driver() -> IpmiDriver {
    IpmiDriver::new(IpmiConfig { try_timeout: Duration::from_millis(50), tries: 12 })
}

fn target(address: std::net::SocketAddr, password: &str) -> Target {
    Target::ipmi(&address.to_string(), Credentials::new("admin", password)).unwrap()
}

fn login(password: &str, suite: Suite) -> Login {
    let console_random = bytes(NONCES).try_into().unwrap();
    let nonces = Nonces { console_id: 0xa0a2_a3a4, console_random };
    Login::new(Credentials::new("admin", password), suite, nonces)
}

fn login_at_rakp1(password: &str) -> Login {
    let mut login = login(password, Suite::Suite3).with_capabilities_known(1);
    let opened = "01000400a4a3a2a002000000\
                  000000080100000001000008010000000200000801000000";
    assert!(matches!(handle(&mut login, 0x11, opened), Ok(Progress::Next)));
    login
}

fn handle(login: &mut Login, kind: u8, payload: &str) -> Result<Progress, LoginError> {
    login.handle(&packet(kind, payload))
}

#[track_caller]
fn check_request(login: &Login, kind: u8, payload: &str) {
    assert_eq!(login.request(), packet(kind, payload));
}

/// A packet outside a session, spelled out.
fn packet(kind: u8, payload: &str) -> Vec<u8> {
    let payload = bytes(payload);
    let length = u8::try_from(payload.len()).unwrap();
    [&[6, 0, 0xff, 7, 6, kind, 0, 0, 0, 0, 0, 0, 0, 0, length, 0], &payload[..]].concat()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks_exact(2);
    digits.map(|it| u8::from_str_radix(std::str::from_utf8(it).unwrap(), 16).unwrap()).collect()
}
