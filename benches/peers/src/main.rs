//! Side-by-side runs against the servers of others. `cargo xtask bench dhcp` starts it.

mod dhcp;
mod extremes;
mod http;
mod live;
mod load;
mod network;
mod process;
mod rack;
mod rows;
mod servers;
mod sync;
mod tftp;

use std::ops::ControlFlow;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use ironherd_dhcp_load::{LoadArgs, Path, run};
use ironherd_tftp_load::TftpLoadArgs;

#[derive(Debug, Parser)]
#[command(name = "ironherd-peers")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Leases a second, processor time and latency beside Kea, ISC dhcpd and dnsmasq.
    Dhcp(dhcp::DhcpArgs),
    /// How soon a change in the region is in force in the rack, under load.
    Live(live::LiveArgs),
    /// Changes things and watches, from where the clients are.
    #[command(hide = true)]
    LiveDrive(live::DriveArgs),
    /// Our server, as the bench runs it.
    #[command(hide = true)]
    Rack(rack::RackArgs),
    /// Boot files by TFTP beside dnsmasq, tftpd-hpa and atftpd.
    Tftp(tftp::TftpArgs),
    /// Boot files by HTTP beside nginx.
    Http(http::HttpArgs),
    /// One load, reported as JSON.
    #[command(hide = true)]
    Load(LoadArgs),
    /// One load of TFTP clients, reported as JSON.
    #[command(hide = true)]
    TftpLoad(TftpLoadArgs),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Dhcp(args) => dhcp::run(&args),
        Command::Live(args) => live::run(&args),
        Command::LiveDrive(args) => live::drive(&args),
        Command::Rack(args) => rack::run(args),
        Command::Tftp(args) => tftp::run(&args),
        Command::Http(args) => http::run(&args),
        Command::Load(args) => load(&args),
        Command::TftpLoad(args) => tftp_load(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[allow(clippy::print_stdout, reason = "this is the program's answer")]
fn load(args: &LoadArgs) -> anyhow::Result<()> {
    let (plan, via) = args.plan()?;
    let report = run(plan, &Path::open(&via)?, |_| ControlFlow::Continue(()))?;
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

#[allow(clippy::print_stdout, reason = "this is the program's answer")]
fn tftp_load(args: &TftpLoadArgs) -> anyhow::Result<()> {
    let report = ironherd_tftp_load::run(&args.plan()?, |_| ControlFlow::Continue(()))?;
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}
