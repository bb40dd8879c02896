//! What the loader is to be asked, and what it was asked and has not answered.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use landbridge_model::SalesforceId;

use crate::facts::{Directory, End};

/// The questions of one tenant. An id is asked for once at a time.
#[derive(Debug, Default)]
pub(crate) struct Asks {
    queue: BTreeMap<Arc<Directory>, BTreeSet<SalesforceId>>,
    /// Asked, by the number of the question.
    out: HashMap<End, u64>,
    next: u64,
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
    pub(crate) fn next(&mut self, limit: usize) -> Option<Question> {
        self.queue.retain(|_, ids| !ids.is_empty());
        let (directory, waiting) = self.queue.iter_mut().next()?;
        let directory = directory.clone();
        let ids: Vec<SalesforceId> = std::iter::from_fn(|| waiting.pop_first())
            .take(limit.max(1))
            .collect();
        self.next += 1;
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

    /// There is no answer: ask again.
    pub(crate) fn unanswered(&mut self, question: &Question) {
        for id in self.answered(question) {
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
        let directory = Directory {
            object_type: ObjectTypeId::new("2-1"),
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
        let mut asks = Asks::default();
        (0..3).for_each(|number| asks.want(end(number)));
        let first = asks.next(2).unwrap();
        assert_eq!(first.ids, [end(0).id, end(1).id]);
        asks.want(end(0));
        assert_eq!(asks.next(2).unwrap().ids, [end(2).id]);
        assert_eq!(asks.next(2), None);
        assert_eq!(asks.answered(&first), first.ids);
        assert_eq!(asks.answered(&first), [], "a second answer counts for nothing");
    }

    #[test]
    fn an_announcement_overtakes_an_answer_under_way() {
        let mut asks = Asks::default();
        asks.want(end(0));
        let first = asks.next(10).unwrap();
        asks.overtaken(&end(0));
        asks.want(end(0));
        let second = asks.next(10).unwrap();
        assert_eq!(asks.answered(&first), [], "it was read before the announcement");
        assert_eq!(asks.answered(&second), [end(0).id]);
    }

    #[test]
    fn what_was_not_answered_is_asked_again() {
        let mut asks = Asks::default();
        asks.want(end(0));
        let first = asks.next(10).unwrap();
        assert_eq!((asks.waiting(), asks.under_way()), (0, 1));
        asks.unanswered(&first);
        assert_eq!((asks.waiting(), asks.under_way()), (1, 0));
        assert_eq!(asks.next(10).unwrap().ids, first.ids);
    }
}
