//! Who has an address and who had it, as racks report it and people ask for it.

use serde_json::{Value, json};

use crate::harness::{Region, text};

const REGISTER: &str = "mutation($input: RackRegisterInput!) { rackRegister(input: $input) {
    rack { id } userErrors { code } } }";
const REPORT: &str = "mutation($input: RackReportInput!) { rackReport(input: $input) {
    sequence resync userErrors { code field message } } }";
const LIST: &str = "query($filter: LeaseFilter) { leases(filter: $filter) {
    nodes { address macAddress client hostname state subnet { name } rack { name } } } }";
const HISTORY: &str = "query($address: String, $mac: String, $between: TimeSpan, $after: String) {
    leaseHistory(first: 1, address: $address, macAddress: $mac, between: $between, after: $after) {
        nodes { address macAddress client hostname from until ended subnet { name } rackId }
        pageInfo { hasNextPage endCursor } } }";
const SUBNET: &str = "mutation($input: SubnetCreateInput!) { subnetCreate(input: $input) {
    subnet { id } userErrors { code } } }";

async fn register(region: &Region, name: &str) {
    let input = json!({ "name": name, "version": "0.1", "addresses": [] });
    region.done(&region.rack, REGISTER, json!({ "input": input })).await;
}

/// Reports leases of `now` + seconds; answers whether all are to be told anew.
async fn report(region: &Region, rack: &str, sequence: i64, leases: &[Value], more: Value) -> bool {
    let mut input = json!({ "rack": rack, "epoch": 7, "sequence": sequence,
        "snapshotGeneration": 1, "leases": leases, "bootEvents": [] });
    if let (Some(input), Value::Object(more)) = (input.as_object_mut(), more) {
        input.extend(more);
    }
    let done = region.done(&region.rack, REPORT, json!({ "input": input })).await;
    assert_eq!(done["sequence"], sequence);
    done["resync"] == true
}

fn lease(region: &Region, address: &str, card: Value, state: &str, from: i64, until: i64) -> Value {
    let now = region.app.now().0 / 1_000_000;
    json!({ "address": address, "macAddress": card, "hostname": "node", "state": state,
        "startedAt": now + from, "expiresAt": now + until })
}

async fn list(region: &Region, filter: Value) -> Vec<String> {
    let data = region.ask(&region.admin, LIST, json!({ "filter": filter })).await;
    let nodes = data["leases"]["nodes"].as_array().expect("nodes").clone();
    let line = |it: &Value| format!("{} {}", text(&it["address"]), text(&it["state"]));
    nodes.iter().map(line).collect()
}

#[tokio::test]
async fn leases_are_listed_and_their_history_is_kept() {
    const ONE: &str = "52:54:00:77:00:01";
    for region in Region::on_each_engine().await {
        let input = json!({ "input": { "name": "lab", "cidr": "10.20.0.0/24" } });
        let subnet = region.done(&region.admin, SUBNET, input).await["subnet"]["id"].clone();
        register(&region, "rack-1").await;
        let it =
            |address, state, from, until| lease(&region, address, json!(ONE), state, from, until);
        let mut prefix = lease(&region, "2001:db8:1::/56", Value::Null, "ACTIVE", -50, 600);
        prefix["client"] = json!("0003000152540077/1");
        let leases = [
            it("10.20.0.50", "ACTIVE", -300, -200),
            it("10.20.0.50", "RELEASED", -250, -200),
            it("10.20.0.50", "ACTIVE", -100, 600),
            it("10.20.0.50", "ACTIVE", -50, 650),
            it("10.30.0.9", "ACTIVE", -90, -10),
            prefix,
            it("nonsense", "ACTIVE", 0, 1),
        ];
        report(&region, "rack-1", 1, &leases, json!({})).await;
        let all = ["10.20.0.50 ACTIVE", "10.30.0.9 EXPIRED", "2001:db8:1::/56 ACTIVE"];
        let rows = [
            (Value::Null, &all[..]),
            (json!({ "subnetId": subnet }), &all[..1]),
            (json!({ "state": "EXPIRED" }), &all[1..2]),
            (json!({ "hostname": "NO", "macAddress": ONE }), &all[..2]),
            (json!({ "address": "2001:db8:1::/56" }), &all[2..]),
        ];
        for (filter, want) in rows {
            assert_eq!(list(&region, filter.clone()).await, *want, "{filter}");
        }
        let data = region.ask(&region.admin, LIST, json!({})).await;
        let first = &data["leases"]["nodes"][0];
        assert_eq!(first["subnet"]["name"], "lab", "{first}");
        assert_eq!(first["rack"]["name"], "rack-1", "{first}");
        let mut ends = Vec::new();
        let mut after = Value::Null;
        loop {
            let variables = json!({ "mac": ONE, "after": after });
            let data = region.ask(&region.admin, HISTORY, variables).await;
            let page = &data["leaseHistory"];
            ends.extend(page["nodes"].as_array().expect("nodes").iter().map(|it| {
                format!("{} {}", text(&it["address"]), it["ended"].as_str().unwrap_or("-"))
            }));
            after = page["pageInfo"]["endCursor"].clone();
            if page["pageInfo"]["hasNextPage"] == false {
                break;
            }
        }
        assert_eq!(ends, ["10.30.0.9 -", "10.20.0.50 -", "10.20.0.50 RELEASED"]);
    }
}

