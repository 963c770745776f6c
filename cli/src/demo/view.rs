//! The live view: one line a machine on a terminal, one line a change elsewhere.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::Value;
use tokio::sync::watch;

use crate::lab::LabMachine;
use crate::watch::Machines;

/// Shows where each machine is. Cheap to clone; all clones draw one view.
#[derive(Clone, Debug)]
pub(crate) struct View {
    lines: Arc<Mutex<Lines>>,
    terminal: MultiProgress,
}

#[derive(Debug)]
struct Lines {
    by_mac: BTreeMap<String, Line>,
    started: Instant,
}

#[derive(Debug)]
struct Line {
    name: String,
    bar: ProgressBar,
    shown: String,
}

impl View {
    pub(crate) fn start(machines: &[LabMachine], mut changes: watch::Receiver<Machines>) -> Self {
        let terminal = MultiProgress::new();
        let style = "{prefix:.bold} {bar:24.cyan/blue} {wide_msg} {elapsed_precise}";
        let style =
            ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
        let line = |machine: &LabMachine| {
            let bar = terminal.add(ProgressBar::new(100).with_style(style.clone()));
            bar.set_prefix(format!("{:<8}", machine.name));
            bar.set_message("off");
            bar.enable_steady_tick(Duration::from_millis(500));
            (machine.mac.clone(), Line { name: machine.name.clone(), bar, shown: String::new() })
        };
        let by_mac = machines.iter().map(line).collect();
        let lines = Arc::new(Mutex::new(Lines { by_mac, started: Instant::now() }));
        let view = Self { lines, terminal };
        let drawing = view.clone();
        tokio::spawn(async move {
            while changes.changed().await.is_ok() {
                let machines = changes.borrow_and_update().clone();
                drawing.show(&machines);
            }
        });
        view
    }

    fn show(&self, machines: &Machines) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let started = lines.started;
        for machine in machines.values() {
            let macs = machine["macAddresses"].as_array().into_iter().flatten();
            let mut macs = macs.filter_map(Value::as_str);
            let Some(mac) = macs.find(|mac| lines.by_mac.contains_key(*mac)) else { continue };
            if let Some(line) = lines.by_mac.get_mut(mac) {
                line.show(machine, started, self.terminal.is_hidden());
            }
        }
    }

    /// Leaves the last state standing.
    pub(crate) fn finish(&self) {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        for line in lines.by_mac.values() {
            line.bar.abandon();
        }
    }
}

impl Line {
    fn show(&mut self, machine: &Value, started: Instant, plain: bool) {
        let text = |pointer: &str| machine.pointer(pointer).and_then(Value::as_str);
        let mut words = vec![text("/state").unwrap_or_default().to_owned()];
        let in_progress = words.iter().any(|state| state.ends_with("ING"));
        words.extend(text("/bootStage").filter(|_| in_progress).map(str::to_lowercase));
        words.extend(text("/progress/step").filter(|_| in_progress).map(str::to_owned));
        words.extend(text("/failure").map(str::to_owned));
        let steps = words.join(" · ");
        let number = |pointer: &str| machine.pointer(pointer).and_then(Value::as_u64);
        let bytes = number("/progress/bytesDone").zip(number("/progress/bytesTotal"));
        let percent = match bytes {
            Some((done, total)) if 0 < total => Some(done * 100 / total),
            _ => number("/progress/percent"),
        };
        self.bar.set_position(percent.filter(|_| in_progress).unwrap_or(0));
        let mebibytes = |count: u64| count >> 20;
        match bytes.filter(|_| in_progress) {
            Some((done, total)) => self.bar.set_message(format!(
                "{steps} {}/{} MiB",
                mebibytes(done),
                mebibytes(total)
            )),
            None => self.bar.set_message(steps.clone()),
        }
        if plain && steps != self.shown {
            eprintln!("{:7.1} s  {:<8} {steps}", started.elapsed().as_secs_f64(), self.name);
        }
        self.shown = steps;
    }
}
