//! Walks over the audit events and checks that those of each enrolment form an unbroken hash chain.

use std::fmt;

use uuid::Uuid;

use crate::store::audit_event::Link;

/// The previous hash in the first event of a chain, and in the first seal of a study.
pub(super) const GENESIS: [u8; 32] = [0; 32];

/// A place where the trail does not hold. It contains ids and nothing that a person has typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) what: &'static str,
    pub(super) place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Event { enrolment_id: Uuid, seq: i64, object_id: Option<Uuid> },
    Object { enrolment_id: Uuid, object_id: Uuid },
    Enrolment { enrolment_id: Uuid },
    Seal { study_id: Uuid, seq: i64 },
    SealedHead { study_id: Uuid, seal_seq: i64, enrolment_id: Uuid, event_seq: i64 },
    Questionnaire { questionnaire_version_id: Uuid },
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.what)?;
        match self.place {
            Place::Event { enrolment_id, seq, object_id } => {
                write!(f, "enrolment {enrolment_id}, event {seq}")?;
                object_id.map_or(Ok(()), |object_id| write!(f, ", object {object_id}"))
            }
            Place::Object { enrolment_id, object_id } => write!(f, "enrolment {enrolment_id}, object {object_id}"),
            Place::Enrolment { enrolment_id } => write!(f, "enrolment {enrolment_id}"),
            Place::Seal { study_id, seq } => write!(f, "study {study_id}, seal {seq}"),
            Place::SealedHead { study_id, seal_seq, enrolment_id, event_seq } => {
                write!(f, "study {study_id}, seal {seal_seq}, enrolment {enrolment_id}, event {event_seq}")
            }
            Place::Questionnaire { questionnaire_version_id } => {
                write!(f, "questionnaire version {questionnaire_version_id}")
            }
        }
    }
}

/// The state of the walk over all chains.
#[derive(Debug, Default)]
pub(super) struct Walk {
    last: Option<Link>,
    /// Hash of the enrolment's context (person, site, study) after the events so far. `None` before the first event
    /// that has one.
    context: Option<Vec<u8>>,
    pub(super) events: u64,
    pub(super) chains: u64,
}

impl Walk {
    /// Checks the next event. Events come ordered by enrolment and sequence number.
    pub(super) fn step(&mut self, link: Link) -> Result<(), Broken> {
        if self.last.as_ref().is_none_or(|last| last.enrolment_id != link.enrolment_id) {
            self.end()?;
            self.context = None;
            self.chains += 1;
        }
        let (last_seq, last_hash) = self.last.as_ref().map_or((0, &GENESIS[..]), |last| (last.seq, &last.hash));
        if link.seq != last_seq + 1 {
            let place = Place::Event { enrolment_id: link.enrolment_id, seq: last_seq + 1, object_id: None };
            return Err(Broken { what: "an event is missing", place });
        }
        let what = if link.prev_hash != last_hash {
            "an event does not follow the one before it"
        } else if link.hash != link.recomputed {
            "an event was changed"
        } else if link.object.is_none() {
            "an event's report or review is missing"
        } else if link.object.as_deref() != Some(&link.after_hash) {
            "a report or review was changed"
        } else if link.replaced != link.before_hash {
            "an event does not name the revision that was replaced"
        } else if !self.is_in_time(&link) {
            "an event is earlier than the one before it"
        } else if !self.is_in_context(&link) {
            "who the reports are about, or where, was changed without an event"
        } else {
            self.events += 1;
            self.context = link.context_hash.clone().or(self.context.take());
            self.last = Some(link);
            return Ok(());
        };
        let place = Place::Event { enrolment_id: link.enrolment_id, seq: link.seq, object_id: Some(link.object_id) };
        Err(Broken { what, place })
    }

    /// Whether the event is not earlier than the one before it. Old events, which have no context, are not checked:
    /// they have the start time of their transaction, so their times may be out of order.
    fn is_in_time(&self, link: &Link) -> bool {
        link.context_hash.is_none() || self.last.as_ref().is_none_or(|last| last.recorded_at <= link.recorded_at)
    }

    /// Whether the event continues the context of the events before it.
    fn is_in_context(&self, link: &Link) -> bool {
        let before = if link.changes_context { &link.before_hash } else { &link.context_hash };
        link.context_hash.is_none() || self.context.is_none() || self.context == *before
    }

