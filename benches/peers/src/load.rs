//! Loads on a server: our own generator and perfdhcp, both in a process of their own.

use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::network::{Network, RELAY_ADDRESS, SERVER_ADDRESS};
use crate::process::{Place, command, output};

/// Loads one server. Each load's clients are new to it.
#[derive(Debug)]
pub(crate) struct Loader<'a> {
    network: &'a Network,
    next_client: u32,
    runs: u64,
}

/// What one load has shown, whoever played it.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) per_second: f64,
    pub(crate) begun: u64,
    pub(crate) completed: u64,
    pub(crate) loss: f64,
    pub(crate) lost_discovers: u64,
    pub(crate) slow_offers: u64,
    pub(crate) errors: Errors,
    pub(crate) offer: Latency,
    pub(crate) whole: Latency,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(crate) struct Errors {
    malformed: u64,
    wrong_xid: u64,
    wrong_chaddr: u64,
    wrong_address: u64,
    address_twice: u64,
}

impl Errors {
    fn add(&mut self, other: Self) {
        self.malformed += other.malformed;
        self.wrong_xid += other.wrong_xid;
        self.wrong_chaddr += other.wrong_chaddr;
        self.wrong_address += other.wrong_address;
        self.address_twice += other.address_twice;
    }

    pub(crate) fn total(&self) -> u64 {
        let Self { malformed, wrong_xid, wrong_chaddr, wrong_address, address_twice } = self;
        malformed + wrong_xid + wrong_chaddr + wrong_address + address_twice
    }
}

impl Outcome {
    /// Two loads of one kind as one; of latencies the worse.
    pub(crate) fn add(&mut self, other: &Self) {
        self.begun += other.begun;
        self.completed += other.completed;
        self.lost_discovers += other.lost_discovers;
        self.slow_offers += other.slow_offers;
        self.per_second = other.per_second;
        self.errors.add(other.errors);
        for (mine, theirs) in [(&mut self.offer, other.offer), (&mut self.whole, other.whole)] {
            mine.p50_us = mine.p50_us.max(theirs.p50_us);
            mine.p99_us = mine.p99_us.max(theirs.p99_us);
            mine.max_us = mine.max_us.max(theirs.max_us);
        }
    }
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(crate) struct Latency {
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) max_us: f64,
}

const LOAD_CORE: u32 = 1;
/// What a load may take beyond its own time: preparing, waiting for the last replies.
const MORE: Duration = Duration::from_secs(60);

impl<'a> Loader<'a> {
    pub(crate) fn new(network: &'a Network) -> Self {
        Self { network, next_client: 0, runs: 0 }
    }

    /// Whether the server answers one client.
    pub(crate) fn probe(&mut self) -> anyhow::Result<bool> {
        let seconds = Duration::from_millis(100);
        let words = ["--outstanding", "1", "--patience-ms", "200"];
        Ok(0 < self.play(&words, 1, seconds)?.completed)
    }

    pub(crate) fn closed(
        &mut self,
        outstanding: u32,
        clients: u32,
        duration: Duration,
    ) -> anyhow::Result<Outcome> {
        self.play(&["--outstanding", &outstanding.to_string()], clients, duration)
    }

    pub(crate) fn open(&mut self, per_second: f64, duration: Duration) -> anyhow::Result<Outcome> {
        // Every arrival is a client that the server never saw, and some room for chance.
        let clients = whole(per_second * (duration.as_secs_f64() + 1.0)) + 100;
        self.play(&["--rate", &format!("{per_second:.0}")], clients, duration)
    }

    pub(crate) fn burst(
        &mut self,
        clients: u32,
        within: Duration,
        way: Way,
    ) -> anyhow::Result<Outcome> {
        let within = within.as_millis().to_string();
        let words = ["--burst-ms", within.as_str(), "--patience-ms", "5000"];
        self.play_by(way, &words, clients, Duration::from_secs(10))
    }

    fn play(
        &mut self,
        words: &[&str],
        clients: u32,
        duration: Duration,
    ) -> anyhow::Result<Outcome> {
        self.play_by(Way::Relay, words, clients, duration)
    }

