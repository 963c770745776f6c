use std::ops::ControlFlow;
use std::time::Duration;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use ironherd_dhcp_load::{LoadArgs, Path, Progress, Shape, run};
use serde_json::json;

use crate::output::{Column, Output, print_object};

const FIELDS: &[Column] = &[
    ("leases/s", "/per_second"),
    ("begun", "/begun"),
    ("completed", "/completed"),
    ("lost DISCOVERs", "/lost_discovers"),
    ("lost REQUESTs", "/lost_requests"),
    ("loss", "/loss"),
    ("NAKs", "/naks"),
    ("duplicates", "/duplicates"),
    ("wrong replies", "/wrong_replies"),
    ("offers later than 1 s", "/slow_offers"),
    ("p50 us", "/whole/p50_us"),
    ("p99 us", "/whole/p99_us"),
    ("p99.9 us", "/whole/p999_us"),
];
const TURN: Duration = Duration::from_millis(100);

pub(super) fn perform(args: &LoadArgs, output: Output) -> anyhow::Result<()> {
    let (plan, via) = args.plan()?;
    let path = Path::open(&via)?;
    let total = match plan.shape {
        Shape::Burst { .. } | Shape::Renew { .. } => Some(u64::from(plan.clients)),
        Shape::Closed { .. } | Shape::Open { .. } => None,
    };
    let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    let style = "{spinner} {elapsed} {human_pos} leases ({per_sec}) {msg}";
    bar.set_style(ProgressStyle::with_template(style).context("the progress line")?);
    bar.enable_steady_tick(TURN);
    let report = run(plan, &path, |progress| {
        let Progress { completed, lost, under_way, .. } = progress;
        bar.set_position(completed);
        bar.set_message(format!("{under_way} under way, {lost} lost"));
        ControlFlow::Continue(())
    })?;
    bar.finish_and_clear();
    let wrong = report.errors.total();
    let mut answer = json!(report);
    answer["wrong_replies"] = json!(wrong);
    print_object(output, FIELDS, &answer);
    anyhow::ensure!(wrong == 0, "{wrong} replies were wrong: {:?}", report.errors);
    anyhow::ensure!(0 < report.completed, "nobody got a lease");
    Ok(())
}
