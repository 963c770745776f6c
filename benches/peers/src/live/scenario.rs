//! What there is, and what is changed.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::client::{Client, Offer};
use super::region::Region;

/// A kind of change, each of another part of the snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Change {
    /// A reservation gets another address.
    ReservationMoved,
    /// A card that had none gets a reservation.
    ReservationCreated,
    /// A machine gets another boot file.
    Machine,
    /// The subnet's MTU.
    Subnet,
    /// A DHCP option for all networks.
    Global,
}

/// One change, in milliseconds until the first OFFER that shows it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) change: Change,
    /// From when the mutation was sent.
    pub(crate) from_request_ms: f64,
    /// From when the mutation was answered; 0 if an OFFER showed it no later.
    pub(crate) from_answer_ms: f64,
}

impl Change {
    pub(crate) const ALL: [Self; 5] = [
        Self::ReservationMoved,
        Self::ReservationCreated,
        Self::Machine,
        Self::Subnet,
        Self::Global,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ReservationMoved => "reservation_moved",
            Self::ReservationCreated => "reservation_created",
            Self::Machine => "machine",
            Self::Subnet => "subnet",
            Self::Global => "global_option",
        }
    }
}

const CIDR: &str = "10.0.0.0/8";
/// Mutations in one document.
const TOGETHER: u32 = 20;
const RACK_PATIENCE: Duration = Duration::from_secs(30);
const CHANGE_PATIENCE: Duration = Duration::from_secs(10);

/// A machine's card.
fn card(number: u32) -> [u8; 6] {
    let [_, _, high, low] = number.to_be_bytes();
    [0x02, 0xaa, 0, 0, high, low]
}

/// A card that nobody knows.
fn stranger(number: u32) -> [u8; 6] {
    let [_, _, high, low] = number.to_be_bytes();
    [0x02, 0xbb, 0, 0, high, low]
}

fn text(mac: [u8; 6]) -> String {
    mac.map(|it| format!("{it:02x}")).join(":")
}

/// A free address outside of the range.
fn free(number: u32) -> Ipv4Addr {
    Ipv4Addr::from(Ipv4Addr::new(10, 2, 0, 0).to_bits() + number)
}

/// A subnet with a range, and machines with reservations in it.
pub(crate) fn set_up(region: &Region, machines: u32) -> anyhow::Result<Vec<Sample>> {
    let made = region.run(
        "mutation($cidr: String!) { subnetCreate(input: { cidr: $cidr, mtu: 1400,
                leaseSeconds: 3600 }) { subnet { id } userErrors { message } } }",
        json!({ "cidr": CIDR }),
    )?;
    let subnet = made["subnetCreate"]["subnet"]["id"].clone();
    region.run(
        "mutation($subnet: ID!) { rangeCreate(input: { subnetId: $subnet,
                first: \"10.64.0.0\", last: \"10.127.255.255\" }) { userErrors { message } } }",
        json!({ "subnet": subnet }),
    )?;
    let deadline = Instant::now() + RACK_PATIENCE;
    loop {
        // Until the region knows the rack's own address, a machine could be given it.
        let racks = region.run("{ racks { nodes { addresses } } }", Value::Null)?;
        let addresses = racks["racks"]["nodes"][0]["addresses"].as_array();
        if addresses.is_some_and(|it| !it.is_empty()) {
            break;
        }
        ensure!(Instant::now() < deadline, "the rack does not serve the subnet");
    }
    // Each of them gets a reservation for its card.
    let machine = |number: u32| {
        let (mac, errors) = (text(card(number)), "{ userErrors { message } }");
        format!("machineCreate(input: {{ macAddresses: [\"{mac}\"] }}) {errors}")
    };
    many(region, machines, machine)?;
    Ok(Vec::new())
}

fn many(region: &Region, count: u32, mutation: impl Fn(u32) -> String) -> anyhow::Result<()> {
    for first in (0..count).step_by(TOGETHER as usize) {
        let part = first..count.min(first + TOGETHER);
        let fields: Vec<_> = part.map(|it| format!("m{it}: {}", mutation(it))).collect();
        region.run(&format!("mutation {{ {} }}", fields.join("\n")), Value::Null)?;
    }
    Ok(())
}

/// Makes every kind of change so often, in turn, and watches each come into force.
pub(crate) fn change(region: &Region, changes: u32) -> anyhow::Result<Vec<Sample>> {
    let ids = Ids::of(region, changes)?;
    let mut client = Client::new()?;
    let mut samples = Vec::new();
    for number in 0..changes {
        for change in Change::ALL {
            let one = One::of(change, number, &ids);
            samples.push(one.play(region, &mut client)?);
        }
    }
    Ok(samples)
}

/// The ids of what is changed.
struct Ids {
    subnet: String,
    /// By number, of as many as are changed.
    reservations: Vec<String>,
    machines: Vec<String>,
}

