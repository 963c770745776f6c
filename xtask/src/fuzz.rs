//! Runs the fuzz targets with the compiler that everything else is built with.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::run;

const TARGET: &str = "x86_64-unknown-linux-gnu";
/// What `cargo fuzz` would ask of a nightly compiler: counters for libFuzzer on every edge, and
/// arithmetic that may not overflow.
const FLAGS: [&str; 8] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
    "-Cdebug-assertions",
    "--cfg=fuzzing",
];

/// Runs one target, or all in turn, each for so long. What it finds is kept in `fuzz/corpus`, an
/// input that ends a target in `fuzz/artifacts`.
pub(crate) fn fuzz(only: Option<&str>, seconds: u32) -> anyhow::Result<()> {
    let known = targets()?;
    let chosen: Vec<_> = known.iter().filter(|it| only.is_none_or(|name| name == *it)).collect();
    if chosen.is_empty() {
        bail!("there is no such target; there are: {}", known.join(", "));
    }
    run::step("build", || {
        let mut command = Command::new(run::cargo_path());
        command.args(["build", "--release", "--target", TARGET]).current_dir("fuzz");
        command.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", FLAGS.join(" "));
        run::command(&mut command)
    })?;
    for name in chosen {
        let (corpus, artifacts) = (format!("corpus/{name}"), format!("artifacts/{name}"));
        for folder in [&corpus, &artifacts] {
            let folder = Path::new("fuzz").join(folder);
            std::fs::create_dir_all(&folder)
                .with_context(|| format!("cannot make {}", folder.display()))?;
        }
        run::step(name, || {
            let mut command = Command::new(format!("target/{TARGET}/release/{name}"));
            command.arg(&corpus).arg(format!("-artifact_prefix={artifacts}/"));
            command.arg(format!("-max_total_time={seconds}"));
            command.args(["-max_len=2048", "-print_final_stats=1"]);
            run::command(command.current_dir("fuzz"))
        })?;
    }
    Ok(())
}

/// One file, one target.
fn targets() -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir("fuzz/fuzz_targets").context("cannot list the fuzz targets")? {
        let path = entry?.path();
        names.extend(path.file_stem().map(|it| it.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}
