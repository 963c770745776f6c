use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use ironherd_app::{
    Actor, AgentEnlist, AgentHello, AgentWelcome, App, Clock, CommandError, Effect, EffectKind,
    Hardware, Image, ImageCreate, Machine, MachineCreate, MachineDeploy, NicHardware, PowerInput,
    Secret, SubnetCreate,
};
use ironherd_domain::{ImageKind, MachineId, MachineState, PowerProtocol, PowerState, UnixMicros};
use ironherd_proto::token as boot_token;
use ironherd_snapshot::Intent;
use ironherd_store::testing::{Database, databases};
use tempfile::TempDir;

pub(crate) const CARD: &str = "52:54:00:77:00:10";

/// A fresh region with a clock that the test moves.
pub(crate) struct Region {
    pub(crate) engine: &'static str,
    pub(crate) app: App,
    pub(crate) clock: Arc<AtomicI64>,
    pub(crate) folder: TempDir,
    pub(crate) database: Database,
}

pub(crate) fn admin() -> Actor {
    Actor::System("ada")
}

/// A fresh region on each engine.
pub(crate) async fn regions() -> Vec<Region> {
    let mut all = Vec::new();
    for database in databases() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(AtomicI64::new(1_700_000_000_000_000));
        let app = open(&folder, &database, &clock).await;
        all.push(Region { engine: database.engine, app, clock, folder, database });
    }
    all
}

pub(crate) async fn open(folder: &TempDir, database: &Database, clock: &Arc<AtomicI64>) -> App {
    let time = clock.clone();
    let time: Clock = Arc::new(move || UnixMicros(time.load(Ordering::Relaxed)));
    App::open_with_clock(folder.path(), Some(&database.url), time).await.unwrap()
}

/// The code of the refusal that must have come.
#[track_caller]
pub(crate) fn code<T: std::fmt::Debug>(answer: Result<T, CommandError>) -> &'static str {
    match answer {
        Err(CommandError::Refused(refusals)) => refusals[0].code,
        other => panic!("must be refused: {other:?}"),
    }
}

impl Region {
    pub(crate) fn pass(&self, span: Duration) {
        let micros = i64::try_from(span.as_micros()).unwrap();
        self.clock.fetch_add(micros, Ordering::Relaxed);
    }

    /// A region that can boot agents and has one subnet.
    pub(crate) async fn furnish(&self) {
        for (name, kind) in
            [("vmlinuz", ImageKind::EphemeralKernel), ("initrd.img", ImageKind::EphemeralInitrd)]
        {
            self.image(&format!("ephemeral/amd64/{name}"), kind, name.as_bytes()).await;
        }
        let input = SubnetCreate {
            cidr: "10.20.0.0/24".into(),
            gateway: Some("10.20.0.1".into()),
            ..SubnetCreate::default()
        };
        self.app.subnet_create(&admin(), input).await.unwrap();
    }

    /// Announces and uploads an image.
    pub(crate) async fn image(&self, name: &str, kind: ImageKind, bytes: &[u8]) -> Image {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
        let sha256 = hex::encode(digest.as_ref());
        let input = ImageCreate {
            name: name.into(),
            kind,
            sha256: sha256.clone(),
            size_bytes: bytes.len() as u64,
            architecture: Some("amd64".into()),
            disk_bytes: None,
        };
        let image = self.app.image_create(&admin(), input).await.unwrap();
        let upload = self.app.image_upload_begin(&admin(), &sha256, None).await.unwrap();
        if let Some(mut upload) = upload {
            upload.write(bytes).await.unwrap();
            upload.finish().await.unwrap();
        }
        self.app.image(&admin(), image.id).await.unwrap().unwrap()
    }

    pub(crate) async fn disk_image(&self) -> Image {
        self.image("debian", ImageKind::DiskRaw, b"a whole disk").await
    }

    /// A machine with a Redfish BMC, NEW.
    pub(crate) async fn machine(&self, card: &str) -> Machine {
        let input = MachineCreate {
            mac_addresses: vec![card.into()],
            power: Some(redfish()),
            ..MachineCreate::default()
        };
        self.app.machine_create(&admin(), input).await.unwrap()
    }

    pub(crate) async fn load(&self, id: MachineId) -> Machine {
        self.app.machine(&admin(), id).await.unwrap().unwrap()
    }

