//! Ends states that have lasted too long.

use ironherd_app::CommandError;
use ironherd_domain::Event;

use crate::Context;

/// How many machines one look ends; the next look follows at once if there are more.
const LOOK_MAX: u32 = 200;

pub(crate) async fn run(context: Context) {
    loop {
        let full = look(&context).await;
        if !full && !context.pause(context.config.deadline_period).await {
            return;
        }
    }
}

/// One look. `true` if there may be more.
async fn look(context: &Context) -> bool {
    let app = &context.app;
    if let Err(error) = app.power_operations_expire(LOOK_MAX).await {
        tracing::warn!(event = "operations_unread", %error);
    }
    let overdue = match app.deadlines_passed(app.now(), LOOK_MAX).await {
        Ok(overdue) => overdue,
        Err(error) => {
            tracing::warn!(event = "deadlines_unread", %error);
            return false;
        }
    };
    let mut ended = 0;
    for it in &overdue {
        match app.machine_event(it.machine, Event::Expire, &it.waiting_for).await {
            Ok(_) => ended += 1,
            // Somebody moved it meanwhile: it is not overdue any more.
            Err(CommandError::Refused(_)) => {}
            Err(error) => {
                tracing::warn!(event = "deadline_unhandled", machine = %it.machine, %error);
            }
        }
    }
    // Without progress, the next look waits: a fault must not become a busy loop.
    0 < ended && overdue.len() >= LOOK_MAX as usize
}
