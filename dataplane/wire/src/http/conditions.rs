/// The conditional headers of a request (RFC 9110 §13), as written.
///
/// There is no `Last-Modified`, so conditions on dates say nothing; content changes its tag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conditions<'a> {
    if_match: Option<&'a [u8]>,
    if_none_match: Option<&'a [u8]>,
    if_range: Option<&'a [u8]>,
}

/// What the conditions leave of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Answer it. A range may be taken if `range`.
    Go { range: bool },
    /// 304.
    NotModified,
    /// 412.
    Failed,
}

impl<'a> Conditions<'a> {
    pub(super) fn accept(&mut self, name: &str, value: &'a [u8]) {
        let is = |header: &str| name.eq_ignore_ascii_case(header);
        if is("if-match") {
            self.if_match = self.if_match.or(Some(value));
        } else if is("if-none-match") {
            self.if_none_match = self.if_none_match.or(Some(value));
        } else if is("if-range") {
            self.if_range = self.if_range.or(Some(value));
        }
    }

    /// Judges in the order of RFC 9110 §13.2.2. `tag` is a strong entity tag without its quotes.
    #[must_use]
    pub fn judge(&self, tag: &str) -> Verdict {
        if self.if_match.is_some_and(|list| !lists(list, tag, Strength::Strong)) {
            Verdict::Failed
        } else if self.if_none_match.is_some_and(|list| lists(list, tag, Strength::Weak)) {
            Verdict::NotModified
        } else {
            let range = self.if_range.is_none_or(|one| is_tag(one.trim_ascii(), tag));
            Verdict::Go { range }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Strength {
    /// `W/"x"` equals nothing.
    Strong,
    /// `W/"x"` equals `"x"`.
    Weak,
}

/// Whether a list of entity tags, or `*`, holds `tag`. No tag of ours holds a comma.
fn lists(list: &[u8], tag: &str, strength: Strength) -> bool {
    list.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).any(|one| {
        let plain = match (strength, one.strip_prefix(b"W/")) {
            (Strength::Weak, Some(plain)) => plain,
            _ => one,
        };
        one == b"*" || is_tag(plain, tag)
    })
}

fn is_tag(quoted: &[u8], tag: &str) -> bool {
    matches!(quoted, [b'"', inner @ .., b'"'] if inner == tag.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_judged_in_their_order() {
        const GO: Verdict = Verdict::Go { range: true };
        let rows = [
            // If-Match, If-None-Match, If-Range, verdict for the tag `a`.
            ("", "", "", GO),
            (r#""a""#, "", "", GO),
            (r#""b", "a""#, "", "", GO),
            ("*", "", "", GO),
            (r#""b""#, "", "", Verdict::Failed),
            (r#"W/"a""#, "", "", Verdict::Failed),
            ("", r#""a""#, "", Verdict::NotModified),
            ("", r#""b" , W/"a""#, "", Verdict::NotModified),
            ("", "*", "", Verdict::NotModified),
            ("", r#""b""#, "", GO),
            (r#""b""#, r#""a""#, "", Verdict::Failed),
            ("", "", r#""a""#, GO),
            ("", "", r#""b""#, Verdict::Go { range: false }),
            ("", "", r#"W/"a""#, Verdict::Go { range: false }),
            ("", "", "Sat, 29 Oct 1994 19:43:31 GMT", Verdict::Go { range: false }),
            ("a", "", "", Verdict::Failed),
        ];
        for (if_match, if_none_match, if_range, want) in rows {
            let mut conditions = Conditions::default();
            let headers =
                [("IF-MATCH", if_match), ("if-none-match", if_none_match), ("If-Range", if_range)];
            for (name, value) in headers.into_iter().filter(|(_, value)| !value.is_empty()) {
                conditions.accept(name, value.as_bytes());
            }
            assert_eq!(conditions.judge("a"), want, "{if_match} | {if_none_match} | {if_range}");
        }
    }
}
