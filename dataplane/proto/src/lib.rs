//! Decisions and protocol state machines, without I/O, clock or chance.
