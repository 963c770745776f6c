use ironherd_snapshot::Index;

use super::{Plan, Step};
use crate::Link;

/// Seconds before a machine that cannot go on starts anew.
const RETRY_SECONDS: u32 = 60;

/// Loaders that installed systems leave, the named before the fallback.
const LOADERS: &str = "/EFI/debian/grubaa64.efi /EFI/ubuntu/grubaa64.efi /EFI/redhat/grubaa64.efi \
                       /EFI/BOOT/BOOTAA64.EFI";

pub(super) fn render(plan: &Plan<'_>, snapshot: &Index, link: &Link) -> String {
    let head = format!("# {}\n", plan.detail);
    let again = format!("sleep {RETRY_SECONDS}\nreboot\n");
    let body = match &plan.step {
        Step::Agent { ephemeral, arguments } => {
            let kernel = for_arm64(snapshot, &ephemeral.kernel);
            let initrd = for_arm64(snapshot, &ephemeral.initrd);
            match kernel.zip(initrd) {
                Some((kernel, initrd)) => {
                    // By TFTP: this GRUB's HTTP knows no port but 80.
                    let server = format!("(tftp,{})", link.address);
                    format!(
                        "linux {server}/{kernel} {}\ninitrd {server}/{initrd}\nboot\n{again}",
                        quoted(arguments)
                    )
                }
                None => format!("echo Ironherd: there is no ephemeral system for arm64\n{again}"),
            }
        }
        Step::NoAgent => {
            format!("echo Ironherd: no ephemeral system has been imported yet\n{again}")
        }
        Step::Disk => format!(
            "for loader in {LOADERS}; do\n\
             \x20 if search --no-floppy --file --set=root $loader; then\n\
             \x20   chainloader ($root)$loader\n\
             \x20   boot\n\
             \x20 fi\n\
             done\n\
             echo Ironherd: no loader was found on the disks\nexit\n"
        ),
        Step::PowerOff => {
            "echo Ironherd: nothing to do for this machine, switching off\nhalt\n".to_owned()
        }
        Step::Leave => "echo Ironherd: this machine is unknown and not taken in\nexit\n".to_owned(),
    };
    head + &body
}

/// The arm64 twin of a file of the ephemeral system, if it was imported.
fn for_arm64(snapshot: &Index, name: &str) -> Option<String> {
    let twin = name.replace("/amd64/", "/arm64/");
    (twin.contains("/arm64/") && snapshot.file(&twin).is_some()).then_some(twin)
}

/// Arguments as GRUB's shell takes them: `;`, `$` and the like would mean something to it.
fn quoted(arguments: &str) -> String {
    let quote = |word: &str| format!("'{}'", word.replace('\'', ""));
    arguments.split(' ').map(quote).collect::<Vec<_>>().join(" ")
}
