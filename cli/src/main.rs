//! The `ironherd` program: serving, administration, images, machines, the lab.

mod admin;
mod alarm;
mod client;
mod config;
mod demo;
mod dhcp;
mod doctor;
mod image;
mod lab;
mod lease;
mod load;
mod logs;
mod machine;
mod network;
mod noun;
mod output;
mod serve;
mod subnet;
mod watch;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{CommandFactory as _, Parser, Subcommand};
use serde_json::json;

use client::{Client, Token};
use config::Config;
use output::Output;

/// Heads the options that every command has, so that a command's own come first.
const COMMON: &str = "Common options";

/// Bare-metal provisioning: find, commission, deploy and release physical servers.
#[derive(Debug, Parser)]
#[command(name = "ironherd", version, propagate_version = true, max_term_width = 100)]
struct Arguments {
    /// Configuration file [default: ironherd.toml, if it is there].
    #[arg(long, global = true, help_heading = COMMON, env = "IRONHERD_CONFIG")]
    config: Option<PathBuf>,
    /// Folder for the database, images, leases and keys.
    #[arg(long, global = true, help_heading = COMMON)]
    data_dir: Option<PathBuf>,
    /// The region's address, for commands that talk to it.
    #[arg(long, global = true, help_heading = COMMON, env = "IRONHERD_URL")]
    #[arg(default_value = "http://127.0.0.1:5240")]
    url: String,
    /// File with an API token; `ironherd admin create` makes one.
    #[arg(long = "api-token-file", global = true, help_heading = COMMON)]
    #[arg(env = "IRONHERD_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    /// Tables for people, JSON for programs.
    #[arg(long, global = true, help_heading = COMMON, value_enum, default_value_t)]
    output: Output,
    /// How log lines on standard error look.
    #[arg(long, global = true, help_heading = COMMON, value_enum, default_value_t)]
    log_format: logs::LogFormat,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs region and rack in one process.
    Up(serve::ServeArgs),
    /// Runs the control plane alone.
    Region(serve::ServeArgs),
    /// Runs a data plane alone, for a region elsewhere.
    Rack(serve::ServeArgs),
    /// Finds, commissions, deploys, releases and switches machines.
    #[command(subcommand)]
    Machine(machine::MachineCommand),
    /// Sets of VLANs that can be reached from one another.
    #[command(subcommand)]
    Fabric(network::fabric::FabricCommand),
    /// VLANs, and what DHCP does on each.
    #[command(subcommand)]
    Vlan(network::vlan::VlanCommand),
    /// The networks that racks serve.
    #[command(subcommand)]
    Subnet(subnet::SubnetCommand),
    /// The same for IPv6, with prefixes to delegate and Router Advertisements.
    #[command(subcommand)]
    Subnet6(network::subnet6::Subnet6Command),
    /// Addresses for clients without a reservation.
    #[command(subcommand)]
    Range(network::range::RangeCommand),
    /// Addresses that are kept for one client each.
    #[command(subcommand)]
    Reservation(network::reservation::ReservationCommand),
    /// What DHCP clients get and why, and the packets that they sent.
    #[command(subcommand)]
    Dhcp(dhcp::DhcpCommand),
    /// Who has an address, and who had it.
    #[command(subcommand)]
    Lease(lease::LeaseCommand),
    /// What racks warn of: foreign DHCP servers, ranges that run out, failed disks.
    #[command(subcommand)]
    Alarm(alarm::AlarmCommand),
    /// Builds and uploads boot and disk images.
    #[command(subcommand)]
    Image(image::ImageCommand),
    /// A private network of QEMU machines with real firmware and simulated BMCs.
    #[command(subcommand)]
    Lab(LabCommand),
    /// Plays many clients against a server and measures what they get.
    #[command(subcommand)]
    Load(load::LoadCommand),
    /// Looks at what this host allows a rack, and says what to do where that is too little.
    #[command(after_help = "Example: sudo ironherd doctor\nEnds with 1 if a rack would not start.")]
    Doctor,
    /// Runs a GraphQL document from a file (or `-`) and prints its data.
    Graphql {
        file: PathBuf,
        /// Variables as a JSON object.
        #[arg(long, default_value = "{}")]
        variables: String,
    },
    /// Tokens for administrators, made on the server itself.
    #[command(subcommand)]
    Admin(admin::AdminCommand),
    /// What the configuration comes to.
    #[command(subcommand)]
    Config(ConfigCommand),
}

