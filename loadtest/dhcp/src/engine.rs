//! What the clients do: sans-IO, so time is an argument and the network is whoever calls.

mod clients;
mod replies;

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::time::Duration;

pub(crate) use self::clients::Stage;
use self::clients::{Client, Owners};
use crate::report::{Measures, Report};
use crate::{LoadError, Plan, Shape};

/// One message that a client wants to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToSend {
    pub step: Step,
    pub mac: [u8; 6],
    pub xid: u32,
    /// What was offered, or what is renewed.
    pub address: Ipv4Addr,
    pub server: Ipv4Addr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Discover,
    Request,
    Renew,
}

/// How far a load is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub begun: u64,
    pub completed: u64,
    pub lost: u64,
    pub under_way: u32,
}

/// All clients, and what is known of the server's answers.
///
/// Call [`Self::handle_time`], then [`Self::poll_send`] until it has nothing; show it each reply.
#[derive(Debug)]
pub struct Engine {
    plan: Plan,
    clients: Vec<Client>,
    owners: Owners,
    cursor: u32,
    requests: VecDeque<u32>, // Clients that have an offer and ask for it next.
    /// In order of time, since everyone has the same patience.
    deadlines: VecDeque<Deadline>,
    under_way: u32,
    begun: u32, // In this phase.
    phase: Phase,
    arrival: Duration, // When the next client of an open loop means to come.
    xid_first: u32,
    xids: u32, // So many were used.
    random: u64,
    measures: Measures,
}

/// When a client gives up waiting for one reply.
#[derive(Clone, Copy, Debug)]
struct Deadline {
    at: Duration,
    client: u32,
    xid: u32,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Clients get the leases that they will renew; nothing counts yet.
    Prepare,
    Measure {
        since: Duration,
    },
}

/// A client that is under way is passed over; so many of them at most.
const PASSED_MAX: u32 = 64;
/// Getting the leases that are renewed later takes no longer.
const PREPARE_MAX: Duration = Duration::from_mins(2);

impl Engine {
    /// # Errors
    /// [`LoadError::Plan`].
    pub fn new(plan: Plan) -> Result<Self, LoadError> {
        plan.check()?;
        let since = Duration::ZERO;
        let mut random = plan.seed | 1;
        let xid_first = u32::try_from(next_random(&mut random) >> 32).unwrap_or_default();
        Ok(Self {
            plan,
            clients: vec![Client::default(); plan.clients as usize],
            owners: Owners::default(),
            cursor: 0,
            requests: VecDeque::new(),
            deadlines: VecDeque::new(),
            under_way: 0,
            begun: 0,
            phase: match plan.shape {
                Shape::Renew { .. } => Phase::Prepare,
                _ => Phase::Measure { since },
            },
            arrival: since,
            xid_first,
            xids: 0,
            random,
            measures: Measures::new(),
        })
    }

    /// Gives up what waited too long, and goes on to the next phase.
    pub fn handle_time(&mut self, now: Duration) {
        while let Some(due) = self.deadlines.pop_front_if(|it| it.at <= now) {
            let Some(client) = self.clients.get_mut(due.client as usize) else { continue };
            if (client.xid, client.stage) == (due.xid, due.stage) {
                client.stage = Stage::Idle;
                self.under_way -= 1;
                self.measures.lose(due.stage);
            }
        }
        let all = self.begun == self.plan.clients || PREPARE_MAX <= now;
        if self.phase == Phase::Prepare && all && self.under_way == 0 {
            self.phase = Phase::Measure { since: now };
            self.begun = 0;
            self.cursor = 0;
            self.measures = Measures::new();
        }
    }

    /// The next message to send now.
    pub fn poll_send(&mut self, now: Duration) -> Option<ToSend> {
        if let Some(place) = self.requests.pop_front() {
            self.wait_for_reply(place, now);
            return self.message(place, Step::Request);
        }
        let meant = self.next_begin(now).filter(|meant| *meant <= now)?;
        let renews = matches!(self.plan.shape, Shape::Renew { .. }) && self.phase != Phase::Prepare;
        let place = self.next_client(renews)?;
        if let Shape::Open { per_second } = self.plan.shape {
            let gap = self.draw_gap(per_second);
            self.arrival += gap;
        }
        let xid = self.xid_first.wrapping_add(self.xids);
        self.xids = self.xids.wrapping_add(1);
        self.begun += 1;
        self.under_way += 1;
        self.measures.begun += 1;
        let client = self.clients.get_mut(place as usize)?;
        client.xid = xid;
        client.meant = meant;
        client.stage = if renews { Stage::Renewing } else { Stage::Discovering };
        self.wait_for_reply(place, now);
        self.message(place, if renews { Step::Renew } else { Step::Discover })
    }

