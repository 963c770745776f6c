//! Keyset pages: `first` items after the opaque cursor `after`.

use async_graphql::connection::{Connection, Edge};
use async_graphql::{Error, ErrorExtensions as _, OutputType, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ironherd_app::{PageRequest, Paged};

/// Items of a page when the client names no number.
const DEFAULT: u32 = 50;
/// The most items of a page.
const MAX: u32 = 500;

/// Checks the two arguments that every list takes.
///
/// # Errors
/// An error with the code `BAD_INPUT` if `first` is outside 1..=500 or `after` is no cursor.
pub(crate) fn request(first: Option<i32>, after: Option<&str>) -> Result<PageRequest> {
    let in_range = |first: i32| u32::try_from(first).ok().filter(|it| (1..=MAX).contains(it));
    let first = match first {
        None => DEFAULT,
        Some(first) => in_range(first)
            .ok_or_else(|| bad_input(format!("`first` must be between 1 and {MAX}.")))?,
    };
    let known = |cursor| decode(cursor).ok_or_else(|| bad_input("`after` is no cursor.".into()));
    Ok(PageRequest { first: Some(first), after: after.map(known).transpose()? })
}

/// Turns a page of rows into a connection.
pub(crate) fn connection<T, N: OutputType>(
    request: &PageRequest,
    page: Paged<T>,
    node: impl Fn(T) -> N,
) -> Connection<String, N> {
    let mut connection = Connection::new(request.after.is_some(), page.has_next);
    let edge = |(key, item): (String, T)| Edge::new(encode(&key), node(item));
    connection.edges.extend(page.items.into_iter().map(edge));
    connection
}

/// How much a list costs: as many times its items as it may return.
pub(crate) fn complexity(first: Option<i32>, child: usize) -> usize {
    let items = first.and_then(|first| u32::try_from(first).ok()).unwrap_or(DEFAULT).min(MAX);
    usize::try_from(items).map_or(usize::MAX, |items| 1 + items * child)
}

fn encode(key: &str) -> String {
    URL_SAFE_NO_PAD.encode(key)
}

fn decode(cursor: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()
}

/// An argument that a client can mend.
pub(crate) fn bad_input(message: String) -> Error {
    Error::new(message).extend_with(|_, extensions| extensions.set("code", "BAD_INPUT"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_bounded() {
        let rows = [
            // First, limit.
            (None, Some(50)),
            (Some(1), Some(1)),
            (Some(500), Some(500)),
            (Some(501), None),
            (Some(0), None),
            (Some(-1), None),
        ];
        for (first, want) in rows {
            let got = request(first, None).ok().and_then(|page| page.first);
            assert_eq!(got, want, "first {first:?}");
        }
    }

    #[test]
    fn a_cursor_is_what_we_wrote() {
        let after = encode("node-1");
        let page = request(None, Some(&after)).expect("a cursor of ours");
        assert_eq!(page.after.as_deref(), Some("node-1"));
        assert!(request(None, Some("not base64!")).is_err());
    }
}
