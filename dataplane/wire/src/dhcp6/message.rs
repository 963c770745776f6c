use super::code;
use super::options::{Ia, Items, Options};
use super::{Duid, IaKind};
use crate::error::Dhcp6Error;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageType {
    Solicit = 1,
    Advertise = 2,
    Request = 3,
    Confirm = 4,
    Renew = 5,
    Rebind = 6,
    Reply = 7,
    Release = 8,
    Decline = 9,
    Reconfigure = 10,
    InformationRequest = 11,
    RelayForward = 12,
    RelayReply = 13,
}

impl MessageType {
    #[must_use]
    pub const fn from_wire(wire: u8) -> Option<Self> {
        Some(match wire {
            1 => Self::Solicit,
            2 => Self::Advertise,
            3 => Self::Request,
            4 => Self::Confirm,
            5 => Self::Renew,
            6 => Self::Rebind,
            7 => Self::Reply,
            8 => Self::Release,
            9 => Self::Decline,
            10 => Self::Reconfigure,
            11 => Self::InformationRequest,
            12 => Self::RelayForward,
            13 => Self::RelayReply,
            _ => return None,
        })
    }

    /// Whether a client sends it to servers.
    #[must_use]
    pub const fn is_from_client(self) -> bool {
        !matches!(
            self,
            Self::Advertise
                | Self::Reply
                | Self::Reconfigure
                | Self::RelayForward
                | Self::RelayReply
        )
    }
}

/// A view of one message between client and server. Parsing copies nothing.
///
/// An option whose value has the wrong form counts as absent, as in DHCPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    pub kind: MessageType,
    /// Chosen by the client; its reply carries the same.
    pub transaction: [u8; 3],
    pub options: Options<'a>,
}

impl<'a> Message<'a> {
    /// # Errors
    /// [`Dhcp6Error`] if the fixed part is not whole, or the type is none between client and
    /// server.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Dhcp6Error> {
        let [kind, a, b, c, options @ ..] = bytes else { return Err(Dhcp6Error::Truncated) };
        let kind = MessageType::from_wire(*kind).ok_or(Dhcp6Error::MessageType)?;
        if matches!(kind, MessageType::RelayForward | MessageType::RelayReply) {
            return Err(Dhcp6Error::MessageType);
        }
        Ok(Self { kind, transaction: [*a, *b, *c], options: Options::new(options) })
    }

    #[must_use]
    pub fn client_id(&self) -> Option<Duid<'a>> {
        Duid::parse(self.options.find(code::CLIENT_ID)?)
    }

    /// As it stands there: it is only ever compared.
    #[must_use]
    pub fn server_id(&self) -> Option<&'a [u8]> {
        self.options.find(code::SERVER_ID)
    }

    /// What the client asks to be given addresses or prefixes for, in its order.
    pub fn ias(&self) -> impl Iterator<Item = Ia<'a>> + use<'a> {
        self.options.iter().filter_map(|(code, value)| Ia::parse(IaKind::of(code)?, value))
    }

    /// Whether the client asks for this option. Unlike in DHCPv4, no list asks for nothing.
    #[must_use]
    pub fn wants(&self, code: u16) -> bool {
        let list = self.options.find(code::REQUESTED).unwrap_or_default();
        list.chunks_exact(2).any(|it| it == code.to_be_bytes())
    }

    #[must_use]
    pub fn wants_rapid_commit(&self) -> bool {
        self.options.find(code::RAPID_COMMIT).is_some()
    }

    /// The items of its vendor class (option 16), with the enterprise that defines them. Of several
    /// enterprises, PXE's goes first.
    #[must_use]
    pub fn vendor_class(&self) -> Option<(u32, Items<'a>)> {
        let classes = || self.options.all(code::VENDOR_CLASS).filter_map(enterprise);
        classes().find(|it| it.0 == code::ENTERPRISE_PXE).or_else(|| classes().next())
    }

    /// Whether one item of the vendor class starts so, whatever the enterprise.
    #[must_use]
    pub fn has_vendor_class(&self, prefix: &[u8]) -> bool {
        let mut classes = self.options.all(code::VENDOR_CLASS).filter_map(enterprise);
        classes.any(|(_, mut items)| items.any(|it| it.starts_with(prefix)))
    }

    #[must_use]
    pub fn has_user_class(&self, wanted: &[u8]) -> bool {
        let value = self.options.find(code::USER_CLASS).unwrap_or_default();
        Items::new(value).any(|it| it == wanted)
    }

    /// Whether the client says it runs on this firmware architecture; it may name several.
    #[must_use]
    pub fn has_architecture(&self, wanted: u16) -> bool {
        let value = self.options.find(code::ARCHITECTURE).unwrap_or_default();
        value.chunks_exact(2).any(|it| it == wanted.to_be_bytes())
    }
}

fn enterprise(value: &[u8]) -> Option<(u32, Items<'_>)> {
    let (number, items) = value.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*number), Items::new(items)))
}