#[tokio::test]
async fn a_query_of_leases_that_cannot_be_is_refused() {
    let region = Region::new().await;
    let rows = [
        (LIST, json!({ "filter": { "address": "10.0.0.0/8" } }), "ADDRESS_INVALID"),
        (LIST, json!({ "filter": { "macAddress": "x" } }), "MAC_INVALID"),
        (LIST, json!({ "filter": { "subnetId": "x" } }), "NOT_FOUND"),
        (LIST, json!({ "filter": { "hostname": "x".repeat(256) } }), "HOSTNAME_INVALID"),
        (
            LIST,
            json!({ "filter": { "at": "2026-01-01T00:00:00Z", "state": "ACTIVE" } }),
            "STATE_WITH_AT",
        ),
        (HISTORY, json!({}), "SUBJECT_INVALID"),
        (HISTORY, json!({ "address": "10.0.0.1", "mac": "52:54:00:77:00:01" }), "SUBJECT_INVALID"),
        (HISTORY, json!({ "address": "10.0.0.1", "after": "eA" }), "CURSOR_INVALID"),
    ];
    for (document, variables, want) in rows {
        let answer = region.run(Some(&region.admin), document, variables.clone()).await;
        let codes: Vec<_> = answer.errors.iter().filter_map(|it| it.extensions.as_ref()).collect();
        let code = codes.first().and_then(|it| it.get("code")).map(ToString::to_string);
        assert_eq!(code, Some(format!("\"{want}\"")), "{variables}: {:?}", answer.errors);
    }
    let update = "mutation($input: SettingsUpdateInput!) { settingsUpdate(input: $input) {
        settings { leaseHistoryDays } userErrors { code field message } } }";
    let refused = region.refused(update, json!({ "input": { "leaseHistoryDays": 0 } })).await;
    assert_eq!(refused, ("LEASE_HISTORY_INVALID".into(), json!(["input", "leaseHistoryDays"])));
    let done = region.done(&region.admin, update, json!({ "input": { "leaseHistoryDays": 7 } }));
    assert_eq!(done.await["settings"]["leaseHistoryDays"], 7);
}

#[tokio::test]
async fn a_gap_between_reports_asks_for_all_leases_and_what_is_then_not_named_ends() {
    const ONE: &str = "52:54:00:77:00:01";
    for region in Region::on_each_engine().await {
        register(&region, "rack-1").await;
        register(&region, "rack-2").await;
        let it = |address| lease(&region, address, json!(ONE), "ACTIVE", 0, 600);
        assert!(
            !report(&region, "rack-1", 1, &[it("10.20.0.1"), it("10.20.0.2")], json!({})).await
        );
        assert!(!report(&region, "rack-2", 1, &[it("10.20.0.3")], json!({})).await);
        assert!(report(&region, "rack-1", 3, &[], json!({})).await, "the second is missing");
        assert!(!report(&region, "rack-1", 4, &[it("10.20.0.2")], json!({})).await);
        assert!(report(&region, "rack-1", 3, &[], json!({})).await, "asked again, told again");
        let end = json!({ "resyncedSince": 4 });
        assert!(!report(&region, "rack-1", 5, &[it("10.20.0.9")], end).await);
        // Of the other rack, which shares the token, nothing was said.
        let want = ["10.20.0.2 ACTIVE", "10.20.0.3 ACTIVE", "10.20.0.9 ACTIVE"];
        assert_eq!(list(&region, json!({ "state": "ACTIVE" })).await, want);
        let variables = json!({ "address": "10.20.0.1" });
        let data = region.ask(&region.admin, HISTORY, variables).await;
        assert_eq!(data["leaseHistory"]["nodes"][0]["ended"], "UNREPORTED");
    }
}
