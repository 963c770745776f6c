//! The steps of a build on standard error: a spinner for people, plain lines for logs.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

#[derive(Debug)]
pub(super) struct Steps {
    bar: ProgressBar,
    step: Option<(String, Instant)>,
}

impl Steps {
    pub(super) fn new() -> Self {
        let bar = if std::io::stderr().is_terminal() {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} [{elapsed}]") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        } else {
            ProgressBar::hidden()
        };
        Self { bar, step: None }
    }

    /// Ends the step before and begins the next.
    pub(super) fn begin(&mut self, step: impl Into<String>) {
        self.end();
        let step = step.into();
        self.bar.reset_elapsed();
        self.bar.set_message(step.clone());
        self.step = Some((step, Instant::now()));
    }

    pub(super) fn note(&self, text: &str) {
        self.line(&format!("  note: {text}"));
    }

    fn end(&mut self) {
        if let Some((step, since)) = self.step.take() {
            self.line(&format!("  {step} ({:.1} s)", since.elapsed().as_secs_f32()));
        }
    }

    #[allow(clippy::print_stderr, reason = "progress belongs on standard error")]
    fn line(&self, text: &str) {
        if self.bar.is_hidden() { eprintln!("{text}") } else { self.bar.println(text) }
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        self.end();
        self.bar.finish_and_clear();
    }
}
