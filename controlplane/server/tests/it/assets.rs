//! Pages, health and counts.

use reqwest::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH};

use crate::harness::Region;

#[tokio::test]
async fn pages_come_from_here_alone() {
    let region = Region::new().await;
    let rows = [
        ("/", "text/html; charset=utf-8"),
        ("/app.js", "text/javascript; charset=utf-8"),
        ("/style.css", "text/css; charset=utf-8"),
        ("/graphiql", "text/html; charset=utf-8"),
        ("/graphiql/graphiql.min.js", "text/javascript; charset=utf-8"),
        ("/graphiql/start.js", "text/javascript; charset=utf-8"),
    ];
    for (path, content_type) in rows {
        let page = region.get(path).send().await.expect("an answer");
        assert_eq!(page.status(), 200, "{path}");
        assert_eq!(page.headers()[CONTENT_TYPE], content_type, "{path}");
        let policy = page.headers()[CONTENT_SECURITY_POLICY].to_str().expect("text").to_owned();
        assert!(policy.starts_with("default-src 'self'"), "{path}: {policy}");
        let etag = page.headers()[ETAG].clone();
        let text = page.text().await.expect("text");
        if content_type.starts_with("text/html") {
            let foreign = text.contains("src=\"http") || text.contains("href=\"http");
            assert!(!foreign, "{path} reaches for another host");
        }
        let again = region.get(path).header(IF_NONE_MATCH, etag).send().await;
        assert_eq!(again.expect("an answer").status(), 304, "{path}");
    }
    for path in ["/nosuch.js", "/graphiql/nosuch.js", "/..%2FCargo.toml"] {
        assert_eq!(region.get(path).send().await.expect("an answer").status(), 404, "{path}");
    }
}

#[tokio::test]
async fn health_and_counts_are_shown() {
    let region = Region::new().await;
    region.machine("node-1", "52:54:00:77:00:10").await;
    for path in ["/healthz", "/readyz"] {
        assert_eq!(region.get(path).send().await.expect("an answer").status(), 200, "{path}");
    }
    let text = region.get("/metrics").send().await.expect("an answer").text().await.expect("text");
    for line in [
        "ironherd_machines{state=\"NEW\"} 1",
        "ironherd_machines{state=\"READY\"} 0",
        "ironherd_http_responses_total{status=\"2xx\"} 3",
        "ironherd_graphql_responses_total{errors=\"no\"} 1",
        "ironherd_websockets 0",
    ] {
        assert!(text.lines().any(|it| it == line), "{line} is missing in:\n{text}");
    }
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let value = line.rsplit(' ').next().and_then(|it| it.parse::<f64>().ok());
        assert!(value.is_some(), "{line}");
    }
}