    fn play_by(
        &mut self,
        way: Way,
        words: &[&str],
        clients: u32,
        duration: Duration,
    ) -> anyhow::Result<Outcome> {
        let ourselves = std::env::current_exe().context("cannot find this program")?;
        let place = Place { namespace: &self.network.clients, core: LOAD_CORE };
        let mut command = command(place, &ourselves.to_string_lossy());
        self.runs += 1;
        command.arg("load");
        match way {
            Way::Relay => command.args(["--server", &SERVER_ADDRESS.to_string()]),
            Way::Direct => command.args(["--interface", crate::network::CLIENT_INTERFACE]),
        };
        command.args(words).args(["--clients", &clients.to_string()]);
        command.args(["--first-client", &self.next_client.to_string()]);
        command.args(["--seconds", &format!("{:.3}", duration.as_secs_f64())]);
        command.args(["--seed", &self.runs.to_string()]);
        self.next_client += clients;
        let text = output(&mut command, duration + MORE)?;
        serde_json::from_str(&text).with_context(|| format!("no report: {text}"))
    }

    /// The same by ISC's generator, as a relay at a fixed rate.
    pub(crate) fn perfdhcp(
        &mut self,
        per_second: f64,
        duration: Duration,
    ) -> anyhow::Result<Outcome> {
        let place = Place { namespace: &self.network.clients, core: LOAD_CORE };
        let clients = whole(per_second * (duration.as_secs_f64() + 1.0)) + 100;
        self.runs += 1;
        let mut command = command(place, "perfdhcp");
        command.args(["-4", "-g", "single", "-L", "67", "-W", "1000000"]);
        command.args(["-r", &format!("{per_second:.0}"), "-R", &clients.to_string()]);
        command.args(["-p", &format!("{:.0}", duration.as_secs_f64().ceil())]);
        // Fresh clients each time: the generator counts up from this card.
        command.args(["-b", &format!("mac=02:fd:{:02x}:00:00:00", self.runs % 256)]);
        command.args(["-l", &RELAY_ADDRESS.to_string(), &SERVER_ADDRESS.to_string()]);
        let text = output(&mut command, duration + MORE)?;
        perfdhcp_outcome(&text, duration.as_secs_f64().ceil())
            .with_context(|| format!("perfdhcp printed no statistics: {text}"))
    }
}

/// How a load's clients reach the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Relay,
    Direct,
}

/// Reads what perfdhcp prints at its end.
fn perfdhcp_outcome(text: &str, seconds: f64) -> anyhow::Result<Outcome> {
    let part = |title: &str| text.split_once(title).map_or("", |(_, rest)| rest);
    let number = |part: &str, name: &str| {
        let line = part.lines().find_map(|line| line.trim().strip_prefix(name));
        let word = line.and_then(|it| it.split_whitespace().next());
        word.and_then(|it| it.parse::<f64>().ok()).with_context(|| format!("no `{name}`"))
    };
    let discover = part("DISCOVER-OFFER");
    let request = part("REQUEST-ACK");
    let begun = number(discover, "sent packets:")?;
    let completed = number(request, "received packets:")?;
    if begun <= 0.0 {
        bail!("nothing was sent");
    }
    let avg = |part| number(part, "avg delay:").map(|ms| ms * 1000.0);
    let delay = avg(discover).unwrap_or_default() + avg(request).unwrap_or_default();
    Ok(Outcome {
        per_second: completed / seconds,
        begun: whole(begun).into(),
        completed: whole(completed).into(),
        loss: ((begun - completed) / begun).max(0.0),
        whole: Latency { p50_us: delay, ..Latency::default() },
        ..Outcome::default()
    })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
pub(crate) fn whole(number: f64) -> u32 {
    number.ceil() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_of_perfdhcp_are_read_as_it_prints_them() {
        let text = "***Rate statistics***\nRate: 990 4-way exchanges/second\n\n\
                    ***Statistics for: DISCOVER-OFFER***\nsent packets: 2000\n\
                    received packets: 1990\ndrops: 10\n\nmin delay: 0.1 ms\navg delay: 0.5 ms\n\n\
                    ***Statistics for: REQUEST-ACK***\nsent packets: 1990\n\
                    received packets: 1980\ndrops: 10\n\navg delay: 1.5 ms\n";
        let outcome = perfdhcp_outcome(text, 2.0).unwrap();
        assert!((outcome.per_second - 990.0).abs() < 1e-9);
        assert!((outcome.loss - 0.01).abs() < 1e-9);
        assert!((outcome.whole.p50_us - 2000.0).abs() < 1e-9);
        assert!(perfdhcp_outcome("perfdhcp: cannot bind", 1.0).is_err());
    }
}
