//! What the host should allow a rack, and what to do where it does not: looked at by trying it,
//! wherever trying changes nothing. The same at every start and for `ironherd doctor`.

mod host;
mod network;

use std::path::Path;

use serde::Serialize;

use crate::RackConfig;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The same for ever, e.g. `open_files`: for programs.
    pub name: &'static str,
    pub verdict: Verdict,
    /// What is there.
    pub found: String,
    /// What comes of it if it is not good, and what to do; empty if it is.
    pub remedy: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Good,
    /// A rack runs; a storm of machines, or something else that is rare, ends badly.
    Poor,
    /// A rack does not start, or a service of it does not.
    Bad,
}

impl Verdict {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Poor => "poor",
            Self::Bad => "bad",
        }
    }
}

impl Finding {
    fn good(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Good, found: found.into(), remedy: String::new() }
    }

    fn poor(name: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Poor, found: found.into(), remedy: remedy.into() }
    }

    fn bad(name: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { verdict: Verdict::Bad, ..Self::poor(name, found, remedy) }
    }
}

/// Looks at everything a rack of this configuration needs. It binds its ports for a moment, and
/// changes nothing.
#[must_use]
pub fn examine(config: &RackConfig) -> Vec<Finding> {
    let mut findings = vec![network::io_uring()];
    findings.extend(host::findings());
    findings.push(network::receive_buffer());
    findings.push(network::segmentation());
    findings.push(network::frames());
    findings.push(host::clock());
    findings.extend(host::disk(&config.data_dir));
    findings.extend(network::ports(config, host::is_running(&config.data_dir)));
    findings
}

/// Raises what we may raise ourselves, and warns of the rest. What keeps a rack from starting says
/// so by itself.
pub(crate) fn prepare(data_dir: &Path) {
    host::raise_open_files();
    let looked = host::findings().into_iter().chain(host::disk(data_dir));
    let all = looked.chain([host::clock(), network::receive_buffer(), network::segmentation()]);
    for Finding { name, found, remedy, .. } in all.filter(|it| it.verdict != Verdict::Good) {
        tracing::warn!(id = "rack.host", name, found, remedy, "the host could be better set up");
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::*;
    use crate::{Ports, Services};

    fn of<'a>(findings: &'a [Finding], name: &str) -> &'a Finding {
        findings.iter().find(|it| it.name == name).unwrap()
    }

    #[test]
    fn each_finding_that_is_not_good_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let config = RackConfig { data_dir: folder.path().join("new"), ..RackConfig::default() };
        let findings = examine(&config);
        for it in &findings {
            assert_eq!(it.verdict == Verdict::Good, it.remedy.is_empty(), "{it:?}");
            assert!(!it.found.is_empty(), "{it:?}");
        }
        let mut names: Vec<_> = findings.iter().map(|it| it.name).collect();
        names.dedup();
        assert_eq!(names.len(), findings.len(), "each name once: {names:?}");
        assert!(!config.data_dir.exists(), "looking makes no folder");
    }

    #[test]
    fn a_port_that_is_taken_is_named() {
        let (udp, tcp) =
            (UdpSocket::bind("0.0.0.0:0").unwrap(), TcpListener::bind("0.0.0.0:0").unwrap());
        let (udp_port, tcp_port) =
            (udp.local_addr().unwrap().port(), tcp.local_addr().unwrap().port());
        let services = Services { dhcp: false, proxy: false, dhcp6: false, ..Services::default() };
        let ports = Ports { tftp: udp_port, http: tcp_port, gateway: 0, ..Ports::default() };
        let folder = tempfile::tempdir().unwrap();
        let config = RackConfig {
            data_dir: folder.path().to_owned(),
            services,
            ports,
            ..RackConfig::default()
        };
        let findings = network::ports(&config, false);
        for (name, protocol, port) in
            [("port_tftp", "udp", udp_port), ("port_http", "tcp", tcp_port)]
        {
            let it = of(&findings, name);
            assert_eq!(it.verdict, Verdict::Bad);
            assert!(it.found.contains(&format!("{protocol} {port}")), "{it:?}");
            assert!(it.remedy.contains("ss -"), "{it:?}");
        }
        assert_eq!(of(&findings, "port_gateway").verdict, Verdict::Good);
        assert!(findings.iter().all(|it| it.name != "port_dhcp"), "it is off");
        // The rack that runs here has them: then that is as it should be.
        let findings = network::ports(&config, true);
        assert_eq!(of(&findings, "port_tftp").verdict, Verdict::Good);
    }

    #[test]
    fn a_folder_that_nobody_may_write_to_is_bad() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let findings = host::disk(&file.join("below"));
        assert_eq!(findings[0].verdict, Verdict::Bad, "{findings:?}");
        let findings = host::disk(folder.path());
        assert_ne!(findings[0].verdict, Verdict::Bad, "{findings:?}");
    }
}
