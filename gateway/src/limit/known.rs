use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// Subjects that are remembered. It bounds the memory, half a megabyte each.
const PLACES: usize = 1 << 16;

/// Who has proven to be good lately. One that comes newly takes the place of another, which then is a stranger
/// again; only who is good gets in, so that nobody else can push anybody out.
#[derive(Debug)]
pub(super) struct Known {
    places: Box<[AtomicU64]>,
    secret: RandomState,
}

impl Known {
    pub(super) fn new() -> Self {
        Self { places: (0..PLACES).map(|_| AtomicU64::new(0)).collect(), secret: RandomState::new() }
    }

    pub(super) fn add(&self, subject: impl Hash) {
        let (place, mark) = self.place(subject);
        place.store(mark, Ordering::Relaxed);
    }

    pub(super) fn has(&self, subject: impl Hash) -> bool {
        let (place, mark) = self.place(subject);
        place.load(Ordering::Relaxed) == mark
    }

    fn place(&self, subject: impl Hash) -> (&AtomicU64, u64) {
        // Zero stands for nobody.
        let mark = self.secret.hash_one(subject).max(1);
        // The remainder is less than the number of places.
        (&self.places[usize::try_from(mark % PLACES as u64).unwrap_or_default()], mark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_added_is_known_and_nobody_else() {
        let known = Known::new();
        assert!(!known.has("one"));
        known.add("one");
        assert!(known.has("one"));
        assert!(!known.has("two"));
    }

    #[test]
    fn whoever_comes_too_many_pushes_others_out() {
        let known = Known::new();
        let number = 4 * PLACES;
        (0..number).for_each(|subject| known.add(subject));
        let left = (0..number).filter(|subject| known.has(subject)).count();
        assert!((PLACES / 2..=PLACES).contains(&left), "{left}");
    }
}
