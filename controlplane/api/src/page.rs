//! Keyset pages: `first` items after the opaque cursor `after`.

use async_graphql::connection::{Connection, Edge};
use async_graphql::{Error, ErrorExtensions as _, OutputType, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Items of a page when the client names no number.
pub(crate) const DEFAULT: usize = 50;
/// The most items of a page.
pub(crate) const MAX: usize = 500;

/// What one field of a list asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) limit: u32,
    /// The key of the last item that the client has seen.
    pub(crate) after: Option<String>,
}

impl Page {
    /// Checks the two arguments that every list takes.
    ///
    /// # Errors
    /// An error with the code `BAD_INPUT` if `first` is outside 1..=500 or `after` is no cursor.
    pub(crate) fn parse(first: Option<i32>, after: Option<&str>) -> Result<Page> {
        let limit = match first {
            None => DEFAULT,
            Some(first) => usize::try_from(first)
                .ok()
                .filter(|first| (1..=MAX).contains(first))
                .ok_or_else(|| bad_input(format!("`first` must be between 1 and {MAX}.")))?,
        };
        let after = match after {
            None => None,
            Some(cursor) => {
                Some(decode(cursor).ok_or_else(|| bad_input("`after` is not a cursor.".into()))?)
            }
        };
        Ok(Page { limit: u32::try_from(limit).unwrap_or(u32::MAX), after })
    }

    /// Turns the rows of a page into a connection. `key` names each item within its list.
    pub(crate) fn connection<T: OutputType>(
        &self,
        items: impl IntoIterator<Item = (String, T)>,
        more: bool,
    ) -> Connection<String, T> {
        let mut connection = Connection::new(self.after.is_some(), more);
        let edges = items.into_iter().map(|(key, item)| Edge::new(encode(&key), item));
        connection.edges.extend(edges);
        connection
    }
}

/// How much a list costs: as many times its items as it may return.
pub(crate) fn complexity(first: Option<i32>, child: usize) -> usize {
    let items = first.and_then(|first| usize::try_from(first).ok()).unwrap_or(DEFAULT);
    1 + items.min(MAX) * child
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
            let got = Page::parse(first, None).ok().map(|page| page.limit);
            assert_eq!(got, want, "first {first:?}");
        }
    }

    #[test]
    fn a_cursor_is_what_we_wrote() {
        let after = encode("node-1");
        let page = Page::parse(None, Some(&after)).expect("a cursor of ours");
        assert_eq!(page.after.as_deref(), Some("node-1"));
        assert!(Page::parse(None, Some("not base64!")).is_err());
    }
}
