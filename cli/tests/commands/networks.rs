//! Networks and what DHCP says in them, set up from the shell down to a real client.

use serde_json::Value;

use crate::world::World;

const MAC: &str = "52:54:00:77:00:20";

#[test]
fn networks_are_set_up_changed_and_removed_from_the_shell() {
    let Some(mut world) = World::new("networks") else { return };
    world.serve();
    check(&world, "fabric create hall-1", &["hall-1"]);
    check(
        &world,
        "vlan create 120 --fabric hall-1 --name boot --dhcp proxy",
        &["hall-1/120 boot PROXY"],
    );
    check(&world, "vlan update hall-1/120 --vid 121 --dhcp full", &["hall-1/121", "FULL"]);
    let subnet = "subnet create lab 10.77.0.0/24 --vlan boot --dynamic 10.77.0.100-10.77.0.110";
    check(&world, subnet, &["lab", "10.77.0.100-10.77.0.110"]);
    check(&world, "subnet update lab --gateway 10.77.0.1 --dns 10.77.0.53", &["10.77.0.53"]);
    let class = ["dhcp", "class", "create", "boards", "--when", "vendor-class starts-with board"];
    check_words(&world, &class, &["boards", "vendor-class starts-with board"]);
    check(&world, "range create lab 10.77.0.120-10.77.0.130 --class boards", &["boards"]);
    check(&world, "range update 10.77.0.120-10.77.0.130 --to 10.77.0.120-10.77.0.140", &["140"]);
    let reserve = format!("reservation create lab --mac {MAC} --address 10.77.0.9 --hostname nine");
    check(&world, &reserve, &["10.77.0.9", MAC, "nine"]);
    check(&world, "dhcp option set ntp-servers 10.77.0.5 --vlan boot", &["VLAN", "10.77.0.5"]);
    check(&world, "dhcp option set ntp-servers 10.77.0.6 --subnet lab", &["lab", "10.77.0.6"]);
    check(&world, "dhcp option catalog", &["ntp-servers", "42"]);
    let six = "subnet6 create fd77::/64 --name lab6 --vlan boot --range fd77::100-fd77::1ff \
               --delegate fd80::/48=56 --dns fd77::1";
    check(&world, six, &["lab6", "fd77::100-fd77::1ff", "fd80::/48=56"]);

    // All of it is what a client gets.
    world.until("the reserved address", || (world.udhcpc(MAC) == "10.77.0.9").then_some(()));
    let explain = ["dhcp", "explain", "--mac", MAC, "--want", "42", "--output", "json"];
    let said: Value = serde_json::from_str(&world.say(&explain)).unwrap();
    let options = said["options"].as_array().unwrap();
    let ntp = options.iter().find(|it| it["code"] == 42).unwrap();
    assert!(ntp.to_string().contains("10.77.0.6"), "the subnet's, not the VLAN's: {ntp}");

    check_refused(
        &world,
        "reservation create lab --mac 52:54:00:77:00:21 --address 10.77.0.9",
        "10.77.0.9",
    );
    check_refused(&world, "vlan create 9999", "input.vid");
    check_refused(&world, "vlan update nowhere/1 --dhcp off", "hall-1/121");
    check_refused(&world, "dhcp option set ntp-servers ten", "input.value: `ten`");
    check_refused(&world, "dhcp class create x --when colour", "is no operator");
    check_refused(&world, "reservation create lab --address 10.77.0.8", "--mac");

    check_gone(&world, "dhcp option unset ntp-servers --subnet lab", "10.77.0.6");
    check_gone(&world, "reservation delete 10.77.0.9", "10.77.0.9");
    check_gone(&world, "range delete 10.77.0.120-10.77.0.140", "10.77.0.120");
    check_gone(&world, "dhcp class delete boards", "boards");
    check_gone(&world, "subnet6 delete lab6", "lab6");
    check_gone(&world, "subnet delete lab", "10.77.0.0/24");
    check_gone(&world, "vlan delete boot", "hall-1/121");
    check_gone(&world, "fabric delete hall-1", "hall-1");
}

/// Runs a command whose table afterwards shows each of these texts.
#[track_caller]
fn check(world: &World, line: &str, shown: &[&str]) {
    check_words(world, &line.split_whitespace().collect::<Vec<_>>(), shown);
}

#[track_caller]
fn check_words(world: &World, words: &[&str], shown: &[&str]) {
    let said = world.say(words);
    // How wide a column is does not matter.
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    for text in shown {
        assert!(said.contains(text), "{words:?} does not show {text}:\n{said}");
    }
}

#[track_caller]
fn check_gone(world: &World, line: &str, text: &str) {
    let said = world.say(&line.split_whitespace().collect::<Vec<_>>());
    assert!(!said.contains(text), "{line} still shows {text}:\n{said}");
}

/// Runs a command that is refused with a sentence that holds this text.
#[track_caller]
fn check_refused(world: &World, line: &str, text: &str) {
    let output = world.run(&line.split_whitespace().collect::<Vec<_>>());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && errors.contains(text), "{line}: {errors}");
}
