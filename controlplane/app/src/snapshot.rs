//! Builds what racks need from the store, after each committed change.

mod dhcp;

use std::sync::{Arc, Weak};
use std::time::Duration;

use dhcp::Scopes;
use ironherd_domain::{BootIntent, ImageKind, ImageState, ScopeId, machine::boot_intent};
use ironherd_snapshot::{BootFile, Ephemeral, Intent, Mac, Machine, Settings, Snapshot};
use ironherd_store::machine::BootMachine;
use ironherd_store::{Image, Tx, image, machine, setting, subnet};
use tokio::sync::watch;
use uuid::Uuid;

use crate::seal::{Keyring, SealBroken};
use crate::work::Halt;
use crate::{App, Fault, StoreError, app, settings};

pub(crate) const ENLIST_KEY: &str = "enlist_key";
pub(crate) const ENLIST_PLACE: &str = "enlist";

const SUBNETS_MAX: u32 = 10_000;
const IMAGES_MAX: u32 = 10_000;
/// Enough for a rack that was away for a moment; one that was away longer fetches all.
const KEPT: usize = 4;
/// How often a region that shares its database looks for changes that others made.
const SHARED_LOOK: Duration = Duration::from_millis(500);

impl App {
    /// The latest snapshot.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.inner.snapshot.borrow().clone()
    }

    /// The generation of the latest snapshot, as it grows.
    #[must_use]
    pub fn snapshot_changes(&self) -> watch::Receiver<u64> {
        self.inner.snapshot_generation.subscribe()
    }

    /// One of the last few snapshots, for a difference after a reconnect.
    #[must_use]
    pub fn snapshot_at(&self, generation: u64) -> Option<Arc<Snapshot>> {
        let kept = self.inner.snapshots();
        kept.iter().find(|it| it.generation == generation).cloned()
    }
}

/// Rebuilds the snapshot whenever a command asked for it, until the app is gone. Changes that come
/// while one is built share the next.
pub(crate) fn spawn_publisher(inner: &Arc<app::Inner>) {
    let (weak, wanted) = (Arc::downgrade(inner), inner.snapshot_wanted.clone());
    let shared = inner.db.is_shared();
    tokio::spawn(async move {
        loop {
            if shared {
                // Either way there may be something new.
                let _ = tokio::time::timeout(SHARED_LOOK, wanted.notified()).await;
            } else {
                wanted.notified().await;
            }
            let Some(inner) = Weak::upgrade(&weak) else { break };
            match publish(&inner).await {
                Ok(()) => {}
                Err(Halt::Store(error)) => {
                    Fault::new(&error);
                }
                Err(Halt::Command(error)) => {
                    tracing::error!(event = "snapshot_failed", %error, "racks keep the last one");
                }
            }
        }
    });
}

impl Drop for app::Inner {
    fn drop(&mut self) {
        self.snapshot_wanted.notify_one(); // The publisher wakes, finds nobody, and ends.
    }
}

/// Builds and publishes, unless nothing changed since the last one.
pub(crate) async fn publish(inner: &app::Inner) -> Result<(), Halt> {
    let mut tx = inner.db.read().await?;
    let head = setting::counter(&mut tx, "event").await?;
    let generation = setting::counter(&mut tx, "snapshot").await?;
    let generation = u64::try_from(generation).unwrap_or_default();
    if inner.db.is_shared() {
        // Another region may have written; our own commits have said so already.
        inner.event_head.send_if_modified(|it| std::mem::replace(it, head.max(*it)) < head);
    }
    if generation <= *inner.snapshot_generation.borrow() {
        return Ok(());
    }
    let built = Arc::new(build(&mut tx, &inner.keyring, generation).await?);
    {
        let mut kept = inner.snapshots();
        kept.push_back(built.clone());
        if KEPT < kept.len() {
            kept.pop_front();
        }
    }
    inner.snapshot.send_replace(built);
    inner.snapshot_generation.send_replace(generation);
    Ok(())
}

