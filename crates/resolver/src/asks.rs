//! What the loader is to be asked, and what it was asked and has not answered.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use landbridge_model::SalesforceId;

use crate::facts::{Directory, End};

/// First and longest pause after a question that was not answered.
const PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// The questions of one tenant. An id is asked for once at a time; directories take turns, and one that cannot be
/// asked holds up no other.
#[derive(Debug, Default)]
pub(crate) struct Asks {
    queue: BTreeMap<Arc<Directory>, BTreeSet<SalesforceId>>,
    /// Asked, by the number of the question.
    out: HashMap<End, u64>,
    next: u64,
    /// The last question to a directory, to let them take turns.
    turns: HashMap<Arc<Directory>, u64>,
    /// Until when a directory is left alone, and how long the pause was.
    pauses: HashMap<Arc<Directory>, (Instant, Duration)>,
}

/// One question to the loader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) number: u64,
    pub(crate) directory: Arc<Directory>,
    pub(crate) ids: Vec<SalesforceId>,
}

impl Asks {
    /// This should be known.
    pub(crate) fn want(&mut self, end: End) {
        if !self.out.contains_key(&end) {
            self.queue.entry(end.directory).or_default().insert(end.id);
        }
    }

    /// It is known by other means now: an answer that is under way may be older than that, and counts for nothing.
    pub(crate) fn overtaken(&mut self, end: &End) {
        self.out.remove(end);
        if let Some(ids) = self.queue.get_mut(&end.directory) {
            ids.remove(&end.id);
        }
    }

    /// The next question, of at most `limit` ids.
    pub(crate) fn next(&mut self, limit: usize, now: Instant) -> Option<Question> {
        self.queue.retain(|_, ids| !ids.is_empty());
        let (turns, pauses) = (&self.turns, &self.pauses);
        let may_be_asked =
            |directory: &Arc<Directory>| pauses.get(directory).is_none_or(|(until, _)| *until <= now);
        let (directory, waiting) = self
            .queue
            .iter_mut()
            .filter(|(directory, _)| may_be_asked(directory))
            .min_by_key(|(directory, _)| turns.get(*directory).copied().unwrap_or(0))?;
        let directory = directory.clone();
        let ids: Vec<SalesforceId> = std::iter::from_fn(|| waiting.pop_first())
            .take(limit.max(1))
            .collect();
        self.next += 1;
        self.turns.insert(directory.clone(), self.next);
        for id in &ids {
            self.out.insert(
                End {
                    directory: directory.clone(),
                    id: *id,
                },
                self.next,
            );
        }
        Some(Question {
            number: self.next,
            directory,
            ids,
        })
    }

    /// An answer is in. Gives the ids for which it counts.
    pub(crate) fn answered(&mut self, question: &Question) -> Vec<SalesforceId> {
        self.pauses.remove(&question.directory);
        self.take_back(question)
    }

    fn take_back(&mut self, question: &Question) -> Vec<SalesforceId> {
        let counts = |id: &SalesforceId| {
            let end = End {
                directory: question.directory.clone(),
                id: *id,
            };
            let asked = self.out.get(&end) == Some(&question.number);
            if asked {
                self.out.remove(&end);
            }
            asked
        };
        question.ids.iter().copied().filter(counts).collect()
    }

    /// There is no answer: ask again, later each time.
    pub(crate) fn unanswered(&mut self, question: &Question, now: Instant) {
        let last = self.pauses.get(&question.directory).map(|(_, pause)| *pause * 2);
        let pause = last.unwrap_or(PAUSE.0).min(PAUSE.1);
        self.pauses
            .insert(question.directory.clone(), (now + pause, pause));
        for id in self.take_back(question) {
            self.want(End {
                directory: question.directory.clone(),
                id,
            });
        }
    }

    /// How many ids are yet to be asked for.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.values().map(BTreeSet::len).sum()
    }

    /// How many ids were asked for and are not answered.
    pub(crate) fn under_way(&self) -> usize {
        self.out.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use landbridge_model::ObjectTypeId;

    fn end(number: u32) -> End {
        end_of("2-1", number)
    }

    fn end_of(object_type: &str, number: u32) -> End {
        let directory = Directory {
            object_type: ObjectTypeId::new(object_type),
            property: "salesforce_id".into(),
            unique: true,
        };
        let id = SalesforceId::parse(&format!("a00{number:0>12}")).unwrap();
        End {
            directory: Arc::new(directory),
            id,
        }
    }

    #[test]
    fn an_id_is_asked_for_once_at_a_time() {
        let (mut asks, now) = (Asks::default(), Instant::now());
        (0..3).for_each(|number| asks.want(end(number)));
        let first = asks.next(2, now).unwrap();
        assert_eq!(first.ids, [end(0).id, end(1).id]);
        asks.want(end(0));
        assert_eq!(asks.next(2, now).unwrap().ids, [end(2).id]);
        assert_eq!(asks.next(2, now), None);
        assert_eq!(asks.answered(&first), first.ids);
        assert_eq!(asks.answered(&first), [], "a second answer counts for nothing");
    }

    #[test]
    fn an_announcement_overtakes_an_answer_under_way() {
        let (mut asks, now) = (Asks::default(), Instant::now());
        asks.want(end(0));
        let first = asks.next(10, now).unwrap();
        asks.overtaken(&end(0));
        asks.want(end(0));
        let second = asks.next(10, now).unwrap();
        assert_eq!(asks.answered(&first), [], "it was read before the announcement");
        assert_eq!(asks.answered(&second), [end(0).id]);
    }

    #[test]
    fn what_was_not_answered_is_asked_again_and_holds_up_nobody_else() {
        let (mut asks, now) = (Asks::default(), Instant::now());
        asks.want(end(0));
        asks.want(end_of("2-9", 1));
        let first = asks.next(10, now).unwrap();
        assert_eq!((asks.waiting(), asks.under_way()), (1, 1));
        asks.unanswered(&first, now);
        assert_eq!((asks.waiting(), asks.under_way()), (2, 0));
        assert_eq!(asks.next(10, now).unwrap().ids, [end_of("2-9", 1).id]);
        assert_eq!(asks.next(10, now), None, "it is left alone for a while");
        assert_eq!(
            asks.next(10, now + PAUSE.0).unwrap(),
            Question { number: 3, ..first }
        );
    }

    #[test]
    fn directories_take_turns() {
        let (mut asks, now) = (Asks::default(), Instant::now());
        for number in 0..2 {
            asks.want(end_of("2-1", number));
            asks.want(end_of("2-2", number));
        }
        let asked: Vec<String> = std::iter::from_fn(|| asks.next(1, now))
            .map(|question| question.directory.object_type.to_string())
            .collect();
        assert_eq!(asked, ["2-1", "2-2", "2-1", "2-2"]);
    }
}
