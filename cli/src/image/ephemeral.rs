//! `ironherd image build-ephemeral`: kernel, initrd with the agent, and the boot files.
//!
//! Everything but a few tools comes from the distribution's packages, fetched into a folder of
//! their own. Firmware blobs are not included: cards that need one (some bnx2, QLogic) want an
//! initrd of one's own.

mod boot_files;
mod cpio;
mod initrd;
mod modules;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;

use super::apt::{self, Apt, Source};
use super::manifest::{self, BuiltFile, ImageKind, Manifest};
use super::steps::Steps;
use super::tool;

#[derive(Args, Clone, Debug)]
pub(crate) struct EphemeralArgs {
    /// Folder for the results.
    #[arg(long)]
    pub(crate) out: PathBuf,
    /// The static agent binary, as `cargo xtask build` makes it.
    #[arg(long, env = "IRONHERD_AGENT")]
    pub(crate) agent: PathBuf,
    /// Debian release whose kernel is used.
    #[arg(long, default_value = "bookworm")]
    pub(crate) release: String,
    /// Architecture of the machines. Only amd64 agents exist today.
    #[arg(long, default_value = "amd64", value_parser = ["amd64"])]
    pub(crate) arch: String,
    /// Package mirror.
    #[arg(long, default_value = apt::MIRROR)]
    pub(crate) mirror: String,
}

const TOOLS: &[tool::Tool] = &[
    ("apt-get", "apt"),
    ("dpkg-deb", "dpkg"),
    ("depmod", "kmod"),
    ("zstd", "zstd"),
    ("grub-mkstandalone", "grub-common"),
];

/// Builds everything into `args.out`, with a manifest.
pub(crate) fn build_ephemeral(args: &EphemeralArgs) -> anyhow::Result<Manifest> {
    tool::require(TOOLS)?;
    if !Path::new(apt::KEYRING).exists() {
        bail!(
            "packages are missing; install them with\n  \
             apt-get install --no-install-recommends debian-archive-keyring"
        );
    }
    let agent = fs::read(&args.agent)
        .with_context(|| format!("cannot read the agent {}", args.agent.display()))?;
    fs::create_dir_all(&args.out).with_context(|| format!("cannot make {}", args.out.display()))?;
    let work = args.out.join(".work");
    clear(&work)?;
    let mut steps = Steps::new();
    let manifest = build(args, &agent, &work, &mut steps)?;
    manifest.write(&args.out.join(manifest::FILE))?;
    clear(&work)?;
    Ok(manifest)
}

fn build(
    args: &EphemeralArgs,
    agent: &[u8],
    work: &Path,
    steps: &mut Steps,
) -> anyhow::Result<Manifest> {
    let arch = args.arch.as_str();
    let source = Source { mirror: &args.mirror, release: &args.release, architecture: arch };
    steps.begin(format!("Package lists of {}", args.release));
    let archive = Apt::open(&work.join("apt"), &source)?;

    let kernel_package = archive.real_package(&format!("linux-image-{arch}"))?;
    steps.begin(format!("Kernel {kernel_package}"));
    let kernel = work.join("kernel");
    archive.unpack(&[&kernel_package], &kernel)?;
    let userland = work.join("userland");
    archive.unpack(&initrd::packages(&archive)?, &userland)?;
    archive.unpack(boot_files::PACKAGES, &userland)?;

    steps.begin("Modules");
    let tree = modules::Tree::open(&kernel)?;
    let vmlinuz = tree.vmlinuz()?;
    fs::copy(&vmlinuz, args.out.join("vmlinuz")).context("cannot copy the kernel")?;

    steps.begin("Initrd");
    initrd::build(&tree, &userland, agent, work, &args.out.join("initrd.img"))?;

    steps.begin("Boot files");
    boot_files::build(&userland, work, &args.out)?;
    let mut notes = vec!["firmware blobs are not included".to_owned()];
    let mut names = boot_files::NAMES.to_vec();
    match boot_files::build_arm64(&source, work, &args.out) {
        Ok(()) => names.push(boot_files::ARM64_NAME),
        Err(error) => {
            let note = format!("no {}: {error:#}", boot_files::ARM64_NAME);
            steps.note(&note);
            notes.push(note);
        }
    }

    let mut files = vec![
        built(
            &args.out,
            "vmlinuz",
            &format!("ephemeral/{arch}/vmlinuz"),
            ImageKind::EphemeralKernel,
        )?,
        built(
            &args.out,
            "initrd.img",
            &format!("ephemeral/{arch}/initrd.img"),
            ImageKind::EphemeralInitrd,
        )?,
    ];
    for name in names {
        files.push(built(&args.out, name, name, ImageKind::BootFile)?);
    }
    Ok(Manifest { files, notes })
}

fn built(out: &Path, file: &str, name: &str, kind: ImageKind) -> anyhow::Result<BuiltFile> {
    let (sha256, size_bytes) = manifest::digest(&out.join(file))?;
    let architecture = if file == boot_files::ARM64_NAME { "arm64" } else { "amd64" };
    Ok(BuiltFile {
        name: name.to_owned(),
        file: file.to_owned(),
        kind,
        architecture: architecture.to_owned(),
        sha256,
        size_bytes,
        disk_bytes: None,
    })
}

fn clear(folder: &Path) -> anyhow::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot clear {}", folder.display()))?;
    }
    Ok(())
}
