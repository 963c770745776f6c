/// Which bytes of the content a request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    Whole,
    /// `start..end`, never empty and within the content.
    Part {
        start: u64,
        end: u64,
    },
    /// 416: the range lies outside the content.
    Nothing,
}

/// Reads a `Range` header for content of `len` bytes (RFC 9110 §14.2).
///
/// A header that is malformed, of another unit or with more than one range counts as absent:
/// the whole content is always a right answer.
#[must_use]
pub fn wanted(header: &[u8], len: u64) -> Wanted {
    parse(header, len).unwrap_or(Wanted::Whole)
}

fn parse(header: &[u8], len: u64) -> Option<Wanted> {
    let (unit, spec) = std::str::from_utf8(header).ok()?.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = spec.trim().split_once('-')?;
    let (start, end) = match (first, last) {
        ("", last) => (len.saturating_sub(number(last)?), len),
        (first, "") => (number(first)?, len),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            if last < first {
                return None;
            }
            (first, last.saturating_add(1).min(len))
        }
    };
    Some(if start < end { Wanted::Part { start, end } } else { Wanted::Nothing })
}

/// Digits only. What does not fit counts as the end of the longest file.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_a_hundred_bytes() {
        const fn part(start: u64, end: u64) -> Wanted {
            Wanted::Part { start, end }
        }
        let rows = [
            ("bytes=0-0", part(0, 1)),
            ("bytes=0-99", part(0, 100)),
            ("bytes=10-19", part(10, 20)),
            ("bytes=10-", part(10, 100)),
            ("bytes=99-", part(99, 100)),
            ("bytes=90-1000", part(90, 100)),
            ("bytes=-1", part(99, 100)),
            ("bytes=-1000", part(0, 100)),
            ("Bytes = 5-6", part(5, 7)),
            ("bytes=0-18446744073709551615", part(0, 100)),
            ("bytes=0-99999999999999999999999", part(0, 100)),
            ("bytes=100-", Wanted::Nothing),
            ("bytes=100-200", Wanted::Nothing),
            ("bytes=99999999999999999999999-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=20-10", Wanted::Whole),
            ("bytes=0-1,5-6", Wanted::Whole),
            ("bytes=", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("lines=1-2", Wanted::Whole),
            ("", Wanted::Whole),
        ];
        for (header, want) in rows {
            assert_eq!(wanted(header.as_bytes(), 100), want, "{header}");
        }
        assert_eq!(wanted(b"bytes=-5", 0), Wanted::Nothing);
        assert_eq!(wanted(b"bytes=0-", 0), Wanted::Nothing);
    }
}
