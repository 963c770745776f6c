//! The front: a lane per BMC, so that one slow BMC holds up nobody but itself.

mod breaker;
mod lane;
mod power;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::driver::Drivers;
use crate::{BmcError, Boot, Driver, PowerState, Protocol, Target};
use breaker::BreakerConfig;
use lane::Lane;

/// What shall become of a machine's power. Unlike a [`Control`](crate::Control), an action is
/// done only when the BMC reports its effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerAction {
    On,
    Off,
    /// Off, seen to be off, and on: a machine that was off is only switched on. The BMC's own
    /// cycle command would not tell us whether the power ever went away.
    Cycle,
    Reset,
    SoftOff,
}

/// The bounds of the pool.
#[derive(Clone, Copy, Debug)]
pub struct PoolConfig {
    /// How long an action may take to show in the power state.
    pub settle_timeout: Duration,
    /// The longest that one call to a driver may take.
    pub call_timeout: Duration,
    /// Consecutive silences that open the circuit breaker.
    pub breaker_threshold: u32,
    pub breaker_pause_min: Duration,
    pub breaker_pause_max: Duration,
    /// An idle lane that has nothing to remember ends after this time.
    pub idle: Duration,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            settle_timeout: Duration::from_secs(60),
            call_timeout: Duration::from_secs(30),
            breaker_threshold: 3,
            breaker_pause_min: Duration::from_secs(5),
            breaker_pause_max: Duration::from_secs(300),
            idle: Duration::from_secs(600),
        }
    }
}

/// Waiting requests per BMC. Reads are many only if many ask at once: they share one answer.
const ACTIONS_WAITING_MAX: usize = 8;
const READS_WAITING_MAX: usize = 64;

/// All traffic to all BMCs. Cheap to clone.
///
/// Calls must run inside a tokio runtime. A caller that goes away does not stop an action that
/// has begun: half an action would be worse.
#[derive(Clone, Debug)]
pub struct BmcPool {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    driver: Arc<dyn Driver>,
    config: PoolConfig,
    lanes: Mutex<HashMap<LaneKey, LaneDoor>>,
}

type LaneKey = (Protocol, String);
type Answer<T> = oneshot::Sender<Result<T, BmcError>>;

/// The two queues into a lane.
#[derive(Clone, Debug)]
struct LaneDoor {
    actions: mpsc::Sender<Action>,
    reads: mpsc::Sender<Read>,
}

#[derive(Debug)]
struct Read {
    target: Target,
    answer: Answer<PowerState>,
}

#[derive(Debug)]
enum Action {
    Power { target: Target, action: PowerAction, boot: Option<Boot>, answer: Answer<PowerState> },
    Boot { target: Target, boot: Boot, answer: Answer<()> },
    Forgive,
}

impl BmcPool {
    /// A pool over the real protocols.
    #[must_use]
    pub fn new(config: PoolConfig) -> Self {
        Self::with_driver(Arc::new(Drivers::default()), config)
    }

    /// A pool over another driver, such as a test's.
    #[must_use]
    pub fn with_driver(driver: Arc<dyn Driver>, config: PoolConfig) -> Self {
        Self { shared: Arc::new(Shared { driver, config, lanes: Mutex::default() }) }
    }

    /// Reads the power state. Reads that wait for the same BMC share one answer.
    ///
    /// # Errors
    /// [`BmcError`] names what is wrong.
    pub async fn status(&self, target: &Target) -> Result<PowerState, BmcError> {
        let (answer, answered) = oneshot::channel();
        let read = Read { target: target.clone(), answer };
        self.send(target, |door| door.reads.try_send(read).is_ok())?;
        answered.await.unwrap_or(Err(BmcError::Busy))
    }

    /// Brings a machine's power to where `action` says and waits until the BMC reports it.
    /// `boot` is set for the start that follows, right before the power comes on.
    ///
    /// # Errors
    /// [`BmcError::NotReached`] if the power state does not follow; else what went wrong.
    pub async fn power(
        &self,
        target: &Target,
        action: PowerAction,
        boot: Option<Boot>,
    ) -> Result<PowerState, BmcError> {
        let (answer, answered) = oneshot::channel();
        let action = Action::Power { target: target.clone(), action, boot, answer };
        self.send(target, |door| door.actions.try_send(action).is_ok())?;
        answered.await.unwrap_or(Err(BmcError::Busy))
    }

    /// Sets what the next boot starts from, once.
    ///
    /// # Errors
    /// [`BmcError`] names what is wrong.
    pub async fn boot_device(&self, target: &Target, boot: Boot) -> Result<(), BmcError> {
        let (answer, answered) = oneshot::channel();
        let action = Action::Boot { target: target.clone(), boot, answer };
        self.send(target, |door| door.actions.try_send(action).is_ok())?;
        answered.await.unwrap_or(Err(BmcError::Busy))
    }

    /// Lets refused credentials be tried once more, because a person asked for it. Without this
    /// they are not sent again until they change: BMCs lock users out.
    pub fn forgive(&self, target: &Target) {
        let key = (target.protocol, target.address.clone());
        if let Some(door) = self.shared.lanes().get(&key) {
            // With a full queue there is an action before us that is tried anyway.
            let _ = door.actions.try_send(Action::Forgive);
        }
    }

    /// Puts a request into its lane, which is opened if it is not there.
    fn send(&self, target: &Target, put: impl FnOnce(&LaneDoor) -> bool) -> Result<(), BmcError> {
        // Under the lock, so that no lane ends between the look and the sending.
        let mut lanes = self.shared.lanes();
        let door = match lanes.entry((target.protocol, target.address.clone())) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let (door, lane) = Lane::new(entry.key().clone(), &self.shared);
                tokio::spawn(lane.run());
                entry.insert(door)
            }
        };
        if put(door) { Ok(()) } else { Err(BmcError::Busy) }
    }
}

impl Shared {
    fn lanes(&self) -> MutexGuard<'_, HashMap<LaneKey, LaneDoor>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PoolConfig {
    fn breaker(&self) -> BreakerConfig {
        BreakerConfig {
            threshold: self.breaker_threshold,
            pause_min: self.breaker_pause_min,
            pause_max: self.breaker_pause_max,
        }
    }
}
