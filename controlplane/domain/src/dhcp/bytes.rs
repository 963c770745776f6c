//! Bytes that people write: hexadecimal pairs, or plain text.

use std::fmt::Write as _;

/// Reads `0x0a1b`, or pairs with colons or dashes like `01:52:54`, as hexadecimal; anything else
/// stands for its own characters.
#[must_use]
pub fn read(text: &str) -> Vec<u8> {
    hexadecimal(text).unwrap_or_else(|| text.as_bytes().to_vec())
}

/// Writes what [`read`] reads: the text itself where it is one, else hexadecimal pairs.
#[must_use]
pub fn show(bytes: &[u8]) -> String {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    let printable = |it: char| it.is_ascii_graphic() || it == ' ';
    if !text.is_empty() && text.chars().all(printable) && hexadecimal(text).is_none() {
        return text.to_owned();
    }
    bytes.iter().fold(String::from("0x"), |mut text, byte| {
        // Writing into a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let pair = |pair: &str| {
        let digits = pair.len() == 2 && pair.bytes().all(|it| it.is_ascii_hexdigit());
        if digits { u8::from_str_radix(pair, 16).ok() } else { None }
    };
    if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        if !digits.is_ascii() || !digits.len().is_multiple_of(2) {
            return None;
        }
        return (0..digits.len()).step_by(2).map(|at| pair(digits.get(at..at + 2)?)).collect();
    }
    if !text.contains([':', '-']) {
        return None;
    }
    text.split([':', '-']).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_hexadecimal_and_anything_else_is_itself() {
        let rows: [(&str, &[u8], &str); 9] = [
            ("0x0a1b", &[0x0a, 0x1b], "0x0a1b"),
            ("01:52:54", &[1, 0x52, 0x54], "0x015254"),
            ("01-FF", &[1, 0xff], "0x01ff"),
            ("ge-0/0/3", b"ge-0/0/3", "ge-0/0/3"),
            ("PXEClient:Arch", b"PXEClient:Arch", "PXEClient:Arch"),
            ("0x0a1", b"0x0a1", "0x0a1"),
            ("0x", &[], "0x"),
            ("1:2", b"1:2", "1:2"),
            ("52", b"52", "52"),
        ];
        for (text, bytes, shown) in rows {
            assert_eq!(read(text), bytes, "{text}");
            assert_eq!(show(bytes), shown, "{text}");
            assert_eq!(read(&show(bytes)), bytes, "{text}");
        }
    }
}
