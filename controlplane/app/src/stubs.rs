#![allow(clippy::todo, unused_variables)]
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ironherd_domain::*;
use ironherd_snapshot::Snapshot;
use tokio::sync::watch;

use crate::*;

pub type Answer<T> = Result<T, CommandError>;

#[derive(Clone, Debug)]
pub struct App {}
#[derive(Debug)]
pub struct ChangeFeed {}
#[derive(Debug)]
pub struct ImageUpload {}

impl App {
    /// `url`: `postgres://…`; absent: SQLite file region.db in the data folder.
    pub async fn open(data_dir: &Path, url: Option<&str>) -> Result<Self, OpenError> { todo!() }
    pub async fn close(&self) { todo!() }
    pub fn data_dir(&self) -> &Path { todo!() }
    pub fn image_path(&self, sha256: &str) -> PathBuf { todo!() }
    /// /readyz
    pub async fn ready(&self) -> Answer<()> { todo!() }
    pub fn now(&self) -> UnixMicros { todo!() }

    // access
    pub async fn actor(&self, bearer: &str) -> Answer<Actor> { todo!() }
    pub async fn admin_create(&self, name: &str) -> Answer<TokenMade> { todo!() }
    /// None when a user exists already.
    pub async fn setup_token_issue(&self) -> Answer<Option<Secret>> { todo!() }
    pub async fn setup_redeem(&self, setup_token: &str, name: &str) -> Answer<TokenMade> { todo!() }
    /// Makes data_dir/rack.token (0600) if it is missing; the token.
    pub async fn rack_token_ensure(&self) -> Answer<Secret> { todo!() }
    pub async fn user_token_create(&self, actor: &Actor, name: &str) -> Answer<TokenMade> { todo!() }
    pub async fn user_token_delete(&self, actor: &Actor, id: TokenId) -> Answer<TokenId> { todo!() }
    pub async fn user_tokens(&self, actor: &Actor, page: &PageRequest) -> Answer<Paged<Token>> { todo!() }

    // machines
    pub async fn machine(&self, actor: &Actor, id: MachineId) -> Answer<Option<Machine>> { todo!() }
    pub async fn machine_by_hostname(&self, actor: &Actor, hostname: &str) -> Answer<Option<Machine>> { todo!() }
    pub async fn machines_by_id(&self, actor: &Actor, ids: &[MachineId]) -> Answer<Vec<Machine>> { todo!() }
    pub async fn machines(&self, actor: &Actor, page: &PageRequest, filter: &MachineFilter) -> Answer<Paged<Machine>> { todo!() }
    pub async fn machine_by_mac(&self, actor: &Actor, mac: Mac) -> Answer<Option<Machine>> { todo!() }
    pub async fn machine_create(&self, actor: &Actor, input: MachineCreate) -> Answer<Machine> { todo!() }
    pub async fn machine_update(&self, actor: &Actor, id: MachineId, input: MachineUpdate) -> Answer<Machine> { todo!() }
    pub async fn machine_commission(&self, actor: &Actor, id: MachineId, request_id: Option<String>) -> Answer<Started> { todo!() }
    pub async fn machine_allocate(&self, actor: &Actor, id: MachineId) -> Answer<Machine> { todo!() }
    pub async fn machine_deploy(&self, actor: &Actor, id: MachineId, input: MachineDeploy) -> Answer<Started> { todo!() }
    pub async fn machine_release(&self, actor: &Actor, id: MachineId, input: MachineRelease) -> Answer<Started> { todo!() }
    pub async fn machine_abort(&self, actor: &Actor, id: MachineId) -> Answer<Machine> { todo!() }
    pub async fn machine_retry(&self, actor: &Actor, id: MachineId) -> Answer<Started> { todo!() }
    pub async fn machine_power(&self, actor: &Actor, id: MachineId, input: MachinePower) -> Answer<Started> { todo!() }
    pub async fn machine_mark_broken(&self, actor: &Actor, id: MachineId, reason: &str) -> Answer<Machine> { todo!() }
    pub async fn machine_mark_fixed(&self, actor: &Actor, id: MachineId) -> Answer<Machine> { todo!() }
    pub async fn machine_delete(&self, actor: &Actor, id: MachineId, force: bool) -> Answer<MachineId> { todo!() }
    /// Moves a machine by the lifecycle table: the only way its state changes.
    pub async fn machine_event(&self, id: MachineId, event: ironherd_domain::Event, cause: &str) -> Answer<Machine> { todo!() }
    /// Why each machine waits, in words; machines that do not wait are absent.
    pub async fn wait_reasons(&self, machines: &[Machine]) -> Answer<HashMap<MachineId, String>> { todo!() }
    pub fn hardware(&self, machine: &Machine) -> Option<Hardware> { todo!() }