#[derive(Debug, Subcommand)]
enum LabCommand {
    /// Takes machines from power-on to DEPLOYED, unattended, with a live view.
    Demo(demo::DemoArgs),
    /// Builds the images that the demo deploys, unless they are there, and says where they are.
    Images(demo::ImagesArgs),
    #[command(flatten)]
    Lab(lab::LabCommand),
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum ConfigCommand {
    /// Reads all sources, refuses unknown keys, and prints what holds.
    Check,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // First, so that every TLS user finds the one crypto provider.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let serving =
        matches!(arguments.command, Command::Up(_) | Command::Region(_) | Command::Rack(_));
    logs::start(arguments.log_format, if serving { "info" } else { "warn" });
    match dispatch(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: Arguments) -> anyhow::Result<()> {
    let mut config = config::load(arguments.config.as_deref())?;
    if let Some(data_dir) = &arguments.data_dir {
        config.data_dir.clone_from(data_dir);
    }
    // Serving enters a network namespace, which must happen before any thread exists.
    match &arguments.command {
        Command::Up(args) => return serve::run(config, args, serve::Role::Both),
        Command::Region(args) => return serve::run(config, args, serve::Role::Region),
        Command::Rack(args) => return serve::run(config, args, serve::Role::Rack),
        Command::Load(command) => return load::perform(command, arguments.output),
        Command::Doctor => return doctor::run(&config, arguments.output),
        _ => {}
    }
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    runtime.block_on(run(arguments, &config))
}

#[allow(clippy::print_stdout, reason = "this is the program's answer")]
async fn run(arguments: Arguments, config: &Config) -> anyhow::Result<()> {
    let output = arguments.output;
    let client =
        || -> anyhow::Result<Client> {
            let Some(file) = &arguments.token_file else {
                Arguments::command().error(
                clap::error::ErrorKind::MissingRequiredArgument,
                "no API token: set IRONHERD_TOKEN_FILE (`ironherd admin create` makes a token)",
            ).exit();
            };
            Client::new(&arguments.url, Token::from_file(file)?)
        };
    match arguments.command {
        Command::Up(_)
        | Command::Region(_)
        | Command::Rack(_)
        | Command::Load(_)
        | Command::Doctor => Ok(()),
        Command::Machine(command) => machine::run(&client()?, output, command).await,
        Command::Fabric(command) => network::fabric::run(&client()?, output, command).await,
        Command::Vlan(command) => network::vlan::run(&client()?, output, command).await,
        Command::Subnet(command) => subnet::run(&client()?, output, command).await,
        Command::Subnet6(command) => network::subnet6::run(&client()?, output, command).await,
        Command::Range(command) => network::range::run(&client()?, output, command).await,
        Command::Reservation(command) => {
            network::reservation::run(&client()?, output, command).await
        }
        Command::Dhcp(command) => dhcp::run(&client()?, output, command).await,
        Command::Lease(command) => lease::run(&client()?, output, command).await,
        Command::Alarm(command) => alarm::run(&client()?, output, command).await,
        Command::Image(command) => image::run(client, output, command).await,
        Command::Lab(LabCommand::Demo(args)) => demo::run(args, output).await,
        Command::Lab(LabCommand::Images(args)) => demo::images(&args, output).await,
        Command::Lab(LabCommand::Lab(command)) => {
            lab::run(command, client, &config.data_dir, output).await
        }
        Command::Graphql { file, variables } => {
            let document = match file.as_os_str() == "-" {
                true => std::io::read_to_string(std::io::stdin())?,
                false => std::fs::read_to_string(&file)
                    .with_context(|| format!("cannot read {}", file.display()))?,
            };
            let variables: serde_json::Value =
                serde_json::from_str(&variables).context("--variables is no JSON object")?;
            println!("{:#}", client()?.run(&document, variables).await?);
            Ok(())
        }
        Command::Admin(command) => admin::run(config, command).await,
        Command::Config(ConfigCommand::Check) => {
            match output {
                Output::Json => println!("{:#}", json!(config)),
                Output::Table => print!("{}", toml::to_string_pretty(config)?),
            }
            Ok(())
        }
    }
}
