//! A machine's whole life, with the test in the parts of rack, agent, BMC and installed system.

use ironherd_app::Actor;
use ironherd_domain::PowerState;
use serde_json::{Value, json};

use crate::harness::{IMAGE_SHA256, Region, text};

const MAC: &str = "52:54:00:77:00:10";

/// Runs a mutation that takes the machine's id alone, and gives its payload.
async fn act(region: &Region, mutation: &str, id: &str) -> Value {
    let text = format!(
        "mutation($id: ID!) {{ {mutation}(id: $id) {{
            machine {{ id }} userErrors {{ code message }} }} }}"
    );
    region.done(&region.admin, &text, json!({ "id": id })).await
}

/// Has the agent report the hardware of the one machine of these tests.
async fn report(region: &Region, agent: &Actor, mutation: &str) -> String {
    let text_ = format!(
        "mutation($input: AgentEnlistInput!) {{ {mutation}(input: $input) {{
            next userErrors {{ code message }} }} }}"
    );
    let hardware = json!({
        "cpuModel": "Test CPU", "cpuThreads": 4, "memoryBytes": 8_589_934_592_i64,
        "system": { "vendor": "Test", "uuid": "4c4c4544-0000-1000-8000-000000000001" },
        "firmware": { "kind": "UEFI" },
        "disks": [{ "name": "vda", "sizeBytes": 8_589_934_592_i64 }],
        "nics": [{ "name": "eth0", "macAddress": MAC, "linkUp": true }],
    });
    let bmc = json!({ "protocol": "REDFISH", "address": "http://127.0.0.1:9",
        "username": "root", "password": "secret" });
    let input = json!({ "input": { "hardware": hardware, "bmc": bmc } });
    text(&region.done(agent, &text_, input).await["next"])
}

async fn finish(region: &Region, agent: &Actor, success: bool) -> String {
    const FINISHED: &str = "mutation($input: AgentFinishedInput!) {
        agentFinished(input: $input) { next userErrors { code message } } }";
    let input = json!({ "input": { "success": success, "message": "It is what it is." } });
    text(&region.done(agent, FINISHED, input).await["next"])
}

/// Enlists and commissions the machine: it is READY, and its power is under control.
async fn ready(region: &Region) -> String {
    region.ephemeral().await;
    const SUBNET: &str = "mutation { subnetCreate(input: { cidr: \"192.0.2.0/24\" }) {
        subnet { id } userErrors { code } } }";
    region.done(&region.admin, SUBNET, json!({})).await;
    let (agent, task) = region.agent(None).await;
    assert_eq!(task, "ENLIST");
    assert_eq!(report(region, &agent, "agentEnlist").await, "POWER_OFF");
    let query = "query($filter: MachineFilter) { machines(filter: $filter) { nodes { id } } }";
    let filter = json!({ "filter": { "macAddress": MAC } });
    let found = region.ask(&region.admin, query, filter).await;
    let id = text(&found["machines"]["nodes"][0]["id"]);
    assert_eq!(region.state(&id).await, "NEW");

    act(region, "machineCommission", &id).await;
    assert_eq!(region.state(&id).await, "COMMISSIONING");
    let (agent, task) = region.agent(Some(&id)).await;
    assert_eq!(task, "COMMISSION");
    report(region, &agent, "agentCommissioned").await;
    finish(region, &agent, true).await;
    assert_eq!(region.state(&id).await, "READY");
    id
}

async fn deploy(region: &Region, id: &str, request_id: &str) -> Value {
    const IMAGES: &str = "{ images { nodes { id kind } } }";
    const DEPLOY: &str = "mutation($id: ID!, $input: MachineDeployInput!) {
        machineDeploy(id: $id, input: $input) {
            machine { state owner image { name } } operation { id kind state }
            userErrors { code message } } }";
    let images = region.ask(&region.admin, IMAGES, json!({})).await;
    let images = images["images"]["nodes"].as_array().expect("nodes").clone();
    let image = images.iter().find(|it| it["kind"] == "DISK_RAW").expect("a disk image");
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0ZcN0N0N0N0N0N0N0N0N0N0N0N0N0N0N0N0N0N me";
    let input = json!({ "id": id, "input": {
        "imageId": image["id"], "requestId": request_id, "sshKeys": [key] } });
    region.done(&region.admin, DEPLOY, input).await
}

