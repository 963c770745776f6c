use std::str::FromStr;

use ironherd_domain::Refusal;

use crate::{PageRequest, Paged};

const FIRST_DEFAULT: u32 = 50;

impl PageRequest {
    /// How many rows to give; one more is read to learn whether there are others.
    pub(crate) fn limit(&self) -> u32 {
        self.first.unwrap_or(FIRST_DEFAULT).min(Self::FIRST_MAX)
    }

    pub(crate) fn cursor<T: FromStr>(&self) -> Result<Option<T>, Refusal> {
        let read = |text: &String| {
            let refused = || {
                let why = "This cursor was not given by this list; leave it out to begin anew.";
                Refusal::new("CURSOR_INVALID", &["after"], why)
            };
            text.parse().map_err(|_| refused())
        };
        self.after.as_ref().map(read).transpose()
    }

    /// Cuts `limit + 1` rows to a page.
    pub(crate) fn cut<T>(&self, mut rows: Vec<T>, cursor: impl Fn(&T) -> String) -> Paged<T> {
        let limit = usize::try_from(self.limit()).unwrap_or(usize::MAX);
        let has_next = limit < rows.len();
        rows.truncate(limit);
        let items = rows.into_iter().map(|it| (cursor(&it), it)).collect();
        Paged { items, has_next }
    }
}
