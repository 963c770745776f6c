//! Writes replies.

use ironherd_leases::v6::Block;
use ironherd_wire::dhcp6::{Encoder, FOREVER, IaKind, MESSAGE_BYTES_MAX, MessageType, code};

use super::bindings::{Given, IaAnswer};
use super::request::{Request, url_host};
use super::scopes::Scopes;
use crate::boot::{self, BootFile, Boots, Client, NoBootFile};

/// What an ADVERTISE or REPLY says.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) kind: MessageType,
    pub(super) ias: Vec<IaAnswer>,
    pub(super) status: Option<(u16, &'static str)>,
    pub(super) rapid: bool,
    /// Place of the subnet that configures; absent where nothing is configured.
    pub(super) subnet: Option<usize>,
    pub(super) boot: Option<BootFile>,
}

/// Tells the client to take us at once: it would wait a second for other servers otherwise.
const PREFERENCE_AT_ONCE: u8 = 255;

impl Answer {
    pub(super) fn of(kind: MessageType, ias: Vec<IaAnswer>) -> Self {
        Self { kind, ias, status: None, rapid: false, subnet: None, boot: None }
    }

    /// Adds what the client's subnet says: that of its first lease, else the first of the link.
    pub(super) fn configured(mut self, request: &Request<'_>) -> Self {
        let of_lease = self.ias.iter().flat_map(|it| &it.given).find_map(|it| it.subnet);
        self.subnet = of_lease.or_else(|| request.subnets.first().copied());
        self.boot = boot_file(request, self.subnet).ok();
        self
    }

    pub(super) fn write(&self, request: &Request<'_>, server: &[u8], out: &mut Vec<u8>) {
        let bytes_max = MESSAGE_BYTES_MAX.saturating_sub(request.relayed.envelope_bytes());
        request.relayed.wrap(out, |out| {
            let transaction = request.message.transaction;
            let mut encoder = Encoder::new(out, self.kind, transaction, bytes_max);
            if !request.duid.is_empty() {
                encoder.option(code::CLIENT_ID, &request.duid);
            }
            encoder.option(code::SERVER_ID, server);
            let serves_all = self.ias.iter().all(IaAnswer::has_lease);
            if self.kind == MessageType::Advertise && serves_all {
                encoder.option(code::PREFERENCE, &[PREFERENCE_AT_ONCE]);
            }
            if self.rapid {
                encoder.option(code::RAPID_COMMIT, &[]);
            }
            if let Some((status, text)) = self.status {
                encoder.status(status, text);
            }
            for ia in &self.ias {
                write_ia(&mut encoder, ia);
            }
            if let Some(boot) = &self.boot {
                write_boot(&mut encoder, boot);
            }
            if let Some(subnet) = self.subnet {
                write_options(&mut encoder, request, subnet, self.boot.is_some());
            }
        });
    }
}

fn write_ia(encoder: &mut Encoder<'_>, ia: &IaAnswer) {
    encoder.ia(ia.kind, ia.id, times(&ia.given), |encoder| {
        for Given { block: Block { address, len }, preferred, valid, .. } in &ia.given {
            if ia.kind == IaKind::Prefix {
                encoder.ia_prefix(*address, *len, *preferred, *valid);
            } else {
                encoder.ia_address(*address, *preferred, *valid);
            }
        }
        if let Some((status, text)) = ia.status {
            encoder.status(status, text);
        }
    });
}

/// T1 and T2: half and four fifths of the shortest preferred lifetime (RFC 9915 §21.4).
fn times(given: &[Given]) -> (u32, u32) {
    let lasting = given.iter().filter(|it| it.subnet.is_some());
    match lasting.map(|it| it.preferred).min() {
        None => (0, 0),
        Some(seconds) => times_of(seconds),
    }
}

fn times_of(preferred: u32) -> (u32, u32) {
    if preferred == FOREVER {
        return (FOREVER, FOREVER);
    }
    // A division that rounds down first would let T2 of a short lifetime fall to T1, or below.
    (preferred / 2, preferred - preferred.div_ceil(5))
}

