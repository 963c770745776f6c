//! `Range: bytes=…` of one range. More than one gets the whole, which RFC 9110 §14.2 allows.

use std::ops::Range;

/// What to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    Some(Range<u64>),
    Unsatisfiable,
}

/// Reads the header against a file of `len` bytes. What is not understood is ignored, as the
/// standard wants it.
pub(super) fn parse(header: &str, len: u64) -> Part {
    let Some(spec) = header.strip_prefix("bytes=").map(str::trim) else { return Part::Whole };
    let Some((first, last)) = spec.split_once('-') else { return Part::Whole };
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
        digits.then(|| text.parse::<u64>().unwrap_or(u64::MAX))
    };
    match (first, last, number(first), number(last)) {
        (_, _, Some(first), Some(last)) if last < first => Part::Whole,
        (_, _, Some(first), Some(last)) if first < len => {
            Part::Some(first..last.saturating_add(1).min(len))
        }
        (_, "", Some(first), None) if first < len => Part::Some(first..len),
        ("", _, None, Some(0)) => Part::Unsatisfiable,
        ("", _, None, Some(suffix)) if 0 < len => Part::Some(len.saturating_sub(suffix)..len),
        (_, _, Some(_), Some(_)) | (_, "", Some(_), None) | ("", _, None, Some(_)) => {
            Part::Unsatisfiable
        }
        _ => Part::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_understood() {
        let rows = [
            ("bytes=0-3", Part::Some(0..4)),
            ("bytes=4-", Part::Some(4..10)),
            ("bytes=9-99", Part::Some(9..10)),
            ("bytes=-3", Part::Some(7..10)),
            ("bytes=-99", Part::Some(0..10)),
            ("bytes=10-", Part::Unsatisfiable),
            ("bytes=10-12", Part::Unsatisfiable),
            ("bytes=-0", Part::Unsatisfiable),
            ("bytes=3-2", Part::Whole),
            ("bytes=0-1,4-5", Part::Whole),
            ("bytes=a-b", Part::Whole),
            ("bytes=-", Part::Whole),
            ("items=0-3", Part::Whole),
            ("bytes=0-99999999999999999999999", Part::Some(0..10)),
        ];
        for (header, want) in rows {
            assert_eq!(parse(header, 10), want, "{header}");
        }
    }
}
