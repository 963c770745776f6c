use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use ironherd_uring::{ReceiveBatch, SendBatch};

use crate::{Engine, LoadError, Path, Plan, Progress, Report};

/// Messages a turn: more would make the first of them late.
const TURN_MAX: usize = 64;
/// A frame is at most this long.
const FRAME_BYTES_MAX: usize = 2048;
/// What waits at most, so that progress is told now and then.
const WAIT_MAX: Duration = Duration::from_millis(100);
const TELL_EVERY: Duration = Duration::from_millis(100);

/// Plays a plan to its end, on the calling thread. `tell` hears of the progress and may break off.
///
/// # Errors
/// [`LoadError`] if the plan or the network does not hold.
pub fn run(
    plan: Plan,
    path: &Path,
    mut tell: impl FnMut(Progress) -> ControlFlow<()>,
) -> Result<Report, LoadError> {
    let mut engine = Engine::new(plan)?;
    let mut out = SendBatch::default();
    let mut input = ReceiveBatch::new(FRAME_BYTES_MAX);
    let mut scratch = Vec::with_capacity(FRAME_BYTES_MAX);
    let start = Instant::now();
    let mut told = Duration::ZERO;
    loop {
        let now = start.elapsed();
        engine.handle_time(now);
        if engine.is_over(now) {
            return Ok(engine.report(now));
        }
        if told + TELL_EVERY <= now {
            told = now;
            if tell(engine.progress()).is_break() {
                return Ok(engine.report(now));
            }
        }
        while out.len() < TURN_MAX
            && let Some(message) = engine.poll_send(now)
        {
            out.push(|bytes| path.write(bytes, &mut scratch, &message));
        }
        let sent = out.flush(path.out()).map_err(LoadError::io("send"))?;
        let received = input.receive(path.input()).map_err(LoadError::io("receive"))?;
        if 0 < received {
            let now = start.elapsed();
            for datagram in input.datagrams() {
                engine.handle_reply(path.payload(datagram), now);
            }
        } else if sent == 0 {
            let now = start.elapsed();
            let next = engine.next_deadline(now).map_or(WAIT_MAX, |it| it.saturating_sub(now));
            // Frames that the kernel would not take are tried again at once.
            if out.is_empty() && !next.is_zero() {
                path.wait(next.min(WAIT_MAX))?;
            }
        }
    }
}
