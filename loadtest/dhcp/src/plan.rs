use std::time::Duration;

use crate::LoadError;

/// What to do to the server, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub shape: Shape,
    /// How many clients there are; each has a card of its own.
    pub clients: u32,
    /// Number of the first client's card. Other numbers are clients that the server never saw.
    pub first_client: u32,
    /// How long new transactions are begun. A burst or a round of renewals ends by itself, at the
    /// latest then.
    pub duration: Duration,
    /// A reply that takes longer counts as lost.
    pub patience: Duration,
    /// Draws the arrivals of [`Shape::Open`] and the transaction numbers.
    pub seed: u64,
}

/// When clients come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// So many transactions are always under way: what can the server carry?
    Closed { outstanding: u32 },
    /// Clients come at random with this mean rate, whether the server keeps up or not: how long do
    /// they wait? Waiting is counted from when a client meant to come (no coordinated omission).
    Open { per_second: f64 },
    /// All clients send their first DISCOVER evenly within this time; then they listen.
    Burst { within: Duration },
    /// All clients get a lease first; what is measured is that they renew it.
    Renew { outstanding: u32 },
}

/// Room that one client takes is 40 bytes: this is 640 MB.
const CLIENTS_MAX: u32 = 16_000_000;

impl Plan {
    /// # Errors
    /// [`LoadError::Plan`] names the field at fault.
    pub fn check(&self) -> Result<(), LoadError> {
        let refuse = |field, remedy| Err(LoadError::Plan { field, remedy });
        if self.clients == 0 || CLIENTS_MAX < self.clients {
            return refuse("clients", "give 1 to 16,000,000");
        }
        if self.first_client.checked_add(self.clients).is_none() {
            return refuse("first_client", "first client and clients together pass 2^32");
        }
        if self.duration.is_zero() || self.patience.is_zero() {
            return refuse("duration", "duration and patience must be longer than nothing");
        }
        match self.shape {
            Shape::Closed { outstanding } | Shape::Renew { outstanding }
                if outstanding == 0 || self.clients < outstanding =>
            {
                refuse("outstanding", "give at least 1 and at most as many as there are clients")
            }
            Shape::Open { per_second } if !per_second.is_finite() || per_second <= 0.0 => {
                refuse("rate", "give transactions per second, above 0")
            }
            Shape::Open { per_second }
                if f64::from(self.clients) < per_second * self.patience.as_secs_f64() =>
            {
                refuse("clients", "give at least rate x patience: a client waits for its reply")
            }
            Shape::Burst { within } if within.is_zero() => {
                refuse("within", "a burst takes longer than nothing")
            }
            _ => Ok(()),
        }
    }
}
