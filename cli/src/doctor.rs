//! `ironherd doctor`: what this host allows a rack, and what to do where that is too little.

use ironherd_rack::doctor::{Finding, Verdict, examine};
use serde_json::{Value, json};

use crate::config::Config;
use crate::output::{self, Column, Output};
use crate::serve;

const COLUMNS: &[Column] = &[("", "/verdict"), ("WHAT", "/name"), ("FOUND", "/found")];

/// # Errors
/// A rack would not start here.
#[allow(clippy::print_stdout, reason = "this is the program's answer")]
pub(crate) fn run(config: &Config, output: Output) -> anyhow::Result<()> {
    let findings = examine(&serve::rack_settings(config));
    let rows: Vec<Value> = findings.iter().map(|it| json!(it)).collect();
    output::print_rows(output, COLUMNS, &rows);
    let lacking = |it: &&Finding| it.verdict != Verdict::Good;
    if output == Output::Table {
        for Finding { name, verdict, remedy, .. } in findings.iter().filter(lacking) {
            println!("\n{name} ({}): {remedy}", verdict.as_str());
        }
    }
    let bad = findings.iter().filter(|it| it.verdict == Verdict::Bad).count();
    anyhow::ensure!(bad == 0, "a rack would not start here, or not wholly: see what is bad above");
    Ok(())
}
