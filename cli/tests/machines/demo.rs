//! The demo itself, as a user starts it: real firmware, real BMC protocols, a real Debian.

use std::net::TcpListener;
use std::process::Stdio;

use serde_json::Value;

use crate::house;

#[test]
fn machines_go_from_power_on_to_deployed_and_back() {
    if !house::machines_can_run() {
        return;
    }
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let listen = free.local_addr().expect("its address").to_string();
    drop(free);
    let dir = tempfile::tempdir().expect("a temporary folder");
    let name = format!("test{}", std::process::id());
    let mut demo = house::ironherd();
    demo.args(["lab", "demo", "--once", "--output", "json", "--name", &name, "--listen", &listen]);
    demo.arg("--dir").arg(dir.path().join("demo")).stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = demo.output().expect("the demo starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "the demo failed:\n{text}");

    let summary: Value = serde_json::from_str(&text).expect("standard output is one JSON object");
    assert_eq!(summary["ok"], true);
    let machines = summary["machines"].as_array().expect("machines");
    let kinds: Vec<(&str, &str)> = machines
        .iter()
        .map(|it| (it["firmware"].as_str().unwrap_or(""), it["bmc"].as_str().unwrap_or("")))
        .collect();
    assert_eq!(kinds, [("uefi", "redfish"), ("bios", "ipmi")]);
    for machine in machines {
        assert_eq!(machine["final_state"], "READY", "{machine:#}");
        let stages = machine["stages"].as_array().expect("stages");
        let names: Vec<&str> = stages.iter().filter_map(|it| it["stage"].as_str()).collect();
        assert_eq!(names, ["found", "commissioned", "image written", "deployed", "released"]);
        assert!(stages.iter().all(|it| it["seconds"].as_f64().is_some_and(|s| 0.0 < s)));
    }
}
