//! Region and rack are killed with SIGKILL at every stage of a deployment; nothing is lost.

use crate::house::{self, Half, House};
use serde_json::Value;

type Kill = (&'static str, fn(&Value) -> bool, Half);

/// Stages of a deployment in the order they come, and who dies when the stage is first seen.
const KILLS: &[Kill] = &[
    ("power on asked", |it| it["state"] == "DEPLOYING", Half::Region),
    ("firmware speaks DHCP", |it| reached(it, "DHCP"), Half::Rack),
    ("the script was served", |it| reached(it, "SCRIPT"), Half::Region),
    ("the agent runs", |it| reached(it, "AGENT"), Half::Rack),
    ("bytes are written", written, Half::Region),
    ("more bytes are written", |it| 30 <= percent(it), Half::Rack),
    ("the system starts", installed, Half::Region),
];

const STAGES: [&str; 6] = ["DHCP", "TFTP", "HTTP", "SCRIPT", "AGENT", "INSTALLED"];

fn reached(machine: &Value, stage: &str) -> bool {
    let place = |stage: Option<&str>| STAGES.iter().position(|it| Some(*it) == stage);
    place(Some(stage)) <= place(machine["bootStage"].as_str())
}

fn percent(machine: &Value) -> u64 {
    let number = |pointer: &str| machine.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
    number("/progress/bytesDone") * 100 / number("/progress/bytesTotal").max(1)
}

fn written(machine: &Value) -> bool {
    0 < percent(machine)
}

fn installed(machine: &Value) -> bool {
    machine["bootStage"] == "INSTALLED"
}

fn settled(machine: &Value) -> bool {
    let state = machine["state"].as_str().unwrap_or_default();
    state == "DEPLOYED" || state.starts_with("FAILED")
}

#[test]
fn machines_are_deployed_though_region_and_rack_are_killed() {
    if !house::machines_can_run() {
        return;
    }
    let mut house = House::build("crash", &["bios:ipmi"]);
    house.upload_boot_image();
    house.upload_disk_image();
    let (name, mac) = house.lab_machines().remove(0);
    let (name, mac) = (name.as_str(), mac.as_str());
    house.lab(&["power", name, "on"]);
    house.wait("found", || house.machine(mac).is_some_and(|it| it["power"]["state"] == "OFF"));
    let id = house.machine(mac).expect("found")["hostname"].as_str().expect("a name").to_owned();
    house.say(house.command(&["machine", "commission", &id, "--wait"]));

    house.say(house.command(&["machine", "deploy", &id, "--image", "debian"]));
    for (stage, seen, half) in KILLS {
        house.wait(stage, || house.machine(mac).is_some_and(|it| seen(&it) || settled(&it)));
        eprintln!("killing the {half:?}: {stage}");
        house.kill(*half);
        house.start(*half);
    }
    house.wait("settled", || house.machine(mac).is_some_and(|it| settled(&it)));
    let machine = house.machine(mac).expect("still known");
    if machine["state"] != "DEPLOYED" {
        // Failing is allowed, silence is not; and a retry in place must succeed.
        assert!(!machine["failure"].as_str().unwrap_or_default().is_empty(), "{machine:#}");
        house.say(house.command(&["machine", "retry", &id, "--wait"]));
    }
    assert_eq!(house.machine(mac).expect("still known")["state"], "DEPLOYED");

    boots_its_disk_without_the_region(&mut house, name, mac);
}

/// With the region dead, a deployed machine still gets its address and starts its own system.
fn boots_its_disk_without_the_region(house: &mut House, name: &str, mac: &str) {
    let address = house.machine(mac).expect("known")["address"].as_str().expect("one").to_owned();
    let logins = |house: &House| house.lab(&["console", name, "--log"]).matches("login:").count();
    house.wait("the first login prompt", || 0 < logins(house));
    let before = logins(house);
    house.kill(Half::Region);
    house.kill(Half::Rack);
    house.start(Half::Rack); // It has nothing but what it kept on disk.
    house.lab(&["power", name, "cycle"]);
    house.wait("a login prompt with the region dead", || before < logins(house));
    let shows_its_key = || {
        let netns = house.netns_name();
        let scan = ["netns", "exec", &netns, "ssh-keyscan", "-T", "2", &address];
        let output = std::process::Command::new("ip").args(scan).output().expect("ip runs");
        !output.stdout.is_empty()
    };
    house.wait("its SSH server answers at the address it had", shows_its_key);
    house.start(Half::Region);
    house.wait("still deployed", || house.machine(mac).is_some_and(|it| it["state"] == "DEPLOYED"));
}