/// Plays the agent that writes the image; gives the token of the installed system.
async fn write_image(region: &Region, id: &str) -> String {
    const TASK: &str = "{ agentTask { kind deploy { imagePath sha256 format phoneHomeToken
        metaData userData vendorData networkConfig } } }";
    const PROGRESS: &str = "mutation { agentProgress(input: { step: \"write\", percent: 40,
        bytesDone: 4, bytesTotal: 10 }) { next userErrors { code } } }";
    let (agent, task) = region.agent(Some(id)).await;
    assert_eq!(task, "DEPLOY");
    let task = region.ask(&agent, TASK, json!({})).await["agentTask"]["deploy"].take();
    assert_eq!(task["imagePath"], format!("/images/{IMAGE_SHA256}"));
    assert_eq!(task["format"], "DISK_RAW");
    assert_eq!(region.done(&agent, PROGRESS, json!({})).await["next"], "CONTINUE");
    let progress = region.of_machine(id, "progress { step percent bytesTotal }").await;
    let want = json!({ "step": "write", "percent": 40, "bytesTotal": 10 });
    assert_eq!(progress["progress"], want);
    assert_eq!(finish(region, &agent, true).await, "REBOOT");
    text(&task["phoneHomeToken"])
}

async fn system_ready(region: &Region, token: &str) -> Value {
    const READY: &str = "mutation($token: String!) {
        systemReady(input: { token: $token }) { userErrors { code } } }";
    let answer = region.run(None, READY, json!({ "token": token })).await;
    assert!(answer.errors.is_empty(), "{:?}", answer.errors);
    answer.data.into_json().expect("JSON")["systemReady"]["userErrors"].take()
}

#[tokio::test]
async fn a_machine_is_enlisted_deployed_and_given_back() {
    for region in Region::on_each_engine().await {
        check_a_machine_is_enlisted_deployed_and_given_back(&region).await;
    }
}

async fn check_a_machine_is_enlisted_deployed_and_given_back(region: &Region) {
    let id = ready(region).await;
    let fields = "address power { protocol } actions firmware
        hardware { memoryBytes nics { macAddress } }";
    let machine = region.of_machine(&id, fields).await;
    assert_eq!(machine["power"]["protocol"], "REDFISH");
    assert_eq!(machine["firmware"], "UEFI");
    assert_eq!(machine["hardware"]["memoryBytes"], 8_589_934_592_i64);
    assert!(text(&machine["address"]).starts_with("192.0.2."));
    assert!(machine["actions"].as_array().expect("actions").contains(&json!("DEPLOY")));

    act(region, "machineAllocate", &id).await;
    let started = deploy(region, &id, "request-1").await;
    assert_eq!(started["machine"]["state"], "DEPLOYING");
    assert_eq!(started["machine"]["owner"], "tester");
    assert_eq!(started["machine"]["image"]["name"], "debian");
    let again = deploy(region, &id, "request-1").await;
    assert_eq!(again["operation"]["id"], started["operation"]["id"], "one request, one operation");

    let token = write_image(region, &id).await;
    assert_eq!(region.state(&id).await, "DEPLOYING");
    region.intent(&id, "LOCAL").await;
    let waits = region.of_machine(&id, "waitReason deadline operation { kind }").await;
    assert!(text(&waits["waitReason"]).contains("installed system"), "{waits}");
    assert!(waits["deadline"].is_string() && waits["operation"]["kind"] == "DEPLOY");
    assert_eq!(system_ready(region, "forged").await, json!([{ "code": "TOKEN_INVALID" }]));
    assert_eq!(system_ready(region, &token).await, json!([]));
    assert_eq!(region.state(&id).await, "DEPLOYED");
    region.intent(&id, "LOCAL").await;
    const OPERATION: &str = "query($id: ID!) { operation(id: $id) {
        state finishedAt steps { name finishedAt error } machine { hostname } } }";
    let operation = json!({ "id": started["operation"]["id"] });
    let operation = region.ask(&region.admin, OPERATION, operation).await["operation"].take();
    assert_eq!(operation["state"], "DONE");
    assert!(operation["finishedAt"].is_string());

    act(region, "machineRelease", &id).await;
    assert_eq!(region.state(&id).await, "RELEASING");
    region.power_seen(&id, PowerState::Off).await;
    assert_eq!(region.state(&id).await, "DISK_ERASING");
    let (agent, task) = region.agent(Some(&id)).await;
    assert_eq!(task, "ERASE");
    finish(region, &agent, true).await;
    assert_eq!(region.state(&id).await, "RELEASING");
    region.power_seen(&id, PowerState::Off).await;
    let free = region.of_machine(&id, "state owner image { id } operation { id }").await;
    assert_eq!(free, json!({ "state": "READY", "owner": null, "image": null, "operation": null }));
}

