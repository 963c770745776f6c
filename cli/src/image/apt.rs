//! A package archive of its own: packages of any release and architecture, whatever this computer
//! runs, without touching its package lists.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use super::tool;

pub(super) const MIRROR: &str = "http://deb.debian.org/debian";
pub(super) const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
const SECURITY_MIRROR: &str = "http://deb.debian.org/debian-security";

/// Where packages come from.
#[derive(Clone, Debug)]
pub(super) struct Source<'a> {
    pub(super) mirror: &'a str,
    pub(super) release: &'a str,
    pub(super) architecture: &'a str,
}

impl Source<'_> {
    /// Lines for `sources.list`, security updates included.
    pub(super) fn lines(&self) -> Vec<String> {
        let (mirror, release) = (self.mirror, self.release);
        vec![
            format!("deb {mirror} {release} main"),
            format!("deb {mirror} {release}-updates main"),
            format!("deb {} {release}-security main", self.security()),
        ]
    }

    /// A private mirror is taken to carry the security archive beside the main one.
    fn security(&self) -> String {
        match self.mirror {
            MIRROR => SECURITY_MIRROR.to_owned(),
            other => format!("{}-security", other.trim_end_matches('/')),
        }
    }
}

/// An apt with its own lists below one folder.
#[derive(Debug)]
pub(super) struct Apt {
    folder: PathBuf,
    config: PathBuf,
}

impl Apt {
    /// Fetches the package lists of `source` into `folder`.
    pub(super) fn open(folder: &Path, source: &Source<'_>) -> anyhow::Result<Self> {
        let folder = std::path::absolute(folder)?;
        for name in ["state/lists/partial", "cache/archives/partial", "packages"] {
            fs::create_dir_all(folder.join(name))
                .with_context(|| format!("cannot make {}", folder.display()))?;
        }
        fs::write(folder.join("state/status"), "")?;
        let lines = source.lines().into_iter();
        let lines = lines.map(|it| it.replacen("deb ", &format!("deb [signed-by={KEYRING}] "), 1));
        fs::write(folder.join("sources.list"), lines.map(|it| it + "\n").collect::<String>())?;
        let config = folder.join("apt.conf");
        fs::write(&config, config_text(&folder, source.architecture))?;
        let apt = Self { folder, config };
        tool::run(apt.command("apt-get").args(["update", "--quiet"]))?;
        Ok(apt)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = tool::command(program);
        command.env("APT_CONFIG", &self.config).current_dir(self.folder.join("packages"));
        command
    }

    /// The real package behind a meta package such as `linux-image-amd64`.
    pub(super) fn real_package(&self, meta: &str) -> anyhow::Result<String> {
        let text = tool::run(self.command("apt-cache").args(["show", "--no-all-versions", meta]))?;
        let line = text.lines().find_map(|it| it.strip_prefix("Depends: "));
        let name = line.and_then(|it| it.split([' ', ',', '(']).next()).unwrap_or_default();
        if name.is_empty() {
            bail!("the package {meta} depends on nothing");
        }
        Ok(name.to_owned())
    }

    /// Downloads packages and unpacks them into `target`, without running their scripts.
    pub(super) fn unpack(&self, packages: &[&str], target: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(target)?;
        let packages_folder = self.folder.join("packages");
        for old in fs::read_dir(&packages_folder)? {
            fs::remove_file(old?.path())?;
        }
        tool::run(self.command("apt-get").args(["download", "--quiet"]).args(packages))?;
        for package in fs::read_dir(&packages_folder)? {
            tool::run(tool::command("dpkg-deb").arg("-x").arg(package?.path()).arg(target))?;
        }
        Ok(())
    }

    /// The first of `names` that the release has; libraries were renamed for 64-bit time.
    pub(super) fn first_known<'n>(&self, names: &[&'n str]) -> anyhow::Result<&'n str> {
        let known = names.iter().find(|it| {
            let shown =
                tool::run(self.command("apt-cache").args(["show", "--no-all-versions", it]));
            shown.is_ok_and(|text| text.contains("Version: "))
        });
        known.copied().with_context(|| format!("the archive has none of {}", names.join(", ")))
    }
}

/// What the computer's own configuration says about proxies stays in force.
fn config_text(folder: &Path, architecture: &str) -> String {
    let folder = folder.display();
    format!(
        r#"APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Sandbox::User "root";
Acquire::Languages "none";
Dir::State "{folder}/state";
Dir::Cache "{folder}/cache";
Dir::State::status "{folder}/state/status";
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "/dev/null";
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn security_updates_are_part_of_every_source() {
        let source = Source { mirror: MIRROR, release: "bookworm", architecture: "amd64" };
        let lines = source.lines();
        assert_eq!(lines[0], "deb http://deb.debian.org/debian bookworm main");
        assert_eq!(lines[2], "deb http://deb.debian.org/debian-security bookworm-security main");
        let source = Source { mirror: "http://m/debian", ..source };
        assert_eq!(source.lines()[2], "deb http://m/debian-security bookworm-security main");
    }
}