    // subnets
    pub async fn subnet(&self, actor: &Actor, id: SubnetId) -> Answer<Option<Subnet>> { todo!() }
    pub async fn subnets(&self, actor: &Actor, page: &PageRequest) -> Answer<Paged<Subnet>> { todo!() }
    pub async fn subnet_create(&self, actor: &Actor, input: SubnetCreate) -> Answer<Subnet> { todo!() }
    pub async fn subnet_update(&self, actor: &Actor, id: SubnetId, input: SubnetUpdate) -> Answer<Subnet> { todo!() }
    pub async fn subnet_delete(&self, actor: &Actor, id: SubnetId) -> Answer<SubnetId> { todo!() }
    pub async fn range_create(&self, actor: &Actor, input: RangeCreate) -> Answer<Subnet> { todo!() }
    pub async fn range_delete(&self, actor: &Actor, id: RangeId) -> Answer<Subnet> { todo!() }
    pub async fn reservation_create(&self, actor: &Actor, input: ReservationCreate) -> Answer<Subnet> { todo!() }
    pub async fn reservation_delete(&self, actor: &Actor, id: ReservationId) -> Answer<Subnet> { todo!() }

    // images
    pub async fn image(&self, actor: &Actor, id: ImageId) -> Answer<Option<Image>> { todo!() }
    pub async fn images_by_id(&self, actor: &Actor, ids: &[ImageId]) -> Answer<Vec<Image>> { todo!() }
    pub async fn images(&self, actor: &Actor, page: &PageRequest) -> Answer<Paged<Image>> { todo!() }
    pub async fn image_create(&self, actor: &Actor, input: ImageCreate) -> Answer<Image> { todo!() }
    pub async fn image_delete(&self, actor: &Actor, id: ImageId) -> Answer<ImageId> { todo!() }
    /// Bytes that have arrived of the running or finished upload.
    pub fn image_received_bytes(&self, image: &Image) -> u64 { todo!() }
    /// Codes: NOT_FOUND, ALREADY_READY is no error (Ok(None): nothing to send), DISK_FULL, SIZE_MISMATCH (Content-Length).
    pub async fn image_upload_begin(&self, actor: &Actor, sha256: &str, content_length: Option<u64>) -> Answer<Option<ImageUpload>> { todo!() }
    /// The file for GET /images/<sha256> (user or rack), if it is there.
    pub async fn image_file(&self, actor: &Actor, sha256: &str) -> Answer<Option<PathBuf>> { todo!() }

    // settings
    pub async fn settings(&self, actor: &Actor) -> Answer<Settings> { todo!() }
    pub async fn settings_update(&self, actor: &Actor, input: SettingsUpdate) -> Answer<Settings> { todo!() }
    pub async fn bmc_credential_set(&self, actor: &Actor, input: BmcCredentialSet) -> Answer<BmcCredentialView> { todo!() }

    // operations, events, leases, racks
    pub async fn operation(&self, actor: &Actor, id: OperationId) -> Answer<Option<Operation>> { todo!() }
    pub async fn operations(&self, actor: &Actor, page: &PageRequest, machine: Option<MachineId>) -> Answer<Paged<Operation>> { todo!() }
    pub async fn operation_steps(&self, actor: &Actor, id: OperationId) -> Answer<Vec<OperationStep>> { todo!() }
    pub async fn operations_running(&self, actor: &Actor, machines: &[MachineId]) -> Answer<Vec<Operation>> { todo!() }
    pub async fn events(&self, actor: &Actor, page: &PageRequest, machine: Option<MachineId>) -> Answer<Paged<crate::Event>> { todo!() }
    pub async fn event(&self, actor: &Actor, sequence: i64) -> Answer<Option<crate::Event>> { todo!() }
    pub async fn leases(&self, actor: &Actor, page: &PageRequest) -> Answer<Paged<Lease>> { todo!() }
    pub async fn racks(&self, actor: &Actor, page: &PageRequest) -> Answer<Paged<Rack>> { todo!() }
    pub async fn rack(&self, actor: &Actor, id: RackId) -> Answer<Option<Rack>> { todo!() }
    /// Whether the rack was heard of lately.
    pub fn rack_connected(&self, rack: &Rack) -> bool { todo!() }
    /// Changes after a sequence; None: from now on.
    pub async fn changes(&self, actor: &Actor, after: Option<i64>) -> Answer<ChangeFeed> { todo!() }

