//! Questions to racks: who is asked, what comes back, and each way in which none does.

use async_graphql::futures_util::{Stream, StreamExt as _};
use async_graphql::{Request, Variables};
use ironherd_api::Caller;
use ironherd_app::Actor;
use serde_json::{Value, json};

use crate::harness::Region;

const REQUESTS: &str = "subscription($name: String!) { rackRequests(rackName: $name) {
    id question withinMs } }";
const REGISTER: &str = "mutation($input: RackRegisterInput!) { rackRegister(input: $input) {
    rack { id } userErrors { code } } }";
const ANSWER: &str = "mutation($input: RackAnswerInput!) { rackAnswer(input: $input) {
    id userErrors { code field } } }";
const EXPLAIN: &str = "query($input: DhcpExplainInput!) { dhcpExplain(input: $input) {
    rack { name } answered drop { reason text } address addressWhy subnet { id name }
    options { code name hex text scope } replyHex } }";
const CAPTURE: &str = "mutation($input: DhcpCaptureInput!) { dhcpCapture(input: $input) {
    capture { downloadPath packetCount leftOutCount sizeBytes racksMissing
        packets { at rack message outcome sent } }
    userErrors { code field message } } }";
const SUBNET: &str = "mutation($input: SubnetCreateInput!) { subnetCreate(input: $input) {
    subnet { id } userErrors { code } } }";
const MAC: &str = "52:54:00:77:00:10";

async fn register(region: &Region, name: &str, addresses: &[&str]) -> Value {
    let input = json!({ "name": name, "version": "0.1", "addresses": addresses });
    let mut done = region.done(&region.rack, REGISTER, json!({ "input": input })).await;
    done["rack"]["id"].take()
}

/// The questions to a rack, from the greeting on.
async fn listen(region: &Region, name: &str) -> impl Stream<Item = Value> + Unpin + use<> {
    let request = Request::new(REQUESTS)
        .variables(Variables::from_json(json!({ "name": name })))
        .data(Caller(Some(region.rack.clone())));
    let mut stream = region.schema.execute_stream(request).map(|answer| {
        assert!(answer.errors.is_empty(), "{:?}", answer.errors);
        answer.data.into_json().expect("JSON")["rackRequests"].take()
    });
    assert_eq!(stream.next().await, Some(json!([])), "a rack is greeted at once");
    stream
}

/// The next question and its id.
async fn asked(stream: &mut (impl Stream<Item = Value> + Unpin + ?Sized)) -> (Value, Value) {
    let request = stream.next().await.expect("a question")[0].clone();
    let question = request["question"].as_str().expect("JSON in a text");
    (request["id"].clone(), serde_json::from_str(question).expect("JSON"))
}

async fn answer(region: &Region, caller: &Actor, input: Value) -> Value {
    region.payload(caller, ANSWER, json!({ "input": input })).await
}

/// Runs a query that must be refused, and gives the code.
async fn refused(region: &Region, input: Value) -> String {
    let answer = region.run(Some(&region.admin), EXPLAIN, json!({ "input": input })).await;
    let error = answer.errors.first().unwrap_or_else(|| panic!("not refused: {:?}", answer.data));
    let code = error.extensions.as_ref().and_then(|it| it.get("code")).expect("a code");
    code.to_string().trim_matches('"').to_owned()
}

#[tokio::test]
async fn an_explanation_comes_from_the_rack_at_the_subnet() {
    for region in Region::on_each_engine().await {
        check_an_explanation_comes_from_the_rack_at_the_subnet(&region).await;
    }
}

