//! Bearer tokens in headers.

use axum::http::{HeaderMap, header};

/// The token of an `Authorization` value, e.g. `Bearer abc`.
pub(crate) fn token(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// What a request says about its sender.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Bearer<'h> {
    Absent,
    Token(&'h str),
    /// There is a header, but it holds no bearer token: nobody may mistake it for a login.
    Malformed,
}

pub(crate) fn from_headers(headers: &HeaderMap) -> Bearer<'_> {
    match headers.get(header::AUTHORIZATION).map(|value| value.to_str()) {
        None => Bearer::Absent,
        Some(Ok(value)) => token(value).map_or(Bearer::Malformed, Bearer::Token),
        Some(Err(_)) => Bearer::Malformed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bearer_token_counts() {
        let rows = [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("Bearer ", None),
            ("Bearer", None),
            ("Basic abc", None),
        ];
        for (value, want) in rows {
            assert_eq!(token(value), want, "{value:?}");
        }
    }
}
