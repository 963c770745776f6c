//! Which boot file a client gets: one table, read from the top.
//!
//! # Source
//! Architectures: IANA's list for option 93, and what EDK2 and iPXE really send.

use std::net::Ipv4Addr;

use ironherd_snapshot::{Index, Intent, Lookup, Mac, Machine};
use ironherd_wire::dhcp::{Message, code, sub_option};

use crate::Link;

/// The program that asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Client {
    /// iPXE that can fetch a script over HTTP.
    Ipxe,
    /// PXE firmware, or an iPXE without HTTP.
    Pxe,
    /// UEFI HTTP boot firmware.
    Http,
    /// An operating system, or anything else that does not boot.
    Plain,
}

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

const BIOS: &[u16] = &[0x00];
/// IANA calls 9 "EBC", RFC 4578 "x86-64": firmware that sends it is x86-64.
const X64: &[u16] = &[0x07, 0x09];
const X64_HTTP: &[u16] = &[0x10];
const ARM64: &[u16] = &[0x0b];
const ARM64_HTTP: &[u16] = &[0x13];

/// The first line that fits wins; a client that fits none gets an address and no boot file.
pub const ROWS: &[Row] = &[
    row(Client::Ipxe, &[], None, Serve::ScriptUrl),
    row(Client::Pxe, BIOS, None, Serve::Tftp("undionly.kpxe")),
    // Leaving iPXE again takes UEFI firmware minutes: do not go there for nothing.
    row(Client::Pxe, X64, Some(Goal::Disk), Serve::Tftp("local-x64.efi")),
    row(Client::Pxe, X64, None, Serve::Tftp("snponly.efi")),
    row(Client::Pxe, ARM64, None, Serve::Tftp("grub-arm64.efi")),
    row(Client::Http, X64_HTTP, Some(Goal::Disk), Serve::Url("local-x64.efi")),
    row(Client::Http, X64_HTTP, None, Serve::Url("snponly.efi")),
    row(Client::Http, ARM64_HTTP, None, Serve::Url("grub-arm64.efi")),
];

const fn row(
    client: Client,
    architectures: &'static [u16],
    goal: Option<Goal>,
    serve: Serve,
) -> Row {
    Row { client, architectures, goal, serve }
}

impl Client {
    /// Tells the program by its classes (options 60 and 77) and iPXE's own option 175.
    #[must_use]
    pub fn of(message: &Message<'_>) -> Self {
        if speaks_ipxe(message) {
            return Self::Ipxe;
        }
        let Some(class) = message.option(code::VENDOR_CLASS) else { return Self::Plain };
        if class.starts_with(b"PXEClient") {
            Self::Pxe
        } else if class.starts_with(b"HTTPClient") {
            Self::Http
        } else {
            Self::Plain
        }
    }

    #[must_use]
    pub const fn boots(self) -> bool {
        !matches!(self, Self::Plain)
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Ipxe => "iPXE",
            Self::Pxe => "PXE",
            Self::Http => "HTTP boot",
            Self::Plain => "no boot client",
        }
    }
}

/// An iPXE that lists its features without HTTP cannot fetch a script: it is booted like plain
/// PXE firmware, into our own iPXE, which can.
fn speaks_ipxe(message: &Message<'_>) -> bool {
    use code::ipxe::{FEATURE_FIRST, FEATURE_HTTP, FEATURE_LAST};
    let named = message.has_user_class(b"iPXE");
    let Some(own) = message.option(code::IPXE) else { return named };
    own.read(|bytes| {
        let has = |feature| sub_option(bytes, feature).is_some_and(|it| it != [0]);
        let lists_any = (FEATURE_FIRST..=FEATURE_LAST).any(has);
        has(FEATURE_HTTP) || (named && !lists_any)
    })
}

/// What the card's machine shall boot; `None`: it is unknown and unknown machines are not taken in.
#[must_use]
pub fn intent(index: &Index, mac: Mac, uuid: Option<[u8; 16]>) -> Option<Intent> {
    match index.machine(mac, uuid) {
        Lookup::Known(Machine { intent, .. }) => Some(*intent),
        Lookup::Unknown => index.snapshot().settings.enlist.then_some(Intent::Enlist),
    }
}

/// Looks the answer up in [`ROWS`].
#[must_use]
pub fn serve(client: Client, has_architecture: impl Fn(u16) -> bool, goal: Goal) -> Option<Serve> {
    let fits = |row: &&Row| {
        let architectures = row.architectures;
        row.client == client
            && (architectures.is_empty() || architectures.iter().any(|it| has_architecture(*it)))
            && row.goal.is_none_or(|it| it == goal)
    };
    ROWS.iter().find(fits).map(|row| row.serve)
}

/// The boot file of one client, spelled out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootFile {
    pub client: Client,
    /// A TFTP name or a URL, without a NUL.
    pub name: String,
    /// For a person to read.
    pub detail: String,
}

/// Decides what a client boots; `None` if nothing.
#[must_use]
pub fn boot_file(
    index: &Index,
    link: &Link,
    mac: Mac,
    client: Client,
    message: &Message<'_>,
) -> Option<BootFile> {
    if !client.boots() {
        return None;
    }
    let intent = intent(index, mac, message.uuid())?;
    let goal = if intent == Intent::Local { Goal::Disk } else { Goal::Script };
    let name = match serve(client, |it| message.has_architecture(it), goal)? {
        Serve::Tftp(name) => name.to_owned(),
        Serve::Url(name) => file_url(link, name),
        Serve::ScriptUrl => script_url(link, mac),
    };
    let detail = format!("{} for {intent:?}: {name}", client.as_str());
    Some(BootFile { client, name, detail })
}

/// Where HTTP serves a boot file.
#[must_use]
pub fn file_url(link: &Link, name: &str) -> String {
    format!("{}/boot/{name}", boot_url(link))
}

/// Where HTTP serves a card's script.
#[must_use]
pub fn script_url(link: &Link, mac: Mac) -> String {
    format!("{}/ipxe/{}", boot_url(link), dashed(mac))
}

/// The HTTP boot server, without a slash at the end.
#[must_use]
pub fn boot_url(link: &Link) -> String {
    url(link.address, link.http_port)
}

/// The gateway for agents, without a slash at the end.
#[must_use]
pub fn gateway_url(link: &Link) -> String {
    url(link.address, link.gateway_port)
}

fn url(address: Ipv4Addr, port: u16) -> String {
    if port == 80 { format!("http://{address}") } else { format!("http://{address}:{port}") }
}

/// A MAC as in file names: `52-54-00-77-00-10`.
#[must_use]
pub fn dashed(mac: Mac) -> String {
    mac.to_string().replace(':', "-")
}