async fn check_an_explanation_comes_from_the_rack_at_the_subnet(region: &Region) {
    let subnet = json!({ "input": { "cidr": "10.77.0.0/24" } });
    let subnet = region.done(&region.admin, SUBNET, subnet).await["subnet"]["id"].take();
    register(region, "far", &["10.99.0.1"]).await;
    register(region, "near", &["192.0.2.1", "10.77.0.1"]).await;
    let _far = listen(region, "far").await;
    let mut near = listen(region, "near").await;
    let input = json!({ "macAddress": MAC, "subnetId": subnet, "architectures": ["x64"] });
    let rack = async {
        let (id, question) = asked(&mut near).await;
        assert_eq!(question["kind"], "dhcp_explain");
        assert_eq!(question["mac"], MAC);
        assert_eq!(question["architectures"], json!([7]));
        let explanation = json!({
            "address": "10.77.0.9", "address_why": "it is reserved",
            "subnet": { "id": question["subnet"], "name": "10.77.0.0/24" },
            "options": [{ "code": 3, "name": "router", "data": "0a4d0001", "scope": "subnet",
                "text": "10.77.0.1" }],
            "reply": "0201",
        });
        let said = json!({ "id": id, "answer": explanation.to_string() });
        let payload = answer(region, &region.rack, said.clone()).await;
        assert_eq!((&payload["id"], &payload["userErrors"]), (&id, &json!([])));
        let again = answer(region, &region.rack, said).await;
        assert_eq!(again["userErrors"][0]["code"], "REQUEST_UNKNOWN", "answered once");
    };
    let ask = region.ask(&region.admin, EXPLAIN, json!({ "input": input }));
    let (data, ()) = tokio::join!(ask, rack);
    let want = json!({
        "rack": { "name": "near" }, "answered": true, "drop": null, "address": "10.77.0.9",
        "addressWhy": "it is reserved", "subnet": { "id": subnet, "name": "10.77.0.0/24" },
        "options": [{ "code": 3, "name": "router", "hex": "0a4d0001", "text": "10.77.0.1",
            "scope": "subnet" }],
        "replyHex": "0201",
    });
    assert_eq!(data["dhcpExplain"], want);
}

#[tokio::test]
async fn each_way_to_no_answer_has_its_name() {
    let region = Region::new().await;
    let client = || json!({ "macAddress": MAC });
    let with = |name: &str, value: Value| {
        let mut input = client();
        input[name] = value;
        input
    };
    assert_eq!(refused(&region, client()).await, "NO_RACK_CONNECTED");
    let id = register(&region, "one", &["10.77.0.1"]).await;
    assert_eq!(refused(&region, with("rackId", id.clone())).await, "RACK_NOT_CONNECTED");
    let mut one = listen(&region, "one").await;
    let rows = [
        (with("macAddress", json!("ff:ff:ff:ff:ff:ff")), "MAC_ADDRESS_INVALID"),
        (with("architectures", json!(["pdp11"])), "ARCHITECTURE_INVALID"),
        (with("relay", json!("here")), "ADDRESS_INVALID"),
        (with("uuid", json!("x")), "CLIENT_INVALID"),
        (with("wants", json!([300])), "CLIENT_INVALID"),
        (with("subnetId", json!("x")), "NOT_FOUND"),
        (with("rackId", json!("x")), "NOT_FOUND"),
    ];
    for (input, want) in rows {
        assert_eq!(refused(&region, input.clone()).await, want, "{input}");
    }
    // What the rack itself refuses keeps the rack's words.
    for (code, want) in [
        ("UNSUPPORTED", "RACK_TOO_OLD"),
        ("NOT_SERVED", "NOT_SERVED"),
        ("AMBIGUOUS", "SUBNET_NEEDED"),
        ("BUSY", "RACK_BUSY"),
    ] {
        let rack = async {
            let (id, _) = asked(&mut one).await;
            let refusal = json!({ "code": code, "message": "because" }).to_string();
            answer(&region, &region.rack, json!({ "id": id, "refusal": refusal })).await
        };
        let (got, payload) = tokio::join!(refused(&region, client()), rack);
        assert_eq!((got.as_str(), &payload["userErrors"]), (want, &json!([])));
    }
    // An answer of another version.
    let rack = async {
        let (id, _) = asked(&mut one).await;
        answer(&region, &region.rack, json!({ "id": id, "answer": "{\"options\":7}" })).await
    };
    let (got, _) = tokio::join!(refused(&region, client()), rack);
    assert_eq!(got, "RACK_TOO_OLD");
    register(&region, "two", &["10.78.0.1"]).await;
    let _two = listen(&region, "two").await;
    assert_eq!(refused(&region, client()).await, "RACK_NEEDED");
    let subnet = json!({ "input": { "cidr": "10.79.0.0/24" } });
    let subnet = region.done(&region.admin, SUBNET, subnet).await["subnet"]["id"].take();
    assert_eq!(refused(&region, with("subnetId", subnet)).await, "NO_RACK_SERVES");
    drop(one);
    assert_eq!(refused(&region, with("rackId", id)).await, "RACK_NOT_CONNECTED");
}

