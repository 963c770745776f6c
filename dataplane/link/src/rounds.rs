use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Rounds in which all sources of a rack (its shards, DHCPv6) tell every lease that they hold, so
/// that the region's table becomes what the rack's are. One is wanted from the start.
///
/// Whoever learns that a report was lost asks for another round; each source sees that it is asked
/// for and begins anew. All of them, because only a whole round shows what is no longer held.
#[derive(Clone, Debug, Default)]
pub struct Rounds(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    wanted: AtomicU64,
    sources: AtomicUsize,
}

impl Rounds {
    /// One more source; answers its number. Every source joins before the link runs.
    #[must_use]
    pub fn join(&self) -> usize {
        self.0.sources.fetch_add(1, Ordering::Relaxed)
    }

    /// The round that shall be told now.
    #[must_use]
    pub fn wanted(&self) -> u64 {
        self.0.wanted.load(Ordering::Acquire)
    }

    /// Asks for a round after `seen`, unless somebody has done so already.
    pub fn ask_after(&self, seen: u64) {
        let next = seen + 1;
        let asked = (Ordering::AcqRel, Ordering::Relaxed);
        let _ = self.0.wanted.compare_exchange(seen, next, asked.0, asked.1);
    }

    fn sources(&self) -> usize {
        self.0.sources.load(Ordering::Relaxed)
    }
}

/// How far the sources have come with one round, as their reports pass by.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    round: Option<u64>,
    first: u64, // The report in which the first source began.
    ended: Vec<bool>,
    spoiled: bool, // Some of what was told did not arrive: this round proves nothing.
}

impl Progress {
    /// A source begins to tell; `sequence` is the report that says so.
    pub(crate) fn begin(&mut self, round: u64, sequence: u64) {
        if self.round.is_none_or(|it| it < round) {
            *self = Self { round: Some(round), first: sequence, ..Self::default() };
        }
    }

    /// A source has told all. Once all have: the report from which on everything was named.
    pub(crate) fn end(&mut self, round: u64, source: usize, rounds: &Rounds) -> Option<u64> {
        if self.round != Some(round) || self.spoiled {
            return None;
        }
        let sources = rounds.sources();
        self.ended.resize(sources, false);
        *self.ended.get_mut(source)? = true;
        self.ended.iter().all(|it| *it).then_some(self.first)
    }

    /// A report was lost: what the round has not named may have been in it.
    pub(crate) fn spoil(&mut self) {
        self.spoiled = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_is_over_when_every_source_has_told_it() {
        let rounds = Rounds::default();
        let (one, two) = (rounds.join(), rounds.join());
        let mut progress = Progress::default();
        progress.begin(0, 3);
        assert_eq!(progress.end(0, one, &rounds), None);
        progress.begin(0, 5);
        progress.begin(1, 7); // A report was lost: the first source begins again.
        assert_eq!(progress.end(0, two, &rounds), None, "that round will not be whole");
        assert_eq!(progress.end(1, one, &rounds), None);
        progress.begin(1, 9);
        assert_eq!(progress.end(1, two, &rounds), Some(7));
    }

    #[test]
    fn a_round_that_lost_a_report_ends_nothing() {
        let rounds = Rounds::default();
        let (one, two) = (rounds.join(), rounds.join());
        let mut progress = Progress::default();
        progress.begin(0, 1);
        progress.spoil();
        progress.begin(0, 2); // The other source, in a report that arrived.
        assert_eq!(progress.end(0, one, &rounds), None);
        assert_eq!(progress.end(0, two, &rounds), None);
        progress.begin(1, 3);
        assert_eq!(progress.end(1, one, &rounds), None);
        assert_eq!(progress.end(1, two, &rounds), Some(3));
    }

    #[test]
    fn many_who_miss_something_ask_for_one_round() {
        let rounds = Rounds::default();
        for _ in 0..3 {
            rounds.ask_after(0);
        }
        assert_eq!(rounds.wanted(), 1);
        rounds.ask_after(1);
        assert_eq!(rounds.wanted(), 2);
    }
}
