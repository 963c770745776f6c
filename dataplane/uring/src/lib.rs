//! The kernel: rings, buffers, sockets, mapped files. The only crate with unsafe code.
