//! All that answering needs, immutable and versioned.
