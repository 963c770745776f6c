//! Lists are cut into pages, and pages put together are the list.

use serde_json::{Value, json};

use crate::harness::{Region, text};

#[tokio::test]
async fn pages_put_together_are_the_list() {
    for region in Region::on_each_engine().await {
        check_pages_put_together_are_the_list(&region).await;
    }
}

async fn check_pages_put_together_are_the_list(region: &Region) {
    const PAGE: &str = "query($after: String) { machines(first: 3, after: $after) {
        edges { cursor node { hostname } }
        nodes { hostname }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";
    for number in 1..=7 {
        region.machine(&format!("node-{number}"), &format!("52:54:00:77:00:{number:02}")).await;
    }
    let (mut seen, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = region.ask(&region.admin, PAGE, json!({ "after": after })).await;
        let page = &page["machines"];
        let nodes = page["nodes"].as_array().expect("nodes");
        seen.extend(nodes.iter().map(|it| text(&it["hostname"])));
        let info = &page["pageInfo"];
        assert_eq!(info["hasPreviousPage"], !after.is_null());
        assert_eq!(info["endCursor"], page["edges"][nodes.len() - 1]["cursor"]);
        after = info["endCursor"].clone();
        if info["hasNextPage"] == false {
            break;
        }
    }
    let want: Vec<_> = (1..=7).map(|number| format!("node-{number}")).collect();
    assert_eq!(seen, want);
}

#[tokio::test]
async fn a_filter_narrows_the_list() {
    let region = Region::new().await;
    for number in 1..=3 {
        region.machine(&format!("node-{number}"), &format!("52:54:00:77:00:{number:02}")).await;
    }
    let rows = [
        (json!({ "hostname": "node-2" }), 1),
        (json!({ "macAddress": "52:54:00:77:00:03" }), 1),
        (json!({ "states": ["NEW"] }), 3),
        (json!({ "states": ["NEW", "READY"], "hostname": "node-1" }), 1),
        (json!({ "states": ["READY"] }), 0),
    ];
    for (filter, want) in rows {
        const QUERY: &str = "query($filter: MachineFilter) {
            machines(filter: $filter) { nodes { hostname } } }";
        let data = region.ask(&region.admin, QUERY, json!({ "filter": filter })).await;
        let found = data["machines"]["nodes"].as_array().expect("nodes").len();
        assert_eq!(found, want, "{filter}");
    }
}

#[tokio::test]
async fn every_object_is_found_by_its_global_id() {
    const SUBNET: &str = "mutation { subnetCreate(input: { cidr: \"192.0.2.0/24\" }) {
        subnet { id } userErrors { code } } }";
    let region = Region::new().await;
    let machine = region.machine("node-1", "52:54:00:77:00:10").await;
    let image = region.image().await;
    let subnet = region.done(&region.admin, SUBNET, json!({})).await;
    let subnet = text(&subnet["subnet"]["id"]);
    let events =
        region.ask(&region.admin, "{ events(first: 1) { nodes { id } } }", json!({})).await;
    let event = text(&events["events"]["nodes"][0]["id"]);
    for (id, kind) in [(machine, "Machine"), (image, "Image"), (subnet, "Subnet"), (event, "Event")]
    {
        const NODE: &str = "query($id: ID!) { node(id: $id) { id __typename } }";
        let data = region.ask(&region.admin, NODE, json!({ "id": id })).await;
        assert_eq!(data["node"], json!({ "id": id, "__typename": kind }));
    }
}

#[tokio::test]
async fn events_resume_after_a_cursor() {
    const EVENTS: &str = "query($after: String, $machine: ID) {
        events(first: 2, after: $after, machineId: $machine) {
            nodes { sequence kind machine { hostname } } pageInfo { hasNextPage endCursor } } }";
    let region = Region::new().await;
    let first = region.machine("node-1", "52:54:00:77:00:01").await;
    region.machine("node-2", "52:54:00:77:00:02").await;
    let (mut sequences, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = region.ask(&region.admin, EVENTS, json!({ "after": after })).await;
        let nodes = page["events"]["nodes"].as_array().expect("nodes").clone();
        sequences.extend(nodes.iter().map(|it| it["sequence"].as_i64().expect("a number")));
        after = page["events"]["pageInfo"]["endCursor"].clone();
        if page["events"]["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    assert!(2 <= sequences.len() && sequences.is_sorted_by(|a, b| a < b), "{sequences:?}");
    let of_one = region.ask(&region.admin, EVENTS, json!({ "machine": first })).await;
    for event in of_one["events"]["nodes"].as_array().expect("nodes") {
        assert_eq!(event["machine"]["hostname"], "node-1");
    }
}
