//! Image bytes, both ways.

use reqwest::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, ETAG, IF_NONE_MATCH, IF_RANGE, RANGE,
};
use reqwest::{Method, Response};
use serde_json::json;

use crate::harness::{IMAGE, IMAGE_SHA256, Region, json_of};

async fn announce(region: &Region) -> String {
    const CREATE: &str = "mutation($input: ImageCreateInput!) { imageCreate(input: $input) {
        image { uploadPath state } userErrors { code message } } }";
    let input = json!({ "name": "debian", "kind": "DISK_RAW", "sha256": IMAGE_SHA256,
        "sizeBytes": IMAGE.len() });
    let data = region.ask(CREATE, json!({ "input": input })).await;
    assert_eq!(data["imageCreate"]["image"]["state"], "UPLOADING");
    data["imageCreate"]["image"]["uploadPath"].as_str().expect("a path").to_owned()
}

async fn put(region: &Region, path: &str, token: &str, bytes: &'static [u8]) -> Response {
    let request = region.request(Method::PUT, path).bearer_auth(token).body(bytes);
    request.send().await.expect("an answer")
}

#[tokio::test]
async fn wrong_bytes_are_refused_and_can_be_sent_again() {
    let region = Region::new().await;
    let path = announce(&region).await;
    let wrong = put(&region, &path, &region.admin, b"imagf\n").await;
    assert_eq!(wrong.status(), 422);
    assert_eq!(json_of(wrong).await["code"], "DIGEST_MISMATCH");
    let short = put(&region, &path, &region.admin, b"imag").await;
    assert_eq!(short.status(), 422);
    assert_eq!(json_of(short).await["code"], "SIZE_MISMATCH");
    let none = region.get(&path).bearer_auth(&region.rack).send().await.expect("an answer");
    assert_eq!(none.status(), 404);
    for _ in 0..2 {
        let right = put(&region, &path, &region.admin, IMAGE).await;
        assert_eq!(right.status(), 200);
        assert_eq!(json_of(right).await, json!({ "state": "READY" }));
    }
    let whole = region.get(&path).bearer_auth(&region.rack).send().await.expect("an answer");
    assert_eq!(whole.bytes().await.expect("bytes"), IMAGE);
}

#[tokio::test]
async fn only_those_who_may_send_and_fetch() {
    let region = Region::new().await;
    let path = announce(&region).await;
    assert_eq!(put(&region, &path, &region.rack, IMAGE).await.status(), 403);
    assert_eq!(put(&region, &path, "nosuch", IMAGE).await.status(), 401);
    let unknown = format!("/images/{}", "0".repeat(64));
    assert_eq!(put(&region, &unknown, &region.admin, IMAGE).await.status(), 404);
    put(&region, &path, &region.admin, IMAGE).await;
    assert_eq!(region.get(&path).send().await.expect("an answer").status(), 401);
    for name in [&unknown, "/images/..%2F..%2Fsecret.key", "/images/x"] {
        let got = region.get(name).bearer_auth(&region.admin).send().await.expect("an answer");
        assert_eq!(got.status(), 404, "{name}");
    }
}

#[tokio::test]
async fn parts_are_served() {
    let region = Region::new().await;
    let path = announce(&region).await;
    put(&region, &path, &region.admin, IMAGE).await;
    let rows = [
        ("bytes=0-2", 206, &b"ima"[..], Some("bytes 0-2/6")),
        ("bytes=3-", 206, b"ge\n", Some("bytes 3-5/6")),
        ("bytes=-2", 206, b"e\n", Some("bytes 4-5/6")),
        ("bytes=6-", 416, b"", Some("bytes */6")),
        ("bytes=0-1,3-4", 200, IMAGE, None),
    ];
    let get = || region.get(&path).bearer_auth(&region.rack);
    for (range, status, bytes, content_range) in rows {
        let response = get().header(RANGE, range).send().await.expect("an answer");
        assert_eq!(response.status().as_u16(), status, "{range}");
        let shown = response.headers().get(CONTENT_RANGE).map(|it| it.to_str().expect("text"));
        assert_eq!(shown, content_range, "{range}");
        assert_eq!(response.bytes().await.expect("bytes"), bytes, "{range}");
    }
    let etag = format!("\"{IMAGE_SHA256}\"");
    let same = get().header(RANGE, "bytes=0-0").header(IF_RANGE, &etag).send().await;
    assert_eq!(same.expect("an answer").status(), 206);
    let other = get().header(RANGE, "bytes=0-0").header(IF_RANGE, "\"other\"").send().await;
    assert_eq!(other.expect("an answer").status(), 200);
    let known = get().header(IF_NONE_MATCH, &etag).send().await.expect("an answer");
    assert_eq!(known.status(), 304);
    let head = region.request(Method::HEAD, &path).bearer_auth(&region.rack);
    let head = head.send().await.expect("an answer");
    assert_eq!(head.headers()[ETAG], etag.as_str());
    assert_eq!(head.headers()[CONTENT_LENGTH], "6");
    assert_eq!(head.headers()[ACCEPT_RANGES], "bytes");
}
