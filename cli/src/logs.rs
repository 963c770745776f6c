//! Where log lines go: standard error, as text for people or JSON for machines.

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    #[default]
    Text,
    Json,
}

/// `IRONHERD_LOG` sets what is logged (`info`, `debug`, `ironherd_rack=trace`, …).
pub(crate) fn start(format: LogFormat, default: &str) {
    let filter =
        EnvFilter::try_from_env("IRONHERD_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => builder.with_target(false).init(),
        LogFormat::Json => builder.json().init(),
    }
}
