//! The program that `ipmi_sim` runs as its `lan_config_program`: tells a BMC its own address.
//!
//! Without it the simulator reports 0.0.0.0 to the machine's own system, which could then not say
//! where its BMC is found.

use std::net::Ipv4Addr;

use crate::BmcConfig;

/// A request that is not one of `ipmi_sim`'s.
#[derive(Debug, thiserror::Error)]
#[error("not a LAN request of ipmi_sim: {0:?}")]
pub struct LanRequestError(Vec<String>);

/// Answers `get <parameter> …` with `name:value` lines.
///
/// `set` and `check` are accepted without effect: the address of a lab BMC is fixed, as with many
/// real BMCs whose network settings an administrator locked.
///
/// # Errors
/// [`LanRequestError`] for words we do not know.
pub fn run(bmc: &BmcConfig, arguments: &[String]) -> Result<String, LanRequestError> {
    let unknown = || LanRequestError(arguments.to_vec());
    match arguments {
        [verb, names @ ..] if verb == "get" => {
            let mut answer = String::new();
            for name in names {
                let value = parameter(bmc, name).ok_or_else(unknown)?;
                answer.push_str(&format!("{name}:{value}\n"));
            }
            Ok(answer)
        }
        [verb, ..] if verb == "set" || verb == "check" => Ok(String::new()),
        _ => Err(unknown()),
    }
}

fn parameter(bmc: &BmcConfig, name: &str) -> Option<String> {
    const NO_MAC: &str = "00:00:00:00:00:00";
    Some(match name {
        "ip_addr" => bmc.address.to_string(),
        "ip_addr_src" => "static".to_owned(),
        "mac_addr" => bmc.mac.clone(),
        "subnet_mask" => {
            let host_bits = 32 - u32::from(bmc.prefix_len.min(32));
            Ipv4Addr::from(u32::MAX.checked_shl(host_bits).unwrap_or(0)).to_string()
        }
        "default_gw_ip_addr" => bmc.gateway.to_string(),
        "backup_gw_ip_addr" => Ipv4Addr::UNSPECIFIED.to_string(),
        "default_gw_mac_addr" | "backup_gw_mac_addr" => NO_MAC.to_owned(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::tests::sample;

    #[test]
    fn the_bmc_knows_its_address() {
        let rows = [
            ("get ip_addr", Some("ip_addr:10.77.0.201\n")),
            ("get ip_addr_src", Some("ip_addr_src:static\n")),
            (
                "get subnet_mask mac_addr",
                Some("subnet_mask:255.255.255.0\nmac_addr:52:54:00:00:00:fe\n"),
            ),
            ("get default_gw_ip_addr", Some("default_gw_ip_addr:10.77.0.1\n")),
            ("set ip_addr 10.0.0.1", Some("")),
            ("check ip_addr_src dhcp", Some("")),
            ("get vlan", None),
            ("", None),
        ];
        for (line, want) in rows {
            let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            assert_eq!(run(&sample().bmc, &arguments).ok().as_deref(), want, "{line}");
        }
    }
}
