//! `cargo xtask TASK`: everything a developer or CI does with this repository, one command each.

mod bench;
mod build;
mod ci;
mod fuzz;
mod packages;
mod run;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's own tasks.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Boots, commissions and deploys machines with real firmware, and keeps them up to look at.
    Demo {
        /// Release the machines at the end and exit.
        #[arg(long)]
        once: bool,
        /// `json` prints one summary object on standard output.
        #[arg(long, default_value = "table")]
        output: String,
        /// Passed on to `ironherd lab demo`.
        #[arg(last = true)]
        rest: Vec<String>,
    },
    /// Sets everything up and runs all tests, the whole scenario on real firmware among them.
    Test {
        /// Leave out the tests that start machines; for a quick look, not for a landing.
        #[arg(long)]
        quick: bool,
        /// Passed on to the test runner, e.g. `-p ironherd-wire`.
        #[arg(last = true)]
        rest: Vec<String>,
    },
    /// fmt, clippy with warnings denied, tidy, docs and tests.
    Ci,
    /// The rules no compiler checks: crate arrows, lengths, dead files, banned words.
    Tidy,
    /// Installs the Debian packages the demo and the tests need, or names them.
    Setup,
    /// Builds `ironherd` and the static agent; prints where they are.
    Build,
    /// Fuzzes the parsers and state machines that strangers can reach.
    Fuzz {
        /// `dhcp4`, `dhcp6`, …; left out, all in turn.
        target: Option<String>,
        /// How long each runs.
        #[arg(long, default_value_t = 60)]
        seconds: u32,
    },
    /// Runs one benchmark: `dhcp`, `tftp` or `http` beside the servers of others, how soon a change
    /// is in force (`live`), or a criterion bench by its name.
    Bench {
        /// `dhcp`, `live`, `tftp`, `http`, `wire_parse`, `dhcp_decide`, …
        name: String,
        /// One short round: a look, not a result.
        #[arg(long)]
        quick: bool,
        /// `json` prints rows for programs on standard output.
        #[arg(long, default_value = "table")]
        output: String,
        /// Passed on, e.g. `--only ironherd_durable,kea_memfile --rounds 2`.
        #[arg(last = true)]
        rest: Vec<String>,
    },
}

fn main() -> ExitCode {
    match perform(Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(task: Task) -> anyhow::Result<()> {
    std::env::set_current_dir(build::root())?;
    match task {
        Task::Demo { once, output, rest } => ci::demo(once, &output, &rest),
        Task::Test { quick, rest } => ci::test(quick, &rest),
        Task::Ci => ci::ci(),
        Task::Tidy => tidy::tidy(),
        Task::Setup => packages::ensure(),
        Task::Build => {
            let built = build::build()?;
            eprintln!("{}\n{}", built.ironherd.display(), built.agent.display());
            Ok(())
        }
        Task::Fuzz { target, seconds } => fuzz::fuzz(target.as_deref(), seconds),
        Task::Bench { name, quick, output, rest } => match name.as_str() {
            "dhcp" => bench::dhcp(quick, &output, &rest),
            "live" => bench::live(quick, &output, &rest),
            "tftp" => bench::tftp(quick, &output, &rest),
            "http" => bench::http(quick, &output, &rest),
            _ => bench::criterion(&name, &rest),
        },
    }
}
