//! What a name means: a boot file, an image, or a script made for one machine.

use std::net::IpAddr;

use bytes::Bytes;
use ironherd_snapshot::{Index, Mac};

use super::Context;
use crate::script::{Script, boot_script, grub_config};
use crate::token::Stamp;
use crate::{Event, FileRef, Link, Made};

/// How a script is written for one card.
type Render = fn(&Index, &Link, Mac, Stamp) -> Script;

/// What a name stands for.
#[derive(Debug)]
pub(super) enum Found {
    File {
        file: FileRef,
        content_type: &'static str,
    },
    /// Made for this request; `event` tells the region that the machine asked for it.
    Script {
        body: Bytes,
        event: Event,
    },
    /// A script for another machine than the one that asks.
    NotHolder,
    /// Known to the region, not in this rack's cache yet.
    Arriving,
    Missing,
}

/// Looks up a clean name. `boot/` may be left out: EDK2 and shim ask for `//grubx64.efi`.
pub(super) fn find(context: &mut Context<'_>, link: &Link, peer: IpAddr, name: &str) -> Found {
    if let Some(sha256) = name.strip_prefix("images/") {
        return find_image(context, &sha256.to_ascii_lowercase());
    }
    for (prefix, render) in [("ipxe/", boot_script as Render), ("grub/", grub_config)] {
        let Some(mac) = mac_behind(name, prefix) else { continue };
        // It carries the token that proves to the region which machine this is.
        if !(context.owns)(peer, mac) {
            return Found::NotHolder;
        }
        let stamp = (context.stamp)();
        return made(mac, render(context.snapshot, link, mac, stamp));
    }
    match name.strip_prefix("boot/").map(|name| find_file(context, name)) {
        Some(Found::Missing) | None => find_file(context, name),
        Some(found) => found,
    }
}

fn find_file(context: &Context<'_>, name: &str) -> Found {
    if let Some(file) = context.files.open(name) {
        return Found::File { file, content_type: content_type(name) };
    }
    match context.files.made(name) {
        Some(Made::Script { mac, script }) => return made(mac, script),
        Some(Made::NotHolder) => return Found::NotHolder,
        None => {}
    }
    let known = context.snapshot.file(name).is_some() || context.files.is_arriving(name);
    if known { Found::Arriving } else { Found::Missing }
}

fn find_image(context: &Context<'_>, sha256: &str) -> Found {
    let digest = sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !digest {
        return Found::Missing;
    }
    match context.files.by_digest(sha256) {
        Some(file) => Found::File { file, content_type: "application/octet-stream" },
        None if context.files.is_arriving(sha256) => Found::Arriving,
        None => Found::Missing,
    }
}

fn made(mac: Mac, script: Script) -> Found {
    let Script { body, stage, detail } = script;
    Found::Script { body: body.into(), event: Event::Boot { mac, stage, detail } }
}

fn mac_behind(name: &str, prefix: &str) -> Option<Mac> {
    name.strip_prefix(prefix)?.parse().ok()
}

/// EDK2 refuses a file whose type it does not know, and believes this header before the suffix.
fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, suffix)| suffix) {
        Some("efi" | "EFI") => "application/efi",
        Some("iso") => "application/vnd.efi-iso",
        Some("cfg" | "ipxe" | "txt" | "lst") => "text/plain",
        _ => "application/octet-stream",
    }
}
