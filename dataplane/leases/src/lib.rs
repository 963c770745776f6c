//! Address pools, the lease table and the journal that survives a crash.
