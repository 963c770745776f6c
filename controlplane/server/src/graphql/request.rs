//! Reading a request from a body or from a query string.

use async_graphql::parser::types::{DocumentOperations, OperationType};
use async_graphql::{Request, Variables};
use axum::extract::Query;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use serde::Deserialize;

/// Why a request cannot even be read.
#[derive(Debug)]
pub(crate) struct RequestError {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
}

fn bad(message: impl Into<String>) -> RequestError {
    RequestError { status: StatusCode::BAD_REQUEST, message: message.into() }
}

/// The parameters of a request. Null means the same as absence.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parameters {
    query: String,
    operation_name: Option<String>,
    variables: Option<serde_json::Map<String, serde_json::Value>>,
    // Checked for its shape and otherwise without meaning here.
    #[serde(rename = "extensions")]
    _extensions: Option<serde_json::Map<String, serde_json::Value>>,
}

pub(crate) fn from_body(headers: &HeaderMap, body: &[u8]) -> Result<Request, RequestError> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    // Without this check a foreign web page could post for its visitor.
    if !content_type.is_some_and(is_json) {
        let message = "Send the request as application/json.".to_owned();
        return Err(RequestError { status: StatusCode::UNSUPPORTED_MEDIA_TYPE, message });
    }
    let parameters: Parameters = serde_json::from_slice(body)
        .map_err(|error| bad(format!("The body is not a GraphQL request: {error}.")))?;
    Ok(request(parameters))
}

pub(crate) fn from_query(uri: &Uri) -> Result<Request, RequestError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Texts {
        query: Option<String>,
        operation_name: Option<String>,
        variables: Option<String>,
        extensions: Option<String>,
    }
    let Query(texts) = Query::<Texts>::try_from_uri(uri)
        .map_err(|error| bad(format!("The query string cannot be read: {error}.")))?;
    let object = |name: &str, text: Option<String>| match text.filter(|text| !text.is_empty()) {
        None => Ok(None),
        Some(text) => serde_json::from_str(&text)
            .map_err(|error| bad(format!("`{name}` is not a JSON object: {error}."))),
    };
    Ok(request(Parameters {
        query: texts.query.ok_or_else(|| bad("`query` is missing."))?,
        operation_name: texts.operation_name.filter(|name| !name.is_empty()),
        variables: object("variables", texts.variables)?,
        _extensions: object("extensions", texts.extensions)?,
    }))
}

fn request(parameters: Parameters) -> Request {
    let mut request = Request::new(parameters.query);
    request.operation_name = parameters.operation_name;
    if let Some(variables) = parameters.variables {
        request.variables = Variables::from_json(serde_json::Value::Object(variables));
    }
    request
}

fn is_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let json = parts.next().is_some_and(|it| it.eq_ignore_ascii_case("application/json"));
    json && parts.all(|parameter| match parameter.split_once('=') {
        Some((name, value)) if name.eq_ignore_ascii_case("charset") => {
            value.trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    })
}

pub(crate) fn is_mutation(request: &mut Request) -> bool {
    operation_type(request) == Some(OperationType::Mutation)
}

pub(crate) fn is_subscription(request: &mut Request) -> bool {
    operation_type(request) == Some(OperationType::Subscription)
}

/// The type of the operation that would run; `None` if none would.
fn operation_type(request: &mut Request) -> Option<OperationType> {
    let name = request.operation_name.clone();
    let document = request.parsed_query().ok()?;
    match (&document.operations, name) {
        (DocumentOperations::Single(operation), _) => Some(operation.node.ty),
        (DocumentOperations::Multiple(all), Some(name)) => {
            all.get(name.as_str()).map(|operation| operation.node.ty)
        }
        (DocumentOperations::Multiple(_), None) => None,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_body_is_json_with_a_query() {
        let rows = [
            // Content type, body, status.
            ("application/json", r#"{"query": "{a}"}"#, None),
            ("application/json; charset=utf-8", r#"{"query": "{a}", "variables": null}"#, None),
            ("application/json", r#"{"query": "{a}", "variables": []}"#, Some(400)),
            ("application/json", r#"{"query": 1}"#, Some(400)),
            ("application/json", r#"[{"query": "{a}"}]"#, Some(400)),
            ("application/json", "", Some(400)),
            ("application/json; charset=latin1", r#"{"query": "{a}"}"#, Some(415)),
            ("text/plain", r#"{"query": "{a}"}"#, Some(415)),
        ];
        for (content_type, body, want) in rows {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
            let got = from_body(&headers, body.as_bytes()).err().map(|it| it.status.as_u16());
            assert_eq!(got, want, "{content_type} {body}");
        }
    }

    #[test]
    fn the_named_operation_counts() {
        let mut request = Request::new("query A { a } mutation B { b }").operation_name("B");
        assert!(is_mutation(&mut request));
        let mut request = Request::new("query A { a } mutation B { b }").operation_name("A");
        assert!(!is_mutation(&mut request));
    }
}
