use std::net::Ipv4Addr;

/// Whether a load on `server` can reach nobody but this computer: it goes to the loopback, or we
/// are in a network namespace that is not the host's own.
#[must_use]
pub fn is_private(server: Option<Ipv4Addr>) -> bool {
    let namespace = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/net"));
    // Where process 1 may not be looked at, it is not ours to say that this is another network.
    let apart = match (namespace("self"), namespace("1")) {
        (Ok(ours), Ok(first)) => ours != first,
        _ => false,
    };
    apart || server.is_some_and(|it| it.is_loopback())
}
