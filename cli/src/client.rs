//! The GraphQL client that every sub-command shares.

use std::fmt;
use std::path::Path;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde_json::{Value, json};

/// A bearer token. Its `Debug` form never shows the text.
#[derive(Clone)]
pub(crate) struct Token(String);

impl Token {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into().trim().to_owned())
    }

    pub(crate) fn from_file(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the token file {}", path.display()))?;
        Ok(Self::new(text))
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(hidden)")
    }
}

/// One region, spoken to with one token.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) url: String, // Without a trailing slash, e.g. `http://127.0.0.1:5240`.
    pub(crate) token: Token,
    pub(crate) http: reqwest::Client,
}

/// What the API refused, in the words it used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("{}", .0.join("\n"))]
    Refused(Vec<String>),
    #[error("the token was not accepted: run `ironherd admin create` and set IRONHERD_TOKEN_FILE")]
    Unauthenticated,
    #[error("{0}")]
    Failed(String),
}

#[derive(Deserialize)]
struct Answer {
    data: Option<Value>,
    #[serde(default)]
    errors: Vec<AnswerError>,
}

#[derive(Deserialize)]
struct AnswerError {
    message: String,
    #[serde(default)]
    extensions: Value,
}

impl Client {
    pub(crate) fn new(url: &str, token: Token) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().build().context("cannot set up the HTTP client")?;
        Ok(Self { url: url.trim_end_matches('/').to_owned(), token, http })
    }

    /// Runs one document and answers its `data`.
    ///
    /// # Errors
    /// [`ApiError`] for whatever the API says, with `userErrors` of any top-level field as
    /// [`ApiError::Refused`]; else the transport's error with the URL.
    pub(crate) async fn run(&self, document: &str, variables: Value) -> anyhow::Result<Value> {
        let body = json!({ "query": document, "variables": variables });
        let request = self.http.post(format!("{}/graphql", self.url)).json(&body);
        let answer = request
            .bearer_auth(self.token.reveal())
            .send()
            .await
            .with_context(|| format!("cannot reach the region at {}; is it up?", self.url))?;
        let status = answer.status();
        let text = answer.text().await.context("the answer of the region was cut")?;
        let Ok(answer) = serde_json::from_str::<Answer>(&text) else {
            bail!(ApiError::Failed(format!("the region answered {status}, which is no GraphQL")));
        };
        if let Some(first) = answer.errors.first() {
            if first.extensions.get("code").and_then(Value::as_str) == Some("UNAUTHENTICATED") {
                bail!(ApiError::Unauthenticated);
            }
            bail!(ApiError::Failed(first.message.clone()));
        }
        let data = answer.data.unwrap_or(Value::Null);
        let refused = user_errors(&data);
        if !refused.is_empty() {
            bail!(ApiError::Refused(refused));
        }
        Ok(data)
    }
}

/// Collects `userErrors` of every top-level field as sentences that name the input at fault.
fn user_errors(data: &Value) -> Vec<String> {
    let fields = data.as_object().into_iter().flatten();
    let errors = fields.filter_map(|(_, payload)| payload.get("userErrors")?.as_array());
    let sentence = |error: &Value| {
        let message = error.get("message").and_then(Value::as_str).unwrap_or("refused");
        let path = error.get("field").and_then(Value::as_array).into_iter().flatten();
        let path: Vec<&str> = path.filter_map(Value::as_str).collect();
        match path.is_empty() {
            true => message.to_owned(),
            false => format!("{}: {message}", path.join(".")),
        }
    };
    errors.flatten().map(sentence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_errors_become_sentences_that_name_the_field() {
        let rows = [
            (json!({}), vec![]),
            (json!({"a": {"userErrors": []}}), vec![]),
            (json!({"a": null}), vec![]),
            (
                json!({"a": {"userErrors": [{"field": ["input", "cidr"], "message": "Bad."}]}}),
                vec!["input.cidr: Bad."],
            ),
            (json!({"a": {"userErrors": [{"field": [], "message": "Bad."}]}}), vec!["Bad."]),
        ];
        for (data, want) in rows {
            assert_eq!(user_errors(&data), want, "{data}");
        }
    }
}
