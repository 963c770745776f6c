use std::net::Ipv4Addr;

/// Nobody is started by a longer line of processes.
const ANCESTORS_MAX: usize = 64;

/// Whether a load on `server` can reach nobody but this computer: it goes to the loopback, or we
/// are in a network namespace that is not the host's own, which those who started us are in.
///
/// Process 1 alone would not do: in a sandbox it may not be looked at.
#[must_use]
pub fn is_private(server: Option<Ipv4Addr>) -> bool {
    let namespace = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/net"));
    let Ok(ours) = namespace("self") else { return false };
    let ancestors = std::iter::successors(parent("self"), |it| parent(it));
    let apart = ancestors
        .take(ANCESTORS_MAX)
        .filter_map(|it| namespace(&it).ok())
        .any(|theirs| theirs != ours);
    apart || server.is_some_and(|it| it.is_loopback())
}

fn parent(process: &str) -> Option<String> {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("PPid:"))?;
    Some(line.trim().to_owned()).filter(|it| it != "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_process_has_ancestors_and_the_loopback_is_nobody_elses() {
        assert_eq!(parent("self"), Some(std::os::unix::process::parent_id().to_string()));
        assert!(is_private(Some(Ipv4Addr::LOCALHOST)));
    }
}
