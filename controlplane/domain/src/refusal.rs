/// Why a command was not carried out, for the person who gave it.
///
/// The message says what is wrong and what to do instead; `code` is for programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: &'static str,
    /// Path to the input at fault, e.g. `["input", "cidr"]`.
    pub field: Vec<String>,
    pub message: String,
}

impl Refusal {
    #[must_use]
    pub fn new(code: &'static str, field: &[&str], message: impl Into<String>) -> Self {
        let field = field.iter().map(|it| (*it).to_owned()).collect();
        Self { code, field, message: message.into() }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

/// A text that names none of the known values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no {what}")]
pub struct Unknown {
    what: &'static str,
    text: String,
}

impl Unknown {
    #[must_use]
    pub fn new(what: &'static str, text: &str) -> Self {
        Self { what, text: text.chars().take(64).collect() }
    }
}
