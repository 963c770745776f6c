//! A region on SQLite in a temporary folder, with scripted BMCs and a clock that can be put
//! forward.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ironherd_app::{Actor, App, Machine, MachineCreate, PowerInput, Secret};
use ironherd_bmc::scripted::{ScriptedBmc, ScriptedDriver};
use ironherd_bmc::{BmcPool, PoolConfig};
use ironherd_domain::{Event, MachineId, PowerProtocol, UnixMicros};
use ironherd_workers::{Workers, WorkersConfig};

/// The bound of every wait in these tests.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const OPERATOR: Actor = Actor::System("test");

pub(crate) struct Region {
    pub(crate) app: App,
    pub(crate) driver: ScriptedDriver,
    ahead_us: Arc<AtomicI64>,
    _folder: tempfile::TempDir,
}

/// Short times: nothing here waits for what a machine would need.
pub(crate) const CONFIG: WorkersConfig = WorkersConfig {
    effects_at_once: 16,
    effect_lease: Duration::from_secs(100),
    effect_tries: 4,
    retry_after_min: Duration::from_millis(5),
    retry_after_max: Duration::from_millis(20),
    poll_period: Duration::from_secs(3600),
    polls_at_once: 8,
    deadline_period: Duration::from_millis(20),
    sweep_period: Duration::from_millis(50),
    shutdown_grace: Duration::from_millis(100),
};

const POOL: PoolConfig = PoolConfig {
    settle_timeout: Duration::from_millis(100),
    call_timeout: Duration::from_millis(300),
    breaker_threshold: 3,
    breaker_pause_min: Duration::from_millis(10),
    breaker_pause_max: Duration::from_millis(40),
    idle: Duration::from_secs(60),
};

impl Region {
    pub(crate) async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ahead_us = Arc::new(AtomicI64::new(0));
        let ahead = Arc::clone(&ahead_us);
        let clock = Arc::new(move || {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            let now = i64::try_from(since.as_micros()).unwrap();
            UnixMicros(now + ahead.load(Ordering::Relaxed))
        });
        let app = App::open_with_clock(folder.path(), None, clock).await.unwrap();
        Self { app, driver: ScriptedDriver::default(), ahead_us, _folder: folder }
    }

    /// Puts the region's clock forward.
    pub(crate) fn advance(&self, time: Duration) {
        let time = i64::try_from(time.as_micros()).unwrap();
        self.ahead_us.fetch_add(time, Ordering::Relaxed);
    }

    /// Workers over the scripted BMCs, with a pool of their own as a new process would have.
    pub(crate) fn workers(&self, config: WorkersConfig) -> Workers {
        let pool = BmcPool::with_driver(Arc::new(self.driver.clone()), POOL);
        ironherd_workers::spawn(self.app.clone(), pool, config)
    }

    /// A machine whose BMC is `bmc`, at an address that `number` makes.
    pub(crate) async fn machine(&self, number: u8, bmc: ScriptedBmc) -> MachineId {
        self.driver.add(&address(number), bmc);
        let power = PowerInput {
            protocol: PowerProtocol::Ipmi,
            address: Some(address(number)),
            username: Some("admin".to_owned()),
            password: Some(Secret::new("secret")),
        };
        self.machine_with(number, Some(power)).await
    }

    pub(crate) async fn machine_with(&self, number: u8, power: Option<PowerInput>) -> MachineId {
        let input = MachineCreate {
            mac_addresses: vec![format!("52:54:00:00:00:{number:02x}")],
            power,
            ..MachineCreate::default()
        };
        self.app.machine_create(&OPERATOR, input).await.unwrap().id
    }

    /// Begins commissioning by the lifecycle alone: the command would want a RAM system to boot.
    pub(crate) async fn commission(&self, id: MachineId) -> Machine {
        self.app.machine_event(id, Event::Commission, "").await.unwrap()
    }

    pub(crate) async fn read(&self, id: MachineId) -> Machine {
        self.app.machine(&OPERATOR, id).await.unwrap().unwrap()
    }

    /// Waits until the machine is as wanted. Woken by each change, and now and then besides: not
    /// everything that these tests wait for is an event.
    pub(crate) async fn until(&self, id: MachineId, want: impl Fn(&Machine) -> bool) -> Machine {
        let mut feed = self.app.changes(&OPERATOR, None).await.unwrap();
        let started = Instant::now();
        loop {
            let machine = self.read(id).await;
            if want(&machine) {
                return machine;
            }
            assert!(
                started.elapsed() < PATIENCE,
                "{:?}, power {:?}, failure {:?}, power error {:?}",
                machine.state,
                machine.power_state,
                machine.failure,
                machine.power_error,
            );
            let _ = tokio::time::timeout(Duration::from_millis(20), feed.next()).await;
        }
    }
}

pub(crate) fn address(number: u8) -> String {
    format!("10.0.0.{number}:623")
}
