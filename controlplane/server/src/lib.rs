//! The region: HTTP routes, access, configuration, workers.
