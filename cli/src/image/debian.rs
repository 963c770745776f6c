//! `ironherd image build-debian`: a disk image that boots under BIOS and UEFI.
//!
//! No loop devices and no virtual machine: file systems are made from folders, boot sectors by
//! hand. Root rights are needed, because the packages' files belong to many users.

mod bios;
mod disk;
mod tree;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use sha2::{Digest as _, Sha256};

use super::apt;
use super::manifest::{self, BuiltFile, ImageKind, Manifest};
use super::steps::Steps;
use super::tool;

#[derive(Args, Clone, Debug)]
pub(crate) struct DebianArgs {
    /// The image file, e.g. `debian-12.img.zst`; a JSON file of the same name is put beside it.
    #[arg(long)]
    pub(crate) out: PathBuf,
    /// Debian release.
    #[arg(long, default_value = "bookworm")]
    pub(crate) release: String,
    /// Which kernel: `cloud` starts faster in virtual machines, `generic` has all drivers.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) kernel: Kernel,
    /// Package mirror.
    #[arg(long, default_value = apt::MIRROR)]
    pub(crate) mirror: String,
    /// Keep the image here, and take it from here when nothing of the recipe has changed.
    #[arg(long)]
    pub(crate) cache_dir: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kernel {
    #[default]
    Cloud,
    Generic,
}

impl Kernel {
    fn package(self) -> &'static str {
        match self {
            Self::Cloud => "linux-image-cloud-amd64",
            Self::Generic => "linux-image-amd64",
        }
    }
}

const TOOLS: &[tool::Tool] = &[
    ("mmdebstrap", "mmdebstrap"),
    ("sfdisk", "fdisk"),
    ("mke2fs", "e2fsprogs"),
    ("mkfs.vfat", "dosfstools"),
    ("mcopy", "mtools"),
    ("grub-mkimage", "grub-common"),
    ("zstd", "zstd"),
];

/// Builds the image, or takes it from the cache, and writes its sidecar.
pub(crate) fn build_debian(args: &DebianArgs) -> anyhow::Result<BuiltFile> {
    let mut steps = Steps::new();
    let name = format!("debian-{}-{}", args.release, kernel_name(args.kernel));
    let folder = args.out.parent().filter(|it| !it.as_os_str().is_empty());
    let folder = std::path::absolute(folder.unwrap_or(Path::new(".")))?;
    let _lock = tool::lock(&folder)?;
    let cached = args.cache_dir.as_ref().map(|it| it.join(format!("{name}-{}", recipe(args))));
    if let Some(cached) = &cached
        && let Ok(manifest) = Manifest::read(&cached.with_extension("json"))
        && let [file] = manifest.files.as_slice()
    {
        steps.begin("Taking the image from the cache");
        return place(&cached.with_extension("zst"), args, file.clone());
    }
    tool::require(TOOLS)?;
    if !rustix::process::geteuid().is_root() {
        bail!("building a disk image needs root: its files belong to many users");
    }
    let work = folder.join(format!(".{name}.work"));
    clear(&work)?;
    fs::create_dir_all(&work)?;
    let (packed, built) = build(args, name, &work, &mut steps)?;
    if let Some(cached) = &cached {
        keep(&packed, cached, &built)?;
    }
    let built = place(&packed, args, built)?;
    steps.begin("Clearing up");
    clear(&work)?;
    Ok(built)
}

fn build(
    args: &DebianArgs,
    name: String,
    work: &Path,
    steps: &mut Steps,
) -> anyhow::Result<(PathBuf, BuiltFile)> {
    let root = tree::build(args, work, steps)?;
    steps.begin("Disk image");
    let raw = work.join("disk.raw");
    let disk_bytes = disk::build(&root, work, &raw)?;
    steps.begin("Compressing");
    let packed = work.join("disk.zst");
    let mut zstd = tool::command("zstd");
    tool::run(zstd.args(["-q", "-3", "-T0", "-f"]).arg(&raw).arg("-o").arg(&packed))?;
    let (sha256, size_bytes) = manifest::digest(&packed)?;
    let built = BuiltFile {
        name,
        file: String::new(),
        kind: ImageKind::DiskZstd,
        architecture: "amd64".to_owned(),
        sha256,
        size_bytes,
        disk_bytes: Some(disk_bytes),
    };
    Ok((packed, built))
}