fn write_boot(encoder: &mut Encoder<'_>, boot: &BootFile) {
    encoder.option(code::BOOT_FILE_URL, boot.name.as_bytes());
    if boot.client == Client::Http {
        // As with option 60 of DHCPv4: without it the firmware takes no URL.
        encoder.vendor_class(code::ENTERPRISE_PXE, b"HTTPClient");
    }
}

fn write_options(encoder: &mut Encoder<'_>, request: &Request<'_>, subnet: usize, boots: bool) {
    let scopes = Scopes::of(request, subnet);
    let mut done = vec![code::BOOT_FILE_URL]; // It went into the boot file.
    let mut write = |encoder: &mut Encoder<'_>, code: u16, data: &[u8], force: bool| {
        if done.contains(&code) {
            return;
        }
        done.push(code);
        let boot_parameters = boots && code == code::BOOT_FILE_PARAMETERS;
        if !data.is_empty() && (force || boot_parameters || request.message.wants(code)) {
            encoder.option(code, data);
        }
    };
    for option in scopes.narrow() {
        write(encoder, option.code, &option.data, option.force);
    }
    if let Some(it) = request.subnet(subnet) {
        let servers: Vec<u8> = it.dns_servers.iter().flat_map(|it| it.octets()).collect();
        write(encoder, code::DNS_SERVERS, &servers, false);
        write(encoder, code::DOMAIN_SEARCH, &domains(&it.domain_search), false);
    }
    for option in scopes.wide() {
        write(encoder, option.code, &option.data, option.force);
    }
}

/// Names as labels with their lengths (RFC 9915 §10); one that is none is left out.
fn domains(names: &[String]) -> Vec<u8> {
    let mut out = Vec::new();
    for name in names {
        let labels = || name.trim_end_matches('.').split('.');
        let whole = name.len() <= 253 && labels().all(|it| (1..=63).contains(&it.len()));
        for label in labels().filter(|_| whole) {
            out.push(u8::try_from(label.len()).unwrap_or_default());
            out.extend_from_slice(label.as_bytes());
        }
        if whole {
            out.push(0);
        }
    }
    out
}

/// Decides as for DHCPv4; a file by TFTP becomes a URL, since there is no other way to say it.
fn boot_file(request: &Request<'_>, subnet: Option<usize>) -> Result<BootFile, NoBootFile> {
    let link = request.link_for_urls(subnet).ok_or(NoBootFile::NotBooting)?;
    let mac = request.card().ok_or(NoBootFile::UnknownMachine)?;
    let named = subnet
        .and_then(|it| Scopes::of(request, it).all().find(|it| it.code == code::BOOT_FILE_URL));
    let boots = Boots {
        index: request.index,
        link: &link,
        mac,
        client: request.client,
        machine: request.machine,
        classes: request.classes,
        option: named.map(|it| it.data.as_slice()).filter(|it| !it.is_empty()),
    };
    let told = boot::boot_file_for(&boots, |it| request.message.has_architecture(it));
    let mut boot = match told {
        // Here every name is a URL, and firmware that speaks TFTP takes one of its own.
        Err(NoBootFile::UrlForPxe(name)) if name.starts_with("tftp://") => {
            let detail = format!("{} as told: {name}", Client::Pxe.as_str());
            let source = boot::BootSource::Option;
            BootFile { client: Client::Pxe, name, source, detail }
        }
        told => told?,
    };
    if !boot.name.contains("://") {
        let (host, name) = (url_host(link.host()), boot.name.trim_start_matches('/'));
        boot.name = format!("tftp://{host}/{name}");
    }
    Ok(boot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_renews_before_it_rebinds() {
        let rows = [
            (2, (1, 1)),
            (4, (2, 3)),
            (8, (4, 6)),
            (10, (5, 8)),
            (299, (149, 239)),
            (FOREVER - 1, (0x7fff_ffff, 0xcccc_cccb)),
            (FOREVER, (FOREVER, FOREVER)),
        ];
        for (preferred, want) in rows {
            assert_eq!(times_of(preferred), want, "{preferred}");
        }
    }
}
