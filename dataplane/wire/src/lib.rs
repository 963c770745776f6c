//! Bytes to messages and back: DHCPv4, TFTP, the HTTP/1.1 subset of boot firmware, frames.
