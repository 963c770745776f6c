//! The rules that no compiler checks. Each finding names the file, the rule and the remedy.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::run;

const FILE_LINES_MAX: usize = 400;
const LINE_CHARS_MAX: usize = 100;

/// Who may use whom among our crates; what is absent is refused. Read downwards: the data plane,
/// the control plane, the programs.
const ARROWS: &[(&str, &[&str])] = &[
    ("ironherd-wire", &[]),
    ("ironherd-snapshot", &[]),
    ("ironherd-leases", &["snapshot"]),
    ("ironherd-proto", &["wire", "snapshot", "leases"]),
    ("ironherd-uring", &[]),
    ("ironherd-link", &["snapshot"]),
    ("ironherd-rack", &["wire", "snapshot", "proto", "leases", "uring", "link"]),
    ("ironherd-domain", &[]),
    ("ironherd-store", &["domain"]),
    ("ironherd-app", &["domain", "store", "snapshot", "proto", "wire"]),
    ("ironherd-bmc", &[]),
    ("ironherd-workers", &["domain", "store", "app", "bmc", "snapshot"]),
    ("ironherd-api", &["domain", "app", "snapshot"]),
    ("ironherd-region", &["domain", "store", "app", "api", "bmc", "workers"]),
    ("ironherd-agent", &[]),
    ("ironherd-bmc-sim", &[]),
    ("ironherd-dhcp-load", &["wire", "uring"]),
    ("ironherd-tftp-load", &["wire", "uring", "dhcp-load"]),
    ("ironherd", &["region", "rack", "app", "bmc-sim", "dhcp-load", "tftp-load"]),
    ("ironherd-benches", &["wire", "snapshot", "proto", "leases"]),
    ("ironherd-peers", &["dhcp-load", "tftp-load", "rack", "snapshot", "leases", "uring", "wire"]),
    ("xtask", &[]),
];

/// Words that have a better one, or no place in a finished file.
const BANNED: &[(&str, &str)] = &[
    ("FIXME", "mend it, or open an issue and say its number"),
    ("todo!(", "write it, or leave it out"),
    ("unimplemented!(", "write it, or leave it out"),
    ("#[ignore", "a test that does not run is no test"),
    ("should_panic", "test the error instead"),
    ("std::thread::sleep", "wait for the condition instead"),
];

/// Sleeping is the job of the agent's retry loops and of polls that wait for a real process.
const MAY_SLEEP: &[&str] =
    &["agent/src", "cli/src/lab", "cli/tests", "loadtest", "benches/peers", "xtask/src"];

pub(crate) fn tidy() -> anyhow::Result<()> {
    let mut findings = Vec::new();
    let files = tracked_files()?;
    for file in files.iter().filter(|file| has_extension(file, "rs")) {
        check_source(file, &mut findings)?;
    }
    check_dead_files(&files, &mut findings)?;
    check_arrows(&mut findings)?;
    if findings.is_empty() {
        return Ok(());
    }
    for finding in &findings {
        eprintln!("{finding}");
    }
    bail!("{} findings", findings.len());
}

fn tracked_files() -> anyhow::Result<Vec<String>> {
    let arguments = ["ls-files", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").args(arguments).output().context("cannot run git")?;
    let text = String::from_utf8(output.stdout).context("git printed no UTF-8")?;
    let exists = |file: &&str| Path::new(file).is_file();
    Ok(text.lines().filter(exists).map(str::to_owned).collect())
}

fn check_source(file: &str, findings: &mut Vec<String>) -> anyhow::Result<()> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
    let lines = text.lines().count();
    // Tables of cases are long by nature: a test file may grow where a source file may not.
    let test = file.contains("/tests") || file.contains("/documents/");
    if FILE_LINES_MAX < lines && !test {
        findings.push(format!("{file}: {lines} lines; split it (at most {FILE_LINES_MAX})"));
    }
    for (at, line) in text.lines().enumerate() {
        if LINE_CHARS_MAX < line.chars().count() {
            findings.push(format!("{file}:{}: over {LINE_CHARS_MAX} characters", at + 1));
        }
        if file == "xtask/src/tidy.rs" {
            continue; // The list of banned words names them.
        }
        for (word, remedy) in BANNED {
            let excused = word.contains("sleep") && MAY_SLEEP.iter().any(|it| file.starts_with(it));
            if line.contains(word) && !excused {
                findings.push(format!("{file}:{}: `{word}`: {remedy}", at + 1));
            }
        }
    }
    let unsafe_here = text.contains("unsafe {") || text.contains("unsafe impl");
    if unsafe_here && !file.starts_with("dataplane/uring/") && file != "xtask/src/tidy.rs" {
        findings.push(format!("{file}: `unsafe` lives in dataplane/uring alone"));
    }
    Ok(())
}

/// A source file that no `mod` line reaches is compiled by nobody.
fn check_dead_files(files: &[String], findings: &mut Vec<String>) -> anyhow::Result<()> {
    let mut sources: BTreeMap<&str, String> = BTreeMap::new();
    for file in files.iter().filter(|file| has_extension(file, "rs")) {
        sources.insert(file, fs::read_to_string(file)?);
    }
    for file in sources.keys() {
        let Some((folder, name)) = file.rsplit_once('/') else { continue };
        let root = ["main.rs", "lib.rs", "build.rs"].contains(&name);
        let own_target = ["/tests", "/benches", "/fuzz_targets", "/examples", "/bin"];
        if root || own_target.iter().any(|it| folder.ends_with(it)) || !file.contains("/src/") {
            continue;
        }
        let module = name.trim_end_matches(".rs");
        let parents =
            [format!("{folder}.rs"), format!("{folder}/lib.rs"), format!("{folder}/main.rs")];
        let line = format!("mod {module};");
        let named =
            |parent: &String| sources.get(parent.as_str()).is_some_and(|text| text.contains(&line));
        if !parents.iter().any(named) {
            findings.push(format!("{file}: no `{line}` reaches it; name it or remove it"));
        }
    }
    Ok(())
}

fn check_arrows(findings: &mut Vec<String>) -> anyhow::Result<()> {
    let mut command = Command::new(run::cargo_path());
    command.args(["metadata", "--format-version", "1", "--no-deps", "--offline"]);
    let output = command.output().context("cannot run cargo metadata")?;
    let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata")?;
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = text(package, "name");
        let Some((_, allowed)) = ARROWS.iter().find(|(it, _)| *it == name) else {
            findings.push(format!("{name}: a crate without a line in tidy's table of arrows"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let target = text(dependency, "name");
            let Some(short) = target.strip_prefix("ironherd-") else { continue };
            if !allowed.contains(&short) && dependency["kind"].is_null() {
                findings.push(format!("{name} must not use {target} (docs/ARCHITECTURE.md)"));
            }
        }
    }
    Ok(())
}

fn has_extension(file: &str, extension: &str) -> bool {
    Path::new(file).extension().is_some_and(|it| it == extension)
}