    /// When there is something to do even if no reply comes.
    #[must_use]
    pub fn next_deadline(&self, now: Duration) -> Option<Duration> {
        let patience = self.deadlines.front().map(|it| it.at);
        [patience, self.next_begin(now)].into_iter().flatten().min()
    }

    /// Nothing is under way and nothing more will be begun.
    #[must_use]
    pub fn is_over(&self, now: Duration) -> bool {
        let measuring = self.phase != Phase::Prepare;
        measuring && self.under_way == 0 && self.ends(now)
    }

    #[must_use]
    pub fn progress(&self) -> Progress {
        let Measures { begun, completed, .. } = self.measures;
        Progress { begun, completed, lost: self.measures.lost(), under_way: self.under_way }
    }

    /// What was measured, once it is over.
    #[must_use]
    pub fn report(&self, now: Duration) -> Report {
        let Phase::Measure { since } = self.phase else { return Report::default() };
        self.measures.report(now.saturating_sub(since).min(self.plan.duration))
    }

    /// Whether no more transactions are begun.
    fn ends(&self, now: Duration) -> bool {
        let Phase::Measure { since } = self.phase else { return self.begun == self.plan.clients };
        let each_once = matches!(self.plan.shape, Shape::Burst { .. } | Shape::Renew { .. });
        let end = since + self.plan.duration;
        let last = match self.plan.shape {
            Shape::Open { .. } => self.arrival,
            _ => now,
        };
        end <= last || (each_once && self.begun == self.plan.clients)
    }

    /// When the next client comes; `None`: only once another has finished, or none at all.
    fn next_begin(&self, now: Duration) -> Option<Duration> {
        if self.ends(now) {
            return None;
        }
        match self.plan.shape {
            Shape::Closed { outstanding } | Shape::Renew { outstanding } => {
                (self.under_way < outstanding).then_some(now)
            }
            Shape::Open { .. } => Some(self.arrival),
            Shape::Burst { within } => {
                let part = f64::from(self.begun) / f64::from(self.plan.clients);
                Some(within.mul_f64(part))
            }
        }
    }

    /// The next client that has nothing under way; for a renewal, one with an address.
    fn next_client(&mut self, bound: bool) -> Option<u32> {
        for _ in 0..PASSED_MAX.min(self.plan.clients) {
            let place = self.cursor;
            self.cursor = (place + 1) % self.plan.clients;
            let client = self.clients.get(place as usize)?;
            if client.stage == Stage::Idle && (!bound || client.has_address()) {
                return Some(place);
            }
            if bound {
                self.begun += 1; // It never got an address, so it has nothing to renew.
            }
        }
        None
    }

    fn wait_for_reply(&mut self, place: u32, now: Duration) {
        let Some(client) = self.clients.get(place as usize) else { return };
        let (at, xid, stage) = (now + self.plan.patience, client.xid, client.stage);
        self.deadlines.push_back(Deadline { at, client: place, xid, stage });
    }

    fn message(&self, place: u32, step: Step) -> Option<ToSend> {
        let client = self.clients.get(place as usize)?;
        let mac = clients::card(self.plan.first_client + place);
        let (xid, address, server) = (client.xid, client.address, client.server);
        Some(ToSend { step, mac, xid, address, server })
    }

    /// Time to the next arrival of a Poisson process.
    fn draw_gap(&mut self, per_second: f64) -> Duration {
        let bits = u32::try_from(next_random(&mut self.random) >> 32).unwrap_or_default();
        let uniform = (f64::from(bits) + 1.0) / (f64::from(u32::MAX) + 2.0);
        Duration::from_secs_f64(-uniform.ln() / per_second)
    }
}

/// A step of xorshift64*; the state is never 0.
fn next_random(state: &mut u64) -> u64 {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    state.wrapping_mul(0x2545_f491_4f6c_dd1d)
}
