//! IPMI through the kernel's own interface: the BMC's LAN address and a user for Ironherd.
//!
//! Source: IPMI 2.0 §22.22-22.30 (channels and users), §23.2 (LAN configuration).

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use ipmi_rs::connection::{IpmiCommand, Message, NetFn};
use ipmi_rs::{File, Ipmi};

use crate::protocol::{BmcFound, BmcProtocol};

pub(super) const USER_NAME: &str = "ironherd";

const DEVICES: [&str; 2] = ["/dev/ipmi0", "/dev/ipmi/0"];
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
const MEDIUM_LAN: u8 = 4;
const ADMINISTRATOR: u8 = 4;
const PARAMETER_IP_ADDRESS: u8 = 3;
const PASSWORD_BYTES: usize = 16; // 20 would need an IPMI 2.0 BMC that keeps them all.

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum IpmiError {
    #[error("the BMC refused {what}: {reason}")]
    Refused { what: &'static str, reason: String },
    #[error("the BMC's answer to {0} is too short")]
    Short(&'static str),
    #[error("no LAN channel has an IPv4 address")]
    NoAddress,
    #[error("every user slot of the BMC is taken")]
    NoSlot,
    #[error("no random bytes for a password: {0}")]
    Random(String),
}

/// `Ok(None)` if the machine has no IPMI interface.
pub(super) fn discover() -> Result<Option<BmcFound>, IpmiError> {
    let Some(device) = DEVICES.iter().find(|it| Path::new(it).exists()) else {
        return Ok(None);
    };
    let file = File::new(device, ANSWER_TIMEOUT)
        .map_err(|error| IpmiError::Refused { what: "opening", reason: error.to_string() })?;
    let password = password(&random_bytes()?);
    adopt(&mut KernelBmc(Ipmi::new(file)), password).map(Some)
}

/// One question and answer with the BMC; tests put a simulated one behind it.
trait Bmc {
    fn ask(&mut self, command: Command) -> Result<Vec<u8>, IpmiError>;
}

#[derive(Debug)]
struct Command {
    what: &'static str,
    netfn: NetFn,
    code: u8,
    data: Vec<u8>,
}

impl From<Command> for Message {
    fn from(it: Command) -> Self {
        Self::new_request(it.netfn, it.code, it.data)
    }
}

impl IpmiCommand for Command {
    type Output = Vec<u8>;
    type Error = std::convert::Infallible;

    fn parse_success_response(data: &[u8]) -> Result<Self::Output, Self::Error> {
        Ok(data.to_vec())
    }
}

struct KernelBmc(Ipmi<File>);

impl Bmc for KernelBmc {
    fn ask(&mut self, command: Command) -> Result<Vec<u8>, IpmiError> {
        let what = command.what;
        self.0
            .send_recv(command)
            .map_err(|error| IpmiError::Refused { what, reason: format!("{error:?}") })
    }
}

fn app(what: &'static str, code: u8, data: &[u8]) -> Command {
    Command { what, netfn: NetFn::App, code, data: data.to_vec() }
}

/// Finds the LAN address, then makes sure that user `ironherd` exists with this password.
fn adopt(bmc: &mut dyn Bmc, password: String) -> Result<BmcFound, IpmiError> {
    let (channel, address) = lan_address(bmc)?;
    let user = user_slot(bmc, channel)?;
    let mut name = [0; 16];
    name[..USER_NAME.len()].copy_from_slice(USER_NAME.as_bytes());
    bmc.ask(app("setting the user name", 0x45, &[&[user][..], &name].concat()))?;
    let secret = [&[user, 2][..], password.as_bytes()].concat();
    bmc.ask(app("setting the password", 0x47, &secret))?;
    // Bit 7: the bits below count. Link authentication and IPMI messaging on, no callback.
    let access = [0xB0 | channel, user, ADMINISTRATOR, 0];
    bmc.ask(app("setting the user's rights", 0x43, &access))?;
    let enable = [&[user, 1][..], &[0; PASSWORD_BYTES]].concat();
    bmc.ask(app("enabling the user", 0x47, &enable))?;
    open_channel(bmc, channel)?;
    Ok(BmcFound {
        protocol: BmcProtocol::Ipmi,
        address: address.to_string(),
        username: Some(USER_NAME.to_owned()),
        password: Some(password),
    })
}

/// The first LAN channel that has an address; BMCs with two ports often leave one unset.
fn lan_address(bmc: &mut dyn Bmc) -> Result<(u8, Ipv4Addr), IpmiError> {
    for channel in 1..=0xB {
        let Ok(info) = bmc.ask(app("channel information", 0x42, &[channel])) else {
            continue; // Absent channels are refused.
        };
        if info.get(1).map(|it| it & 0x7F) != Some(MEDIUM_LAN) {
            continue;
        }
        let question = Command {
            what: "the LAN address",
            netfn: NetFn::Transport,
            code: 0x02,
            data: vec![channel, PARAMETER_IP_ADDRESS, 0, 0],
        };
        let answer = bmc.ask(question)?;
        let octets = answer.get(1..5).ok_or(IpmiError::Short("the LAN address"))?;
        let address = Ipv4Addr::new(octets[0], octets[1], octets[2], octets[3]);
        if !address.is_unspecified() {
            return Ok((channel, address));
        }
    }
    Err(IpmiError::NoAddress)
}

/// Our slot from an earlier enlistment, else the first nameless one. Slot 1 is the anonymous user.
fn user_slot(bmc: &mut dyn Bmc, channel: u8) -> Result<u8, IpmiError> {
    let access = bmc.ask(app("the number of users", 0x44, &[channel, 1]))?;
    let slots = access.first().ok_or(IpmiError::Short("the number of users"))? & 0x3F;
    let mut free = None;
    for user in 2..=slots {
        // Some BMCs refuse the name of an empty slot instead of sending zeros.
        let name = bmc.ask(app("a user name", 0x46, &[user])).unwrap_or_default();
        let name: Vec<u8> = name.into_iter().take_while(|&it| it != 0).collect();
        if name == USER_NAME.as_bytes() {
            return Ok(user);
        }
        if name.is_empty() && free.is_none() {
            free = Some(user);
        }
    }
    free.ok_or(IpmiError::NoSlot)
}

/// Lets administrators in over the LAN, now and after a restart, if they are not yet let in.
fn open_channel(bmc: &mut dyn Bmc, channel: u8) -> Result<(), IpmiError> {
    const ALWAYS_AVAILABLE: u8 = 2;
    for which in [0x40, 0x80] {
        // 0x40 is what the BMC starts with, 0x80 what holds now.
        let now = bmc.ask(app("channel access", 0x41, &[channel, which]))?;
        let (mode, limit) = match now.as_slice() {
            [mode, limit, ..] => (mode & 0x3F, limit & 0x0F),
            _ => return Err(IpmiError::Short("channel access")),
        };
        if mode & 0x07 == ALWAYS_AVAILABLE && ADMINISTRATOR <= limit {
            continue;
        }
        let mode = which | (mode & 0x38) | ALWAYS_AVAILABLE;
        bmc.ask(app("opening the channel", 0x40, &[channel, mode, which | ADMINISTRATOR]))?;
    }
    Ok(())
}

fn random_bytes() -> Result<[u8; PASSWORD_BYTES], IpmiError> {
    use std::io::Read as _;
    let mut bytes = [0; PASSWORD_BYTES];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut it| it.read_exact(&mut bytes))
        .map_err(|error| IpmiError::Random(error.to_string()))?;
    Ok(bytes)
}

/// Sixteen characters with one of each class up front, since some BMCs insist on a mix.
fn password(random: &[u8; PASSWORD_BYTES]) -> String {
    const LOWER: &[u8] = b"abcdefghijkmnopqrstuvwxyz";
    const UPPER: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZ";
    const DIGIT: &[u8] = b"23456789";
    const MARK: &[u8] = b"-_.+";
    const ANY: &[u8] = b"abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789-_.+";
    let pick = |set: &[u8], byte: u8| char::from(set[usize::from(byte) % set.len()]);
    let sets = [LOWER, UPPER, DIGIT, MARK].into_iter().chain(std::iter::repeat(ANY));
    random.iter().zip(sets).map(|(&byte, set)| pick(set, byte)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A BMC with LAN channel 1 unset and LAN channel 2 at 192.0.2.7.
    #[derive(Default)]
    struct FakeBmc {
        names: [[u8; 16]; 5],
        password: Vec<u8>,
        enabled: Option<u8>,
        access: Vec<u8>,
        opened: Vec<Vec<u8>>,
    }

    impl Bmc for FakeBmc {
        fn ask(&mut self, it: Command) -> Result<Vec<u8>, IpmiError> {
            let refused = IpmiError::Refused { what: it.what, reason: "0xCC".to_owned() };
            let data = it.data.as_slice();
            match (it.netfn, it.code, data) {
                (NetFn::App, 0x42, [channel @ 1..=2]) => Ok(vec![*channel, 4, 1]),
                (NetFn::App, 0x42, [8]) => Ok(vec![8, 5, 1]),
                (NetFn::Transport, 0x02, [1, 3, 0, 0]) => Ok(vec![0x11, 0, 0, 0, 0]),
                (NetFn::Transport, 0x02, [2, 3, 0, 0]) => Ok(vec![0x11, 192, 0, 2, 7]),
                (NetFn::App, 0x44, [2, 1]) => Ok(vec![0x05 | 0xC0, 2, 1, 0]),
                (NetFn::App, 0x46, [user]) => Ok(self.names[usize::from(*user) - 1].to_vec()),
                (NetFn::App, 0x45, [user, name @ ..]) => {
                    self.names[usize::from(*user) - 1].copy_from_slice(name);
                    Ok(Vec::new())
                }
                (NetFn::App, 0x47, [_, 2, password @ ..]) => {
                    self.password = password.to_vec();
                    Ok(Vec::new())
                }
                (NetFn::App, 0x47, [user, 1, ..]) => {
                    self.enabled = Some(*user);
                    Ok(Vec::new())
                }
                (NetFn::App, 0x43, access) => {
                    self.access = access.to_vec();
                    Ok(Vec::new())
                }
                (NetFn::App, 0x41, [2, 0x40]) => Ok(vec![0x20, 0x03]),
                (NetFn::App, 0x41, [2, 0x80]) => Ok(vec![0x22, 0x04]),
                (NetFn::App, 0x40, open) => {
                    self.opened.push(open.to_vec());
                    Ok(Vec::new())
                }
                _ => Err(refused),
            }
        }
    }

    #[test]
    fn adopts_the_channel_with_an_address_and_a_free_slot() {
        let mut bmc = FakeBmc::default();
        bmc.names[1][..5].copy_from_slice(b"admin");
        let found = adopt(&mut bmc, "aB3-aaaaaaaaaaaa".to_owned()).unwrap();
        assert_eq!(found.address, "192.0.2.7");
        assert_eq!(bmc.enabled, Some(3), "slot 2 is taken");
        assert_eq!(bmc.password, b"aB3-aaaaaaaaaaaa");
        assert_eq!(bmc.access, [0xB2, 3, 4, 0]);
        assert_eq!(bmc.opened, [[2, 0x62, 0x44]], "only the half that was closed");
    }

    #[test]
    fn a_second_enlistment_reuses_the_slot() {
        let mut bmc = FakeBmc::default();
        bmc.names[3][..8].copy_from_slice(b"ironherd");
        adopt(&mut bmc, "aB3-aaaaaaaaaaaa".to_owned()).unwrap();
        assert_eq!(bmc.enabled, Some(4));
        assert_eq!(bmc.names[1], [0; 16]);
    }

    #[test]
    fn a_full_bmc_is_named() {
        let mut bmc = FakeBmc { names: [[b'x'; 16]; 5], ..FakeBmc::default() };
        assert_eq!(adopt(&mut bmc, String::new()), Err(IpmiError::NoSlot));
    }

    #[test]
    fn passwords_mix_all_classes() {
        for seed in [0, 1, 77, 255] {
            let got = password(&[seed; PASSWORD_BYTES]);
            assert_eq!(got.len(), 16);
            assert!(got.chars().any(|it| it.is_ascii_lowercase()), "{got}");
            assert!(got.chars().any(|it| it.is_ascii_uppercase()), "{got}");
            assert!(got.chars().any(|it| it.is_ascii_digit()), "{got}");
            assert!(got.chars().any(|it| it.is_ascii_punctuation()), "{got}");
        }
    }
}