impl Ids {
    fn of(region: &Region, changes: u32) -> anyhow::Result<Self> {
        const ASK: &str = "{ subnets(first: 1) { nodes { id reservations { id macAddress } } }
            machines(first: 200) { nodes { id macAddresses } } }";
        let data = region.run(ASK, Value::Null)?;
        let subnet = &data["subnets"]["nodes"][0];
        let by_card = |list: &Value, card_of: fn(&Value) -> &Value| {
            let list = list.as_array().cloned().unwrap_or_default();
            let id = |number: u32| {
                let mac = text(card(number));
                let found = list.iter().find(|it| card_of(it).as_str() == Some(&mac))?;
                Some(found["id"].as_str()?.to_owned())
            };
            (0..changes).map_while(id).collect::<Vec<_>>()
        };
        let ids = Self {
            subnet: subnet["id"].as_str().context("a subnet")?.to_owned(),
            reservations: by_card(&subnet["reservations"], |it| &it["macAddress"]),
            machines: by_card(&data["machines"]["nodes"], |it| &it["macAddresses"][0]),
        };
        let known = ids.reservations.len().min(ids.machines.len());
        ensure!(changes as usize <= known, "{known} of {changes} that are to change are there");
        Ok(ids)
    }
}

/// One change: the mutation, who asks, and what it shall be told.
struct One {
    change: Change,
    mutation: String,
    mac: [u8; 6],
    wanted: Wanted,
}

/// What an OFFER shows once a change is in force.
enum Wanted {
    Address(Ipv4Addr),
    BootFile(String),
    Mtu(u16),
    TimeServer(Ipv4Addr),
}

impl Wanted {
    fn is_in(&self, offer: &Offer) -> bool {
        match self {
            Self::Address(address) => offer.address == Some(*address),
            Self::BootFile(file) => offer.boot_file == *file,
            Self::Mtu(mtu) => offer.mtu == Some(*mtu),
            Self::TimeServer(server) => offer.time_servers == [*server],
        }
    }
}

impl One {
    fn of(change: Change, number: u32, ids: &Ids) -> Self {
        let at = usize::try_from(number).unwrap_or_default();
        let subnet = &ids.subnet;
        // Where no known client is needed a new one asks: what it was offered is not in the way.
        let new = stranger(number * 4 + change as u32 % 4);
        let (mac, wanted, mutation) = match change {
            Change::ReservationMoved => {
                let (id, address) = (&ids.reservations[at], free(number));
                let mutation =
                    format!("reservationUpdate(id: \"{id}\", input: {{ address: \"{address}\" }})");
                (card(number), Wanted::Address(address), mutation)
            }
            Change::ReservationCreated => {
                let (mac, address) = (text(new), free(100_000 + number));
                let mutation = format!(
                    "reservationCreate(input: {{ subnetId: \"{subnet}\", macAddress: \"{mac}\",
                        address: \"{address}\" }})"
                );
                (new, Wanted::Address(address), mutation)
            }
            Change::Machine => {
                let (id, file) = (&ids.machines[at], number.to_string());
                let mutation =
                    format!("machineUpdate(id: \"{id}\", input: {{ bootFile: \"{file}\" }})");
                (card(number), Wanted::BootFile(file), mutation)
            }
            Change::Subnet => {
                let mtu = 1_401 + u16::try_from(number % 8_000).unwrap_or_default();
                let mutation = format!("subnetUpdate(id: \"{subnet}\", input: {{ mtu: {mtu} }})");
                (new, Wanted::Mtu(mtu), mutation)
            }
            Change::Global => {
                let server = free(200_000 + number);
                let mutation = format!(
                    "dhcpOptionSet(input: {{ scope: GLOBAL, family: V4, option: \"42\",
                        value: \"{server}\" }})"
                );
                (new, Wanted::TimeServer(server), mutation)
            }
        };
        let mutation = format!("mutation {{ {mutation} {{ userErrors {{ message }} }} }}");
        Self { change, mutation, mac, wanted }
    }

    /// The client asks in a thread of its own while the region is at work: an answer to the
    /// mutation says nothing about the rack.
    fn play(self, region: &Region, client: &mut Client) -> anyhow::Result<Sample> {
        let Self { change, mutation, mac, wanted } = self;
        let start = Instant::now();
        let (shown, answered) = std::thread::scope(|scope| {
            let asker = scope
                .spawn(|| client.until(mac, start, CHANGE_PATIENCE, |offer| wanted.is_in(offer)));
            let answered = region.run(&mutation, Value::Null).map(|_| start.elapsed());
            (asker.join().map_err(|_| anyhow::anyhow!("the client panicked")), answered)
        });
        let (shown, answered) = (shown??, answered?);
        let ms = |it: Duration| it.as_secs_f64() * 1_000.0;
        let from_answer_ms = ms(shown.saturating_sub(answered));
        Ok(Sample { change, from_request_ms: ms(shown), from_answer_ms })
    }
}