#[tokio::test]
async fn what_is_in_progress_can_be_aborted() {
    for region in Region::on_each_engine().await {
        check_what_is_in_progress_can_be_aborted(&region).await;
    }
}

async fn check_what_is_in_progress_can_be_aborted(region: &Region) {
    let id = ready(region).await;
    deploy(region, &id, "request-1").await;
    let (agent, _) = region.agent(Some(&id)).await;
    act(region, "machineAbort", &id).await;
    assert_eq!(region.state(&id).await, "ALLOCATED");
    region.intent(&id, "POWER_OFF").await;
    // The agent learns at its next word that it is no longer wanted.
    const PROGRESS: &str = "mutation { agentProgress(input: { step: \"write\" }) {
        next userErrors { code } } }";
    let answer = region.run(Some(&agent), PROGRESS, json!({})).await;
    if answer.errors.is_empty() {
        let next = answer.data.into_json().expect("JSON")["agentProgress"]["next"].take();
        assert_eq!(next, "STOP");
    }
}

#[tokio::test]
async fn what_failed_can_be_tried_again_in_place() {
    for region in Region::on_each_engine().await {
        check_what_failed_can_be_tried_again_in_place(&region).await;
    }
}

async fn check_what_failed_can_be_tried_again_in_place(region: &Region) {
    let id = ready(region).await;
    deploy(region, &id, "request-1").await;
    let (agent, _) = region.agent(Some(&id)).await;
    finish(region, &agent, false).await;
    let failed = region.of_machine(&id, "state failure owner image { name } address").await;
    assert_eq!(failed["state"], "FAILED_DEPLOYMENT");
    assert!(text(&failed["failure"]).contains("It is what it is."));
    act(region, "machineRetry", &id).await;
    let retried = region.of_machine(&id, "state owner image { name } address").await;
    assert_eq!(retried["state"], "DEPLOYING");
    for kept in ["owner", "image", "address"] {
        assert_eq!(retried[kept], failed[kept], "{kept} is kept");
    }
    let token = write_image(region, &id).await;
    assert_eq!(system_ready(region, &token).await, json!([]));
    assert_eq!(region.state(&id).await, "DEPLOYED");
}

#[tokio::test]
async fn a_broken_machine_says_why_until_it_is_fixed() {
    const BROKEN: &str = "mutation($id: ID!) { machineMarkBroken(id: $id, reason: \"Fan dead.\") {
        machine { state failure actions } userErrors { code } } }";
    let region = Region::new().await;
    let id = region.machine("node-1", MAC).await;
    let broken = region.done(&region.admin, BROKEN, json!({ "id": id })).await;
    assert_eq!(broken["machine"]["state"], "BROKEN");
    assert!(text(&broken["machine"]["failure"]).contains("Fan dead."));
    act(&region, "machineMarkFixed", "node-1").await;
    let fixed = region.of_machine("node-1", "state failure").await;
    assert_eq!(fixed, json!({ "state": "NEW", "failure": null }));
}