async fn build(tx: &mut Tx, keyring: &Keyring, generation: u64) -> Result<Snapshot, Halt> {
    let stored = setting::by_name(tx, ENLIST_KEY).await?.unwrap_or_default();
    let sealed = hex::decode(stored).map_err(|_| SealBroken)?;
    let stored_settings = settings::load(tx).await?;
    let scopes = Scopes::load(tx).await?;
    let settings = Settings {
        enlist: stored_settings.enlist,
        enlist_key: keyring.unseal_key(ENLIST_PLACE, &sealed)?,
        ephemeral: ephemeral(tx).await?,
        options: scopes.of(ScopeId::Global),
        conflict_probes: stored_settings.conflict_probes,
    };
    let mut subnets = Vec::new();
    for it in subnet::page(tx, None, SUBNETS_MAX).await? {
        subnets.push(dhcp::subnet_of(it, &scopes));
    }
    let mut machines = Vec::new();
    for it in machine::boot_machines(tx).await? {
        machines.push(machine_of(it, keyring, &scopes)?);
    }
    let dhcp::Parts { fabrics, vlans, subnets6, classes } = dhcp::parts(tx, &scopes).await?;
    let images = image::page(tx, None, IMAGES_MAX).await?;
    let files = images.iter().filter(|it| it.state == ImageState::Ready).map(file_of).collect();
    Ok(Snapshot {
        generation,
        settings,
        fabrics,
        vlans,
        subnets,
        subnets6,
        classes,
        machines,
        files,
    })
}

/// The RAM system: the newest kernel that has an initrd of its architecture.
pub(crate) async fn ephemeral(tx: &mut Tx) -> Result<Option<Ephemeral>, StoreError> {
    let images = image::page(tx, None, IMAGES_MAX).await?;
    let ready = |it: &&Image, kind| it.state == ImageState::Ready && it.kind == kind;
    let kernels = images.iter().rev().filter(|it| ready(it, ImageKind::EphemeralKernel));
    for kernel in kernels {
        let mut initrds = images.iter().rev().filter(|it| ready(it, ImageKind::EphemeralInitrd));
        let fits = |it: &&Image| it.architecture == kernel.architecture;
        if let Some(initrd) = initrds.find(fits) {
            let kernel_args = settings::load(tx).await?.ephemeral_kernel_args;
            let (kernel, initrd) = (kernel.name.clone(), initrd.name.clone());
            return Ok(Some(Ephemeral { kernel, initrd, kernel_args }));
        }
    }
    Ok(None)
}

fn file_of(it: &Image) -> BootFile {
    let name = if it.kind.is_disk() { format!("images/{}", it.sha256) } else { it.name.clone() };
    BootFile { name, sha256: it.sha256.clone(), size_bytes: it.size_bytes }
}

fn machine_of(it: BootMachine, keyring: &Keyring, scopes: &Scopes) -> Result<Machine, SealBroken> {
    let boot_key = keyring.unseal_key(&format!("boot:{}", it.id), &it.boot_key)?;
    let uuid = it.smbios_uuid.as_deref().and_then(|text| Uuid::try_parse(text).ok());
    Ok(Machine {
        id: it.id.to_text(),
        hostname: it.hostname,
        macs: it.macs.iter().map(|it| Mac(it.0)).collect(),
        uuid: uuid.map(Uuid::into_bytes),
        intent: intent_of(boot_intent(it.state, it.image_written)),
        attempt: it.attempt,
        boot_key,
        kernel_args: it.kernel_args,
        boot_file: it.boot_file,
        options: scopes.of(ScopeId::Machine(it.id)),
    })
}

fn intent_of(it: BootIntent) -> Intent {
    match it {
        BootIntent::Local => Intent::Local,
        BootIntent::Enlist => Intent::Enlist,
        BootIntent::Commission => Intent::Commission,
        BootIntent::Test => Intent::Test,
        BootIntent::Deploy => Intent::Deploy,
        BootIntent::Rescue => Intent::Rescue,
        BootIntent::Erase => Intent::Erase,
        BootIntent::Ephemeral => Intent::Ephemeral,
        BootIntent::PowerOff => Intent::PowerOff,
    }
}
