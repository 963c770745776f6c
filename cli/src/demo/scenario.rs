//! One machine's way: found, commissioned, deployed, and with `release` given back.

use std::time::Instant;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::client::Client;
use crate::demo::STAGE_MAX;
use crate::demo::summary::Report;
use crate::lab::{Lab, LabMachine, Switch};
use crate::watch::Machines;

const COMMISSION: &str = include_str!("../documents/machine_commission.graphql");
const DEPLOY: &str = include_str!("../documents/machine_deploy.graphql");
const RELEASE: &str = include_str!("../documents/machine_release.graphql");

/// What each machine's way needs.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) client: Client,
    /// Global id of the image to deploy.
    pub(crate) image: String,
    pub(crate) machines: watch::Receiver<Machines>,
    pub(crate) release: bool,
}

/// Takes all machines of the lab through the plan at once; a report each, failed or not.
pub(crate) async fn run(plan: &Plan, lab: &Lab) -> Vec<Report> {
    let ways = lab.machines().into_iter().map(|machine| async move {
        let mut way = Way::new(plan.clone(), &machine);
        let outcome = way.walk(lab, &machine).await;
        way.report.failure = outcome.err().map(|error| format!("{error:#}"));
        way.report.final_state = way.state();
        way.report
    });
    futures_util::future::join_all(ways).await
}

struct Way {
    plan: Plan,
    mac: String,
    report: Report,
    stage_began: Instant,
}

impl Way {
    fn new(plan: Plan, machine: &LabMachine) -> Self {
        let report = Report {
            name: machine.name.clone(),
            firmware: machine.firmware.clone(),
            bmc: machine.bmc.clone(),
            stages: Vec::new(),
            final_state: String::new(),
            failure: None,
        };
        Self { plan, mac: machine.mac.clone(), report, stage_began: Instant::now() }
    }

    async fn walk(&mut self, lab: &Lab, machine: &LabMachine) -> anyhow::Result<()> {
        lab.power(&machine.name, Switch::On).await.context("cannot press the power button")?;
        let found = self.reach("found", |it| it["state"] == "NEW" && it["power"]["state"] == "OFF");
        let id = found.await?["id"].as_str().context("a machine without an id")?.to_owned();

        self.plan.client.run(COMMISSION, json!({ "id": id })).await?;
        self.reach("commissioned", |it| it["state"] == "READY").await?;

        let key = public_key(lab)?;
        let input = json!({ "imageId": self.plan.image, "sshKeys": [key] });
        self.plan.client.run(DEPLOY, json!({ "id": id, "input": input })).await?;
        self.reach("image written", image_written).await?;
        self.reach("deployed", |it| it["state"] == "DEPLOYED").await?;

        if self.plan.release {
            self.plan.client.run(RELEASE, json!({ "id": id })).await?;
            self.reach("released", |it| it["state"] == "READY").await?;
        }
        Ok(())
    }

    fn find(&self, machines: &Machines) -> Option<Value> {
        let ours = |machine: &&Value| {
            let macs = machine["macAddresses"].as_array();
            macs.is_some_and(|macs| macs.iter().any(|mac| mac == self.mac.as_str()))
        };
        machines.values().find(ours).cloned()
    }

    fn state(&self) -> String {
        let machine = self.find(&self.plan.machines.borrow());
        let state = machine.as_ref().and_then(|it| it["state"].as_str());
        state.unwrap_or("unknown").to_owned()
    }

    /// Waits until the machine is as asked, and notes how long that took.
    async fn reach(
        &mut self,
        stage: &'static str,
        reached: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<Value> {
        let mut changes = self.plan.machines.clone();
        let waiting = async {
            loop {
                let machine = self.find(&changes.borrow_and_update());
                if let Some(machine) = machine {
                    let state = machine["state"].as_str().unwrap_or_default();
                    if state.starts_with("FAILED") || state == "BROKEN" {
                        let why = machine["failure"].as_str().unwrap_or("without a reason");
                        bail!("{state}: {why}");
                    }
                    if reached(&machine) {
                        return Ok(machine);
                    }
                }
                changes.changed().await.context("the view of the region ended")?;
            }
        };
        let waited = tokio::time::timeout(STAGE_MAX, waiting).await;
        let machine = waited.with_context(|| format!("`{stage}` was not reached in time"))??;
        self.report.stages.push((stage, self.stage_began.elapsed()));
        self.stage_began = Instant::now();
        Ok(machine)
    }
}

/// The agent is done and the installed system is starting.
fn image_written(machine: &Value) -> bool {
    let step = machine.pointer("/progress/step").and_then(Value::as_str);
    machine["state"] == "DEPLOYED" || step == Some("Starting the installed system")
}

fn public_key(lab: &Lab) -> anyhow::Result<String> {
    let path = lab.ssh_key().with_extension("pub");
    let key = std::fs::read_to_string(&path);
    Ok(key.with_context(|| format!("cannot read {}", path.display()))?.trim().to_owned())
}
