//! Real UEFI firmware, which gets its address by DHCPv6 and its boot file by TFTP over IPv6.

use super::machine::{Firmware, Machine, can_boot};
use super::world::{KNOWN, World};

const TAP: &str = "tap6";

#[test]
fn ovmf_boots_over_ipv6_as_far_as_its_boot_file() {
    let firmware = Firmware::Uefi { ipv6: true };
    if !can_boot() {
        return;
    }
    let Some(world) = World::new("ovmf") else { return };
    world.serve_tap(TAP);
    let _rack = world.start_rack();
    let mut machine = Machine::start(world.server(), &world.file(""), firmware, TAP, KNOWN);
    let said = machine.said_until("NBP file downloaded successfully");
    // By its card, although its DUID is the machine's UUID.
    assert!(said.contains("Station IP address is FD77:0:0:0:0:0:0:137"), "{said}");
    assert!(said.contains("NBP filename is snponly.efi"), "{said}");
}
