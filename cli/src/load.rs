//! `ironherd load`: plays many clients against a server, to see what it carries.

mod dhcp;
mod tftp;

use clap::Subcommand;
use ironherd_dhcp_load::LoadArgs;
use ironherd_tftp_load::TftpLoadArgs;

use crate::output::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum LoadCommand {
    /// DHCP clients that get a lease, or renew it; losses and wrong replies are counted.
    Dhcp(LoadArgs),
    /// TFTP clients that fetch a file, all at once; resends and wrong bytes are counted.
    Tftp(TftpLoadArgs),
}

/// Plays it on this thread: nothing else runs in this process.
pub(crate) fn perform(command: &LoadCommand, output: Output) -> anyhow::Result<()> {
    match command {
        LoadCommand::Dhcp(args) => dhcp::perform(args, output),
        LoadCommand::Tftp(args) => tftp::perform(args, output),
    }
}
