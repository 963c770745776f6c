//! From a fresh kernel to an address: drivers, links, DHCP on the card that was booted from.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::console::say;
use crate::system::{self, busybox};

const CARD_LIMIT: Duration = Duration::from_secs(60);
const LINK_LIMIT: Duration = Duration::from_secs(10);
const LEASE_LIMIT: Duration = Duration::from_secs(300);
const DHCP_SCRIPT: &str = "/usr/share/udhcpc/default.script";
/// The DHCP script leaves one file per interface here when it has set an address.
const LEASE_FOLDER: &str = "/run/ironherd";

/// Keeps the DHCP clients alive, which renew the lease for as long as the agent works.
#[derive(Debug)]
pub(crate) struct Network {
    _clients: Vec<Child>,
}

/// Brings the machine onto the network. `boot_mac` names the card; without it every card tries.
pub(crate) fn start(boot_mac: Option<&str>) -> Result<Network, String> {
    let root = Path::new("/");
    let cards = find_cards(root, boot_mac)?;
    for name in all_cards(root) {
        // Links of the other cards are part of the inventory, so all go up.
        busybox(&["ip", "link", "set", &name, "up"]).unwrap_or_else(|error| {
            say(&error);
            String::new()
        });
    }
    let _ = busybox(&["ip", "link", "set", "lo", "up"]); // Nothing of ours needs loopback.
    let has_link = || cards.iter().any(|it| carrier(root, it)).then_some(());
    if system::wait_for(LINK_LIMIT, has_link).is_none() {
        say(&format!("no link on {} yet; asking for an address anyway", cards.join(", ")));
    }
    std::fs::create_dir_all(LEASE_FOLDER).map_err(|error| error.to_string())?;
    let clients = cards.iter().map(|it| dhcp_client(it)).collect::<Result<Vec<_>, _>>()?;
    wait_for_lease(&cards)?;
    Ok(Network { _clients: clients })
}

/// Loads the drivers of all devices that are there now. Buses found that way may hold more
/// devices, so callers repeat it while they wait for one.
pub(crate) fn load_drivers(root: &Path) {
    let mut aliases = BTreeSet::new();
    const DEPTH_MAX: usize = 24;
    collect_aliases(&root.join("sys/devices"), DEPTH_MAX, &mut aliases);
    let aliases: Vec<String> = aliases.into_iter().collect();
    system::modprobe(&aliases);
}

fn collect_aliases(folder: &Path, depth: usize, aliases: &mut BTreeSet<String>) {
    let Some(depth) = depth.checked_sub(1) else { return };
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        // `file_type` does not follow links, and links are what makes /sys endless.
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => collect_aliases(&entry.path(), depth, aliases),
            Ok(kind) if kind.is_file() && entry.file_name() == "modalias" => {
                let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
                aliases.extend(text.lines().map(str::to_owned).filter(|it| !it.is_empty()));
            }
            _ => {}
        }
    }
}

fn find_cards(root: &Path, boot_mac: Option<&str>) -> Result<Vec<String>, String> {
    let found = system::wait_for(CARD_LIMIT, || {
        load_drivers(root);
        let cards: Vec<String> = match boot_mac {
            Some(mac) => card_with(root, mac).into_iter().collect(),
            None => all_cards(root),
        };
        (!cards.is_empty()).then_some(cards)
    });
    found.ok_or_else(|| match boot_mac {
        Some(mac) => format!(
            "no network card has the address {mac} that was booted from; found: {}",
            all_cards(root).join(", ")
        ),
        None => "no network card found".to_owned(),
    })
}

fn all_cards(root: &Path) -> Vec<String> {
    let folder = root.join("sys/class/net");
    let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter(|it| it.path().join("device").exists())
        .map(|it| it.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn card_with(root: &Path, mac: &str) -> Option<String> {
    all_cards(root).into_iter().find(|name| {
        let text = std::fs::read_to_string(net_file(root, name, "address")).unwrap_or_default();
        text.trim().eq_ignore_ascii_case(mac)
    })
}

fn carrier(root: &Path, name: &str) -> bool {
    std::fs::read_to_string(net_file(root, name, "carrier")).is_ok_and(|it| it.trim() == "1")
}

fn net_file(root: &Path, name: &str, file: &str) -> PathBuf {
    root.join("sys/class/net").join(name).join(file)
}

fn dhcp_client(card: &str) -> Result<Child, String> {
    say(&format!("asking for an address on {card}"));
    // In the foreground and without an end: it also renews the lease.
    Command::new("/bin/busybox")
        .args(["udhcpc", "-f", "-i", card, "-s", DHCP_SCRIPT, "-t", "4", "-T", "3", "-A", "5"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("udhcpc: {error}"))
}

fn wait_for_lease(cards: &[String]) -> Result<(), String> {
    let started = Instant::now();
    let mut told = Duration::ZERO;
    let lease = system::wait_for(LEASE_LIMIT, || {
        let waited = started.elapsed();
        if told + Duration::from_secs(20) <= waited {
            told = waited;
            say(&format!("no DHCP answer on {} for {} s", cards.join(", "), waited.as_secs()));
        }
        cards.iter().find_map(|card| {
            let text = std::fs::read_to_string(Path::new(LEASE_FOLDER).join(card)).ok()?;
            Some((card.clone(), text.trim().to_owned()))
        })
    });
    let (card, address) =
        lease.ok_or_else(|| format!("no DHCP answer on {} for five minutes", cards.join(", ")))?;
    say(&format!("{card} has {address}"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_come_from_every_depth_and_links_are_not_followed() {
        let tree = tempfile::tempdir().unwrap();
        let deep = tree.path().join("sys/devices/pci0000:00/0000:00:03.0/virtio0");
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::write(deep.join("modalias"), "virtio:d00000001v00001AF4\n").unwrap();
        std::fs::write(deep.join("../modalias"), "pci:v00001AF4\n").unwrap();
        std::os::unix::fs::symlink(tree.path(), deep.join("loop")).unwrap();
        let mut aliases = BTreeSet::new();
        collect_aliases(&tree.path().join("sys/devices"), 24, &mut aliases);
        let want: Vec<&str> = vec!["pci:v00001AF4", "virtio:d00000001v00001AF4"];
        assert_eq!(aliases.iter().map(String::as_str).collect::<Vec<_>>(), want);
    }

    #[test]
    fn the_boot_card_is_found_by_address() {
        let tree = tempfile::tempdir().unwrap();
        for (name, mac) in [("eth0", "52:54:00:77:00:10"), ("eth1", "52:54:00:77:00:1a")] {
            let folder = tree.path().join("sys/class/net").join(name);
            std::fs::create_dir_all(folder.join("device")).unwrap();
            std::fs::write(folder.join("address"), format!("{mac}\n")).unwrap();
        }
        assert_eq!(card_with(tree.path(), "52:54:00:77:00:1A").as_deref(), Some("eth1"));
        assert_eq!(card_with(tree.path(), "52:54:00:77:00:ff"), None);
        assert_eq!(all_cards(tree.path()), ["eth0", "eth1"]);
    }
}
