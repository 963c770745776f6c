//! Firmware kinds that the other tests of machines do not cover.

use crate::house::{self, House};

#[test]
fn machines_boot_by_uefi_http_and_on_arm64() {
    if !house::machines_can_run() {
        return;
    }
    let house = House::build("kinds", &["uefi-http:redfish", "arm64:redfish"]);
    house.upload_boot_image();
    let machines = house.lab_machines();
    let [(http, http_mac), (arm64, _)] = machines.as_slice() else {
        panic!("two machines were asked for: {machines:?}");
    };
    house.lab(&["power", http, "on"]);
    house.lab(&["power", arm64, "on"]);

    // From its URL in option 67 through iPXE and the agent to a record of its own.
    house.wait("the HTTP boot machine is found", || house.machine(http_mac).is_some());
    let machine = house.machine(http_mac).expect("it was just there");
    assert_eq!(machine["firmware"], "UEFI", "{machine:#}");
    assert_eq!(machine["power"]["protocol"], "REDFISH", "{machine:#}");

    // GRUB for arm64 gets its configuration; the agent is not built for arm64 yet, and it says so.
    let says = "there is no ephemeral system for arm64";
    house.wait("GRUB on arm64 reads its configuration", || {
        house.lab(&["console", arm64, "--log"]).contains(says)
    });
}
