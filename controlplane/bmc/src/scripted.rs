//! BMCs that exist only in memory and fail on demand: for tests of whatever stands on the pool.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::driver::{BmcFuture, Boot, Connection, Control, Driver, PowerState};
use crate::{BmcError, Target};

/// One such BMC.
#[derive(Clone, Debug)]
pub struct ScriptedBmc {
    pub power: PowerState,
    pub password: String,
    /// Each login takes one; when none is left, logins work.
    pub faults: VecDeque<BmcError>,
    /// Every login ends like this.
    pub always: Option<BmcError>,
    /// Accepts commands and does nothing.
    pub dead_button: bool,
    /// Takes the connection and never answers.
    pub hangs: bool,
    /// What happened, in order: `login`, `refused`, `fault`, `hang`, `read`, `on`, `off`,
    /// `boot …`.
    pub log: Vec<String>,
}

impl Default for ScriptedBmc {
    fn default() -> Self {
        Self {
            power: PowerState::Off,
            password: "secret".to_owned(),
            faults: VecDeque::new(),
            always: None,
            dead_button: false,
            hangs: false,
            log: Vec::new(),
        }
    }
}

/// A driver over such BMCs, found by address. An address that is not here is unreachable.
#[derive(Clone, Debug, Default)]
pub struct ScriptedDriver {
    bmcs: Arc<Mutex<HashMap<String, ScriptedBmc>>>,
}

impl ScriptedDriver {
    pub fn add(&self, address: &str, bmc: ScriptedBmc) {
        self.bmcs().insert(address.to_owned(), bmc);
    }

    /// Changes a BMC while it is in use. One that is not here stays absent.
    pub fn change(&self, address: &str, change: impl FnOnce(&mut ScriptedBmc)) {
        if let Some(bmc) = self.bmcs().get_mut(address) {
            change(bmc);
        }
    }

    /// What happened at a BMC, reads left out: how many there are is a matter of timing.
    #[must_use]
    pub fn log(&self, address: &str) -> Vec<String> {
        let log = self.bmcs().get(address).map(|it| it.log.clone()).unwrap_or_default();
        log.into_iter().filter(|it| it != "read").collect()
    }

    fn bmcs(&self) -> MutexGuard<'_, HashMap<String, ScriptedBmc>> {
        self.bmcs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log_in(&self, target: &Target) -> Result<bool, BmcError> {
        let unreachable = BmcError::Unreachable { after: std::time::Duration::from_secs(4) };
        let mut bmcs = self.bmcs();
        let bmc = bmcs.get_mut(&target.address).ok_or(unreachable)?;
        if bmc.hangs {
            bmc.log.push("hang".to_owned());
            return Ok(false);
        }
        if let Some(error) = bmc.faults.pop_front().or_else(|| bmc.always.clone()) {
            bmc.log.push("fault".to_owned());
            return Err(error);
        }
        if bmc.password != target.credentials.password.expose() {
            bmc.log.push("refused".to_owned());
            return Err(BmcError::WrongPassword);
        }
        bmc.log.push("login".to_owned());
        Ok(true)
    }
}

impl Driver for ScriptedDriver {
    fn connect<'a>(&'a self, target: &'a Target) -> BmcFuture<'a, Box<dyn Connection>> {
        Box::pin(async {
            if !self.log_in(target)? {
                std::future::pending::<()>().await;
            }
            let (driver, address) = (self.clone(), target.address.clone());
            Ok(Box::new(ScriptedConnection { driver, address }) as Box<dyn Connection>)
        })
    }
}

#[derive(Debug)]
struct ScriptedConnection {
    driver: ScriptedDriver,
    address: String,
}

impl ScriptedConnection {
    fn note(&self, text: String, power: Option<PowerState>) {
        self.driver.change(&self.address, |bmc| {
            bmc.log.push(text);
            if let Some(power) = power.filter(|_| !bmc.dead_button) {
                bmc.power = power;
            }
        });
    }
}

impl Connection for ScriptedConnection {
    fn power_state(&mut self) -> BmcFuture<'_, PowerState> {
        self.note("read".to_owned(), None);
        let seen = self.driver.bmcs().get(&self.address).map(|it| it.power);
        Box::pin(std::future::ready(Ok(seen.unwrap_or(PowerState::Unknown))))
    }

    fn control(&mut self, control: Control) -> BmcFuture<'_, ()> {
        let power = match control {
            Control::On | Control::Cycle => Some(PowerState::On),
            Control::Off | Control::SoftOff => Some(PowerState::Off),
            Control::Reset => None,
        };
        self.note(format!("{control:?}").to_lowercase(), power);
        Box::pin(std::future::ready(Ok(())))
    }

    fn boot_once(&mut self, boot: Boot) -> BmcFuture<'_, ()> {
        let efi = if boot.efi { " efi" } else { "" };
        self.note(format!("boot {:?}{efi}", boot.device).to_lowercase(), None);
        Box::pin(std::future::ready(Ok(())))
    }

    fn close(self: Box<Self>) -> BmcFuture<'static, ()> {
        Box::pin(std::future::ready(Ok(())))
    }
}
