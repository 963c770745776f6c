//! Which file of ours suits which firmware.

use super::Client;

/// What a machine's snapshot says, as far as the boot file goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Goal {
    /// The system on its own disk.
    Disk,
    /// The agent, or switching off: either way our second stage decides.
    Script,
}

/// What to hand out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Serve {
    /// A file by TFTP.
    Tftp(&'static str),
    /// The same files by HTTP.
    Url(&'static str),
    /// The address of the card's own iPXE script.
    ScriptUrl,
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub client: Client,
    /// Any of these in option 93; empty = whatever it says.
    pub architectures: &'static [u16],
    /// `None` = whatever it is.
    pub goal: Option<Goal>,
    pub serve: Serve,
}

/// The first line that fits wins; a client that fits none gets an address and no boot file. The
/// same happens while the file is not on this rack: firmware then tries its next boot device
/// instead of waiting for a transfer that cannot start.
pub const ROWS: &[Row] = &[
    row(Client::Ipxe, &[], None, Serve::ScriptUrl),
    row(Client::Pxe, &[0x00], None, Serve::Tftp("undionly.kpxe")),
    // Leaving iPXE again takes UEFI firmware minutes: do not go there for nothing.
    row(Client::Pxe, X64, Some(Goal::Disk), Serve::Tftp("local-x64.efi")),
    row(Client::Pxe, X64, None, Serve::Tftp("snponly.efi")),
    row(Client::Pxe, &[0x0b], None, Serve::Tftp("grub-arm64.efi")),
    row(Client::Pxe, &[0x06], None, Serve::Tftp("snponly-ia32.efi")),
    row(Client::Pxe, &[0x0a], None, Serve::Tftp("grub-arm32.efi")),
    row(Client::Pxe, &[0x0c], None, Serve::Tftp("bootppc64.bin")), // Open Firmware.
    row(Client::Pxe, &[0x19], None, Serve::Tftp("grub-riscv32.efi")),
    row(Client::Pxe, &[0x1b], None, Serve::Tftp("grub-riscv64.efi")),
    row(Client::Pxe, &[0x27], None, Serve::Tftp("grub-loongarch64.efi")),
    row(Client::Http, &[0x10], Some(Goal::Disk), Serve::Url("local-x64.efi")),
    row(Client::Http, &[0x10], None, Serve::Url("snponly.efi")),
    row(Client::Http, &[0x13], None, Serve::Url("grub-arm64.efi")),
    row(Client::Http, &[0x0f], None, Serve::Url("snponly-ia32.efi")),
    row(Client::Http, &[0x12], None, Serve::Url("grub-arm32.efi")),
    row(Client::Http, &[0x14], None, Serve::Url("undionly.kpxe")),
    row(Client::Http, &[0x1a], None, Serve::Url("grub-riscv32.efi")),
    row(Client::Http, &[0x1c], None, Serve::Url("grub-riscv64.efi")),
    row(Client::Http, &[0x28], None, Serve::Url("grub-loongarch64.efi")),
    // Petitboot reads a configuration in PXELINUX's language instead of a program.
    row(Client::Bare, OPAL, None, Serve::Tftp("pxelinux.cfg/default")),
    row(Client::Bare, S390, None, Serve::Tftp("boots390x.bin")),
    row(Client::Pxe, OPAL, None, Serve::Tftp("pxelinux.cfg/default")),
    row(Client::Pxe, S390, None, Serve::Tftp("boots390x.bin")),
    // U-Boot's own network boot runs a script; its EFI boot says PXEClient and is served above.
    row(Client::UBoot, &[0x17, 0x18], None, Serve::Url("boot.scr.uimg")),
    row(Client::UBoot, &[], None, Serve::Tftp("boot.scr.uimg")),
    row(Client::Onie, &[], None, Serve::Url("onie-installer")),
];

/// IANA calls 9 "EBC", RFC 4578 "x86-64": firmware that sends it is x86-64.
const X64: &[u16] = &[0x07, 0x09];
pub(super) const OPAL: &[u16] = &[0x0e];
pub(super) const S390: &[u16] = &[0x1f, 0x20];

const fn row(
    client: Client,
    architectures: &'static [u16],
    goal: Option<Goal>,
    serve: Serve,
) -> Row {
    Row { client, architectures, goal, serve }
}

/// Looks the answer up in [`ROWS`]; with it the number of its row.
#[must_use]
pub fn serve(
    client: Client,
    has_architecture: impl Fn(u16) -> bool,
    goal: Goal,
) -> Option<(usize, Serve)> {
    let fits = |(_, row): &(usize, &Row)| {
        let architectures = row.architectures;
        row.client == client
            && (architectures.is_empty() || architectures.iter().any(|it| has_architecture(*it)))
            && row.goal.is_none_or(|it| it == goal)
    };
    ROWS.iter().enumerate().find(fits).map(|(at, row)| (at, row.serve))
}
