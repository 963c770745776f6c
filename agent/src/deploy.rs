//! Puts an operating system on the machine: image to disk, root grown, seed, boot entry.

mod disk;
mod efi;
mod fetch;
mod gpt;
mod install;
mod write;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cmdline::Arguments;
use crate::console::say;
use crate::inventory::{self, BlockDevice};
use crate::progress::{Progress, TaskError};
use crate::protocol::{Deploy, FirmwareKind};
use crate::system::{self, Mount, busybox};

pub(crate) use disk::wipe_range;
pub(crate) use gpt::partitions;

use disk::partition_name;

const PARTITION_LIMIT: Duration = Duration::from_secs(15);
const ROOT_POINT: &str = "/run/ironherd-root";
const ESP_POINT: &str = "/run/ironherd-esp";

/// Carries out a deployment. The text tells what was done where.
pub(crate) fn deploy(
    arguments: &Arguments,
    order: &Deploy,
    progress: &Progress,
) -> Result<String, TaskError> {
    progress.step("Choosing the disk");
    let device = disk::choose(&inventory::block_devices(Path::new("/")), order.disk_bytes)
        .map_err(|reason| TaskError::failed("Choosing the disk", reason))?;
    let node = PathBuf::from(format!("/dev/{}", device.disk.name));
    progress.message(&format!("{} ({})", node.display(), device.disk.path));

    progress.step("Writing the image");
    write_image(arguments, order, &device, &node, progress)?;

    progress.step("Growing the root partition");
    let layout = grow(&node, &device)
        .map_err(|reason| TaskError::failed("Growing the root partition", reason))?;
    progress.check()?;

    progress.step("Placing the seed");
    seed(arguments, order, &device, &layout)
        .map_err(|reason| TaskError::failed("Placing the seed", reason))?;

    if inventory::firmware_kind(Path::new("/")) == FirmwareKind::Uefi {
        progress.step("Setting the boot entry");
        // The machine boots without it too: the network boot hands over to the disk's loader.
        if let Err(reason) = boot_entry(&device, &layout) {
            progress.message(&format!("no boot entry was set: {reason}"));
        }
    }
    rustix::fs::sync();
    Ok(format!("{} bytes of image on {}", order.size_bytes, device.disk.path))
}

fn write_image(
    arguments: &Arguments,
    order: &Deploy,
    device: &BlockDevice,
    node: &Path,
    progress: &Progress,
) -> Result<(), TaskError> {
    let source = fetch::Source {
        base: arguments.boot.clone(),
        path: order.image_path.clone(),
        size_bytes: order.size_bytes,
    };
    let target = write::Target {
        node: node.to_owned(),
        disk_bytes: device.disk.size_bytes,
        sector_bytes: device.sector_bytes,
        image_bytes: order.disk_bytes,
    };
    let image = write::Image { format: order.format, sha256: order.sha256.clone() };
    write::write(fetch::Download::new(source, progress.clone()), &image, &target, progress)
}

/// Makes the partition table fit the disk, and the root file system its partition.
fn grow(node: &Path, device: &BlockDevice) -> Result<gpt::Layout, String> {
    let layout = gpt::fit(node, device.disk.size_bytes, device.sector_bytes)?;
    reread_partitions(node, device, &layout)?;
    Ok(layout)
}

fn reread_partitions(
    node: &Path,
    device: &BlockDevice,
    layout: &gpt::Layout,
) -> Result<(), String> {
    let name = node.to_string_lossy();
    let wanted = layout.partitions.iter().map(|it| partition_name(&device.disk.name, it.number));
    let wanted: Vec<PathBuf> = wanted.map(|it| Path::new("/dev").join(it)).collect();
    let mut reason = String::new();
    let appeared = system::wait_for(PARTITION_LIMIT, || {
        // The kernel says "busy" while it still reads the old table: ask again.
        if let Err(error) = busybox(&["blockdev", "--rereadpt", &name]) {
            reason = error;
            return None;
        }
        wanted.iter().all(|it| it.exists()).then_some(())
    });
    appeared.ok_or_else(|| format!("the kernel does not see the new partitions {reason}"))
}

fn seed(
    arguments: &Arguments,
    order: &Deploy,
    device: &BlockDevice,
    layout: &gpt::Layout,
) -> Result<(), String> {
    let partition = layout.root.ok_or("the image has no Linux root partition for the seed")?;
    let node = Path::new("/dev").join(partition_name(&device.disk.name, partition));
    let root = Mount::new(&node, Path::new(ROOT_POINT), &["ext4", "xfs"])?;
    // Growing a mounted ext4 needs no check before; cloud-init grows other kinds at first boot.
    match system::run("/sbin/resize2fs", &[&node.to_string_lossy()]) {
        Ok(_) => say("the root file system fills its partition"),
        Err(error) => say(&format!("left to the first boot: {error}")),
    }
    let agent = std::fs::read("/proc/self/exe").map_err(|error| format!("agent: {error}"))?;
    install::install(root.path(), order, &arguments.gateway, &agent)?;
    root.close()
}

fn boot_entry(device: &BlockDevice, layout: &gpt::Layout) -> Result<(), String> {
    let esp = layout.esp.ok_or("the image has no EFI system partition")?;
    let node = Path::new("/dev").join(partition_name(&device.disk.name, esp.number));
    let mounted = Mount::new(&node, Path::new(ESP_POINT), &["vfat"])?;
    let loader = efi::loader(mounted.path()).ok_or("the EFI system partition has no loader")?;
    mounted.close()?;
    efi::set_boot_entry(Path::new(efi::VARIABLES), &esp, &loader)
}
