use socket2::SockFilter;

/// Where the client's hardware address stands in a DHCP message.
const CHADDR_AT: u32 = 28;
/// A socket filter counts from the UDP header, a program that chooses a socket from the payload.
const UDP_HEADER_BYTES: u32 = 8;

/// Builds the filter that gives shard `index` of `count` its part of all DHCP clients.
///
/// A reuseport group does not share out broadcasts: each of its sockets gets every one. So each
/// socket drops what is not its own, by the last four bytes of `chaddr`.
pub(crate) fn chaddr_filter(index: u32, count: u32) -> [SockFilter; 5] {
    [
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, UDP_HEADER_BYTES + CHADDR_AT + 2),
        statement(libc::BPF_ALU | libc::BPF_MOD | libc::BPF_K, count.max(1)),
        SockFilter::new(code(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K), 0, 1, index),
        statement(libc::BPF_RET | libc::BPF_K, u32::MAX), // Keep the whole datagram.
        statement(libc::BPF_RET | libc::BPF_K, 0),
    ]
}

/// Builds the program that gives each unicast datagram to the socket of its client's shard: the
/// sockets of the group count in the order they were bound.
pub(crate) fn chaddr_choice(count: u32) -> [libc::sock_filter; 3] {
    let statement = |operation, k| libc::sock_filter { code: code(operation), jt: 0, jf: 0, k };
    [
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, CHADDR_AT + 2),
        statement(libc::BPF_ALU | libc::BPF_MOD | libc::BPF_K, count.max(1)),
        statement(libc::BPF_RET | BPF_A, 0),
    ]
}

/// "Return the accumulator": missing from the bindings.
const BPF_A: u32 = 0x10;

/// Builds the filter that lets pass whole frames with UDP over IPv4 to one port. A header with IP
/// options is not looked into: nobody sends DHCP with them.
pub(crate) fn udp_frame_filter(port: u16) -> [SockFilter; 8] {
    let equals = |k, otherwise| {
        SockFilter::new(code(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K), 0, otherwise, k)
    };
    [
        statement(libc::BPF_LD | libc::BPF_H | libc::BPF_ABS, 12), // What the frame carries.
        equals(0x0800, 5),
        statement(libc::BPF_LD | libc::BPF_B | libc::BPF_ABS, 14 + 9), // What the packet carries.
        equals(17, 3),
        statement(libc::BPF_LD | libc::BPF_H | libc::BPF_ABS, 14 + 20 + 2), // Its port.
        equals(port.into(), 1),
        statement(libc::BPF_RET | libc::BPF_K, u32::MAX),
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