    // racks' side
    pub async fn rack_register(&self, actor: &Actor, input: RackRegister) -> Answer<Rack> { todo!() }
    pub async fn rack_report(&self, actor: &Actor, input: RackReport) -> Answer<u64> { todo!() }
    pub fn snapshot(&self) -> Arc<Snapshot> { todo!() }
    pub fn snapshot_changes(&self) -> watch::Receiver<u64> { todo!() }
    /// One of the last few snapshots, for deltas after a reconnect.
    pub fn snapshot_at(&self, generation: u64) -> Option<Arc<Snapshot>> { todo!() }

    // agent's side
    pub async fn agent_hello(&self, input: AgentHello) -> Answer<AgentWelcome> { todo!() }
    pub async fn agent_task(&self, actor: &Actor) -> Answer<AgentTask> { todo!() }
    pub async fn agent_enlist(&self, actor: &Actor, input: AgentEnlist) -> Answer<AgentNext> { todo!() }
    pub async fn agent_commissioned(&self, actor: &Actor, input: AgentEnlist) -> Answer<AgentNext> { todo!() }
    pub async fn agent_progress(&self, actor: &Actor, input: AgentProgress) -> Answer<AgentNext> { todo!() }
    pub async fn agent_finished(&self, actor: &Actor, input: AgentFinished) -> Answer<AgentNext> { todo!() }
    pub async fn system_ready(&self, token: &str) -> Answer<()> { todo!() }

    // workers' side
    pub async fn effects_claim(&self, limit: u32, lease: Duration) -> Answer<Vec<Effect>> { todo!() }
    /// Resolves when an effect may be due: woken by commands, or when the next one's time comes (at most 1 s late on other regions).
    pub async fn effects_wait(&self) { todo!() }
    /// The effect is done; `observed` is the power state the BMC then reported. Also moves RELEASING on when OFF.
    pub async fn effect_done(&self, effect: &Effect, observed: PowerState) -> Answer<()> { todo!() }
    /// It did not work: `retry_after` puts it back; None gives it up and fails the operation / the machine's state.
    pub async fn effect_failed(&self, effect: &Effect, error: &str, retry_after: Option<Duration>) -> Answer<()> { todo!() }
    /// None: manual power, or no such machine.
    pub async fn power_target(&self, id: MachineId) -> Answer<Option<PowerTarget>> { todo!() }
    /// What a poll saw. Moves RELEASING on when OFF.
    pub async fn power_observed(&self, id: MachineId, seen: Result<PowerState, String>) -> Answer<()> { todo!() }
    /// Machines whose power was not asked for this long (never asked first).
    pub async fn power_stale(&self, older_than: Duration, limit: u32) -> Answer<Vec<MachineId>> { todo!() }
    /// Machines past their deadline; call machine_event(Expire, waiting_for) for each.
    pub async fn deadlines_passed(&self, now: UnixMicros, limit: u32) -> Answer<Vec<Overdue>> { todo!() }
    /// Drops ended effects, expired tokens. For a slow periodic worker.
    pub async fn sweep(&self) -> Answer<()> { todo!() }
}

impl ChangeFeed {
    pub async fn next(&mut self) -> Answer<Change> { todo!() }
}
impl ImageUpload {
    pub async fn write(&mut self, bytes: &[u8]) -> Answer<()> { todo!() }
    /// Checks the digest. Codes DIGEST_MISMATCH, SIZE_MISMATCH, DISK_FULL; dropping without finish discards.
    pub async fn finish(self) -> Answer<()> { todo!() }
}

pub mod anyhow_like {
    #[derive(Debug, thiserror::Error)]
    pub enum OpenError {
        #[error("{0}")]
        Store(#[from] ironherd_store::StoreError),
        #[error("{0}")]
        Io(#[from] std::io::Error),
        #[error("{0}")]
        Key(String),
    }
}
pub use anyhow_like::OpenError;
