//! `ironherd dhcp …`: what clients are told, what they get, and what they sent.

mod capture;
mod class;
mod explain;
mod option;

use clap::Subcommand;

use crate::client::Client;
use crate::output::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum DhcpCommand {
    /// Says what a client would get, and why: a connected rack answers as it would the client.
    Explain(Box<explain::Explain>),
    /// Shows the DHCP packets that racks have kept of a card, or saves them as a pcap file.
    Capture(capture::Capture),
    /// Options at every scope: global, fabric, VLAN, subnet, range, class, machine.
    #[command(subcommand)]
    Option(option::OptionCommand),
    /// Client classes: clients told apart by what they send.
    #[command(subcommand)]
    Class(class::ClassCommand),
}

pub(crate) async fn run(
    client: &Client,
    output: Output,
    command: DhcpCommand,
) -> anyhow::Result<()> {
    match command {
        DhcpCommand::Explain(it) => explain::run(client, output, *it).await,
        DhcpCommand::Capture(it) => capture::run(client, output, it).await,
        DhcpCommand::Option(it) => option::run(client, output, it).await,
        DhcpCommand::Class(it) => class::run(client, output, it).await,
    }
}