    pub(crate) async fn state(&self, id: MachineId) -> MachineState {
        self.load(id).await.state
    }

    /// The one effect that is due.
    pub(crate) async fn effect(&self) -> Effect {
        let mut due = self.app.effects_claim(9, Duration::from_secs(60)).await.unwrap();
        assert_eq!(due.len(), 1, "{due:?}");
        due.remove(0)
    }

    /// Carries out the one effect that is due, as a BMC that does as it is told.
    pub(crate) async fn obey(&self, want: EffectKind) -> Effect {
        let effect = self.effect().await;
        assert_eq!(effect.kind, want);
        let observed = if want == EffectKind::PowerOff { PowerState::Off } else { PowerState::On };
        self.app.effect_done(&effect, observed).await.unwrap();
        effect
    }

    /// Waits until racks know what was last committed.
    pub(crate) async fn published(&self, id: MachineId, intent: Intent) {
        let mut changes = self.app.snapshot_changes();
        loop {
            let snapshot = self.app.snapshot();
            let found = snapshot.machines.iter().find(|it| it.id == id.to_text());
            if found.is_some_and(|it| it.intent == intent) {
                return;
            }
            changes.changed().await.unwrap();
        }
    }

    /// A boot token as the rack would mint it now.
    pub(crate) async fn boot_token(&self, id: MachineId, nonce: u8) -> String {
        let attempt = self.load(id).await.attempt;
        let mut changes = self.app.snapshot_changes();
        loop {
            let snapshot = self.app.snapshot();
            let found = snapshot.machines.iter().find(|it| it.id == id.to_text());
            if let Some(it) = found.filter(|it| it.attempt == attempt) {
                return boot_token::mint(&it.boot_key, &it.id, it.attempt, [nonce; 16]);
            }
            changes.changed().await.unwrap();
        }
    }

    pub(crate) fn enlist_token(&self, nonce: u8) -> String {
        self.enlist_token_of(0, nonce)
    }

    /// As a rack mints it whose clock is some days ahead, or that minted it some days ago.
    pub(crate) fn enlist_token_of(&self, days: i64, nonce: u8) -> String {
        let key = self.app.snapshot().settings.enlist_key;
        let today = boot_token::day_of(self.app.now().as_seconds());
        let day = today.saturating_add_signed(days);
        boot_token::mint(&key, boot_token::ENLIST_ID, day, [nonce; 16])
    }

    pub(crate) async fn hello(&self, token: &str) -> Result<AgentWelcome, CommandError> {
        let input = AgentHello { boot_token: Secret::new(token), agent_version: "0.1".into() };
        self.app.agent_hello(input).await
    }

    /// Boots the agent on a machine: its actor.
    pub(crate) async fn agent(&self, id: MachineId, nonce: u8) -> Actor {
        let token = self.boot_token(id, nonce).await;
        let welcome = self.hello(&token).await.unwrap();
        self.app.actor(welcome.session_token.expose()).await.unwrap()
    }

    /// A machine that went through commissioning.
    pub(crate) async fn ready(&self, card: &str, nonce: u8) -> Machine {
        let it = self.machine(card).await;
        self.app.machine_commission(&admin(), it.id, None).await.unwrap();
        self.obey(EffectKind::PowerCycle).await;
        let agent = self.agent(it.id, nonce).await;
        self.app.agent_commissioned(&agent, found(card)).await.unwrap();
        self.load(it.id).await
    }

    pub(crate) async fn deploy_input(&self) -> MachineDeploy {
        let image_id = self.disk_image().await.id;
        MachineDeploy { image_id, ssh_keys: Vec::new(), user_data: None, request_id: None }
    }
}

pub(crate) fn redfish() -> PowerInput {
    PowerInput {
        protocol: PowerProtocol::Redfish,
        address: Some("https://127.0.0.1:8443".into()),
        username: Some("root".into()),
        password: Some(Secret::new("calvin-the-secret")),
    }
}

/// What an agent on a machine with one card reports.
pub(crate) fn found(card: &str) -> AgentEnlist {
    let nic = NicHardware {
        name: "eth0".into(),
        mac_address: card.into(),
        link_up: Some(true),
        ..NicHardware::default()
    };
    let hardware = Hardware {
        cpu_threads: Some(8),
        memory_bytes: Some(16 << 30),
        nics: vec![nic],
        ..Hardware::default()
    };
    AgentEnlist { hardware, bmc: None }
}
