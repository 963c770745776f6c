use crate::text_enum::text_enum;

text_enum! {
    /// What a rack warns of.
    RackAlarmKind, "kind of alarm" {
        /// Somebody else's DHCP server answers on a VLAN.
        ForeignDhcpServer = "FOREIGN_DHCP_SERVER",
        /// Most addresses of a range are in use.
        PoolLow = "POOL_LOW",
        /// All of them are.
        PoolExhausted = "POOL_EXHAUSTED",
        /// Leases cannot be written, so none is granted.
        JournalFailed = "JOURNAL_FAILED",
    }
}
