use ironherd_snapshot::{Ephemeral, Mac};

use super::{Plan, Step};
use crate::{Link, boot};

/// Seconds before a machine that could not boot asks again.
const RETRY_SECONDS: u32 = 10;
/// Seconds before a machine asks again for what somebody must import first.
const IMPORT_SECONDS: u32 = 60;

pub(super) fn render(plan: &Plan<'_>, link: &Link, mac: Mac) -> String {
    let head = format!("#!ipxe\n# {}\n", plan.detail);
    let again = |seconds| {
        // A fresh script: the token is good once, and the plan may have changed meanwhile.
        let url = boot::script_url(link, mac);
        format!("sleep {seconds}\nchain --replace --autofree {url} || reboot\n")
    };
    let body = match &plan.step {
        Step::Agent { ephemeral, arguments } => {
            agent(ephemeral, arguments, link) + &again(RETRY_SECONDS)
        }
        Step::NoAgent => {
            let text = "echo Ironherd: no ephemeral system has been imported yet, waiting\n";
            text.to_owned() + &again(IMPORT_SECONDS)
        }
        Step::Disk => disk(link),
        Step::PowerOff => {
            let text = "echo Ironherd: nothing to do for this machine, switching off\n\
                        poweroff ||\n\
                        echo Ironherd: this iPXE cannot switch the machine off\n";
            text.to_owned() + &again(IMPORT_SECONDS)
        }
        Step::Leave => {
            "echo Ironherd: this machine is unknown and not taken in\nexit 1\n".to_owned()
        }
    };
    head + &body
}

fn agent(ephemeral: &Ephemeral, arguments: &str, link: &Link) -> String {
    let (kernel, initrd) =
        (boot::file_url(link, &ephemeral.kernel), boot::file_url(link, &ephemeral.initrd));
    format!(
        "kernel {kernel} initrd=initrd.img {arguments} || goto failed\n\
         initrd --name initrd.img {initrd} || goto failed\n\
         boot || goto failed\n\
         :failed\n\
         echo Ironherd: the system could not be started, asking again\n"
    )
}

/// Under UEFI, `exit` would walk every other network card before the disk: a loader is fetched
/// that finds the one on the disk.
fn disk(link: &Link) -> String {
    let (x64, arm64) =
        (boot::file_url(link, "local-x64.efi"), boot::file_url(link, "grub-arm64.efi"));
    format!(
        "iseq ${{platform}} efi || goto bios\n\
         iseq ${{buildarch}} arm64 && goto arm64 ||\n\
         chain {x64} || exit 1\n\
         :arm64\n\
         chain {arm64} || exit 1\n\
         :bios\n\
         sanboot --no-describe --drive 0x80 || exit 1\n"
    )
}
