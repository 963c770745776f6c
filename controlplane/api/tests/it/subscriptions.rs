//! What is watched arrives whole and in order, over reconnects too.

use async_graphql::futures_util::{Stream, StreamExt as _};
use async_graphql::{Request, Variables};
use ironherd_api::Caller;
use ironherd_app::Actor;
use serde_json::{Value, json};

use crate::harness::Region;

const CHANGES: &str = "subscription($after: Long) { machineChanges(after: $after) {
    sequence machineId machine { hostname state } event { sequence kind } } }";
const DELTAS: &str = "subscription($after: Long) { rackDeltas(after: $after) {
    generation settings { enlist } subnetsChanged { cidr } machinesChanged { hostname intent }
    machinesRemoved files { name } } }";
const RENAME: &str = "mutation($id: ID!, $name: String!) {
    machineUpdate(id: $id, input: { hostname: $name }) { userErrors { code } } }";

fn watch(
    region: &Region,
    caller: &Actor,
    text: &str,
    after: Value,
) -> impl Stream<Item = Value> + Unpin + use<> {
    let request = Request::new(text)
        .variables(Variables::from_json(json!({ "after": after })))
        .data(Caller(Some(caller.clone())));
    region.schema.execute_stream(request).map(|answer| {
        assert!(answer.errors.is_empty(), "{:?}", answer.errors);
        let mut data = answer.data.into_json().expect("JSON");
        let fields = data.as_object_mut().expect("an object");
        fields.values_mut().next().map(Value::take).expect("a field")
    })
}

async fn next(stream: &mut (impl Stream<Item = Value> + Unpin)) -> Value {
    stream.next().await.expect("the subscription goes on")
}

#[tokio::test]
async fn machine_changes_resume_without_loss_or_repetition() {
    for region in Region::on_each_engine().await {
        check_machine_changes_resume_without_loss_or_repetition(&region).await;
    }
}

async fn check_machine_changes_resume_without_loss_or_repetition(region: &Region) {
    let id = region.machine("node-0", "52:54:00:77:00:10").await;
    for number in 1..=5 {
        let input = json!({ "id": id, "name": format!("node-{number}") });
        region.done(&region.admin, RENAME, input).await;
    }
    let mut whole = Vec::new();
    let mut changes = watch(region, &region.admin, CHANGES, json!(0));
    while whole.len() < 6 {
        let change = next(&mut changes).await;
        assert_eq!(change["machineId"], id);
        whole.push(change["sequence"].as_i64().expect("a number"));
    }
    assert!(whole.is_sorted_by(|a, b| a < b), "{whole:?}");
    drop(changes);
    // Away, more happens, back again: the rest comes first, then what is new, each once.
    let mut resumed = watch(region, &region.admin, CHANGES, json!(whole[2]));
    region.done(&region.admin, RENAME, json!({ "id": id, "name": "node-6" })).await;
    for want in &whole[3..] {
        assert_eq!(next(&mut resumed).await["sequence"], *want);
    }
    let last = next(&mut resumed).await;
    assert!(whole[5] < last["sequence"].as_i64().expect("a number"));
    assert_eq!(last["machine"]["hostname"], "node-6");
}

#[tokio::test]
async fn without_a_start_only_new_changes_arrive() {
    let region = Region::new().await;
    let id = region.machine("node-0", "52:54:00:77:00:10").await;
    let mut changes = watch(&region, &region.admin, CHANGES, Value::Null);
    let rename = async {
        // The subscription begins when it is first polled, below; this runs after that.
        tokio::task::yield_now().await;
        region.done(&region.admin, RENAME, json!({ "id": id, "name": "node-1" })).await;
    };
    let (change, ()) = tokio::join!(next(&mut changes), rename);
    assert_eq!(change["machine"]["hostname"], "node-1");
}

#[tokio::test]
async fn a_deleted_machine_is_told_as_null() {
    const DELETE: &str = "mutation($id: ID!) { machineDelete(id: $id) {
        machineId userErrors { code } } }";
    let region = Region::new().await;
    let id = region.machine("node-0", "52:54:00:77:00:10").await;
    let payload = region.done(&region.admin, DELETE, json!({ "id": id })).await;
    assert_eq!(payload["machineId"], id);
    let mut changes = watch(&region, &region.admin, CHANGES, json!(0));
    next(&mut changes).await;
    let deleted = next(&mut changes).await;
    assert_eq!((&deleted["machine"], &deleted["machineId"]), (&Value::Null, &json!(id)));
}

#[tokio::test]
async fn rack_deltas_begin_whole_and_go_on_with_what_changed() {
    for region in Region::on_each_engine().await {
        check_rack_deltas_begin_whole_and_go_on_with_what_changed(&region).await;
    }
}

async fn check_rack_deltas_begin_whole_and_go_on_with_what_changed(region: &Region) {
    const SUBNET: &str = "mutation { subnetCreate(input: { cidr: \"192.0.2.0/24\" }) {
        subnet { id } userErrors { code } } }";
    let id = region.machine("node-0", "52:54:00:77:00:10").await;
    region.machine("node-9", "52:54:00:77:00:19").await;
    region.snapshot(|it| it["machines"].as_array().is_some_and(|it| it.len() == 2)).await;
    let mut deltas = watch(region, &region.rack, DELTAS, Value::Null);
    let whole = next(&mut deltas).await;
    assert_eq!(whole["machinesRemoved"], json!(["*"]));
    assert_eq!(whole["machinesChanged"].as_array().map(Vec::len), Some(2));
    assert!(whole["settings"].is_object() && whole["subnetsChanged"] == json!([]));

    region.done(&region.admin, RENAME, json!({ "id": id, "name": "node-1" })).await;
    let delta = next(&mut deltas).await;
    let changed = json!([{ "hostname": "node-1", "intent": "POWER_OFF" }]);
    assert_eq!((&delta["machinesChanged"], &delta["machinesRemoved"]), (&changed, &json!([])));
    assert!(
        delta["settings"].is_null()
            && delta["subnetsChanged"] == json!([])
            && delta["files"].is_null()
    );
    drop(deltas);

    region.done(&region.admin, SUBNET, json!({})).await;
    let last = delta["generation"].as_i64();
    region.snapshot(|it| last < it["generation"].as_i64()).await;
    let mut resumed = watch(region, &region.rack, DELTAS, json!(last));
    let missed = next(&mut resumed).await;
    assert_eq!(missed["subnetsChanged"], json!([{ "cidr": "192.0.2.0/24" }]));
    assert_eq!((&missed["machinesChanged"], &missed["machinesRemoved"]), (&json!([]), &json!([])));

    let mut stranger = watch(region, &region.rack, DELTAS, json!(1_000_000));
    assert_eq!(next(&mut stranger).await["machinesRemoved"], json!(["*"]));
}