    /// Checks the end of a chain, after its last event: the stored head is this event, and the context has not changed
    /// since.
    pub(super) fn end(&mut self) -> Result<(), Broken> {
        let Some(last) = self.last.take() else { return Ok(()) };
        if last.head_seq == Some(last.seq) && last.head_hash.as_ref() == Some(&last.hash) {
            if self.context.is_none() || self.context == last.current_context {
                return Ok(());
            }
            let place = Place::Enrolment { enrolment_id: last.enrolment_id };
            return Err(Broken { what: "who the reports are about, or where, was changed without an event", place });
        }
        let place = Place::Event { enrolment_id: last.enrolment_id, seq: last.seq, object_id: Some(last.object_id) };
        Err(Broken { what: "a chain does not end with this event", place })
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::*;

    const ENROLMENT: Uuid = Uuid::from_u128(1);

    /// Event `seq`, as the last one of its chain. Each byte of its hash is its number.
    fn link(seq: u8) -> Link {
        let hash = |seq: u8| vec![seq; 32];
        Link {
            enrolment_id: ENROLMENT,
            seq: seq.into(),
            object_id: Uuid::from_u128(seq.into()),
            before_hash: None,
            after_hash: hash(100 + seq),
            prev_hash: hash(seq - 1),
            hash: hash(seq),
            recomputed: hash(seq),
            context_hash: Some(hash(200)),
            changes_context: false,
            recorded_at: DateTime::UNIX_EPOCH + TimeDelta::seconds(seq.into()),
            current_context: Some(hash(200)),
            object: Some(hash(100 + seq)),
            replaced: None,
            head_seq: Some(seq.into()),
            head_hash: Some(hash(seq)),
        }
    }

    fn walk(links: impl IntoIterator<Item = Link>) -> Result<(u64, u64), &'static str> {
        let mut walk = Walk::default();
        links.into_iter().try_for_each(|link| walk.step(link)).and_then(|()| walk.end()).map_err(|it| it.what)?;
        Ok((walk.events, walk.chains))
    }

    #[test]
    fn whole_chains_hold() {
        let neighbour = Link { enrolment_id: Uuid::from_u128(2), ..link(1) };
        assert_eq!(walk([link(1), link(2), link(3), neighbour]), Ok((4, 2)));
        assert_eq!(walk([]), Ok((0, 0)));
    }

    #[test]
    fn a_missing_event_shows_wherever_it_was() {
        assert_eq!(walk([link(2), link(3)]), Err("an event is missing"));
        assert_eq!(walk([link(1), link(3)]), Err("an event is missing"));
        let head = link(2);
        let last = Link { head_seq: head.head_seq, head_hash: head.head_hash, ..link(1) };
        assert_eq!(walk([last.clone()]), Err("a chain does not end with this event"));
        let neighbour = Link { enrolment_id: Uuid::from_u128(2), ..link(1) };
        assert_eq!(walk([last, neighbour]), Err("a chain does not end with this event"));
        let headless = Link { head_seq: None, head_hash: None, ..link(1) };
        assert_eq!(walk([headless]), Err("a chain does not end with this event"));
    }

    #[test]
    fn who_a_chain_is_about_changes_by_events_alone() {
        let what = "who the reports are about, or where, was changed without an event";
        let (before, after) = (Some(vec![200; 32]), Some(vec![201; 32]));
        let change = |seq, before_hash: &Option<Vec<u8>>| Link {
            changes_context: true,
            before_hash: before_hash.clone(),
            replaced: before_hash.clone(),
            context_hash: after.clone(),
            current_context: after.clone(),
            ..link(seq)
        };
        let later = Link { context_hash: after.clone(), current_context: after.clone(), ..link(3) };
        assert_eq!(walk([link(1), change(2, &before), later.clone()]), Ok((3, 1)));
        assert_eq!(walk([link(1), change(2, &after)]), Err(what));
        assert_eq!(walk([link(1), link(2), later]), Err(what));
        let changed_since = Link { current_context: after.clone(), ..link(2) };
        assert_eq!(walk([link(1), changed_since]), Err(what));
        assert_eq!(walk([link(1), Link { current_context: None, ..link(2) }]), Err(what));
    }

    #[test]
    fn events_from_before_contexts_were_noted_have_none_and_may_be_out_of_time() {
        let old = |link: Link| Link { context_hash: None, ..link };
        let early = Link { recorded_at: DateTime::UNIX_EPOCH, ..old(link(2)) };
        assert_eq!(walk([old(link(1)), early, link(3)]), Ok((3, 1)));
    }

    #[test]
    fn what_was_changed_shows_with_its_place() {
        let other = || vec![9; 32];
        for (second, what) in [
            (Link { prev_hash: other(), ..link(2) }, "an event does not follow the one before it"),
            (Link { recomputed: other(), ..link(2) }, "an event was changed"),
            (Link { object: None, ..link(2) }, "an event's report or review is missing"),
            (Link { object: Some(other()), ..link(2) }, "a report or review was changed"),
            (Link { replaced: Some(other()), ..link(2) }, "an event does not name the revision that was replaced"),
            (Link { recorded_at: DateTime::UNIX_EPOCH, ..link(2) }, "an event is earlier than the one before it"),
            (
                Link { context_hash: Some(other()), ..link(2) },
                "who the reports are about, or where, was changed without an event",
            ),
        ] {
            let mut walk = Walk::default();
            let broken = walk.step(link(1)).and_then(|()| walk.step(second)).err().map(|broken| broken.to_string());
            let place = "enrolment 00000000-0000-0000-0000-000000000001, event 2, \
                         object 00000000-0000-0000-0000-000000000002";
            assert_eq!(broken, Some(format!("{what}: {place}")));
        }
    }
}
