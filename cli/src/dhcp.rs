//! `ironherd dhcp …`: what clients get, and what they sent.

mod capture;
mod explain;

use clap::Subcommand;

use crate::client::Client;
use crate::output::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum DhcpCommand {
    /// Says what a client would get, and why: a connected rack answers as it would the client.
    Explain(Box<explain::Explain>),
    /// Shows the DHCP packets that racks have kept of a card, or saves them as a pcap file.
    Capture(capture::Capture),
}

pub(crate) async fn run(
    client: &Client,
    output: Output,
    command: DhcpCommand,
) -> anyhow::Result<()> {
    match command {
        DhcpCommand::Explain(it) => explain::run(client, output, *it).await,
        DhcpCommand::Capture(it) => capture::run(client, output, it).await,
    }
}
