//! Lines for the person at the console: one stable prefix, flushed at once.

use std::io::Write;

/// Prints one line with the agent's prefix. A console that cannot be written to is no error.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // Nobody could be told about a broken console, so the result has no use.
    let _ = writeln!(out, "ironherd-agent: {line}");
    let _ = out.flush();
}
