//! What a reply says of names and routes, beyond copying an option.

use std::net::Ipv4Addr;

use ironherd_wire::dhcp::{Message, code};

/// Flags of option 81 (RFC 4702 §2.1).
const SERVER_UPDATES: u8 = 1;
const OVERRIDDEN: u8 = 2;
const ENCODED: u8 = 4;
const NO_UPDATES: u8 = 8;
/// What a server puts into both result codes.
const RESULT: u8 = 255;

/// The answer to a client's full name: we update no names, and say so.
///
/// The name is the one we know the client by, else its own; in the client's encoding.
pub(super) fn fqdn(
    message: &Message<'_>,
    hostname: Option<&str>,
    domain: Option<&str>,
) -> Option<Vec<u8>> {
    message.option(code::CLIENT_FQDN)?.read(|asked| {
        let [flags, _, _, theirs @ ..] = asked else { return None };
        let encoded = flags & ENCODED != 0;
        let overridden = if flags & SERVER_UPDATES != 0 { OVERRIDDEN } else { 0 };
        let mut answer = vec![(flags & ENCODED) | overridden | NO_UPDATES, RESULT, RESULT];
        let ours = hostname.map(|host| match domain {
            Some(domain) if !host.contains('.') => format!("{host}.{domain}"),
            _ => host.to_owned(),
        });
        match ours.and_then(|it| if encoded { labels(&it) } else { Some(it.into_bytes()) }) {
            Some(name) => answer.extend_from_slice(&name),
            None => answer.extend_from_slice(theirs),
        }
        Some(answer)
    })
}

/// A name in the form of RFC 1035 §3.1; `None` if it has none.
fn labels(name: &str) -> Option<Vec<u8>> {
    let mut encoded = Vec::with_capacity(name.len() + 2);
    for label in name.trim_end_matches('.').split('.') {
        let len = u8::try_from(label.len()).ok().filter(|it| (1..64).contains(it))?;
        encoded.push(len);
        encoded.extend_from_slice(label.as_bytes());
    }
    encoded.push(0);
    Some(encoded)
}

/// Classless routes (RFC 3442) with the default route that the client would otherwise lose: one
/// that takes these ignores option 3.
pub(super) fn with_default_route(routes: &[u8], gateway: Option<Ipv4Addr>) -> Vec<u8> {
    let mut all = routes.to_vec();
    if let Some(gateway) = gateway.filter(|_| !has_default_route(routes)) {
        all.push(0);
        all.extend_from_slice(&gateway.octets());
    }
    all
}

fn has_default_route(mut routes: &[u8]) -> bool {
    while let Some((len, after)) = routes.split_first() {
        if *len == 0 {
            return true;
        }
        let significant = usize::from(len.div_ceil(8));
        let Some((_, after)) = after.split_at_checked(significant + 4) else { return false };
        routes = after;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_get_a_default_route_once() {
        let gateway = Some(Ipv4Addr::new(10, 0, 0, 1));
        let ten = [8, 10, 10, 0, 0, 9];
        let with = [&ten[..], &[0, 10, 0, 0, 1]].concat();
        let own = [&[0, 10, 0, 0, 7][..], &ten].concat();
        let rows: [(&[u8], Option<Ipv4Addr>, &[u8]); 5] = [
            (&ten, gateway, &with),
            (&ten, None, &ten),
            (&with, gateway, &with),
            (&own, gateway, &own),
            (&[24, 10, 0], gateway, &[24, 10, 0, 0, 10, 0, 0, 1]), // Broken before us.
        ];
        for (routes, gateway, want) in rows {
            assert_eq!(with_default_route(routes, gateway), want, "{routes:?} {gateway:?}");
        }
    }

    #[test]
    fn only_names_have_labels() {
        assert_eq!(labels("node.lab."), Some(b"\x04node\x03lab\0".to_vec()));
        assert_eq!(labels("a..b"), None);
        assert_eq!(labels(&"x".repeat(64)), None);
    }
}
