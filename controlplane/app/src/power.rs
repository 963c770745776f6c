use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use ironherd_domain::{MachineId, PowerProtocol, PowerState, Refusal};
use ironherd_store::machine;

use crate::{Answer, App, PowerInput, PowerTarget, Secret};

impl App {
    /// What is needed to reach a machine's BMC; `None` for manual power or no such machine.
    ///
    /// # Errors
    /// [`CommandError::Fault`](crate::CommandError::Fault), also if the password does not open.
    pub async fn power_target(&self, id: MachineId) -> Answer<Option<PowerTarget>> {
        let found = machine::by_id(&mut self.read().await?, id).await?;
        let Some(it) = found.filter(|it| it.power_protocol != PowerProtocol::Manual) else {
            return Ok(None);
        };
        let password = match &it.power_password {
            Some(sealed) => self.inner.keyring.unseal_text(&place(id), sealed)?,
            None => Secret::default(),
        };
        Ok(Some(PowerTarget {
            machine: id,
            protocol: it.power_protocol,
            address: it.power_address.unwrap_or_default(),
            username: it.power_username.unwrap_or_default(),
            password,
        }))
    }

    /// Machines whose power was not asked for this long; never asked ones first.
    ///
    /// # Errors
    /// [`CommandError::Fault`](crate::CommandError::Fault).
    pub async fn power_stale(&self, older_than: Duration, limit: u32) -> Answer<Vec<MachineId>> {
        let span = i64::try_from(older_than.as_micros()).unwrap_or(i64::MAX);
        let before = ironherd_domain::UnixMicros(self.now().0.saturating_sub(span));
        let found = machine::power_stale(&mut self.read().await?, before, limit).await?;
        Ok(found.into_iter().map(|it| it.id).collect())
    }

    /// What a poll of the BMC saw. Moves a release on when the machine is off.
    ///
    /// # Errors
    /// [`CommandError::Fault`](crate::CommandError::Fault).
    pub async fn power_observed(
        &self,
        id: MachineId,
        seen: Result<PowerState, String>,
    ) -> Answer<()> {
        use crate::work::transact;
        transact!(self, &crate::Actor::System("power poll"), |work| {
            match &seen {
                Ok(state) => work.power_seen(id, *state, None).await,
                Err(error) => work.power_seen(id, PowerState::Unknown, Some(error)).await,
            }
        })
    }
}

/// Where the BMC password of a machine is sealed for.
pub(crate) fn place(machine: MachineId) -> String {
    format!("bmc:{machine}")
}

/// Checks how a BMC is reached, before anything tries.
pub(crate) fn check(input: &PowerInput) -> Result<(), Refusal> {
    let field = ["input", "power", "address"];
    let address = input.address.as_deref().unwrap_or_default();
    let wrong = match input.protocol {
        PowerProtocol::Manual => None,
        PowerProtocol::Redfish if !is_url(address) => {
            Some("A Redfish address is a URL, like https://10.0.0.7 or https://bmc-7:8443.")
        }
        PowerProtocol::Ipmi if !is_host(address) => {
            Some("An IPMI address is a host or host:port, like 10.0.0.7 or 10.0.0.7:623.")
        }
        PowerProtocol::Redfish | PowerProtocol::Ipmi => None,
    };
    match wrong {
        None => Ok(()),
        Some(why) => Err(Refusal::new("POWER_INVALID", &field, why)),
    }
}

/// The IPv4 address that a BMC is reached at; `None` if it is named otherwise.
pub(crate) fn literal(input: &PowerInput) -> Option<Ipv4Addr> {
    let address = input.address.as_deref()?;
    let host = match input.protocol {
        PowerProtocol::Manual => return None,
        PowerProtocol::Ipmi => address,
        PowerProtocol::Redfish => {
            let (_, host) = address.split_once("://")?;
            host.trim_end_matches('/')
        }
    };
    let with_port = host.parse::<SocketAddrV4>().map(|it| *it.ip());
    with_port.ok().or_else(|| host.parse().ok())
}

