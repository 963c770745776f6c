//! Starting, stopping and starting again, in one process and without privileges.

#![allow(clippy::unwrap_used, reason = "in a test a failure is the message")]

use std::future::{pending, ready};
use std::path::Path;
use std::time::Duration;

use ironherd_rack::{Ports, Rack, RackConfig, RackError, Services};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(10);

fn config(data_dir: &Path) -> RackConfig {
    RackConfig {
        data_dir: data_dir.to_owned(),
        ports: Ports { dhcp: 0, proxy: 0, dhcp6: 0, tftp: 0, http: 0, gateway: 0 },
        interfaces: vec!["lo".to_owned()],
        metrics_listen: Some(([127, 0, 0, 1], 0).into()),
        // DHCP needs to send whole frames, which takes root.
        services: Services { dhcp: false, ..Services::default() },
        ..RackConfig::default()
    }
}

/// Starts a rack, or says loudly why this test does not run.
async fn start(config: RackConfig) -> Option<Rack> {
    match Rack::start(config).await {
        Err(RackError::Ring(error)) => {
            let required = std::env::var_os("IRONHERD_TESTS_REQUIRE_ALL");
            assert!(required.is_none_or(|it| it != "1"), "{error}");
            println!("SKIPPED: {error}");
            None
        }
        started => Some(started.unwrap()),
    }
}

#[tokio::test]
async fn a_rack_stops_when_told_and_leaves_its_folder_to_the_next() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..3 {
        let Some(rack) = start(config(folder.path())).await else { return };
        let ports = rack.handle().ports();
        assert_ne!((ports.tftp, ports.http, ports.gateway), (0, 0, 0));
        assert_eq!(ports.dhcp, 0, "a service that is off has no port");
        let url = format!("http://127.0.0.1:{}/boot/missing", ports.http);
        let response = reqwest::Client::builder().no_proxy().build();
        let response = response.unwrap().get(url).send().await.unwrap();
        assert_eq!(response.status().as_u16(), 404);
        let url = format!("http://127.0.0.1:{}/metrics", ports.metrics);
        let response = reqwest::Client::builder().no_proxy().build();
        let response = response.unwrap().get(url).send().await.unwrap();
        let text = response.error_for_status().unwrap().text().await.unwrap();
        assert!(text.contains("# HELP ironherd_rack_http_connections_total HTTP connections"));
        assert!(text.contains("\nironherd_rack_http_connections_total 1\n"), "{text}");
        timeout(PATIENCE, rack.run_until(ready(()))).await.expect("it stops in time").unwrap();
    }
}

#[tokio::test]
async fn one_folder_has_one_rack() {
    let folder = tempfile::tempdir().unwrap();
    let Some(first) = start(config(folder.path())).await else { return };
    let second = Rack::start(config(folder.path())).await;
    assert!(matches!(second, Err(RackError::Locked { .. })), "{second:?}");
    let first = tokio::spawn(first.run_until(pending()));
    first.abort();
}

#[tokio::test]
async fn a_taken_port_is_named_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut config = config(folder.path());
    config.ports.http = port;
    let error = Rack::start(config).await.unwrap_err().to_string();
    assert!(error.contains(&format!("port {port} (http)")), "{error}");
    assert!(error.contains("turn this service off"), "{error}");
}
