//! ARP over Ethernet (RFC 826): asking whether an address is in use (RFC 5227), and the answer.

use std::net::Ipv4Addr;

pub const FRAME_BYTES: usize = 42;
const ETHERTYPE: [u8; 2] = [0x08, 0x06];
/// Ethernet, IPv4, and how long the addresses of each are.
const KIND: [u8; 6] = [0, 1, 0x08, 0, 6, 4];
const REQUEST: u16 = 1;
const REPLY: u16 = 2;

/// Who says that an address is its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    pub mac: [u8; 6],
    pub address: Ipv4Addr,
}

/// A probe: asks for an address without claiming one, so that nobody's ARP cache learns from it.
#[must_use]
pub fn probe(from: [u8; 6], wanted: Ipv4Addr) -> [u8; FRAME_BYTES] {
    let mut frame = [0; FRAME_BYTES];
    frame[..6].fill(0xff);
    frame[6..12].copy_from_slice(&from);
    frame[12..14].copy_from_slice(&ETHERTYPE);
    frame[14..20].copy_from_slice(&KIND);
    frame[20..22].copy_from_slice(&REQUEST.to_be_bytes());
    frame[22..28].copy_from_slice(&from);
    frame[38..42].copy_from_slice(&wanted.octets());
    frame
}

/// Reads who holds an address: from an answer, or from a host that asks under its own address.
/// `None`: it is no ARP, or a probe, which claims nothing.
#[must_use]
pub fn holder(frame: &[u8]) -> Option<Holder> {
    let frame = frame.get(..FRAME_BYTES)?;
    let is_arp = frame[12..14] == ETHERTYPE && frame[14..20] == KIND;
    let operation = u16::from_be_bytes([frame[20], frame[21]]);
    let mac = [frame[22], frame[23], frame[24], frame[25], frame[26], frame[27]];
    let address = Ipv4Addr::new(frame[28], frame[29], frame[30], frame[31]);
    let tells = is_arp && [REQUEST, REPLY].contains(&operation) && !address.is_unspecified();
    tells.then_some(Holder { mac, address })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_tells_its_holder_and_a_probe_tells_nobody() {
        let wanted = Ipv4Addr::new(10, 0, 0, 9);
        let probe = probe([2, 0, 0, 0, 0, 1], wanted);
        assert_eq!(holder(&probe), None);
        let mut answer = probe;
        answer[21] = 2;
        answer[22..28].copy_from_slice(&[2, 0, 0, 0, 0, 9]);
        answer[28..32].copy_from_slice(&wanted.octets());
        let want = Some(Holder { mac: [2, 0, 0, 0, 0, 9], address: wanted });
        assert_eq!(holder(&answer), want);
        // Padding up to the least length of a frame does no harm; anything missing does.
        assert_eq!(holder(&[&answer[..], &[0; 18]].concat()), want);
        assert_eq!(holder(&answer[..41]), None);
        for (at, name) in [(13, "another protocol"), (15, "another network"), (21, "another kind")]
        {
            let mut other = answer;
            other[at] ^= 0x40;
            assert_eq!(holder(&other), None, "{name}");
        }
    }
}