/// Behind `#` stands how far a certificate is trusted (`#insecure`, `#sha256=…`), which the BMC
/// driver reads.
fn is_url(text: &str) -> bool {
    let (text, trust) = text.split_once('#').map_or((text, None), |(url, it)| (url, Some(it)));
    let pinned = |it: &str| {
        let digest = it.strip_prefix("sha256=");
        digest.is_some_and(|it| it.len() == 64 && it.bytes().all(|it| it.is_ascii_hexdigit()))
    };
    if trust.is_some_and(|it| it != "insecure" && !pinned(it)) {
        return false;
    }
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|it| {
        let host = it.trim_end_matches('/');
        !host.contains('@') && is_host(host)
    })
}

fn is_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.ends_with(':') && !host.contains(':') => (host, Some(port)),
        _ => (text, None),
    };
    let letters =
        |it: char| it.is_ascii_alphanumeric() || matches!(it, '.' | '-' | ':' | '[' | ']');
    !host.is_empty()
        && host.chars().all(letters)
        && port.is_none_or(|it| it.parse::<u16>().is_ok_and(|it| it != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bmc_address_fits_its_protocol() {
        let rows = [
            (PowerProtocol::Redfish, "https://10.0.0.7", true),
            (PowerProtocol::Redfish, "http://127.0.0.1:8000/", true),
            (PowerProtocol::Redfish, "https://[fd00::7]", true),
            (PowerProtocol::Redfish, "https://10.0.0.7#insecure", true),
            (PowerProtocol::Redfish, "https://10.0.0.7#sha256=00", false),
            (PowerProtocol::Redfish, "https://10.0.0.7#trustme", false),
            (PowerProtocol::Redfish, "10.0.0.7", false),
            (PowerProtocol::Redfish, "https://root:calvin@10.0.0.7", false),
            (PowerProtocol::Redfish, "", false),
            (PowerProtocol::Ipmi, "10.0.0.7", true),
            (PowerProtocol::Ipmi, "bmc-7.example:623", true),
            (PowerProtocol::Ipmi, "10.0.0.7:0", false),
            (PowerProtocol::Ipmi, "10.0.0.7:99999", false),
            (PowerProtocol::Ipmi, "https://10.0.0.7", false),
            (PowerProtocol::Ipmi, "a b", false),
            (PowerProtocol::Manual, "", true),
        ];
        for (protocol, address, want) in rows {
            let address = Some(address.to_owned());
            let input = PowerInput { protocol, address, username: None, password: None };
            assert_eq!(check(&input).is_ok(), want, "{input:?}");
        }
    }
    #[test]
    fn only_a_written_out_address_is_literal() {
        let rows = [
            (PowerProtocol::Redfish, "http://10.77.0.201", true),
            (PowerProtocol::Redfish, "https://10.77.0.201:8443/", true),
            (PowerProtocol::Ipmi, "10.77.0.201", true),
            (PowerProtocol::Ipmi, "10.77.0.201:623", true),
            (PowerProtocol::Redfish, "http://attacker", false),
            (PowerProtocol::Redfish, "http://10.77.0.201.attacker", false),
            (PowerProtocol::Redfish, "http://10.77.0.201@attacker", false),
            (PowerProtocol::Redfish, "http://10.77.0.201:80:attacker", false),
            (PowerProtocol::Redfish, "http://0x0a4d00c9", false),
            (PowerProtocol::Redfish, "http://10.77.0.201#insecure", false),
            (PowerProtocol::Redfish, "https://[fd00::7]", false),
            (PowerProtocol::Ipmi, "bmc-7:623", false),
            (PowerProtocol::Manual, "10.77.0.201", false),
        ];
        let want = Ipv4Addr::new(10, 77, 0, 201);
        for (protocol, address, is_literal) in rows {
            let address = Some(address.to_owned());
            let input = PowerInput { protocol, address, username: None, password: None };
            assert_eq!(literal(&input), is_literal.then_some(want), "{input:?}");
        }
    }
}
