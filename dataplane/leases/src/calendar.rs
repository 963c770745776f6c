use std::collections::BTreeMap;

/// Which slots to look at in which second. No timer per lease: a renewal moves nothing, the slot
/// is filed again when its old second comes.
#[derive(Debug, Default)]
pub(crate) struct Calendar {
    seconds: BTreeMap<u64, Vec<u32>>,
}

impl Calendar {
    pub(crate) fn file(&mut self, second: u64, slot: u32) {
        self.seconds.entry(second).or_default().push(slot);
    }

    /// Takes one slot whose second has come, with that second.
    pub(crate) fn take_due(&mut self, now: u64) -> Option<(u64, u32)> {
        let mut first = self.seconds.first_entry().filter(|it| *it.key() <= now)?;
        let second = *first.key();
        let slot = first.get_mut().pop();
        if first.get().is_empty() {
            first.remove();
        }
        slot.map(|slot| (second, slot))
    }

    pub(crate) fn next(&self) -> Option<u64> {
        self.seconds.keys().next().copied()
    }
}
