use std::collections::HashMap;

use ironherd_domain::machine::{Situation, wait_reason};
use ironherd_domain::{Mac, MachineId, MachineState};
use ironherd_store::{Machine, MachineFilter, Tx, effect, machine};

use crate::{Actor, Answer, App, Hardware, PageRequest, Paged};

impl App {
    /// # Errors
    /// [`CommandError::Forbidden`](crate::CommandError::Forbidden) unless a user asks; so for all
    /// queries about machines.
    pub async fn machine(&self, actor: &Actor, id: MachineId) -> Answer<Option<Machine>> {
        actor.must_be_user()?;
        Ok(machine::by_id(&mut self.read().await?, id).await?)
    }

    /// # Errors
    /// See [`App::machine`].
    pub async fn machine_by_hostname(
        &self,
        actor: &Actor,
        hostname: &str,
    ) -> Answer<Option<Machine>> {
        actor.must_be_user()?;
        Ok(machine::by_hostname(&mut self.read().await?, hostname).await?)
    }

    /// # Errors
    /// See [`App::machine`].
    pub async fn machine_by_mac(&self, actor: &Actor, mac: Mac) -> Answer<Option<Machine>> {
        actor.must_be_user()?;
        Ok(machine::by_mac(&mut self.read().await?, mac).await?)
    }

    /// # Errors
    /// See [`App::machine`].
    pub async fn machines_by_id(&self, actor: &Actor, ids: &[MachineId]) -> Answer<Vec<Machine>> {
        actor.must_be_user()?;
        Ok(machine::by_ids(&mut self.read().await?, ids).await?)
    }

    /// # Errors
    /// See [`App::machine`]. Refusals: `CURSOR_INVALID`.
    pub async fn machines(
        &self,
        actor: &Actor,
        page: &PageRequest,
        filter: &MachineFilter,
    ) -> Answer<Paged<Machine>> {
        actor.must_be_user()?;
        let after = page.cursor()?;
        let rows = machine::page(&mut self.read().await?, filter, after, page.limit() + 1).await?;
        Ok(page.cut(rows, |it| it.id.to_text()))
    }

    /// How many machines are in each state; all states are listed.
    ///
    /// # Errors
    /// [`CommandError::Fault`](crate::CommandError::Fault).
    pub async fn machines_by_state(&self) -> Answer<Vec<(MachineState, u64)>> {
        let found = machine::counts(&mut self.read().await?).await?;
        let count = |state| found.iter().find(|it| it.0 == state).map_or(0, |it| it.1);
        Ok(MachineState::ALL.iter().map(|state| (*state, count(*state))).collect())
    }

    /// Why each machine waits, in words; machines that do not wait are absent.
    ///
    /// # Errors
    /// [`CommandError::Fault`](crate::CommandError::Fault).
    pub async fn wait_reasons(&self, machines: &[Machine]) -> Answer<HashMap<MachineId, String>> {
        let mut tx = self.read().await?;
        let mut reasons = HashMap::new();
        for it in machines.iter().filter(|it| it.state.in_progress()) {
            if let Some(reason) = waits_for(&mut tx, it, self.now()).await? {
                reasons.insert(it.id, reason);
            }
        }
        Ok(reasons)
    }

    /// What the agent found, if it looked.
    #[must_use]
    pub fn hardware(&self, machine: &Machine) -> Option<Hardware> {
        serde_json::from_str(machine.hardware.as_deref()?).ok()
    }
}

/// Why a machine waits; the trouble with its BMC goes first.
pub(crate) async fn waits_for(
    tx: &mut Tx,
    it: &Machine,
    now: ironherd_domain::UnixMicros,
) -> Result<Option<String>, ironherd_store::StoreError> {
    if !it.state.in_progress() {
        return Ok(None);
    }
    if let Some(error) = effect::pending_error(tx, it.id).await? {
        return Ok(Some(format!("The BMC does not do its part: {error} It is tried again.")));
    }
    let situation = Situation {
        state: it.state,
        state_since: it.state_since,
        protocol: it.power_protocol,
        image_written: it.image_written,
        agent_seen: it.agent_seen,
        boot_stage: it.boot_stage,
        power_queued: effect::pending(tx, it.id).await?,
    };
    Ok(wait_reason(&situation, now))
}
