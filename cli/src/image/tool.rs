//! Programs of the distribution that building images needs.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

/// A program and the Debian package that has it.
pub(super) type Tool = (&'static str, &'static str);

/// Checks that all programs are there.
///
/// # Errors
/// One that names every missing package in the command that installs them.
pub(super) fn require(tools: &[Tool]) -> anyhow::Result<()> {
    let mut missing: Vec<&str> =
        tools.iter().filter(|it| find(it.0).is_none()).map(|it| it.1).collect();
    missing.sort_unstable();
    missing.dedup();
    if !missing.is_empty() {
        bail!(
            "packages are missing; install them with\n  \
             apt-get install --no-install-recommends {}",
            missing.join(" ")
        );
    }
    Ok(())
}

/// Looks through `PATH` and the system folders, which an ordinary user's `PATH` leaves out.
pub(super) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(system).map(|it| it.join(program)).find(|it| it.is_file())
}

/// A command for a program of the distribution, without input and with English messages.
pub(super) fn command(program: &str) -> Command {
    let mut command = Command::new(find(program).unwrap_or_else(|| program.into()));
    command.stdin(Stdio::null()).env("LC_ALL", "C.UTF-8").env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// Runs a command to its end and gives back what it printed.
///
/// # Errors
/// With the last lines of its standard error, if it fails.
pub(super) fn run(command: &mut Command) -> anyhow::Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("cannot start {name}"))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        let lines: Vec<&str> = words.lines().collect();
        let last = lines[lines.len().saturating_sub(12)..].join("\n  ");
        bail!("{name} failed ({}):\n  {last}", output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Keeps other builds out of a folder until dropped; waits for the one that is in there.
pub(super) fn lock(folder: &Path) -> anyhow::Result<File> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let path = folder.join(".lock");
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_packages_are_named_in_a_command() {
        let error = require(&[("sh", "dash"), ("no-such-tool", "b"), ("nor-this", "a")]);
        let text = error.unwrap_err().to_string();
        assert!(text.ends_with("apt-get install --no-install-recommends a b"), "{text}");
    }

    #[test]
    fn a_failure_carries_the_last_words() {
        let error = run(command("sh").args(["-c", "echo why >&2; exit 3"])).unwrap_err();
        assert!(error.to_string().contains("why"), "{error}");
        assert_eq!(run(command("sh").args(["-c", "echo out"])).unwrap(), "out\n");
    }
}
