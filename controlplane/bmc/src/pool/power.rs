//! An action from its first command to the power state it is about.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::PowerAction;
use super::lane::{Lane, within};
use crate::{BmcError, Boot, Connection, Control, PowerState, Target};

/// The first look after a command, and the longest pause between two looks.
const LOOK_AFTER_MIN: Duration = Duration::from_millis(50);
const LOOK_AFTER_MAX: Duration = Duration::from_secs(1);

/// An action under way, with the connection it uses now.
struct Course<'a> {
    lane: &'a mut Lane,
    target: &'a Target,
    connection: Option<Box<dyn Connection>>,
}

impl Lane {
    pub(super) async fn power(
        &mut self,
        target: &Target,
        action: PowerAction,
        boot: Option<Boot>,
    ) -> Result<PowerState, BmcError> {
        let mut course = Course { lane: self, target, connection: None };
        let result = course.run(action, boot).await;
        if let Some(connection) = course.connection.take() {
            course.lane.close(connection).await;
        }
        result
    }
}

impl Course<'_> {
    async fn run(
        &mut self,
        action: PowerAction,
        boot: Option<Boot>,
    ) -> Result<PowerState, BmcError> {
        use PowerState::{Off, On};
        let seen = self.look().await?;
        match action {
            PowerAction::On => {
                self.boot(boot).await?;
                self.bring_to(On, seen, Control::On).await
            }
            PowerAction::Off => self.bring_to(Off, seen, Control::Off).await,
            PowerAction::SoftOff => self.bring_to(Off, seen, Control::SoftOff).await,
            PowerAction::Cycle => {
                let seen = self.bring_to(Off, seen, Control::Off).await?;
                // Set while the power is off, so that no boot in between uses it up.
                self.boot(boot).await?;
                self.bring_to(On, seen, Control::On).await
            }
            PowerAction::Reset => {
                self.boot(boot).await?;
                self.control(Control::Reset).await?;
                self.settle(On).await
            }
        }
    }

    /// Sends `control` unless the state is `wanted` already, then waits for it.
    async fn bring_to(
        &mut self,
        wanted: PowerState,
        seen: PowerState,
        control: Control,
    ) -> Result<PowerState, BmcError> {
        if seen == wanted {
            return Ok(seen);
        }
        self.control(control).await?;
        self.settle(wanted).await
    }

    /// Looks until the BMC reports `wanted`. Silence is forgiven until the time is up: some BMCs
    /// go deaf for seconds while they switch.
    async fn settle(&mut self, wanted: PowerState) -> Result<PowerState, BmcError> {
        let started = Instant::now();
        let mut pause = LOOK_AFTER_MIN;
        loop {
            let seen = match self.look().await {
                Ok(seen) if seen == wanted => return Ok(seen),
                Ok(seen) => Ok(seen),
                Err(error @ (BmcError::Unreachable { .. } | BmcError::Protocol { .. })) => {
                    self.connection = None; // The session may be what is broken.
                    Err(error)
                }
                Err(error) => return Err(error),
            };
            let after = started.elapsed();
            if self.lane.config.settle_timeout <= after {
                return Err(seen.map_or_else(
                    |error| error,
                    |seen| BmcError::NotReached { wanted, seen, after },
                ));
            }
            sleep(pause).await;
            pause = (pause * 2).min(LOOK_AFTER_MAX);
        }
    }

    /// Reads the power state, for ourselves and for whoever waits to know it.
    async fn look(&mut self) -> Result<PowerState, BmcError> {
        let limit = self.lane.config.call_timeout;
        let result = match self.connection().await {
            Ok(connection) => within(limit, connection.power_state()).await,
            Err(error) => Err(error),
        };
        if result.is_ok() {
            self.lane.answer_reads(self.target, &result);
        }
        result
    }

    async fn control(&mut self, control: Control) -> Result<(), BmcError> {
        let limit = self.lane.config.call_timeout;
        within(limit, self.connection().await?.control(control)).await
    }

    async fn boot(&mut self, boot: Option<Boot>) -> Result<(), BmcError> {
        let Some(boot) = boot else { return Ok(()) };
        let limit = self.lane.config.call_timeout;
        within(limit, self.connection().await?.boot_once(boot)).await
    }

    async fn connection(&mut self) -> Result<&mut Box<dyn Connection>, BmcError> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.lane.connect(self.target).await?,
        };
        Ok(self.connection.insert(connection))
    }
}
