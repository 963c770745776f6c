//! What happened, and how long each stage took.

use std::time::Duration;

use anyhow::bail;
use comfy_table::{Attribute, Cell, Color, Table, presets};
use serde_json::{Value, json};

use crate::output::{self, Output};

/// One machine's way through the demo.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) name: String,
    pub(crate) firmware: String,
    pub(crate) bmc: String,
    pub(crate) stages: Vec<(&'static str, Duration)>,
    pub(crate) final_state: String,
    pub(crate) failure: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Summary {
    reports: Vec<Report>,
    elapsed: Duration,
}

impl Summary {
    pub(crate) fn new(reports: Vec<Report>, elapsed: Duration) -> Self {
        Self { reports, elapsed }
    }

    fn ok(&self) -> bool {
        !self.reports.is_empty() && self.reports.iter().all(|report| report.failure.is_none())
    }

    fn json(&self) -> Value {
        let machine = |report: &Report| {
            let stages = report.stages.iter();
            let stages =
                stages.map(|(stage, took)| json!({ "stage": stage, "seconds": seconds(*took) }));
            json!({
                "name": report.name,
                "firmware": report.firmware,
                "bmc": report.bmc,
                "stages": stages.collect::<Vec<_>>(),
                "final_state": report.final_state,
                "failure": report.failure,
            })
        };
        let machines: Vec<Value> = self.reports.iter().map(machine).collect();
        json!({ "machines": machines, "seconds": seconds(self.elapsed), "ok": self.ok() })
    }

    #[allow(clippy::print_stdout, reason = "this is the program's answer")]
    pub(crate) fn print(&self, output: Output) {
        if output == Output::Json {
            println!("{:#}", self.json());
            return;
        }
        let mut table = Table::new();
        table.load_preset(presets::NOTHING);
        let heads = ["MACHINE", "FIRMWARE", "BMC", "STAGE", "SECONDS", "STATE"];
        table.set_header(heads.map(|head| Cell::new(head).add_attribute(Attribute::Bold)));
        for report in &self.reports {
            for (stage, took) in &report.stages {
                let took = format!("{:.1}", took.as_secs_f64());
                let row = [&report.name, &report.firmware, &report.bmc, *stage, &took, ""];
                table.add_row(row.map(Cell::new));
            }
            let state = Cell::new(&report.final_state);
            let state = match output::colour(&report.final_state) {
                Some(colour) => state.fg(colour),
                None => state,
            };
            let why = Cell::new(report.failure.as_deref().unwrap_or_default()).fg(Color::Red);
            let name = Cell::new(&report.name).add_attribute(Attribute::Bold);
            let blank = || Cell::new("");
            table.add_row([name, blank(), blank(), why, blank(), state]);
        }
        println!("{table}\n{:.0} s in all", self.elapsed.as_secs_f64());
    }

    pub(crate) fn outcome(&self) -> anyhow::Result<()> {
        let failures = self.reports.iter().filter_map(|it| Some((&it.name, it.failure.as_ref()?)));
        let failures: Vec<String> = failures.map(|(name, why)| format!("{name}: {why}")).collect();
        if !self.ok() {
            bail!("not every machine made it\n{}", failures.join("\n"));
        }
        Ok(())
    }
}

/// Tenths are what a stage's time is good for.
fn seconds(took: Duration) -> f64 {
    (took.as_secs_f64() * 10.0).round() / 10.0
}
