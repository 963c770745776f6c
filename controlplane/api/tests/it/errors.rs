//! What callers can mend is told with a code and a path; what they may not do, with a code.

use serde_json::json;

use crate::harness::Region;

const CREATE: &str = "mutation($input: SubnetCreateInput!) {
    subnetCreate(input: $input) { subnet { id } userErrors { code field message } } }";

#[tokio::test]
async fn a_bad_cidr_is_refused_at_its_field() {
    let region = Region::new().await;
    for cidr in ["192.0.2.0", "192.0.2.0/33", "192.0.2.1/24", "house", ""] {
        let (code, field) = region.refused(CREATE, json!({ "input": { "cidr": cidr } })).await;
        assert_eq!((code.as_str(), field), ("CIDR_INVALID", json!(["input", "cidr"])), "{cidr}");
    }
}

#[tokio::test]
async fn an_overlapping_subnet_is_refused() {
    let region = Region::new().await;
    let first = json!({ "input": { "cidr": "192.0.2.0/24", "gateway": "192.0.2.1" } });
    region.done(&region.admin, CREATE, first).await;
    let (code, field) =
        region.refused(CREATE, json!({ "input": { "cidr": "192.0.2.128/25" } })).await;
    assert_eq!((code.as_str(), field), ("SUBNET_OVERLAP", json!(["input", "cidr"])));
}

#[tokio::test]
async fn an_unknown_machine_is_not_found() {
    const DEPLOY: &str = "mutation($id: ID!, $input: MachineDeployInput!) {
        machineDeploy(id: $id, input: $input) {
            machine { id } userErrors { code field message } } }";
    let region = Region::new().await;
    let image = region.image().await;
    let gone = "TWFjaGluZTowMTkzNWQ3Yy0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMDA=";
    for id in [gone, "no-such-host", "", "U3VibmV0OjE="] {
        let input = json!({ "id": id, "input": { "imageId": image } });
        let (code, field) = region.refused(DEPLOY, input).await;
        assert_eq!((code.as_str(), field), ("NOT_FOUND", json!(["id"])), "{id}");
        let query = "query($id: ID!) { machine(id: $id) { id } node(id: $id) { id } }";
        let data = region.ask(&region.admin, query, json!({ "id": id })).await;
        assert_eq!(data, json!({ "machine": null, "node": null }), "{id}");
    }
}

#[tokio::test]
async fn an_unknown_image_is_told_at_its_own_field() {
    const DEPLOY: &str = "mutation($id: ID!, $input: MachineDeployInput!) {
        machineDeploy(id: $id, input: $input) {
            machine { id } userErrors { code field message } } }";
    let region = Region::new().await;
    let id = region.machine("node-1", "52:54:00:77:00:10").await;
    let input = json!({ "id": id, "input": { "imageId": "SW1hZ2U6MQ==" } });
    let (code, field) = region.refused(DEPLOY, input).await;
    assert_eq!((code.as_str(), field), ("IMAGE_NOT_FOUND", json!(["input", "imageId"])));
}

#[tokio::test]
async fn a_step_that_is_not_in_the_table_is_refused() {
    let region = Region::new().await;
    let id = region.machine("node-1", "52:54:00:77:00:10").await;
    for mutation in ["machineAllocate", "machineRelease", "machineAbort", "machineRetry"] {
        let text = format!(
            "mutation($id: ID!) {{ {mutation}(id: $id) {{
                machine {{ id }} userErrors {{ code field message }} }} }}"
        );
        let (code, _) = region.refused(&text, json!({ "id": id })).await;
        assert_eq!(code, "ILLEGAL_TRANSITION", "{mutation}");
    }
    assert_eq!(region.state(&id).await, "NEW");
}

#[tokio::test]
async fn without_a_token_only_the_schema_is_shown() {
    let region = Region::new().await;
    let answer = region.run(None, "{ __schema { queryType { name } } }", json!({})).await;
    assert!(answer.errors.is_empty());
    let answer = region.run(None, "{ viewer { name } }", json!({})).await;
    let code = answer.errors[0].extensions.as_ref().and_then(|it| it.get("code"));
    assert_eq!(code, Some(&"UNAUTHENTICATED".into()));
}

#[tokio::test]
async fn arguments_that_make_no_sense_are_told() {
    let region = Region::new().await;
    for query in [
        "{ machines(first: 0) { nodes { id } } }",
        "{ machines(first: 501) { nodes { id } } }",
        "{ machines(after: \"nonsense!\") { nodes { id } } }",
        "{ machines(filter: { macAddress: \"xyz\" }) { nodes { id } } }",
    ] {
        let answer = region.run(Some(&region.admin), query, json!({})).await;
        let code = answer.errors[0].extensions.as_ref().and_then(|it| it.get("code"));
        assert_eq!(code, Some(&"BAD_INPUT".into()), "{query}");
    }
}
