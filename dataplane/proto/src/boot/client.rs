use ironherd_wire::dhcp::{Message, code, sub_option};

use super::table::{OPAL, S390};

/// The program that asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Client {
    /// iPXE that can fetch a script over HTTP.
    Ipxe,
    /// PXE firmware, or an iPXE without HTTP.
    Pxe,
    /// UEFI HTTP boot firmware.
    Http,
    /// U-Boot that boots on its own, not as UEFI firmware.
    UBoot,
    /// The installer of network switches.
    Onie,
    /// Firmware known by its architecture alone, whatever class its DHCP client sends.
    Bare,
    /// An operating system, or anything else that does not boot.
    Plain,
}

impl Client {
    /// Tells the program by its classes (options 60 and 77) and iPXE's own option 175.
    #[must_use]
    pub fn of(message: &Message<'_>) -> Self {
        if speaks_ipxe(message) {
            return Self::Ipxe;
        }
        let class = message.option(code::VENDOR_CLASS);
        let is = |prefix: &[u8]| class.is_some_and(|it| it.starts_with(prefix));
        let bare =
            || [OPAL, S390].iter().any(|it| it.iter().any(|it| message.has_architecture(*it)));
        match () {
            () if is(b"PXEClient") => Self::Pxe,
            () if is(b"HTTPClient") => Self::Http,
            () if is(b"U-Boot") => Self::UBoot,
            () if is(b"onie_vendor") => Self::Onie,
            () if bare() => Self::Bare,
            () => Self::Plain,
        }
    }

    #[must_use]
    pub const fn boots(self) -> bool {
        !matches!(self, Self::Plain)
    }

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ipxe => "iPXE",
            Self::Pxe => "PXE",
            Self::Http => "HTTP boot",
            Self::UBoot => "U-Boot",
            Self::Onie => "ONIE",
            Self::Bare => "firmware",
            Self::Plain => "no boot client",
        }
    }
}

/// An iPXE that lists its features without HTTP cannot fetch a script: it is booted like plain
/// PXE firmware, into our own iPXE, which can.
fn speaks_ipxe(message: &Message<'_>) -> bool {
    use code::ipxe::{FEATURE_FIRST, FEATURE_HTTP, FEATURE_LAST};
    let named = message.has_user_class(b"iPXE");
    let Some(own) = message.option(code::IPXE) else { return named };
    own.read(|bytes| {
        let has = |feature| sub_option(bytes, feature).is_some_and(|it| it != [0]);
        let lists_any = (FEATURE_FIRST..=FEATURE_LAST).any(has);
        has(FEATURE_HTTP) || (named && !lists_any)
    })
}
