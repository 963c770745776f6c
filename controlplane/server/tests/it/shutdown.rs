//! A region starts on the sockets it is given and stops when it is told to.

use std::net::TcpListener;

use ironherd_region::RegionConfig;
use tokio::sync::watch;

use crate::harness::client;

#[tokio::test]
async fn a_region_answers_on_every_socket_until_it_is_stopped() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = RegionConfig { data_dir: folder.path().to_owned(), ..RegionConfig::default() };
    let sockets: Vec<_> =
        (0..2).map(|_| TcpListener::bind("127.0.0.1:0").expect("a port")).collect();
    let urls: Vec<_> = sockets
        .iter()
        .map(|it| format!("http://{}/readyz", it.local_addr().expect("an address")))
        .collect();
    let (stop, stopping) = watch::channel(false);
    let region = tokio::spawn(ironherd_region::run(config, sockets, stopping));
    let client = client();
    for url in &urls {
        let answer = client.get(url).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
    }
    stop.send_replace(true);
    region.await.expect("no panic").expect("a clean stop");
    assert!(client.get(&urls[0]).send().await.is_err());
}
