//! One BMC's queue: actions before reads, one thing at a time.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::breaker::Breaker;
use super::{ACTIONS_WAITING_MAX, Action, LaneDoor, LaneKey, READS_WAITING_MAX, Read, Shared};
use crate::driver::BmcFuture;
use crate::{BmcError, Connection, Driver, PoolConfig, PowerState, Target};

pub(super) struct Lane {
    key: LaneKey,
    shared: Weak<Shared>, // Weak: the lanes of a dropped pool end.
    pub(super) driver: Arc<dyn Driver>,
    pub(super) config: PoolConfig,
    actions: mpsc::Receiver<Action>,
    reads: mpsc::Receiver<Read>,
    waiting: Vec<Read>, // Taken out of `reads`, at most READS_WAITING_MAX.
    breaker: Breaker,
    refused: Option<([u8; 32], BmcError)>, // Fingerprint of the credentials, and the verdict.
}

impl Lane {
    pub(super) fn new(key: LaneKey, shared: &Arc<Shared>) -> (LaneDoor, Self) {
        let (actions_in, actions) = mpsc::channel(ACTIONS_WAITING_MAX);
        let (reads_in, reads) = mpsc::channel(READS_WAITING_MAX);
        let lane = Self {
            key,
            shared: Arc::downgrade(shared),
            driver: Arc::clone(&shared.driver),
            config: shared.config,
            actions,
            reads,
            waiting: Vec::new(),
            breaker: Breaker::new(shared.config.breaker()),
            refused: None,
        };
        (LaneDoor { actions: actions_in, reads: reads_in }, lane)
    }

    pub(super) async fn run(mut self) {
        loop {
            // A person waits for an action; a read is mostly our own poll.
            if let Ok(action) = self.actions.try_recv() {
                self.handle_action(action).await;
                continue;
            }
            if let Some(target) = self.waiting.first().map(|it| it.target.clone()) {
                self.handle_reads(&target).await;
                continue;
            }
            tokio::select! {
                biased;
                action = self.actions.recv() => match action {
                    Some(action) => self.handle_action(action).await,
                    None => return,
                },
                read = self.reads.recv() => match read {
                    Some(read) => self.waiting.push(read),
                    None => return,
                },
                () = tokio::time::sleep(self.config.idle) => if self.retire() {
                    return;
                },
            }
        }
    }

    /// Leaves the pool if nothing waits and nothing needs to be remembered.
    fn retire(&mut self) -> bool {
        let Some(shared) = self.shared.upgrade() else { return true };
        let mut lanes = shared.lanes();
        let idle = self.actions.is_empty() && self.reads.is_empty();
        let done = idle && self.breaker.is_clear() && self.refused.is_none();
        if done {
            lanes.remove(&self.key);
        }
        done
    }

    async fn handle_action(&mut self, action: Action) {
        match action {
            Action::Forgive => self.refused = None,
            Action::Power { target, action, boot, answer } => {
                let result = match self.admit(&target) {
                    Ok(()) => self.power(&target, action, boot).await,
                    Err(error) => Err(error),
                };
                self.record(&target, result.as_ref().err());
                let _ = answer.send(result); // Whoever asked may have gone away.
            }
            Action::Boot { target, boot, answer } => {
                let result = match self.admit(&target) {
                    Ok(()) => self.boot(&target, boot).await,
                    Err(error) => Err(error),
                };
                self.record(&target, result.as_ref().err());
                let _ = answer.send(result);
            }
        }
    }

    async fn boot(&mut self, target: &Target, boot: crate::Boot) -> Result<(), BmcError> {
        let mut connection = self.connect(target).await?;
        let result = within(self.config.call_timeout, connection.boot_once(boot)).await;
        self.close(connection).await;
        result
    }

    /// Answers the reads that wait for `target`. Different credentials for one BMC are rare:
    /// each set gets a read of its own.
    async fn handle_reads(&mut self, target: &Target) {
        let result = match self.admit(target) {
            Ok(()) => self.read(target).await,
            Err(error) => Err(error),
        };
        self.record(target, result.as_ref().err());
        self.answer_reads(target, &result);
    }

    async fn read(&mut self, target: &Target) -> Result<PowerState, BmcError> {
        let mut connection = self.connect(target).await?;
        let result = within(self.config.call_timeout, connection.power_state()).await;
        self.close(connection).await;
        result
    }

    /// Hands `result` to every read that waits for the same.
    pub(super) fn answer_reads(&mut self, target: &Target, result: &Result<PowerState, BmcError>) {
        while self.waiting.len() < READS_WAITING_MAX {
            let Ok(read) = self.reads.try_recv() else { break };
            self.waiting.push(read);
        }
        for read in self.waiting.extract_if(.., |it| it.target == *target) {
            let _ = read.answer.send(result.clone());
        }
    }

    pub(super) async fn connect(&self, target: &Target) -> Result<Box<dyn Connection>, BmcError> {
        within(self.config.call_timeout, self.driver.connect(target)).await
    }

    pub(super) async fn close(&self, connection: Box<dyn Connection>) {
        if let Err(error) = within(self.config.call_timeout, connection.close()).await {
            tracing::debug!(%error, "BMC session not closed");
        }
    }

    /// Refuses what must not be sent: to a BMC that is silent, or that said no to this user.
    fn admit(&self, target: &Target) -> Result<(), BmcError> {
        if let Some((fingerprint, error)) = &self.refused
            && *fingerprint == target.credentials.fingerprint()
        {
            return Err(error.clone());
        }
        match self.breaker.pause(Instant::now()) {
            Some(retry_in) => Err(BmcError::BackingOff { retry_in }),
            None => Ok(()),
        }
    }

    fn record(&mut self, target: &Target, error: Option<&BmcError>) {
        match error {
            Some(BmcError::BackingOff { .. } | BmcError::Busy) => {}
            Some(BmcError::Unreachable { .. }) => self.breaker.handle_silence(Instant::now()),
            Some(error) if error.is_credentials() => {
                self.breaker.handle_answer();
                self.refused = Some((target.credentials.fingerprint(), error.clone()));
            }
            Some(_) => self.breaker.handle_answer(),
            None => {
                self.breaker.handle_answer();
                self.refused = None;
            }
        }
    }
}

/// Bounds a driver's call even if the driver forgets to.
pub(super) async fn within<T>(limit: Duration, call: BmcFuture<'_, T>) -> Result<T, BmcError> {
    timeout(limit, call).await.unwrap_or(Err(BmcError::Unreachable { after: limit }))
}
