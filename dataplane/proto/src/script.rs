//! The script that a machine's second boot stage runs: iPXE's, or GRUB's where there is no iPXE.

mod grub;
mod ipxe;

use std::fmt::Write as _;

use ironherd_snapshot::{Ephemeral, Index, Intent, Lookup, Mac};

use crate::token::Stamp;
use crate::{BootStage, Link, boot, token};

/// A rendered script, and what to tell the region about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    pub body: String,
    pub stage: BootStage,
    /// For a person, e.g. `Deploy, attempt 3`.
    pub detail: String,
}

/// The iPXE script of one card. `stamp` must be fresh for each script served.
#[must_use]
pub fn boot_script(snapshot: &Index, link: &Link, mac: Mac, stamp: Stamp) -> Script {
    let plan = plan(snapshot, link, mac, stamp);
    Script { body: ipxe::render(&plan, link, mac), stage: BootStage::Script, detail: plan.detail }
}

/// The GRUB configuration of one card (`grub.cfg-<mac>`), for machines without iPXE.
#[must_use]
pub fn grub_config(snapshot: &Index, link: &Link, mac: Mac, stamp: Stamp) -> Script {
    let plan = plan(snapshot, link, mac, stamp);
    let body = grub::render(&plan, snapshot, link);
    Script { body, stage: BootStage::Script, detail: plan.detail }
}

/// What both languages say in their own words.
struct Plan<'a> {
    step: Step<'a>,
    detail: String,
}

enum Step<'a> {
    Agent {
        ephemeral: &'a Ephemeral,
        /// The kernel's command line, without what names its initrd.
        arguments: String,
    },
    /// The agent is wanted, but there is none yet: wait for it and ask again.
    NoAgent,
    Disk,
    PowerOff,
    /// Not ours: on to the firmware's next boot device.
    Leave,
}

fn plan<'a>(snapshot: &'a Index, link: &Link, mac: Mac, stamp: Stamp) -> Plan<'a> {
    let settings = &snapshot.snapshot().settings;
    let (key, id, attempt, own_arguments, intent) = match snapshot.machine(mac, None) {
        Lookup::Known(it) => {
            (&it.boot_key, it.id.as_str(), it.attempt, it.kernel_args.as_str(), it.intent)
        }
        Lookup::Unknown if settings.enlist => {
            (&settings.enlist_key, token::ENLIST_ID, stamp.day, "", Intent::Enlist)
        }
        Lookup::Unknown => {
            return Plan { step: Step::Leave, detail: "unknown, not taken in".to_owned() };
        }
    };
    let detail = match intent {
        Intent::Enlist => format!("{intent:?}"),
        _ => format!("{intent:?}, attempt {attempt}"),
    };
    let step = match (intent, &settings.ephemeral) {
        (Intent::Local, _) => Step::Disk,
        (Intent::PowerOff, _) => Step::PowerOff,
        (_, None) => Step::NoAgent,
        (_, Some(ephemeral)) => {
            let mut arguments = String::new();
            push_words(&mut arguments, &ephemeral.kernel_args);
            push_words(&mut arguments, own_arguments);
            let token = token::mint(key, id, attempt, stamp.nonce);
            let (gateway, boot) = (boot::gateway_url(link), boot::boot_url(link));
            // Writing to a String cannot fail.
            let _ = write!(
                arguments,
                "ironherd.gateway={gateway} ironherd.boot={boot} ironherd.token={token} \
                 BOOTIF=01-{}",
                boot::dashed(mac),
            );
            Step::Agent { ephemeral, arguments }
        }
    };
    Plan { step, detail }
}

/// Appends words with single spaces: a line break would end the script's command.
fn push_words(line: &mut String, words: &str) {
    for word in words.split(|it: char| it.is_whitespace() || it.is_control()) {
        if !word.is_empty() {
            line.push_str(word);
            line.push(' ');
        }
    }
}
