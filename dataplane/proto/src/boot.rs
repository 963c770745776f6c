//! Which boot file a client gets: what its machine says, else its class, else one table.
//!
//! # Source
//! Architectures: IANA's list for option 93, and what EDK2 and iPXE really send.

mod client;
mod table;

use std::net::{IpAddr, SocketAddr};

use ironherd_snapshot::{ClassSet, Index, Intent, Lookup, Mac, Machine};
use ironherd_wire::dhcp::Message;

pub use self::client::Client;
pub use self::table::{Goal, ROWS, Row, Serve, serve};
use crate::Link;

/// What the card's machine shall boot; `None`: it is unknown and unknown machines are not taken in.
#[must_use]
pub fn intent(index: &Index, mac: Mac, uuid: Option<[u8; 16]>) -> Option<Intent> {
    match index.machine(mac, uuid) {
        Lookup::Known(machine) => intent_of(index, Some(machine)),
        Lookup::Unknown => intent_of(index, None),
    }
}

fn intent_of(index: &Index, machine: Option<&Machine>) -> Option<Intent> {
    match machine {
        Some(machine) => Some(machine.intent),
        None => index.snapshot().settings.enlist.then_some(Intent::Enlist),
    }
}

/// The boot file of one client, spelled out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootFile {
    pub client: Client,
    /// A TFTP name or a URL, without a NUL.
    pub name: String,
    pub source: BootSource,
    /// For a person to read.
    pub detail: String,
}

/// Who says which file it is. The first that says anything decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BootSource {
    /// The machine's own boot file.
    Machine,
    /// The boot file of the class at this place of the snapshot.
    Class(usize),
    /// Option 67 of some scope.
    Option,
    /// This row of [`ROWS`].
    Row(usize),
}

/// Why a client gets no boot file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoBootFile {
    /// It does not boot.
    NotBooting,
    /// Its machine is unknown, and unknown machines are not taken in.
    UnknownMachine,
    /// No row of the table fits its program and architecture.
    NoRow(Client),
    /// The file that fits is not on this rack.
    Absent(&'static str),
    /// Somebody names a URL, which PXE firmware would take for the name of a file.
    UrlForPxe(String),
}

impl NoBootFile {
    /// For a person to read; `None` if nothing is amiss.
    #[must_use]
    pub fn complaint(&self) -> Option<String> {
        match self {
            Self::NotBooting | Self::UnknownMachine => None,
            Self::NoRow(client) => Some(format!(
                "no boot file: {} of this architecture is not served",
                client.as_str()
            )),
            Self::Absent(name) => Some(format!(
                "no boot file: `{name}` is not on this rack; upload it as a boot file"
            )),
            Self::UrlForPxe(url) => {
                Some(format!("no boot file: PXE firmware cannot load the URL `{url}`"))
            }
        }
    }
}

/// What the decision goes by.
#[derive(Clone, Copy, Debug)]
pub struct Boots<'a> {
    pub index: &'a Index,
    pub link: &'a Link,
    pub mac: Mac,
    pub client: Client,
    pub machine: Option<&'a Machine>,
    pub classes: ClassSet,
    /// Option 67 of the narrowest scope that has one.
    pub option: Option<&'a [u8]>,
}

/// Decides what a client boots.
///
/// # Errors
/// Why it boots nothing.
pub fn boot_file(boots: &Boots<'_>, message: &Message<'_>) -> Result<BootFile, NoBootFile> {
    boot_file_for(boots, |it| message.has_architecture(it))
}

/// The same for either version of DHCP: `has_architecture` says what the client runs on.
///
/// # Errors
/// Why it boots nothing.
pub fn boot_file_for(
    boots: &Boots<'_>,
    has_architecture: impl Fn(u16) -> bool,
) -> Result<BootFile, NoBootFile> {
    let Boots { client, .. } = *boots;
    let named = named(boots);
    if named.is_none() && !client.boots() {
        return Err(NoBootFile::NotBooting);
    }
    if let Some((source, name)) = named {
        let name = fitting(boots, name)?;
        let detail = format!("{} as told: {name}", client.as_str());
        return Ok(BootFile { client, name, source, detail });
    }
    let intent = intent_of(boots.index, boots.machine).ok_or(NoBootFile::UnknownMachine)?;
    let goal = if intent == Intent::Local { Goal::Disk } else { Goal::Script };
    let found = serve(client, has_architecture, goal);
    let (row, serve) = found.ok_or(NoBootFile::NoRow(client))?;
    let here = |name| boots.index.file(name).map(|_| name).ok_or(NoBootFile::Absent(name));
    let name = match serve {
        Serve::Tftp(name) => here(name)?.to_owned(),
        Serve::Url(name) => file_url(boots.link, here(name)?),
        Serve::ScriptUrl => script_url(boots.link, boots.mac),
    };
    let detail = format!("{} for {intent:?}: {name}", client.as_str());
    Ok(BootFile { client, name, source: BootSource::Row(row), detail })
}

/// What an operator names: for the machine, for a class, as option 67. A class speaks to clients
/// that do not say they boot, too: its conditions tell who they are.
fn named<'a>(boots: &Boots<'a>) -> Option<(BootSource, &'a str)> {
    let machine = || Some((BootSource::Machine, boots.machine?.boot_file.as_deref()?));
    let classes = &boots.index.snapshot().classes;
    let class = || {
        let mut members = boots.classes.iter();
        members.find_map(|at| Some((BootSource::Class(at), classes.get(at)?.boot_file.as_deref()?)))
    };
    let option = || {
        let text = std::str::from_utf8(boots.option?).ok()?;
        Some((BootSource::Option, text.trim_end_matches('\0')))
    };
    let boots = boots.client.boots();
    let machine = if boots { machine() } else { None };
    machine.or_else(class).or_else(|| if boots { option() } else { None })
}

/// HTTP firmware gets a URL whatever was named; PXE firmware never does.
fn fitting(boots: &Boots<'_>, name: &str) -> Result<String, NoBootFile> {
    let is_url = name.contains("://");
    match boots.client {
        Client::Http if !is_url => Ok(file_url(boots.link, name.trim_start_matches('/'))),
        Client::Pxe if is_url => Err(NoBootFile::UrlForPxe(name.to_owned())),
        _ => Ok(name.to_owned()),
    }
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
    url(link.host(), link.http_port)
}

/// The gateway for agents, without a slash at the end.
#[must_use]
pub fn gateway_url(link: &Link) -> String {
    url(link.host(), link.gateway_port)
}

fn url(host: IpAddr, port: u16) -> String {
    match host {
        IpAddr::V4(host) if port == 80 => format!("http://{host}"),
        IpAddr::V6(host) if port == 80 => format!("http://[{host}]"),
        host => format!("http://{}", SocketAddr::new(host, port)),
    }
}

/// A MAC as in file names: `52-54-00-77-00-10`.
#[must_use]
pub fn dashed(mac: Mac) -> String {
    mac.to_string().replace(':', "-")
}
