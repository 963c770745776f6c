//! Redfish: nv-redfish as the client, over our own reqwest and TLS.
//!
//! # Source
//! DSP0266 (protocol) and the `ComputerSystem` schema of DSP8010.

mod error;
mod http;
mod tls;

use std::fmt;
use std::sync::{Arc, OnceLock};

use nv_redfish::computer_system::{
    BootUpdate, ComputerSystem, ComputerSystemUpdate, SystemCollection,
};
use nv_redfish::core::{Bmc, ODataId};
use nv_redfish::resource::{PowerState as RedfishPower, ResetType};
use nv_redfish::schema::computer_system::{
    BootSource, BootSourceOverrideEnabled, BootSourceOverrideMode,
};
use nv_redfish::{Error, ServiceRoot};
use nv_redfish_bmc_http::{BmcCredentials, CacheSettings, HttpBmc};
use reqwest::{StatusCode, Url};
use serde::{Deserialize, Serialize};

use crate::driver::{BmcFuture, Boot, BootDevice, Connection, Control, Driver, PowerState};
use crate::{BmcError, Credentials, Target, TlsTrust};
use error::HttpError;
use http::Http;
pub use tls::RedfishConfig;

type Service = HttpBmc<Http>;

/// DSP0266 §13.3.3: where sessions are made unless the service root says otherwise.
const SESSIONS: &str = "/redfish/v1/SessionService/Sessions";

/// Opens Redfish sessions.
#[derive(Debug, Default)]
pub struct RedfishDriver {
    config: RedfishConfig,
    // A pinned client serves one BMC and is made anew; these two serve all others.
    system: OnceLock<reqwest::Client>,
    insecure: OnceLock<reqwest::Client>,
}

impl RedfishDriver {
    #[must_use]
    pub fn new(config: RedfishConfig) -> Self {
        Self { config, ..Self::default() }
    }

    fn client(&self, trust: &TlsTrust) -> Result<reqwest::Client, BmcError> {
        let kept = match trust {
            TlsTrust::System => &self.system,
            TlsTrust::Insecure => &self.insecure,
            TlsTrust::Pinned(_) => return tls::client(trust, self.config),
        };
        if let Some(client) = kept.get() {
            return Ok(client.clone());
        }
        let client = tls::client(trust, self.config)?;
        Ok(kept.get_or_init(|| client).clone())
    }

    async fn open(&self, target: &Target) -> Result<RedfishSession, BmcError> {
        let http = Http::new(self.client(&target.trust)?);
        let address =
            Url::parse(&target.address).map_err(|_| BmcError::protocol("its address is no URL"))?;
        // No cache: every read must be of now.
        let cache = CacheSettings::with_capacity(0);
        let service = HttpBmc::new(http, address, BmcCredentials::anonymous(), cache);
        let service = Arc::new(service);
        let session = log_in(&service, &target.credentials).await?;
        let session = RedfishSession { service, session, systems: None };
        match session.with_systems().await {
            Err((session, error)) => {
                session.log_out().await; // Sessions are scarce: never leave one behind.
                Err(error)
            }
            Ok(session) => Ok(session),
        }
    }
}

