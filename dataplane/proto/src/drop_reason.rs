use std::fmt;

/// Names each reason once: the enum, its text for metrics, and the list of all.
macro_rules! drop_reasons {
    ($($(#[doc = $doc:literal])+ $name:ident => $text:literal,)+) => {
        /// Why a packet got no answer. Every packet is answered or counted under one of these.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum DropReason { $($(#[doc = $doc])+ $name,)+ }

        impl DropReason {
            pub const ALL: [Self; [$($text),+].len()] = [$(Self::$name),+];

            /// The stable name in metrics and logs.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// The reason as a sentence for a person, with a space before it.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+),)+ }
            }
        }
    };
}

drop_reasons! {
    /// Too short, or without the magic cookie.
    DhcpMalformed => "dhcp_malformed",
    /// A reply, e.g. another server's broadcast.
    DhcpNotRequest => "dhcp_not_request",
    /// Not a 6-byte Ethernet address, or one that names no single card.
    DhcpHardware => "dhcp_hardware",
    /// Option 53 is absent or names nothing a client sends.
    DhcpMessageType => "dhcp_message_type",
    /// No subnet of the snapshot covers the client.
    DhcpNoSubnet => "dhcp_no_subnet",
    /// DHCP is switched off on the client's VLAN.
    DhcpOff => "dhcp_off",
    /// Another server gives addresses on this VLAN; we only tell what to boot.
    DhcpProxyOnly => "dhcp_proxy_only",
    /// A relay speaks for a client of a VPN, whose addresses are not ours to give.
    DhcpOtherVpn => "dhcp_other_vpn",
    /// The client chose another server's offer.
    DhcpOtherServer => "dhcp_other_server",
    /// No address is free, and none is reserved for the card.
    DhcpNoAddress => "dhcp_no_address",
    /// We hold no record of this lease, so another server may (RFC 2131 §4.3.2).
    DhcpUnknownClient => "dhcp_unknown_client",
    /// RELEASE or DECLINE of an address that the client does not hold.
    DhcpNotHolder => "dhcp_not_holder",
    /// The card asks more often than any client needs to (`rack.card_rate`).
    DhcpCardRate => "dhcp_card_rate",
    /// The relay passes on more than it may (`rack.relay_rate`).
    DhcpRelayRate => "dhcp_relay_rate",
    /// Too many replies wait already.
    DhcpBacklog => "dhcp_backlog",
    /// A repeat, refused so that first contacts still fit.
    DhcpRepeat => "dhcp_repeat",
    /// The lease journal cannot be written: granting would promise what a crash forgets.
    DhcpJournal => "dhcp_journal",
    /// The lease was given up or renewed while its ACK waited for the disk.
    DhcpSuperseded => "dhcp_superseded",
    /// Where only boot files are served: the client does not boot, or nothing suits it.
    DhcpNotBooting => "dhcp_not_booting",
    /// A reply that could go nowhere: no usable address or card to send it to.
    DhcpNoDestination => "dhcp_no_destination",
    /// Not whole, or a question of the wrong form.
    Dhcp6Malformed => "dhcp6_malformed",
    /// More relays than a message may pass.
    Dhcp6TooDeep => "dhcp6_too_deep",
    /// A message that clients do not send.
    Dhcp6NotRequest => "dhcp6_not_request",
    /// A client's message that was not sent to the group of all servers.
    Dhcp6Unicast => "dhcp6_unicast",
    /// The client names no DUID, or one of an impossible length.
    Dhcp6ClientId => "dhcp6_client_id",
    /// The server is named where it must not be, or not where it must.
    Dhcp6ServerId => "dhcp6_server_id",
    /// The client speaks to another server.
    Dhcp6OtherServer => "dhcp6_other_server",
    /// No IPv6 subnet of the snapshot is on the client's link.
    Dhcp6NoSubnet => "dhcp6_no_subnet",
    /// DHCP is off on this VLAN, or a foreign server's to answer.
    Dhcp6Off => "dhcp6_off",
    /// We hold no record of what the client wants to keep, so another server may.
    Dhcp6UnknownClient => "dhcp6_unknown_client",
    /// CONFIRM without an address.
    Dhcp6NothingToConfirm => "dhcp6_nothing_to_confirm",
    /// The client asks more often than any needs to (`rack.card_rate`).
    Dhcp6CardRate => "dhcp6_card_rate",
    /// The relay passes on more than it may (`rack.relay_rate`).
    Dhcp6RelayRate => "dhcp6_relay_rate",
    /// Too many replies wait already.
    Dhcp6Backlog => "dhcp6_backlog",
    /// The IPv6 lease journal cannot be written.
    Dhcp6Journal => "dhcp6_journal",
    /// The lease was given up while its REPLY waited for the disk.
    Dhcp6Superseded => "dhcp6_superseded",
    /// No usable address to reply to.
    Dhcp6NoDestination => "dhcp6_no_destination",
    /// No TFTP packet.
    TftpMalformed => "tftp_malformed",
    /// Something other than a request on port 69.
    TftpNotRequest => "tftp_not_request",
    /// A request that its running transfer has long answered.
    TftpRequestRepeated => "tftp_request_repeated",
    /// A client wants to write.
    TftpWriteRefused => "tftp_write_refused",
    /// A mode other than octet, or netascii for what is no short text.
    TftpModeRefused => "tftp_mode_refused",
    /// No file of this name; answered at once, since firmware probes for files that may not exist.
    TftpNotFound => "tftp_not_found",
    /// The file is known but not in this rack's cache yet.
    TftpArriving => "tftp_arriving",
    /// A machine's script, asked for from an address that is not its card's.
    TftpNotHolder => "tftp_not_holder",
    /// More blocks than 32 bits count.
    TftpTooLarge => "tftp_too_large",
    /// Every transfer slot is taken.
    TftpFull => "tftp_full",
    /// No transfer between this client and this socket.
    TftpUnknownTransfer => "tftp_unknown_transfer",
    /// An ACK that says nothing new: answering it would double all later traffic.
    TftpAckRepeated => "tftp_ack_repeated",
    /// An ACK of a block that was not sent.
    TftpAckOutsideWindow => "tftp_ack_outside_window",
    /// A packet that only servers send.
    TftpUnexpected => "tftp_unexpected",
    /// No HTTP request head.
    HttpMalformed => "http_malformed",
    /// A request head over the limit.
    HttpHeadTooLarge => "http_head_too_large",
    /// A request with a body: nothing here takes one.
    HttpBodyRefused => "http_body_refused",
    /// A machine's script, asked for from an address that is not its card's.
    HttpNotHolder => "http_not_holder",
    /// More requests at once than the connection keeps.
    HttpPipelineTooDeep => "http_pipeline_too_deep",
    /// The request head did not arrive whole in time.
    HttpHeadTimeout => "http_head_timeout",
    /// The client stopped taking the response.
    HttpStalled => "http_stalled",
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How often each reason was met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropCounters([u64; DropReason::ALL.len()]);

impl DropCounters {
    #[must_use]
    pub const fn new() -> Self {
        Self([0; DropReason::ALL.len()])
    }

    pub fn count(&mut self, reason: DropReason) {
        self.add(reason, 1);
    }

    pub fn add(&mut self, reason: DropReason, times: u64) {
        if let Some(counter) = self.0.get_mut(reason as usize) {
            *counter = counter.saturating_add(times);
        }
    }

    #[must_use]
    pub fn of(&self, reason: DropReason) -> u64 {
        self.0.get(reason as usize).copied().unwrap_or(0)
    }

    /// Every reason with its count, zeros included, so that each metric exists from the start.
    pub fn iter(&self) -> impl Iterator<Item = (DropReason, u64)> + '_ {
        DropReason::ALL.into_iter().zip(self.0.iter().copied())
    }
}

impl Default for DropCounters {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_own_name_and_counter() {
        let mut counters = DropCounters::new();
        for (times, reason) in (1..).zip(DropReason::ALL) {
            counters.add(reason, times);
        }
        let mut names = std::collections::HashSet::new();
        for ((times, reason), counted) in (1..).zip(DropReason::ALL).zip(counters.iter()) {
            assert_eq!(counted, (reason, times));
            assert!(names.insert(reason.as_str()), "{reason} is used twice");
            let text = reason.text();
            assert!(text.starts_with(' ') && text.ends_with('.'), "{reason}: {text}");
        }
    }
}
