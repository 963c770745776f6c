use std::ops::ControlFlow;
use std::time::Duration;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use ironherd_tftp_load::{Downloads, Progress, TftpLoadArgs, run};
use serde_json::json;

use crate::output::{Column, Output, print_object};

const FIELDS: &[Column] = &[
    ("MB/s", "/megabytes_per_second"),
    ("whole files", "/completed"),
    ("failed", "/failed_downloads"),
    ("blocks that came twice", "/repeats"),
    ("gaps", "/gaps"),
    ("waits in vain", "/timeouts"),
    ("p50 ms", "/p50_ms"),
    ("p99 ms", "/p99_ms"),
    ("slowest ms", "/max_ms"),
];
const TURN: Duration = Duration::from_millis(100);

pub(super) fn perform(args: &TftpLoadArgs, output: Output) -> anyhow::Result<()> {
    let plan = args.plan()?;
    let total = match plan.downloads {
        Downloads::Each(count) => Some(u64::from(count) * u64::from(plan.clients)),
        Downloads::For(_) => None,
    };
    let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    let style = "{spinner} {elapsed} {human_pos} files {msg}";
    bar.set_style(ProgressStyle::with_template(style).context("the progress line")?);
    bar.enable_steady_tick(TURN);
    let report = run(&plan, |progress| {
        let Progress { completed, failed, bytes } = progress;
        bar.set_position(completed);
        bar.set_message(format!("{} MB, {failed} failed", bytes / 1_000_000));
        ControlFlow::Continue(())
    })?;
    bar.finish_and_clear();
    let failed: u64 = report.failed.values().sum();
    let mut answer = json!(report);
    answer["failed_downloads"] = json!(failed);
    print_object(output, FIELDS, &answer);
    anyhow::ensure!(failed == 0, "{failed} downloads failed: {:?}", report.failed);
    anyhow::ensure!(0 < report.bytes, "nobody got a byte");
    Ok(())
}
