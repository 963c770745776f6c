//! Which boot file a client gets.
