//! The tasks that run other tasks.

use std::process::Command;

use crate::{build, packages, run, tidy};

/// Everything CI asks for, cheapest first.
pub(crate) fn ci() -> anyhow::Result<()> {
    lint()?;
    test(false, &[])
}

pub(crate) fn lint() -> anyhow::Result<()> {
    run::step("packages", packages::ensure)?;
    run::step("fmt", || run::cargo(&["fmt", "--all", "--check"]))?;
    run::step("tidy", tidy::tidy)?;
    run::step("clippy", || {
        run::cargo(&["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"])
    })?;
    run::step("fuzz targets", || {
        // Only checked: the targets must not rot, running them is a job of its own.
        let mut command = Command::new(run::cargo_path());
        command.args(["check", "--quiet"]).current_dir("fuzz").env("RUSTC_BOOTSTRAP", "1");
        run::command(&mut command)
    })?;
    run::step("docs", || {
        let mut command = Command::new(run::cargo_path());
        command.args(["doc", "--quiet", "--workspace", "--no-deps", "--document-private-items"]);
        run::command(command.env("RUSTDOCFLAGS", "-D warnings"))
    })
}

/// Sets up, builds, and runs the tests; nothing may be skipped unless `quick`.
pub(crate) fn test(quick: bool, rest: &[String]) -> anyhow::Result<()> {
    run::step("packages", packages::ensure)?;
    let built = build::build()?;
    let nextest = Command::new(run::cargo_path())
        .args(["nextest", "--version"])
        .output()
        .is_ok_and(|output| output.status.success());
    let mut command = Command::new(run::cargo_path());
    match (nextest, quick) {
        (true, false) => command.args(["nextest", "run", "--workspace"]),
        (true, true) => {
            command.args(["nextest", "run", "--workspace", "-E", "not binary(=machines)"])
        }
        // The built-in runner has no groups: one thread keeps machines from starving each other.
        (false, false) => command.args(["test", "--workspace", "--", "--test-threads", "1"]),
        (false, true) => command.args(["test", "--workspace", "--", "--skip", "machines_"]),
    };
    command.args(rest);
    command.env("IRONHERD_AGENT", &built.agent).env("IRONHERD_BIN", &built.ironherd);
    if !quick {
        command.env("IRONHERD_TESTS_REQUIRE_ALL", "1");
    }
    run::step("tests", || run::command(&mut command))
}

/// The demo itself is `ironherd lab demo`: what users of the installed program have too.
pub(crate) fn demo(once: bool, output: &str, rest: &[String]) -> anyhow::Result<()> {
    run::step("packages", packages::ensure)?;
    let built = build::build()?;
    let mut command = Command::new(&built.ironherd);
    command.args(["lab", "demo", "--output", output]).env("IRONHERD_AGENT", &built.agent);
    if once {
        command.arg("--once");
    }
    run::command(command.args(rest))
}
