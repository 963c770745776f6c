use std::net::Ipv6Addr;

use super::options::Options;
use super::{MessageType, RELAYS_MAX, code};
use crate::error::Dhcp6Error;

/// What one relay wrapped around a client's message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope<'a> {
    pub hops: u8,
    /// Tells the client's link; `::` where the relay cannot tell (RFC 6221).
    pub link: Ipv6Addr,
    /// Whom the relay heard: the client, or the relay before it.
    pub peer: Ipv6Addr,
    pub options: Options<'a>,
}

/// A client's message, taken out of the envelopes of its relays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relayed<'a> {
    envelopes: [Option<Envelope<'a>>; RELAYS_MAX], // Outermost first; `None` behind the last.
    /// The message itself, for [`Message::parse`](super::Message::parse).
    pub message: &'a [u8],
}

const FIXED_BYTES: usize = 34;

impl<'a> Relayed<'a> {
    /// Opens one envelope after the other; a message that came without any has none.
    ///
    /// # Errors
    /// [`Dhcp6Error`] if an envelope is not whole, is empty, or there are more than [`RELAYS_MAX`].
    pub fn open(bytes: &'a [u8]) -> Result<Self, Dhcp6Error> {
        let mut opened = Self { envelopes: [None; RELAYS_MAX], message: bytes };
        for place in &mut opened.envelopes {
            if opened.message.first() != Some(&(MessageType::RelayForward as u8)) {
                return Ok(opened);
            }
            let fixed = opened.message.split_first_chunk::<FIXED_BYTES>();
            let (fixed, options) = fixed.ok_or(Dhcp6Error::Truncated)?;
            let options = Options::new(options);
            *place = Some(Envelope {
                hops: fixed[1],
                link: address(&fixed[2..18]),
                peer: address(&fixed[18..]),
                options,
            });
            opened.message = options.find(code::RELAY_MESSAGE).ok_or(Dhcp6Error::EmptyEnvelope)?;
        }
        match opened.message.first() {
            Some(kind) if *kind == MessageType::RelayForward as u8 => Err(Dhcp6Error::TooDeep),
            _ => Ok(opened),
        }
    }

    #[must_use]
    pub fn is_direct(&self) -> bool {
        self.envelopes[0].is_none()
    }

    /// The envelopes, the outermost first: its relay is the one that spoke to us.
    pub fn envelopes(&self) -> impl DoubleEndedIterator<Item = &Envelope<'a>> {
        self.envelopes.iter().flatten()
    }

    /// The relay that heard the client itself.
    #[must_use]
    pub fn innermost(&self) -> Option<&Envelope<'a>> {
        self.envelopes().next_back()
    }

    /// The address that tells the client's link: of the relay nearest to it that names one.
    #[must_use]
    pub fn link(&self) -> Option<Ipv6Addr> {
        self.envelopes().rev().map(|it| it.link).find(|it| !it.is_unspecified())
    }

    /// The client's card, if its relay tells it (RFC 6939).
    #[must_use]
    pub fn ethernet(&self) -> Option<[u8; 6]> {
        let value = self.innermost()?.options.find(code::CLIENT_LINK_LAYER)?;
        let mac = <[u8; 6]>::try_from(value.strip_prefix(&[0, 1])?).ok()?;
        (mac != [0; 6] && mac[0] & 1 == 0).then_some(mac)
    }

    /// Whether the relay that spoke to us listens at the port that it sent from (RFC 8357).
    #[must_use]
    pub fn has_own_port(&self) -> bool {
        self.envelopes().next().is_some_and(|it| it.options.find(code::RELAY_PORT).is_some())
    }

    /// Appends the reply: `write` appends the message inside, and each relay gets back its own
    /// envelope with what it wants echoed.
    pub fn wrap(&self, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        let mut opened = [0; RELAYS_MAX];
        for (place, envelope) in opened.iter_mut().zip(self.envelopes()) {
            out.extend_from_slice(&[MessageType::RelayReply as u8, envelope.hops]);
            out.extend_from_slice(&envelope.link.octets());
            out.extend_from_slice(&envelope.peer.octets());
            for code in [code::INTERFACE_ID, code::RELAY_PORT] {
                if let Some(value) = envelope.options.find(code) {
                    out.extend_from_slice(&code.to_be_bytes());
                    out.extend_from_slice(&length(value.len()));
                    out.extend_from_slice(value);
                }
            }
            out.extend_from_slice(&code::RELAY_MESSAGE.to_be_bytes());
            *place = out.len();
            out.extend_from_slice(&[0; 2]); // The length, once it is known.
        }
        write(out);
        for (at, _) in opened.iter().zip(self.envelopes()) {
            let len = length(out.len().saturating_sub(at + 2));
            if let Some(place) = out.get_mut(*at..at + 2) {
                place.copy_from_slice(&len);
            }
        }
    }

    /// What the envelopes of a reply take, the message not counted.
    #[must_use]
    pub fn envelope_bytes(&self) -> usize {
        let echoed = |envelope: &Envelope<'_>| {
            let codes = [code::INTERFACE_ID, code::RELAY_PORT].into_iter();
            codes.filter_map(|it| envelope.options.find(it)).map(|it| it.len() + 4).sum::<usize>()
        };
        self.envelopes().map(|it| FIXED_BYTES + 4 + echoed(it)).sum()
    }
}

fn address(bytes: &[u8]) -> Ipv6Addr {
    <[u8; 16]>::try_from(bytes).map_or(Ipv6Addr::UNSPECIFIED, Ipv6Addr::from)
}

/// No datagram is longer than 16 bits count.
fn length(len: usize) -> [u8; 2] {
    u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes()
}