impl Driver for RedfishDriver {
    fn connect<'a>(&'a self, target: &'a Target) -> BmcFuture<'a, Box<dyn Connection>> {
        Box::pin(async { Ok(Box::new(self.open(target).await?) as Box<dyn Connection>) })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SessionRequest<'a> {
    user_name: &'a str,
    password: &'a str,
}

/// Of the session that was made, only the headers matter.
#[derive(Deserialize)]
struct SessionMade {}

/// Makes a session, or falls back to sending the password with each request where the service
/// has no sessions. Answers the session to delete in the end.
async fn log_in(service: &Service, it: &Credentials) -> Result<Option<ODataId>, BmcError> {
    let request = SessionRequest { user_name: &it.username, password: it.password.expose() };
    let sessions = ODataId::from(SESSIONS.to_owned());
    match service.create_session::<_, SessionMade>(&sessions, &request).await {
        Ok(made) => {
            service.set_credentials(BmcCredentials::token(made.auth_token));
            Ok(Some(made.location))
        }
        Err(HttpError::Status { status: StatusCode::FORBIDDEN, .. }) => {
            Err(BmcError::WrongPassword)
        }
        // Anything but a verdict on the password: there may be no session service, or its few
        // sessions are all taken.
        Err(HttpError::Status { status, text }) if status != StatusCode::UNAUTHORIZED => {
            tracing::debug!(%status, text, "no Redfish session: every request authenticates");
            let password = it.password.expose().to_owned();
            service.set_credentials(BmcCredentials::new(it.username.clone(), password));
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// How a write to the boot settings went, where that decides what is tried next.
enum Written {
    Done,
    ValueRefused(BmcError),
}

/// A logged-in client of one service.
struct RedfishSession {
    service: Arc<Service>,
    session: Option<ODataId>,
    systems: Option<SystemCollection<Service>>,
}

impl fmt::Debug for RedfishSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedfishSession").field("session", &self.session).finish_non_exhaustive()
    }
}

impl RedfishSession {
    /// Finds the systems collection, or hands itself back for the logout.
    async fn with_systems(mut self) -> Result<Self, (Self, BmcError)> {
        let found = async {
            let root = ServiceRoot::new(Arc::clone(&self.service)).await.map_err(redfish)?;
            let systems = root.systems().await.map_err(redfish)?;
            systems.ok_or_else(|| BmcError::protocol("it names no systems"))
        };
        match found.await {
            Ok(systems) => {
                self.systems = Some(systems);
                Ok(self)
            }
            Err(error) => Err((self, error)),
        }
    }

    /// The system as it is now. A BMC of one machine has one; of several, the first is meant.
    async fn system(&self) -> Result<ComputerSystem<Service>, BmcError> {
        let missing = || BmcError::protocol("it has no system");
        let members = self.systems.as_ref().ok_or_else(missing)?.members().await;
        members.map_err(redfish)?.into_iter().next().ok_or_else(missing)
    }

    async fn read_power(&self) -> Result<PowerState, BmcError> {
        Ok(match self.system().await?.power_state() {
            Some(RedfishPower::On) => PowerState::On,
            Some(RedfishPower::Off) => PowerState::Off,
            _ => PowerState::Unknown,
        })
    }

    async fn reset(&self, control: Control) -> Result<(), BmcError> {
        let reset = match control {
            Control::On => ResetType::On,
            Control::Off => ResetType::ForceOff,
            Control::Cycle => ResetType::PowerCycle,
            Control::Reset => ResetType::ForceRestart,
            Control::SoftOff => ResetType::GracefulShutdown,
        };
        let system = self.system().await?;
        system.reset(Some(reset)).await.map(drop).map_err(redfish)
    }

    async fn set_boot(&self, boot: Boot) -> Result<(), BmcError> {
        let source = match boot.device {
            BootDevice::Network => BootSource::Pxe,
            BootDevice::Disk => BootSource::Hdd,
        };
        match self.write_boot(source, boot.efi).await? {
            Written::Done => Ok(()),
            // Newer firmware boots the network by HTTP alone.
            Written::ValueRefused(error) if boot.device == BootDevice::Network => {
                match self.write_boot(BootSource::UefiHttp, boot.efi).await? {
                    Written::Done => Ok(()),
                    Written::ValueRefused(_) => Err(error),
                }
            }
            Written::ValueRefused(error) => Err(error),
        }
    }

    async fn write_boot(&self, source: BootSource, efi: bool) -> Result<Written, BmcError> {
        let system = self.system().await?;
        // The mode is left alone on a BIOS machine: many services refuse to write it.
        let mode = efi.then_some(BootSourceOverrideMode::Uefi);
        let once = BootSourceOverrideEnabled::Once;
        let mut result = system.set_boot_source_override(source, once, mode, None).await.map(drop);
        if status_of(&result) == Some(StatusCode::PRECONDITION_FAILED) {
            // The library writes with `If-Match: *`, which is what most services want; this one
            // wants the ETag that we have just read.
            let mut boot = BootUpdate::builder()
                .with_boot_source_override_target(source)
                .with_boot_source_override_enabled(once);
            if let Some(mode) = mode {
                boot = boot.with_boot_source_override_mode(mode);
            }
            let update = ComputerSystemUpdate::builder().with_boot(boot.build()).build();
            result = system.update(&update).await.map(drop);
        }
        match (status_of(&result), result) {
            (_, Ok(())) => Ok(Written::Done),
            (Some(StatusCode::BAD_REQUEST), Err(error)) => {
                Ok(Written::ValueRefused(redfish(error)))
            }
            (_, Err(error)) => Err(redfish(error)),
        }
    }

    async fn log_out(self) {
        let Some(session) = self.session else { return };
        let deleted = self.service.delete::<nv_redfish::core::Raw>(&session).await;
        if let Err(error) = deleted {
            tracing::debug!(%error, "Redfish session not deleted");
        }
    }
}

impl Connection for RedfishSession {
    fn power_state(&mut self) -> BmcFuture<'_, PowerState> {
        Box::pin(self.read_power())
    }

    fn control(&mut self, control: Control) -> BmcFuture<'_, ()> {
        Box::pin(self.reset(control))
    }

    fn boot_once(&mut self, boot: Boot) -> BmcFuture<'_, ()> {
        Box::pin(self.set_boot(boot))
    }

    fn close(self: Box<Self>) -> BmcFuture<'static, ()> {
        Box::pin(async {
            self.log_out().await;
            Ok(())
        })
    }
}

fn status_of(result: &Result<(), Error<Service>>) -> Option<StatusCode> {
    match result {
        Err(Error::Bmc(HttpError::Status { status, .. })) => Some(*status),
        _ => None,
    }
}

fn redfish(error: Error<Service>) -> BmcError {
    match error {
        Error::Bmc(error) => error.into(),
        Error::ActionNotAvailable => BmcError::refused("it offers no such action"),
        other => BmcError::protocol(other.to_string()),
    }
}