#[tokio::test]
async fn answers_are_bounded_and_well_formed() {
    let region = Region::new().await;
    let rows = [
        (json!({ "id": "x", "answer": "{}" }), "REQUEST_UNKNOWN"),
        (json!({ "id": "x" }), "ANSWER_INVALID"),
        (json!({ "id": "x", "answer": "{}", "refusal": "{}" }), "ANSWER_INVALID"),
        (json!({ "id": "x", "refusal": "{}" }), "ANSWER_INVALID"),
        (json!({ "id": "x", "answer": "x".repeat((1 << 20) + 1) }), "ANSWER_TOO_LARGE"),
    ];
    for (input, want) in rows {
        let payload = answer(&region, &region.rack, input).await;
        assert_eq!(payload["userErrors"][0]["code"], want);
    }
}

#[tokio::test]
async fn a_later_subscription_takes_the_place_of_an_earlier_one() {
    let region = Region::new().await;
    register(&region, "one", &["10.77.0.1"]).await;
    let mut first = listen(&region, "one").await;
    let mut second = listen(&region, "one").await;
    assert_eq!(first.next().await, None);
    drop(first); // Must not end the one that is in its place.
    let rack = async {
        let (id, _) = asked(&mut second).await;
        answer(&region, &region.rack, json!({ "id": id, "answer": "{}" })).await
    };
    let client = json!({ "input": { "macAddress": MAC } });
    let (data, _) = tokio::join!(region.ask(&region.admin, EXPLAIN, client), rack);
    assert_eq!(data["dhcpExplain"]["rack"]["name"], "one");
}

#[tokio::test]
async fn a_capture_is_put_together_from_what_every_rack_sends_up() {
    for region in Region::on_each_engine().await {
        check_a_capture_is_put_together(&region).await;
    }
}

async fn check_a_capture_is_put_together(region: &Region) {
    for name in ["one", "two", "three"] {
        register(region, name, &[]).await;
    }
    let mut one = listen(region, "one").await;
    let mut two = listen(region, "two").await;
    let mut three = listen(region, "three").await;
    let rack = async |stream: &mut (dyn Stream<Item = Value> + Unpin), at: u32| {
        let (id, question) = asked(stream).await;
        assert_eq!((&question["kind"], &question["mac"]), (&json!("dhcp_capture"), &json!(MAC)));
        let name = id.as_str().expect("an id");
        let taken = region.app.capture_receive(&region.rack, name, pcap(at)).await;
        taken.expect("the file is taken");
        let line = json!({ "at_us": u64::from(at) * 1_000_000, "message": "DISCOVER",
            "outcome": "accepted" });
        let summary = json!({ "packets": 1, "left_out": 2, "lines": [line] });
        answer(region, &region.rack, json!({ "id": id, "answer": summary.to_string() })).await
    };
    let deaf = async {
        let (id, _) = asked(&mut three).await;
        let refusal = json!({ "code": "BUSY", "message": "later" }).to_string();
        answer(region, &region.rack, json!({ "id": id, "refusal": refusal })).await
    };
    let input = json!({ "input": { "macAddress": MAC } });
    let ask = region.done(&region.admin, CAPTURE, input);
    let (done, ..) = tokio::join!(ask, rack(&mut one, 20), rack(&mut two, 10), deaf);
    let capture = &done["capture"];
    assert_eq!((&capture["packetCount"], &capture["leftOutCount"]), (&json!(2), &json!(4)));
    assert_eq!(capture["racksMissing"], json!(["three"]));
    let racks: Vec<&Value> =
        capture["packets"].as_array().expect("packets").iter().map(|it| &it["rack"]).collect();
    assert_eq!(racks, ["two", "one"], "in the order of their times");
    let path = capture["downloadPath"].as_str().expect("a path");
    let id = path.strip_prefix("/captures/").expect("below /captures");
    let file = region.app.capture_file(&region.admin, id).await.expect("a look");
    let file = file.expect("a file");
    assert_eq!(file.len(), 24 + 2 * 17);
    assert_eq!(&file[24..28], 10_u32.to_le_bytes(), "the earlier packet comes first");
    assert_eq!(region.app.capture_file(&region.admin, "x").await.expect("a look"), None);
    let forbidden = region.app.capture_file(&region.rack, id).await;
    assert!(forbidden.is_err(), "captures are for people");
    // Nobody waits for a file any more.
    let late = region.app.capture_receive(&region.rack, id, pcap(1)).await;
    assert_eq!(late.expect_err("refused").code(), Some("NOT_FOUND"));
}

/// A pcap file of one frame of one byte.
fn pcap(at: u32) -> Vec<u8> {
    let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    file.extend_from_slice(&[0xff, 0xff, 0, 0, 1, 0, 0, 0]);
    for word in [at, 0, 1, 1] {
        file.extend_from_slice(&u32::to_le_bytes(word));
    }
    file.push(7);
    file
}
