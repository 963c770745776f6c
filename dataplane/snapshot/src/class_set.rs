/// Which classes a client is a member of, by their places in
/// [`Snapshot::classes`](crate::Snapshot::classes).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClassSet([u64; WORDS]);

const WORDS: usize = 4;

impl ClassSet {
    /// Classes a snapshot may have; what stands behind has no members.
    pub const CLASSES_MAX: usize = WORDS * 64;
    pub const NONE: Self = Self([0; WORDS]);

    pub fn insert(&mut self, place: usize) {
        if let Some(word) = self.0.get_mut(place / 64) {
            *word |= 1 << (place % 64);
        }
    }

    #[must_use]
    pub fn contains(&self, place: usize) -> bool {
        self.0.get(place / 64).is_some_and(|word| word & (1 << (place % 64)) != 0)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::NONE
    }

    /// The places, in order.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        let places = (0..Self::CLASSES_MAX).filter(|place| self.contains(*place));
        places.take(if self.is_empty() { 0 } else { Self::CLASSES_MAX })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_in_and_fits() {
        let mut set = ClassSet::NONE;
        assert!(set.is_empty() && set.iter().count() == 0);
        for place in [0, 63, 64, 255, 256, 1000] {
            set.insert(place);
        }
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 63, 64, 255]);
        assert!(set.contains(64) && !set.contains(65) && !set.contains(256));
    }
}
