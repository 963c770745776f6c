//! What the agent leaves in the installed system: seed, itself, and the way home.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use crate::phone_home::{self, PhoneHome};
use crate::protocol::Deploy;

const SEED: &str = "var/lib/cloud/seed/nocloud";
const AGENT: &str = "usr/lib/ironherd/ironherd-agent";
const UNIT: &str = "etc/systemd/system/ironherd-phone-home.service";
const UNIT_WANTED: &str = "etc/systemd/system/multi-user.target.wants/ironherd-phone-home.service";

/// Reports in when network, users and keys are there, and again until the region has heard it.
const UNIT_TEXT: &str = "\
[Unit]
Description=Tell Ironherd that this system is up
ConditionPathExists=/etc/ironherd/phone-home.json
Wants=network-online.target
After=network-online.target cloud-init.service ssh.service sshd.service

[Service]
Type=oneshot
ExecStart=/usr/lib/ironherd/ironherd-agent phone-home
TimeoutStartSec=infinity
Restart=on-failure
RestartSec=30

[Install]
WantedBy=multi-user.target
";

/// `root` is where the deployed system's root file system is mounted.
pub(super) fn install(
    root: &Path,
    order: &Deploy,
    gateway: &str,
    agent: &[u8],
) -> Result<(), String> {
    if !root.join("etc").is_dir() {
        return Err("the last Linux partition holds no root file system".to_owned());
    }
    for (name, text) in [
        ("meta-data", &order.meta_data),
        ("user-data", &order.user_data),
        ("vendor-data", &order.vendor_data),
        ("network-config", &order.network_config),
    ] {
        // An empty network-config would mean "no network"; an absent one means DHCP everywhere.
        if name != "network-config" || !text.trim().is_empty() {
            // User data may carry secrets.
            place(root, &format!("{SEED}/{name}"), text.as_bytes(), 0o600)?;
        }
    }
    place(root, AGENT, agent, 0o755)?;
    let home = PhoneHome { gateway: gateway.to_owned(), token: order.phone_home_token.clone() };
    let home = serde_json::to_vec(&home).map_err(|error| error.to_string())?;
    place(root, phone_home::FILE, &home, 0o600)?;
    place(root, UNIT, UNIT_TEXT.as_bytes(), 0o644)?;
    enable_unit(root)
}

fn enable_unit(root: &Path) -> Result<(), String> {
    let link = root.join(UNIT_WANTED);
    let target = Path::new("/").join(UNIT);
    let made = link.parent().map_or(Ok(()), fs::create_dir_all);
    let made = made.and_then(|()| match symlink(target, &link) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    });
    made.map_err(|error| format!("{}: {error}", link.display()))
}

/// Writes one file below `root`, never readable by more than `mode` allows.
fn place(root: &Path, path: &str, bytes: &[u8], mode: u32) -> Result<(), String> {
    let path = root.join(path.trim_start_matches('/'));
    let write = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, b"")?;
        fs::set_permissions(&path, Permissions::from_mode(mode))?;
        fs::write(&path, bytes)
    };
    write().map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ImageFormat;

    fn order(network_config: &str) -> Deploy {
        Deploy {
            image_path: "/images/x".to_owned(),
            sha256: String::new(),
            size_bytes: 0,
            format: ImageFormat::DiskRaw,
            disk_bytes: None,
            meta_data: "instance-id: i-1\n".to_owned(),
            user_data: "#cloud-config\n".to_owned(),
            vendor_data: "#cloud-config\n".to_owned(),
            network_config: network_config.to_owned(),
            phone_home_token: "secret".to_owned(),
        }
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn leaves_the_seed_and_the_way_home() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        fs::create_dir(root.join("etc")).unwrap();
        install(root, &order("version: 2\n"), "http://10.0.0.1:5249", b"agent").unwrap();
        // A retried deployment finds its own files.
        install(root, &order("version: 2\n"), "http://10.0.0.1:5249", b"agent").unwrap();
        let seed = root.join(SEED);
        assert_eq!(fs::read_to_string(seed.join("meta-data")).unwrap(), "instance-id: i-1\n");
        assert_eq!(fs::read_to_string(seed.join("network-config")).unwrap(), "version: 2\n");
        let home = root.join("etc/ironherd/phone-home.json");
        let parsed: PhoneHome = serde_json::from_slice(&fs::read(&home).unwrap()).unwrap();
        assert_eq!(parsed.gateway, "http://10.0.0.1:5249");
        assert_eq!((mode(&home), mode(&root.join(AGENT))), (0o600, 0o755));
        assert_eq!(mode(&seed.join("user-data")), 0o600);
        let link = fs::read_link(root.join(UNIT_WANTED)).unwrap();
        assert_eq!(link, Path::new("/").join(UNIT));
    }

    #[test]
    fn an_empty_network_config_is_left_out() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        install(root.path(), &order(" \n"), "http://a", b"").unwrap();
        assert!(!root.path().join(SEED).join("network-config").exists());
    }

    #[test]
    fn a_partition_without_a_system_is_named() {
        let root = tempfile::tempdir().unwrap();
        let error = install(root.path(), &order(""), "http://a", b"").unwrap_err();
        assert!(error.contains("no root file system"), "{error}");
    }
}
