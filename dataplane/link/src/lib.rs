//! The rack's GraphQL client: snapshot down, events up, boot files by digest.
