//! The rack: shards, sockets, journal and the gateway for agents.
