//! Which of the two media types the client wants.

use axum::http::{HeaderMap, header};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MediaType {
    /// Statuses tell whether the document was executed.
    GraphqlResponse,
    /// The older form: a readable document always gets 200.
    Json,
}

impl MediaType {
    pub(crate) fn header(self) -> &'static str {
        match self {
            MediaType::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            MediaType::Json => "application/json; charset=utf-8",
        }
    }
}

/// Picks the best type that `Accept` allows; `None` if it allows neither.
///
/// Without the header, and for wildcards, clients that know nothing of the newer type ask: they
/// get the older one.
pub(crate) fn negotiate(headers: &HeaderMap) -> Option<MediaType> {
    let mut ranges = headers.get_all(header::ACCEPT).iter().peekable();
    if ranges.peek().is_none() {
        return Some(MediaType::Json);
    }
    let mut best: Option<(u16, MediaType)> = None;
    for range in ranges.filter_map(|value| value.to_str().ok()).flat_map(|it| it.split(',')) {
        let Some((media_type, quality)) = parse(range) else { continue };
        if 0 < quality && best.is_none_or(|(so_far, _)| so_far < quality) {
            best = Some((quality, media_type));
        }
    }
    best.map(|(_, media_type)| media_type)
}

/// Reads one media range and its weight in thousandths.
fn parse(range: &str) -> Option<(MediaType, u16)> {
    let mut parts = range.split(';').map(str::trim);
    let media_type = match parts.next()?.to_ascii_lowercase().as_str() {
        "application/graphql-response+json" => MediaType::GraphqlResponse,
        "application/json" | "application/*" | "*/*" => MediaType::Json,
        _ => return None,
    };
    let mut quality = 1000;
    for parameter in parts {
        let (name, value) = parameter.split_once('=')?;
        match name.trim().to_ascii_lowercase().as_str() {
            "q" => quality = thousandths(value.trim())?,
            "charset" if !value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8") => {
                return None;
            }
            _ => {}
        }
    }
    Some((media_type, quality))
}

fn thousandths(weight: &str) -> Option<u16> {
    let (whole, fraction) = weight.split_once('.').unwrap_or((weight, ""));
    if 3 < fraction.len() || !fraction.bytes().all(|it| it.is_ascii_digit()) {
        return None;
    }
    let fraction: u16 = format!("{fraction:0<3}").parse().ok()?;
    match whole {
        "0" => Some(fraction),
        "1" if fraction == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_best_known_type_wins() {
        const NEW: Option<MediaType> = Some(MediaType::GraphqlResponse);
        const OLD: Option<MediaType> = Some(MediaType::Json);
        let rows = [
            (None, OLD),
            (Some("*/*"), OLD),
            (Some("application/json"), OLD),
            (Some("application/graphql-response+json"), NEW),
            (Some("application/graphql-response+json, application/json;q=0.9"), NEW),
            (Some("application/json, application/graphql-response+json"), OLD),
            (Some("application/json;q=0.5, application/graphql-response+json;q=0.75"), NEW),
            (Some("application/graphql-response+json; charset=utf-8"), NEW),
            (Some("application/json; charset=latin1"), None),
            (Some("text/html"), None),
            (Some("text/html, */*;q=0.1"), OLD),
            (Some("application/json;q=0"), None),
        ];
        for (accept, want) in rows {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            }
            assert_eq!(negotiate(&headers), want, "{accept:?}");
        }
    }
}
