//! Drops what is over, slowly.

use crate::Context;

pub(crate) async fn run(context: Context) {
    while context.pause(context.config.sweep_period).await {
        if let Err(error) = context.app.sweep().await {
            tracing::warn!(event = "sweep_failed", %error);
        }
    }
}
