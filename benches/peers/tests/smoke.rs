//! The benches at their smallest, so that they never rot: our server, for a moment.

#![allow(clippy::unwrap_used, reason = "in a test a failure is the message")]

use std::process::Command;

use serde_json::Value;

/// Says loudly that a test does not run; and fails where all must.
fn skip(why: &str) {
    let required = std::env::var_os("IRONHERD_TESTS_REQUIRE_ALL").is_some_and(|it| it == "1");
    assert!(!required, "IRONHERD_TESTS_REQUIRE_ALL=1, but {why}");
    println!("SKIPPED: {why}");
}

#[test]
fn the_dhcp_bench_runs_and_prints_its_rows() {
    if !rustix::process::geteuid().is_root() {
        return skip("network namespaces need root");
    }
    let folder = tempfile::tempdir().unwrap();
    let saved = folder.path().join("dhcp.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_ironherd-peers"));
    command.args(["dhcp", "--smoke", "--output", "json", "--work"]);
    command.arg(folder.path().join("work")).arg("--save").arg(&saved);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rows: Value = serde_json::from_slice(&output.stdout).unwrap();
    for name in ["closed_loop", "cpu_per_lease", "lease_p99_at_half_rate"] {
        let name = format!("{name}/ironherd_durable");
        let row = rows.as_array().unwrap().iter().find(|it| it["row"] == name).unwrap();
        assert_eq!(row["bench"], "dhcp");
        assert!(0.0 < row["ours"].as_f64().unwrap(), "{row}");
    }
    let saved: Value = serde_json::from_slice(&std::fs::read(saved).unwrap()).unwrap();
    assert_eq!(saved["rows"], rows);
    let (syncs, leases) = (&saved["syncs"][0]["syncs"], &saved["syncs"][0]["leases"]);
    assert!(0 < syncs.as_u64().unwrap() && 0 < leases.as_u64().unwrap(), "{saved}");
}

#[test]
fn the_tftp_bench_runs_and_prints_its_rows() {
    if !rustix::process::geteuid().is_root() {
        return skip("network namespaces need root");
    }
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ironherd-peers"));
    command.args(["tftp", "--smoke", "--output", "json", "--work"]);
    let output = command.arg(folder.path().join("work")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rows: Value = serde_json::from_slice(&output.stdout).unwrap();
    for name in ["window_1_100_clients/ironherd", "window_16_100_clients/ironherd"] {
        let row = rows.as_array().unwrap().iter().find(|it| it["row"] == name).unwrap();
        assert_eq!((&row["bench"], &row["unit"]), (&"tftp".into(), &"MB/s".into()));
        assert!(0.0 < row["ours"].as_f64().unwrap(), "{row}");
    }
}

#[test]
fn the_http_bench_runs_and_prints_its_rows() {
    if !rustix::process::geteuid().is_root() {
        return skip("network namespaces need root");
    }
    if Command::new("wrk").arg("-v").output().is_err() {
        return skip("there is no `wrk`");
    }
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ironherd-peers"));
    command.args(["http", "--smoke", "--output", "json", "--work"]);
    let output = command.arg(folder.path().join("work")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rows: Value = serde_json::from_slice(&output.stdout).unwrap();
    for name in ["file_16M_64_connections/ironherd", "file_1K_64_connections/ironherd"] {
        let row = rows.as_array().unwrap().iter().find(|it| it["row"] == name).unwrap();
        assert_eq!(row["bench"], "http");
        assert!(0.0 < row["ours"].as_f64().unwrap(), "{row}");
    }
}