fn kernel_name(kernel: Kernel) -> &'static str {
    match kernel {
        Kernel::Cloud => "cloud",
        Kernel::Generic => "generic",
    }
}

/// Changes whenever the image would be built differently from the same packages.
fn recipe(args: &DebianArgs) -> String {
    let mut digest = Sha256::new();
    for part in [&args.release, &args.mirror, args.kernel.package()] {
        digest.update(part);
        digest.update([0]);
    }
    for part in tree::RECIPE.iter().chain(disk::RECIPE).chain(bios::RECIPE) {
        digest.update(part);
        digest.update([0]);
    }
    hex::encode(digest.finalize())[..16].to_owned()
}

/// Puts image and sidecar where they were asked for.
fn place(image: &Path, args: &DebianArgs, built: BuiltFile) -> anyhow::Result<BuiltFile> {
    if let Some(folder) = args.out.parent() {
        fs::create_dir_all(folder)?;
    }
    // A link where possible: images are large and never changed in place.
    let _ = fs::remove_file(&args.out);
    if fs::hard_link(image, &args.out).is_err() {
        fs::copy(image, &args.out)
            .with_context(|| format!("cannot write {}", args.out.display()))?;
    }
    let file = args.out.file_name().context("--out is not a file name")?;
    let built = BuiltFile { file: file.to_string_lossy().into_owned(), ..built };
    let manifest = Manifest { files: vec![built.clone()], notes: Vec::new() };
    manifest.write(&sidecar(&args.out))?;
    Ok(built)
}

/// `debian.img.zst` has `debian.img.zst.json` beside it.
pub(super) fn sidecar(image: &Path) -> PathBuf {
    let mut name = image.as_os_str().to_owned();
    name.push(".json");
    PathBuf::from(name)
}

fn keep(packed: &Path, cached: &Path, built: &BuiltFile) -> anyhow::Result<()> {
    if let Some(folder) = cached.parent() {
        fs::create_dir_all(folder)?;
    }
    let image = cached.with_extension("zst");
    let _ = fs::remove_file(&image);
    if fs::hard_link(packed, &image).is_err() {
        fs::copy(packed, &image)?;
    }
    let file = image.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let files = vec![BuiltFile { file, ..built.clone() }];
    // Written last: a cached image without it is not looked at.
    Manifest { files, notes: Vec::new() }.write(&cached.with_extension("json"))
}

fn clear(folder: &Path) -> anyhow::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot clear {}", folder.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(out: &str) -> DebianArgs {
        DebianArgs {
            out: PathBuf::from(out),
            release: "bookworm".to_owned(),
            kernel: Kernel::Cloud,
            mirror: apt::MIRROR.to_owned(),
            cache_dir: None,
        }
    }

    #[test]
    fn the_recipe_follows_what_matters() {
        let first = recipe(&args("a"));
        assert_eq!(first, recipe(&args("b")), "the place does not matter");
        let generic = DebianArgs { kernel: Kernel::Generic, ..args("a") };
        assert_ne!(first, recipe(&generic));
    }

    #[test]
    fn a_cached_image_is_placed_with_its_sidecar() {
        let folder = tempfile::tempdir().unwrap();
        let mut args = args("");
        args.out = folder.path().join("out/debian.img.zst");
        args.cache_dir = Some(folder.path().join("cache"));
        let name = format!("debian-bookworm-cloud-{}", recipe(&args));
        let packed = folder.path().join("packed");
        fs::write(&packed, b"image").unwrap();
        let built = BuiltFile {
            name: "debian-bookworm-cloud".to_owned(),
            file: String::new(),
            kind: ImageKind::DiskZstd,
            architecture: "amd64".to_owned(),
            sha256: "00".to_owned(),
            size_bytes: 5,
            disk_bytes: Some(9),
        };
        keep(&packed, &folder.path().join("cache").join(name), &built).unwrap();
        let placed = build_debian(&args).unwrap();
        assert_eq!((placed.file.as_str(), placed.disk_bytes), ("debian.img.zst", Some(9)));
        assert_eq!(fs::read(&args.out).unwrap(), b"image");
        assert_eq!(Manifest::read(&sidecar(&args.out)).unwrap().files, [placed]);
    }
}
