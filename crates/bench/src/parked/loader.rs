//! Who stands where the loader would: has never heard of a parent, and takes the links that are to be written.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use landbridge_bus::{Bus, ConsumeSettings, Epoch, LaneConsumer, Queue, Responder};
use landbridge_model::ask::{FindIdentities, FoundIdentities, Question as _};
use landbridge_model::{Former, Lane, LinkWrite, LinkWrites, SalesforceId, Shard, StageKind};
use landbridge_wire::{Answer, Ask, AskError, AskErrorCode, Wire as _};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::records::{self, FIELD, Records};

#[derive(Debug, Default)]
struct Seen {
    /// Parents that were asked for.
    asked: HashSet<SalesforceId>,
    /// Links that were ordered, by child, each with its time.
    orders: HashMap<SalesforceId, (LinkWrite, Instant)>,
    /// All orders, repetitions included.
    count: u64,
    trouble: Option<String>,
}

/// Answers and takes while it lives.
pub(super) struct StandIn {
    seen: Arc<Mutex<Seen>>,
    news: Arc<Notify>,
    _tasks: JoinSet<()>,
}

impl StandIn {
    /// Takes the loader's place: none may run.
    pub(super) async fn open(bus: &Bus, shard: Shard, records: Records) -> anyhow::Result<Self> {
        let (seen, news) = (Arc::<Mutex<Seen>>::default(), Arc::<Notify>::default());
        let questions = bus.respond(StageKind::Loader, shard).await?;
        // Later than any that has been there.
        let (epoch, settings) = (Epoch(u64::MAX), ConsumeSettings::default());
        let lane = LaneConsumer::open(bus, Queue::Writes, shard, Lane::Links, epoch, settings).await?;
        let mut tasks = JoinSet::new();
        let (of_answers, told) = (seen.clone(), news.clone());
        tasks.spawn(async move {
            let ended = answer(questions, &records, &of_answers).await;
            fail(&of_answers, &told, ended);
        });
        let (of_orders, told) = (seen.clone(), news.clone());
        tasks.spawn(async move {
            let ended = take(lane, &of_orders, &told).await;
            fail(&of_orders, &told, ended);
        });
        Ok(Self {
            seen,
            news,
            _tasks: tasks,
        })
    }

    /// Parents that were asked for until now.
    pub(super) fn asked(&self) -> anyhow::Result<u64> {
        self.look(|seen| Some(seen.asked.len() as u64))
            .map(Option::unwrap_or_default)
    }

    /// Waits for the link of a child.
    pub(super) async fn ordered(&self, number: u64) -> anyhow::Result<Instant> {
        let child = records::child(number);
        loop {
            let news = self.news.notified();
            tokio::pin!(news);
            news.as_mut().enable();
            if let Some(at) = self.look(|seen| seen.orders.get(&child).map(|(_, at)| *at))? {
                return Ok(at);
            }
            news.await;
        }
    }

    /// Nothing was ordered but what was waited for, and each once.
    pub(super) fn check_orders(&self, expected: u64) -> anyhow::Result<()> {
        let counts = self.look(|seen| Some((seen.count, seen.orders.len() as u64)))?;
        anyhow::ensure!(
            counts == Some((expected, expected)),
            "orders, and links ordered: {counts:?} where {expected} links were to be released"
        );
        Ok(())
    }

    fn look<T>(&self, look: impl FnOnce(&Seen) -> Option<T>) -> anyhow::Result<Option<T>> {
        let seen = lock(&self.seen);
        match &seen.trouble {
            Some(trouble) => anyhow::bail!("{trouble}"),
            None => Ok(look(&seen)),
        }
    }
}

fn lock(seen: &Mutex<Seen>) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

fn fail(seen: &Mutex<Seen>, news: &Notify, ended: anyhow::Result<()>) {
    let trouble = match ended {
        Ok(()) => "the bus brings nothing more".to_owned(),
        Err(error) => format!("{error:#}"),
    };
    lock(seen).trouble.get_or_insert(trouble);
    news.notify_waiters();
}

async fn answer(mut questions: Responder, records: &Records, seen: &Mutex<Seen>) -> anyhow::Result<()> {
    while let Some(question) = questions.next().await {
        let ask = Ask::decode(&question.payload)?;
        if ask.service != FindIdentities::SERVICE {
            // Control looks after its tenants, and finds no loader.
            let error = AskError::new(AskErrorCode::Unavailable, "a benchmark stands in for the loader");
            question.answer(Answer(Err(error)).encode()).await?;
            continue;
        }
        let asked: FindIdentities = serde_json::from_str(&ask.body)?;
        anyhow::ensure!(
            asked.object_type == *records.parent_type(),
            "the loader was asked for children, which were announced"
        );
        lock(seen).asked.extend(asked.ids);
        let none = serde_json::to_string(&FoundIdentities::default())?;
        question.answer(Answer(Ok(none)).encode()).await?;
    }
    Ok(())
}

async fn take(mut lane: LaneConsumer, seen: &Mutex<Seen>, news: &Notify) -> anyhow::Result<()> {
    loop {
        let delivery = lane.next().await?;
        let at = Instant::now();
        let writes = LinkWrites::decode(&delivery.payload)?;
        {
            let mut seen = lock(seen);
            for link in writes.links {
                check(&link)?;
                seen.count += 1;
                seen.orders.entry(link.child).or_insert((link, at));
            }
        }
        news.notify_waiters();
        delivery.acker.ack().await?;
    }
}

/// It is the link that was parked, between the records that were announced.
fn check(link: &LinkWrite) -> anyhow::Result<()> {
    let number = link
        .child_hubspot_id
        .0
        .checked_sub(records::child_hubspot_id(0).0);
    let is_wished = number.is_some_and(|number| {
        let parent = (records::parent(number), records::parent_hubspot_id(number));
        (link.child, link.parent) == (records::child(number), Some(parent))
    });
    anyhow::ensure!(
        is_wished && link.field == FIELD && link.former == Former::Nothing,
        "a link was ordered that nobody wished for: {link:?}"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use landbridge_model::{HubSpotId, Version};

    use super::*;

    #[test]
    fn only_the_link_that_was_wished_for_counts() {
        let wished = LinkWrite {
            child: records::child(7),
            child_hubspot_id: records::child_hubspot_id(7),
            field: FIELD.to_owned(),
            parent: Some((records::parent(7), records::parent_hubspot_id(7))),
            former: Former::Nothing,
            version: Version::new(1, 1),
        };
        check(&wished).unwrap();
        let of_another = (records::parent(8), records::parent_hubspot_id(8));
        let strange = [
            LinkWrite {
                child: records::child(8),
                ..wished.clone()
            },
            LinkWrite {
                child_hubspot_id: HubSpotId(7),
                ..wished.clone()
            },
            LinkWrite {
                parent: Some(of_another),
                ..wished.clone()
            },
            LinkWrite {
                parent: None,
                ..wished.clone()
            },
            LinkWrite {
                former: Former::Unknown,
                ..wished
            },
        ];
        for link in strange {
            assert!(check(&link).is_err(), "{link:?}");
        }
    }
}
