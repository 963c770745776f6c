//! The lifecycle's picture and page in `docs/` are made from the table, and stay what it says.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use ironherd_domain::machine::{STEPS, dot};

#[test]
fn the_docs_show_the_lifecycle_table() {
    check_generated("lifecycle.dot", &dot());
    check_generated("lifecycle.md", &page());
}

fn page() -> String {
    let mut text = String::from(
        "# The lifecycle of a machine\n\nMade from `STEPS` in \
         `controlplane/domain/src/machine/lifecycle.rs` (`IRONHERD_BLESS=1 cargo test -p \
         ironherd-domain`); what is not\nin the table is refused, by the program and by the \
         database. `lifecycle.dot` draws it.\n\n| from | event | to | effects |\n\
         |---|---|---|---|\n",
    );
    for step in STEPS {
        let effects: Vec<String> = step.effects.iter().map(|it| format!("{it:?}")).collect();
        let (from, event, to) = (step.from, step.event, step.to);
        writeln!(text, "| {from} | {event} | {to} | {} |", effects.join(", "))
            .expect("writing to a String cannot fail");
    }
    text
}

#[track_caller]
fn check_generated(name: &str, want: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    if std::env::var_os("IRONHERD_BLESS").is_some() {
        fs::write(&path, want).expect("docs/ can be written");
    }
    let got = fs::read_to_string(&path).unwrap_or_default();
    assert!(got == want, "docs/{name} is out of date; run this test with IRONHERD_BLESS=1");
}
