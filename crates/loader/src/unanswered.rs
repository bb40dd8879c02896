//! Calls that HubSpot may still carry out although nobody waits for their answer any more.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// When such a call was given up last.
#[derive(Debug, Default)]
pub(crate) struct Unanswered(Mutex<Option<Instant>>);

impl Unanswered {
    /// A write was given up without an answer just now.
    pub(crate) fn note(&self, now: Instant) {
        *self.0.lock() = Some(now);
    }

    /// Whether all of them are carried out by now, or never will be: `longest` after the last one was given up.
    pub(crate) fn are_settled(&self, longest: Duration, now: Instant) -> bool {
        self.0
            .lock()
            .is_none_or(|last| now.saturating_duration_since(last) >= longest)
    }

    /// For calls that may be dropped while they are under way.
    pub(crate) fn unless_ended(&self) -> Open<'_> {
        Open(Some(self))
    }
}

/// Calls under way; dropped without [`Open::ended`] they have no answer.
#[must_use]
pub(crate) struct Open<'u>(Option<&'u Unanswered>);

impl Open<'_> {
    /// Each had its answer, or was noted.
    pub(crate) fn ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if let Some(unanswered) = self.0 {
            unanswered.note(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_without_an_answer_is_settled_by_time_alone() {
        let (unanswered, now) = (Unanswered::default(), Instant::now());
        let longest = Duration::from_secs(30);
        let settled_after = |seconds| unanswered.are_settled(longest, now + Duration::from_secs(seconds));
        assert!(settled_after(0), "there was none");
        unanswered.note(now);
        assert!(!settled_after(0) && !settled_after(29));
        assert!(settled_after(30));
    }

    #[test]
    fn calls_that_are_dropped_have_no_answer() {
        let unanswered = Unanswered::default();
        let longest = Duration::from_secs(30);
        unanswered.unless_ended().ended();
        assert!(unanswered.are_settled(longest, Instant::now()));
        drop(unanswered.unless_ended());
        assert!(!unanswered.are_settled(longest, Instant::now()));
    }
}
