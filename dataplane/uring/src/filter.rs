use socket2::SockFilter;

/// Where the client's hardware address stands, counted from the UDP header as a socket filter does.
const CHADDR_AT: u32 = 8 + 28;

/// Builds the filter that gives shard `index` of `count` its part of all DHCP clients.
///
/// A reuseport group does not share out broadcasts: each of its sockets gets every one. So each
/// socket drops what is not its own, by the last four bytes of `chaddr`.
pub(crate) fn chaddr_filter(index: u32, count: u32) -> [SockFilter; 5] {
    [
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, CHADDR_AT + 2),
        statement(libc::BPF_ALU | libc::BPF_MOD | libc::BPF_K, count.max(1)),
        SockFilter::new(code(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K), 0, 1, index),
        statement(libc::BPF_RET | libc::BPF_K, u32::MAX), // Keep the whole datagram.
        statement(libc::BPF_RET | libc::BPF_K, 0),
    ]
}

fn statement(operation: u32, k: u32) -> SockFilter {
    SockFilter::new(code(operation), 0, 0, k)
}

fn code(operation: u32) -> u16 {
    // Every classic BPF operation fits 16 bits; the constants are merely declared wider.
    u16::try_from(operation).unwrap_or(u16::MAX)
}
