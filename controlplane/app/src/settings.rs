use ironherd_domain::{CredentialId, PowerProtocol, Refusal};
use ironherd_store::{BmcCredential, SnapshotChange, Tx, credential, setting};

use crate::machine_edit::check_kernel_args;
use crate::work::transact;
use crate::{
    Actor, Answer, App, BmcCredentialSet, BmcCredentialView, Settings, SettingsUpdate, StoreError,
};

const ENLIST: &str = "enlist";
const EPHEMERAL_KERNEL_ARGS: &str = "ephemeral_kernel_args";
const CONFLICT_PROBES: &str = "conflict_probes";
const LEASE_HISTORY_DAYS: &str = "lease_history_days";
const BMC_DEFAULTS_OVER_HTTP: &str = "bmc_defaults_over_http";
const LEASE_HISTORY_DAYS_DEFAULT: u32 = 90;
const LEASE_HISTORY_DAYS_MAX: u32 = 3_650;

impl App {
    /// # Errors
    /// [`CommandError::Forbidden`](crate::CommandError::Forbidden) unless a user asks.
    pub async fn settings(&self, actor: &Actor) -> Answer<Settings> {
        actor.must_be_user()?;
        Ok(load(&mut self.read().await?).await?)
    }

    /// # Errors
    /// Refusals: `KERNEL_ARGS_INVALID`, `LEASE_HISTORY_INVALID`.
    pub async fn settings_update(&self, actor: &Actor, input: SettingsUpdate) -> Answer<Settings> {
        actor.must_be_user()?;
        if let Some(args) = &input.ephemeral_kernel_args {
            check_kernel_args(args, &["input", "ephemeralKernelArgs"])?;
        }
        let days_valid = 1..=LEASE_HISTORY_DAYS_MAX;
        if input.lease_history_days.is_some_and(|it| !days_valid.contains(&it)) {
            let why = format!("Keep the history of leases for 1 to {LEASE_HISTORY_DAYS_MAX} days.");
            let field = ["input", "leaseHistoryDays"];
            return Err(Refusal::new("LEASE_HISTORY_INVALID", &field, why).into());
        }
        transact!(self, actor, |work| {
            let mut said = Vec::new();
            if let Some(enlist) = input.enlist {
                setting::upsert(&mut work.tx, ENLIST, &enlist.to_string()).await?;
                said.push(format!("enlist {enlist}"));
            }
            if let Some(args) = &input.ephemeral_kernel_args {
                setting::upsert(&mut work.tx, EPHEMERAL_KERNEL_ARGS, args.trim()).await?;
                said.push("kernel arguments of the RAM system".to_owned());
            }
            if let Some(probes) = input.conflict_probes {
                setting::upsert(&mut work.tx, CONFLICT_PROBES, &probes.to_string()).await?;
                said.push(format!("conflict probes {probes}"));
            }
            if let Some(days) = input.lease_history_days {
                setting::upsert(&mut work.tx, LEASE_HISTORY_DAYS, &days.to_string()).await?;
                said.push(format!("history of leases {days} days"));
            }
            if let Some(allowed) = input.bmc_defaults_over_http {
                setting::upsert(&mut work.tx, BMC_DEFAULTS_OVER_HTTP, &allowed.to_string()).await?;
                said.push(format!("default BMC credentials over plain HTTP {allowed}"));
            }
            if !said.is_empty() {
                work.event(None, "SETTINGS_UPDATED", said.join(", "));
                work.touch(SnapshotChange::Settings);
            }
            Ok(load(&mut work.tx).await?)
        })
    }

    /// Sets what is tried for BMCs that are found without credentials.
    ///
    /// # Errors
    /// Refusals: `PROTOCOL_MANUAL`, `USERNAME_MISSING`.
    pub async fn bmc_credential_set(
        &self,
        actor: &Actor,
        input: BmcCredentialSet,
    ) -> Answer<BmcCredentialView> {
        actor.must_be_user()?;
        let BmcCredentialSet { protocol, username, password } = input;
        if protocol == PowerProtocol::Manual {
            let why = "Manual power needs no credentials; choose IPMI or REDFISH.";
            return Err(Refusal::new("PROTOCOL_MANUAL", &["input", "protocol"], why).into());
        }
        if username.trim().is_empty() {
            let why = "Give the name of an account on the BMCs.";
            return Err(Refusal::new("USERNAME_MISSING", &["input", "username"], why).into());
        }
        let sealed = self.inner.keyring.seal(&place(protocol), password.expose().as_bytes());
        let id = CredentialId::new();
        let it = BmcCredential { id, protocol, username, password: sealed };
        transact!(self, actor, |work| {
            let stored = credential::upsert(&mut work.tx, &it).await?;
            let text = format!("{} as {}", stored.protocol, stored.username);
            work.event(None, "BMC_CREDENTIAL_SET", text);
            let BmcCredential { id, protocol, username, .. } = stored;
            Ok(BmcCredentialView { id, protocol, username })
        })
    }
}

/// Where the default password of a protocol is sealed for.
pub(crate) fn place(protocol: PowerProtocol) -> String {
    format!("bmc-default:{protocol}")
}

pub(crate) async fn load(tx: &mut Tx) -> Result<Settings, StoreError> {
    let stored = setting::all(tx).await?;
    // A fresh region takes machines in: that is what most are set up for.
    let enlist = stored.get(ENLIST).is_none_or(|it| it == "true");
    let ephemeral_kernel_args = stored.get(EPHEMERAL_KERNEL_ARGS).cloned().unwrap_or_default();
    // On: an address that a stranger took by hand costs a machine its boot.
    let conflict_probes = stored.get(CONFLICT_PROBES).is_none_or(|it| it == "true");
    let days = stored.get(LEASE_HISTORY_DAYS).and_then(|it| it.parse().ok());
    let lease_history_days = days.unwrap_or(LEASE_HISTORY_DAYS_DEFAULT);
    // Off: whoever boots from the network can name a host of his own as a BMC.
    let bmc_defaults_over_http = stored.get(BMC_DEFAULTS_OVER_HTTP).is_some_and(|it| it == "true");
    Ok(Settings {
        enlist,
        ephemeral_kernel_args,
        conflict_probes,
        lease_history_days,
        bmc_defaults_over_http,
    })
}
