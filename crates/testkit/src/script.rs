//! The behaviour of a test double, which can be changed while it runs.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Behaviours of a test double: the recipient's own if there is one, else the next of the queue, else the default.
#[derive(Debug)]
pub(crate) struct Script<B> {
    state: Mutex<State<B>>,
}

#[derive(Debug)]
struct State<B> {
    usual: B,
    next: VecDeque<B>,
    recipients: BTreeMap<String, B>,
}

impl<B: Clone> Script<B> {
    pub(crate) fn new(usual: B) -> Self {
        Self { state: Mutex::new(State { usual, next: VecDeque::new(), recipients: BTreeMap::new() }) }
    }

    pub(crate) fn always(&self, behaviour: B) {
        self.state().usual = behaviour;
    }

    pub(crate) fn next(&self, behaviours: impl IntoIterator<Item = B>) {
        self.state().next.extend(behaviours);
    }

    pub(crate) fn recipient(&self, recipient: &str, behaviour: B) {
        self.state().recipients.insert(recipient.to_owned(), behaviour);
    }

    pub(crate) fn answer_to(&self, recipient: &str) -> B {
        let mut state = self.state();
        if let Some(behaviour) = state.recipients.get(recipient) {
            return behaviour.clone();
        }
        state.next.pop_front().unwrap_or_else(|| state.usual.clone())
    }

    fn state(&self) -> MutexGuard<'_, State<B>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
