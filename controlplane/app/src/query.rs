use std::time::Duration;

use ironherd_domain::{MachineId, OperationId, RackId};
use ironherd_store::{Event, Operation, OperationStep, Rack, event, operation, rack};

use crate::{Actor, Answer, App, PageRequest, Paged};

/// A rack reports every few seconds; after this long it counts as gone.
const RACK_SILENCE_MAX: Duration = Duration::from_secs(30);

impl App {
    /// # Errors
    /// [`CommandError::Forbidden`](crate::CommandError::Forbidden) unless a user asks; so for all
    /// of these. Lists refuse a wrong cursor with `CURSOR_INVALID`.
    pub async fn operation(&self, actor: &Actor, id: OperationId) -> Answer<Option<Operation>> {
        actor.must_be_user()?;
        Ok(operation::by_id(&mut self.read().await?, id).await?)
    }

    /// # Errors
    /// See [`App::operation`].
    pub async fn operations(
        &self,
        actor: &Actor,
        page: &PageRequest,
        machine: Option<MachineId>,
    ) -> Answer<Paged<Operation>> {
        actor.must_be_user()?;
        let after = page.cursor()?;
        let mut tx = self.read().await?;
        let rows = operation::page(&mut tx, machine, after, page.limit() + 1).await?;
        Ok(page.cut(rows, |it| it.id.to_text()))
    }

    /// # Errors
    /// See [`App::operation`].
    pub async fn operation_steps(
        &self,
        actor: &Actor,
        id: OperationId,
    ) -> Answer<Vec<OperationStep>> {
        actor.must_be_user()?;
        Ok(operation::steps(&mut self.read().await?, id).await?)
    }

    /// What runs on these machines, oldest first.
    ///
    /// # Errors
    /// See [`App::operation`].
    pub async fn operations_running(
        &self,
        actor: &Actor,
        machines: &[MachineId],
    ) -> Answer<Vec<Operation>> {
        actor.must_be_user()?;
        Ok(operation::running(&mut self.read().await?, machines).await?)
    }

    /// Events, oldest first.
    ///
    /// # Errors
    /// See [`App::operation`].
    pub async fn events(
        &self,
        actor: &Actor,
        page: &PageRequest,
        machine: Option<MachineId>,
    ) -> Answer<Paged<Event>> {
        actor.must_be_user()?;
        let after = page.cursor::<i64>()?.unwrap_or(0);
        let rows = event::after(&mut self.read().await?, machine, after, page.limit() + 1).await?;
        Ok(page.cut(rows, |it| it.sequence.to_string()))
    }

    /// # Errors
    /// See [`App::operation`].
    pub async fn event(&self, actor: &Actor, sequence: i64) -> Answer<Option<Event>> {
        actor.must_be_user()?;
        Ok(event::by_sequence(&mut self.read().await?, sequence).await?)
    }

    /// # Errors
    /// See [`App::operation`].
    pub async fn racks(&self, actor: &Actor, page: &PageRequest) -> Answer<Paged<Rack>> {
        actor.must_be_user()?;
        let rows = rack::page(&mut self.read().await?, page.cursor()?, page.limit() + 1).await?;
        Ok(page.cut(rows, |it| it.id.to_text()))
    }

    /// # Errors
    /// See [`App::operation`].
    pub async fn rack(&self, actor: &Actor, id: RackId) -> Answer<Option<Rack>> {
        actor.must_be_user()?;
        Ok(rack::by_id(&mut self.read().await?, id).await?)
    }

    /// Whether the rack was heard of lately.
    #[must_use]
    pub fn rack_connected(&self, rack: &Rack) -> bool {
        rack.last_seen.is_some_and(|it| self.now().since(it) < RACK_SILENCE_MAX)
    }
}
