//! A short-lived store of resources that can be used again.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep_until};

/// Idle resources, such as connections. The one that was stored last is taken first.
pub(crate) struct Idle<T>(Arc<Inner<T>>);

struct Inner<T> {
    longest: Duration,
    dispose: fn(T) -> BoxFuture<'static, ()>,
    kept: Mutex<Kept<T>>,
}

struct Kept<T> {
    /// The oldest first, each with the time when it was stored.
    items: Vec<(Instant, T)>,
    /// Whether a task is running that disposes of expired items.
    watched: bool,
}

impl<T: Send + 'static> Idle<T> {
    /// Stores items for `longest` at most and then passes them to `dispose`.
    pub(crate) fn new(longest: Duration, dispose: fn(T) -> BoxFuture<'static, ()>) -> Self {
        let kept = Mutex::new(Kept { items: Vec::new(), watched: false });
        Self(Arc::new(Inner { longest, dispose, kept }))
    }

    pub(crate) fn take(&self) -> Option<T> {
        self.lock().items.pop().map(|(_, item)| item)
    }

    /// Stores an item and returns how many there are now.
    pub(crate) fn keep(&self, item: T) -> usize {
        let mut kept = self.lock();
        kept.items.push((Instant::now(), item));
        if !std::mem::replace(&mut kept.watched, true) {
            tokio::spawn(watch(Arc::downgrade(&self.0)));
        }
        kept.items.len()
    }

    /// Takes the item that was stored first.
    pub(crate) fn take_oldest(&self) -> Option<T> {
        let mut kept = self.lock();
        (!kept.items.is_empty()).then(|| kept.items.remove(0).1)
    }

    /// Takes all items.
    pub(crate) fn take_all(&self) -> Vec<T> {
        self.lock().items.drain(..).map(|(_, item)| item).collect()
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().items.len()
    }

    /// An expired item, or the time when the next one expires. `None` if there are no items.
    fn next(&self) -> Option<Result<T, Instant>> {
        let mut kept = self.lock();
        let Some((since, _)) = kept.items.first() else {
            kept.watched = false;
            return None;
        };
        let until = *since + self.0.longest;
        Some(if until > Instant::now() { Err(until) } else { Ok(kept.items.remove(0).1) })
    }

    fn lock(&self) -> MutexGuard<'_, Kept<T>> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Disposes of expired items until there are no items, or the store is dropped.
async fn watch<T: Send + 'static>(kept: Weak<Inner<T>>) {
    while let Some(idle) = kept.upgrade().map(Idle)
        && let Some(next) = idle.next()
    {
        match next {
            Ok(item) => (idle.0.dispose)(item).await,
            Err(until) => {
                drop(idle);
                sleep_until(until).await;
            }
        }
    }
}

impl<T> fmt::Debug for Idle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Idle").field("longest", &self.0.longest).finish_non_exhaustive()
    }
}
