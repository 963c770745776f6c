use std::net::Ipv4Addr;
use std::time::Duration;

use clap::{ArgGroup, Args};

use crate::{LoadError, Plan, Shape, Via, is_private};

/// The words that describe a load on a command line.
#[derive(Clone, Debug, Args)]
#[command(group = ArgGroup::new("way").required(true).args(["server", "interface"]))]
#[command(group = ArgGroup::new("shape").args(["outstanding", "rate", "burst_ms", "renew"]))]
pub struct LoadArgs {
    /// Server to ask by unicast, as a relay.
    #[arg(long, value_name = "ADDRESS")]
    pub server: Option<Ipv4Addr>,
    /// Interface to broadcast on, as clients of that link.
    #[arg(long, value_name = "NAME")]
    pub interface: Option<String>,
    /// So many transactions are always under way (the default, with 512).
    #[arg(long, value_name = "N")]
    pub outstanding: Option<u32>,
    /// Clients come at random, so many a second, whether the server keeps up or not.
    #[arg(long, value_name = "PER-SECOND")]
    pub rate: Option<f64>,
    /// All clients send their first DISCOVER within this time, then listen.
    #[arg(long, value_name = "MS")]
    pub burst_ms: Option<u64>,
    /// All clients get a lease; then each renews it, N at a time.
    #[arg(long, value_name = "N")]
    pub renew: Option<u32>,
    /// How many clients there are.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub clients: u32,
    /// Number of the first client's card; choose another to be clients that were never seen.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub first_client: u32,
    /// How long new transactions are begun.
    #[arg(long, value_name = "S", default_value_t = 10.0)]
    pub seconds: f64,
    /// A reply that takes longer is lost.
    #[arg(long, value_name = "MS", default_value_t = 1_000)]
    pub patience_ms: u64,
    /// Draws arrivals and transaction numbers.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Load a network that others may be on, too.
    #[arg(long)]
    pub i_own_this_network: bool,
}

const OUTSTANDING: u32 = 512;
/// A day: nobody means more.
const SECONDS_MAX: f64 = 86_400.0;

impl LoadArgs {
    /// What was asked for, if it may be done.
    ///
    /// # Errors
    /// [`LoadError::Plan`], and [`LoadError::OthersNetwork`] where a load could hurt others.
    pub fn plan(&self) -> Result<(Plan, Via), LoadError> {
        let duration = match self.seconds {
            it if 0.0 < it && it <= SECONDS_MAX => Duration::from_secs_f64(it),
            _ => return Err(LoadError::Plan { field: "seconds", remedy: "give 0 to 86,400" }),
        };
        let shape = match (self.rate, self.burst_ms, self.renew) {
            (Some(per_second), ..) => Shape::Open { per_second },
            (_, Some(ms), _) => Shape::Burst { within: Duration::from_millis(ms) },
            (.., Some(outstanding)) => Shape::Renew { outstanding },
            _ => {
                let outstanding = self.outstanding.unwrap_or(OUTSTANDING.min(self.clients));
                Shape::Closed { outstanding }
            }
        };
        let plan = Plan {
            shape,
            clients: self.clients,
            first_client: self.first_client,
            duration,
            patience: Duration::from_millis(self.patience_ms),
            seed: self.seed,
        };
        plan.check()?;
        if !self.i_own_this_network && !is_private(self.server) {
            return Err(LoadError::OthersNetwork);
        }
        let interface = self.interface.clone().unwrap_or_default();
        let relay = self.server.map(|server| Via::Relay { server });
        Ok((plan, relay.unwrap_or(Via::Direct { interface })))
    }
}
