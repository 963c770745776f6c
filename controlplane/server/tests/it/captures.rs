//! Files of packets: who may send and fetch them.

use reqwest::Method;
use serde_json::json;

use crate::harness::{Region, json_of};

#[tokio::test]
async fn captures_are_sent_by_racks_that_were_asked_and_fetched_by_people() {
    let region = Region::new().await;
    let path = "/captures/0198c2a8-7b1e-4c55-9c1d-3a6f1f0e2b4d";
    let rows = [
        // Method, token, status, code.
        (Method::GET, None, 401, "UNAUTHENTICATED"),
        (Method::GET, Some("nosuch"), 401, "UNAUTHENTICATED"),
        (Method::GET, Some(region.rack.as_str()), 403, "FORBIDDEN"),
        (Method::GET, Some(&region.admin), 404, "NOT_FOUND"),
        (Method::PUT, None, 401, "UNAUTHENTICATED"),
        (Method::PUT, Some(&region.admin), 403, "FORBIDDEN"),
        (Method::PUT, Some(&region.rack), 422, "CAPTURE_INVALID"),
    ];
    for (method, token, status, code) in rows {
        let request = region.request(method.clone(), path).body("no pcap");
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), status, "{method} as {token:?}");
        assert_eq!(json_of(response).await["code"], code, "{method} as {token:?}");
    }
    let header = b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\xff\xff\0\0\x01\0\0\0";
    let unasked = region.request(Method::PUT, path).bearer_auth(&region.rack).body(&header[..]);
    assert_eq!(unasked.send().await.expect("an answer").status(), 404, "nobody asked for it");
    let long = vec![0; (16 << 20) + 1];
    let long = region.request(Method::PUT, path).bearer_auth(&region.rack).body(long);
    // The answer may come while the body still goes out, which cuts the connection.
    if let Ok(response) = long.send().await {
        assert_eq!(response.status(), 413);
    }
}

#[tokio::test]
async fn without_a_rack_there_is_a_reason_and_no_file() {
    const CAPTURE: &str = "mutation { dhcpCapture(input: {}) {
        capture { downloadPath } userErrors { code } } }";
    let region = Region::new().await;
    let data = region.ask(CAPTURE, json!({})).await;
    let want = json!({ "capture": null, "userErrors": [{ "code": "NO_RACK_CONNECTED" }] });
    assert_eq!(data["dhcpCapture"], want);
}
