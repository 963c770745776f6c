//! The whole snapshot, and each of its parts, as the store has them now.

use ironherd_domain::{BootIntent, ImageKind, ImageState, ScopeId, machine::boot_intent};
use ironherd_snapshot::{BootFile, Ephemeral, Intent, Mac, Machine, Settings, Shared, Snapshot};
use ironherd_store::machine::BootMachine;
use ironherd_store::{Image, Tx, image, machine, setting, subnet, subnet6};
use uuid::Uuid;

use super::dhcp::{self, Scopes};
use super::{ENLIST_KEY, ENLIST_PLACE};
use crate::seal::{Keyring, SealBroken};
use crate::work::Inner;
use crate::{StoreError, settings};

const SUBNETS_MAX: u32 = 10_000;
const IMAGES_MAX: u32 = 10_000;

pub(super) async fn build(tx: &mut Tx, keyring: &Keyring, generation: u64) -> Inner<Snapshot> {
    let scopes = Scopes::all(tx).await?;
    let (settings, files) = everywhere(tx, keyring).await?;
    let networks = dhcp::networks(tx).await?;
    let subnets = subnet::page(tx, None, SUBNETS_MAX).await?;
    let subnets6 = subnet6::page(tx, None, SUBNETS_MAX).await?;
    let machines = machine::boot_machines(tx).await?;
    let machine = |it| machine_of(it, keyring, &scopes).map(Shared::from);
    Ok(Snapshot {
        generation,
        settings,
        fabrics: networks.fabrics,
        vlans: networks.vlans,
        subnets: subnets.into_iter().map(|it| dhcp::subnet_of(it, &scopes).into()).collect(),
        subnets6: subnets6.into_iter().map(|it| dhcp::subnet6_of(it, &scopes).into()).collect(),
        classes: networks.classes,
        machines: machines.into_iter().map(machine).collect::<Result<_, _>>()?,
        files,
    })
}

/// What holds for every network, and the files.
pub(super) async fn everywhere(tx: &mut Tx, keyring: &Keyring) -> Inner<(Settings, Vec<BootFile>)> {
    let stored = setting::by_name(tx, ENLIST_KEY).await?.unwrap_or_default();
    let sealed = hex::decode(stored).map_err(|_| SealBroken)?;
    let stored = settings::load(tx).await?;
    let settings = Settings {
        enlist: stored.enlist,
        enlist_key: keyring.unseal_key(ENLIST_PLACE, &sealed)?,
        ephemeral: ephemeral(tx).await?,
        options: Scopes::of_these(tx, &[ScopeId::Global]).await?.of(ScopeId::Global),
        conflict_probes: stored.conflict_probes,
    };
    let images = image::page(tx, None, IMAGES_MAX).await?;
    let files = images.iter().filter(|it| it.state == ImageState::Ready).map(file_of).collect();
    Ok((settings, files))
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

pub(super) fn machine_of(
    it: BootMachine,
    keyring: &Keyring,
    scopes: &Scopes,
) -> Result<Machine, SealBroken> {
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
