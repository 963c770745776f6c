//! Reconcilers: take no input, idempotent, woken by signal and by period.
