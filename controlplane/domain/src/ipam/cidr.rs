use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use crate::Refusal;

/// Reads a network such as `10.20.0.0/24`.
///
/// # Errors
/// `CIDR_INVALID`; when only host bits are set, the message names the network that was meant.
pub fn cidr(text: &str, field: &[&str]) -> Result<Ipv4Net, Refusal> {
    let refused = |why: String| Refusal::new("CIDR_INVALID", field, why);
    let shown: String = text.chars().take(64).collect();
    let Ok(net) = text.trim().parse::<Ipv4Net>() else {
        let why = if text.contains(':') {
            format!("`{shown}` is IPv6; only IPv4 subnets are served so far.")
        } else if !text.contains('/') {
            format!("`{shown}` has no prefix length; write it like 10.20.0.0/24.")
        } else {
            format!("`{shown}` is no IPv4 network; write it like 10.20.0.0/24.")
        };
        return Err(refused(why));
    };
    if net.addr() != net.network() {
        let meant = net.trunc();
        let why = format!("`{shown}` is a host inside a network; the network is {meant}.");
        return Err(refused(why));
    }
    if !(8..=30).contains(&net.prefix_len()) {
        let why = format!("`{shown}` must have a prefix length from 8 to 30.");
        return Err(refused(why));
    }
    let first = net.network();
    if first.is_loopback() || first.is_multicast() || first.is_unspecified() {
        let why = format!("`{shown}` is no network that machines can have addresses in.");
        return Err(refused(why));
    }
    Ok(net)
}

/// Reads one address.
///
/// # Errors
/// `ADDRESS_INVALID`.
pub fn address(text: &str, field: &[&str]) -> Result<Ipv4Addr, Refusal> {
    text.trim().parse().map_err(|_| {
        let shown: String = text.chars().take(64).collect();
        let why = format!("`{shown}` is no IPv4 address; write it like 10.20.0.1.");
        Refusal::new("ADDRESS_INVALID", field, why)
    })
}

/// Reads a list of addresses; the refusal names the place in the list.
///
/// # Errors
/// `ADDRESS_INVALID` for the first that cannot be read.
pub fn addresses(texts: &[String], field: &[&str]) -> Result<Vec<Ipv4Addr>, Refusal> {
    let mut read = Vec::with_capacity(texts.len());
    for (at, text) in texts.iter().enumerate() {
        let place = at.to_string();
        let mut path = field.to_vec();
        path.push(&place);
        read.push(address(text, &path)?);
    }
    Ok(read)
}

/// Refuses a network that shares addresses with one that is already there.
///
/// # Errors
/// `SUBNET_OVERLAP`, naming the other.
pub fn overlap(net: Ipv4Net, others: &[Ipv4Net], field: &[&str]) -> Result<(), Refusal> {
    let meets = |other: &&Ipv4Net| other.contains(&net.network()) || net.contains(&other.network());
    match others.iter().find(meets) {
        None => Ok(()),
        Some(other) => {
            let why = format!(
                "{net} overlaps the subnet {other}. Choose another network or delete {other} first."
            );
            Err(Refusal::new("SUBNET_OVERLAP", field, why))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_read_or_the_message_says_how_to_mend_it() {
        let rows = [
            ("10.20.0.0/24", Ok("10.20.0.0/24")),
            (" 10.20.0.0/30 ", Ok("10.20.0.0/30")),
            ("10.20.0.7/24", Err("the network is 10.20.0.0/24")),
            ("10.20.0.0", Err("has no prefix length")),
            ("10.20.0.0/33", Err("is no IPv4 network")),
            ("10.20.0.0/31", Err("from 8 to 30")),
            ("127.0.0.0/8", Err("no network that machines")),
            ("224.0.0.0/8", Err("no network that machines")),
            ("fd00::/64", Err("is IPv6")),
            ("mars/24", Err("is no IPv4 network")),
        ];
        for (text, want) in rows {
            match (cidr(text, &["input", "cidr"]), want) {
                (Ok(net), Ok(want)) => assert_eq!(net.to_string(), want),
                (Err(refusal), Err(part)) => {
                    assert_eq!(refusal.code, "CIDR_INVALID");
                    assert!(refusal.message.contains(part), "{text}: {}", refusal.message);
                }
                (got, want) => panic!("{text}: {got:?}, want {want:?}"),
            }
        }
    }

    #[test]
    fn networks_that_share_addresses_are_refused() {
        let rows = [
            ("10.20.0.0/24", "10.21.0.0/24", true),
            ("10.20.0.0/24", "10.20.0.0/24", false),
            ("10.20.0.0/16", "10.20.3.0/24", false),
            ("10.20.3.0/24", "10.20.0.0/16", false),
        ];
        for (a, b, want) in rows {
            let (a, b) = (a.parse().unwrap(), b.parse().unwrap());
            assert_eq!(overlap(a, &[b], &["input"]).is_ok(), want, "{a} and {b}");
        }
    }

    #[test]
    fn a_wrong_address_is_named_by_its_place() {
        let texts = ["10.0.0.1".to_owned(), "10.0.0".to_owned()];
        let refusal = addresses(&texts, &["input", "dnsServers"]).unwrap_err();
        assert_eq!(refusal.field, ["input", "dnsServers", "1"]);
    }
}
