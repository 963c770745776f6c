use crate::{Mac, Refusal};

const LABEL_CHARS_MAX: usize = 63;

/// Checks a machine's name: one DNS label, lower case (RFC 1123 §2.1).
///
/// # Errors
/// `HOSTNAME_INVALID` with the rule that was broken.
pub fn check(text: &str, field: &[&str]) -> Result<(), Refusal> {
    let letters = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit();
    let wrong = if text.is_empty() {
        "is empty"
    } else if LABEL_CHARS_MAX < text.len() {
        "is longer than 63 characters"
    } else if text.contains('.') {
        "contains a dot: give the name alone, the subnet's domain is added to it"
    } else if !text.chars().all(|it| letters(it) || it == '-') {
        "may only hold lower-case letters, digits and dashes"
    } else if text.starts_with('-') || text.ends_with('-') {
        "begins or ends with a dash"
    } else {
        return Ok(());
    };
    let shown: String = text.chars().take(80).collect();
    Err(Refusal::new("HOSTNAME_INVALID", field, format!("The hostname `{shown}` {wrong}.")))
}

/// The name that a machine without one gets: from the last three octets of its boot card.
#[must_use]
pub fn from_mac(mac: Mac) -> String {
    let [_, _, _, a, b, c] = mac.0;
    format!("node-{a:02x}{b:02x}{c:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostname_is_one_label() {
        let long = "a".repeat(64);
        let rows = [
            ("node-77001a", true),
            ("a", true),
            ("9", true),
            ("", false),
            ("Node", false),
            ("node.example", false),
            ("-node", false),
            ("node-", false),
            ("nöde", false),
            (long.as_str(), false),
        ];
        for (text, want) in rows {
            assert_eq!(check(text, &["input"]).is_ok(), want, "{text:?}");
        }
        let mac = Mac([0x52, 0x54, 0, 0x77, 0, 0x1a]);
        assert_eq!(from_mac(mac), "node-77001a");
    }
}
