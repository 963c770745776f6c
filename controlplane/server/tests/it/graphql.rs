//! GraphQL over HTTP: statuses, media types, methods.

use reqwest::header::{ACCEPT, ALLOW, CONTENT_TYPE, WWW_AUTHENTICATE};
use reqwest::{Method, RequestBuilder, Url};
use serde_json::{Value, json};

use crate::harness::{Region, json_of};

const NEW: &str = "application/graphql-response+json";
const OLD: &str = "application/json";

#[tokio::test]
async fn the_status_says_what_became_of_the_request() {
    let region = Region::new().await;
    let rows = [
        // Accept, query, token, status.
        (NEW, "{ viewer { name } }", Some(&region.admin), 200),
        (NEW, "{ viewer { nosuch } }", Some(&region.admin), 400),
        (NEW, "{ viewer {", Some(&region.admin), 400),
        (OLD, "{ viewer { nosuch } }", Some(&region.admin), 200),
        (OLD, "{ viewer {", Some(&region.admin), 200),
        (OLD, "{ viewer { name } }", None, 401),
        (NEW, "{ viewer { name } }", None, 401),
        (NEW, "{ __typename }", None, 200),
        (NEW, "{ rackSnapshot { generation } }", Some(&region.admin), 403),
        (NEW, "{ rackSnapshot { generation } }", Some(&region.rack), 200),
        (OLD, "{ machines { nodes { id } } }", Some(&region.rack), 403),
        (NEW, "subscription { rackDeltas { generation } }", Some(&region.rack), 400),
        ("text/html", "{ viewer { name } }", Some(&region.admin), 406),
    ];
    for (accept, query, token, want) in rows {
        let mut request = region.post(&json!({ "query": query })).header(ACCEPT, accept);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status().as_u16(), want, "{accept} {query}");
        let content_type = response.headers()[CONTENT_TYPE].to_str().expect("text").to_owned();
        let shown = if accept == NEW { NEW } else { OLD };
        assert_eq!(content_type, format!("{shown}; charset=utf-8"));
        assert_eq!(response.headers().contains_key(WWW_AUTHENTICATE), want == 401);
        assert!(response.headers().contains_key("x-request-id"));
        let body = json_of(response).await;
        // Without execution there is no data, not even null.
        let executed =
            want != 400 && want != 406 && !query.contains("nosuch") && query.ends_with('}');
        assert_eq!(body.get("data").is_some(), executed, "{body}");
    }
}

#[tokio::test]
async fn an_unknown_token_is_refused_whatever_is_asked() {
    let region = Region::new().await;
    for query in ["{ __typename }", "{ viewer { name } }"] {
        let request = region.post(&json!({ "query": query })).bearer_auth("ihu_nosuch");
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 401);
        let body = json_of(response).await;
        assert_eq!(body["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    }
}

#[tokio::test]
async fn queries_may_come_by_get_and_mutations_may_not() {
    let region = Region::new().await;
    let get = |query: &str, variables: &str| -> RequestBuilder {
        let parameters = [("query", query), ("variables", variables)];
        let url = Url::parse_with_params("http://host/graphql", parameters).expect("a URL");
        let path = format!("{}?{}", url.path(), url.query().unwrap_or_default());
        region.get(&path).bearer_auth(&region.admin)
    };
    let id = region.machine("node-1", "52:54:00:77:00:10").await;
    let query = "query($id: ID!) { machine(id: $id) { hostname } }";
    let variables = json!({ "id": id }).to_string();
    let answer = get(query, &variables).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    assert_eq!(json_of(answer).await["data"]["machine"]["hostname"], "node-1");
    let delete = "mutation($id: ID!) { machineDelete(id: $id) { userErrors { code } } }";
    let answer = get(delete, &variables).send().await.expect("an answer");
    assert_eq!((answer.status().as_u16(), answer.headers()[ALLOW].as_bytes()), (405, &b"POST"[..]));
    assert_eq!(get("{ __typename }", "[]").send().await.expect("an answer").status(), 400);
    let missing = region.get("/graphql").send().await.expect("an answer");
    assert_eq!(missing.status(), 400);
}

#[tokio::test]
async fn what_is_no_request_is_told_so() {
    let region = Region::new().await;
    let rows = [
        (OLD, "{", 400),
        (OLD, "[]", 400),
        (OLD, r#"{"query": 1}"#, 400),
        (OLD, r#"{"query": "{ __typename }", "variables": 1}"#, 400),
        ("text/plain", r#"{"query": "{ __typename }"}"#, 415),
        ("application/x-www-form-urlencoded", "query={__typename}", 415),
    ];
    for (content_type, body, want) in rows {
        let request = region.request(Method::POST, "/graphql").header(CONTENT_TYPE, content_type);
        let response = request.body(body).send().await.expect("an answer");
        assert_eq!(response.status().as_u16(), want, "{body}");
        let answer = json_of(response).await;
        assert!(answer["errors"][0]["message"].is_string() && answer.get("data").is_none());
    }
    let large = json!({ "query": format!("# {}", "x".repeat(5 << 20)) });
    let response = region.post(&large).send().await.expect("an answer");
    assert_eq!(response.status(), 413);
}

#[tokio::test]
async fn a_refused_mutation_is_an_answer_like_any_other() {
    let region = Region::new().await;
    let data = region
        .ask(
            "mutation { subnetCreate(input: { cidr: \"house\" }) {
                subnet { id } userErrors { code field } } }",
            Value::Null,
        )
        .await;
    let want = json!({ "subnet": null,
        "userErrors": [{ "code": "CIDR_INVALID", "field": ["input", "cidr"] }] });
    assert_eq!(data["subnetCreate"], want);
}
