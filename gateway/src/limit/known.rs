use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use super::budget::Key;

/// Number of subjects that are remembered. It bounds the memory to half a megabyte.
const PLACES: usize = 1 << 16;
/// The bits of a place that the key of a budget does not use.
const MARK: u64 = u64::MAX << Key::BITS;

/// A cache of subjects that were authenticated lately, with the key of their budget. A new subject may replace another
/// one, which is unknown again from then on. Only authenticated subjects are added, so that others cannot replace
/// anybody.
#[derive(Debug)]
pub(super) struct Known {
    /// The key of the budget in the low bits. The other bits are a part of the subject's hash, by which subjects are
    /// told apart.
    places: Box<[AtomicU64]>,
    secret: RandomState,
}

impl Known {
    pub(super) fn new() -> Self {
        Self { places: (0..PLACES).map(|_| AtomicU64::new(0)).collect(), secret: RandomState::new() }
    }

    pub(super) fn add(&self, subject: impl Hash, budget: Key) {
        let (place, mark) = self.place(subject);
        place.store(mark | budget.to_bits(), Ordering::Relaxed);
    }

    pub(super) fn budget(&self, subject: impl Hash) -> Option<Key> {
        let (place, mark) = self.place(subject);
        let found = place.load(Ordering::Relaxed);
        (found & MARK == mark).then(|| Key::from_bits(found))
    }

    pub(super) fn has(&self, subject: impl Hash) -> bool {
        self.budget(subject).is_some()
    }

    pub(super) fn remove(&self, subject: impl Hash) {
        let (place, mark) = self.place(subject);
        let _ = place.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |found| (found & MARK == mark).then_some(0));
    }

    fn place(&self, subject: impl Hash) -> (&AtomicU64, u64) {
        let hash = self.secret.hash_one(subject);
        // A mark of zero means that the place is empty. The conversion cannot fail: the remainder is less than the
        // number of places.
        let mark = (hash & MARK).max(MARK & MARK.wrapping_neg());
        (&self.places[usize::try_from(hash % PLACES as u64).unwrap_or_default()], mark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u64) -> Key {
        Key::from_bits(number)
    }

    #[test]
    fn who_was_added_is_known_with_a_budget_until_removed_and_nobody_else() {
        let known = Known::new();
        assert!(!known.has("one"));
        for number in [0, 7, (1 << Key::BITS) - 1] {
            known.add("one", key(number));
            assert_eq!(known.budget("one").map(Key::to_bits), Some(number));
        }
        assert!(!known.has("two"));
        known.remove("two");
        assert!(known.has("one"));
        known.remove("one");
        assert!(!known.has("one"));
    }

    #[test]
    fn whoever_comes_too_many_pushes_others_out() {
        let known = Known::new();
        let number = 4 * PLACES;
        (0..number).for_each(|subject| known.add(subject, key(1)));
        let left = (0..number).filter(|subject| known.has(subject)).count();
        assert!((PLACES / 2..=PLACES).contains(&left), "{left}");
    }
}
