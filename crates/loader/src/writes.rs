//! The lanes `live` and `bulk`: rows coalesced into batches, many batches in flight as long as their records differ.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use landbridge_hubspot::Share;
use landbridge_hubspot::records::BATCH_INPUTS_MAX;
use landbridge_model::{ChangeKind, Failure, FailureCategory, Lane, ObjectTypeId, SalesforceId, WriteBatch};
use landbridge_stage::{Delivery, LaneContext, StageError};
use landbridge_wire::{HeldDelete, Wire};
use tokio::task::JoinSet;
use tracing::Instrument;

use crate::decide::{decide, group_of};
use crate::finish::{Finished, finish};
use crate::flight::Airline;
use crate::portal::{Portal, RecordKey, Tenant};
use crate::queue::{Linger, Pick, Queue, Waiting};
use crate::row::{End, Fate, Row};
use crate::shard::LoaderShard;
use crate::target::{Target, find};

/// Rows in memory above which no further message is taken.
const ROWS_MAX: usize = 10_000;
/// Batches in flight or waiting for their turn at the governor.
const FLIGHTS_MAX: usize = 16;

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Pending = Waiting<RecordKey, Row>;

/// A message of which some rows have not ended yet.
struct InHand {
    delivery: Delivery,
    batch: Arc<WriteBatch>,
    target: Arc<Target>,
    ends: Vec<Option<End>>,
    held: Vec<HeldDelete>,
    left: usize,
    since: Instant,
    /// Continues the trace that the message came with.
    span: tracing::Span,
}

struct Landed {
    rows: Vec<Pending>,
    fates: Result<Vec<Fate>, StageError>,
}

/// One tenant's lane.
struct WriteLane {
    lane: LaneContext,
    shard: Arc<LoaderShard>,
    tenant: Arc<Tenant>,
    portal: Arc<Portal>,
    queue: Queue<RecordKey, Row>,
    in_hand: HashMap<u64, InHand>,
    /// Tasks of their own: whatever else the lane waits for, a flight that waits for its turn at the governor takes it, and
    /// one that has its answer makes room for others.
    flights: JoinSet<Landed>,
    /// Messages whose rows have all ended, by their place, told one after the other.
    done: BTreeMap<u64, InHand>,
    finishing: Option<Boxed<Result<(), StageError>>>,
    began: Instant,
    linger: Linger,
}

/// Runs a lane until its inbox ends.
pub(crate) async fn run(shard: Arc<LoaderShard>, lane: LaneContext) -> Result<(), StageError> {
    let tenant = shard.tenant(&lane.tenant);
    let Some(portal) = tenant.ready(&lane.shard).await else {
        return Ok(());
    };
    let idle = shard.settings.linger;
    let busy = if lane.lane == Lane::Bulk { idle * 20 } else { idle };
    let write_lane = WriteLane {
        lane,
        shard,
        tenant,
        portal,
        queue: Queue::new(),
        in_hand: HashMap::new(),
        flights: JoinSet::new(),
        done: BTreeMap::new(),
        finishing: None,
        began: Instant::now(),
        linger: Linger { idle, busy },
    };
    write_lane.run().await
}

impl WriteLane {
    /// The order within a turn is the argument for "ack after effect": rows end only after HubSpot's answer, messages
    /// are told only when all rows ended, and acknowledged only when that is stored.
    async fn run(mut self) -> Result<(), StageError> {
        let tenant = self.tenant.clone();
        let mut stopping = false;
        loop {
            let released = tenant.busy.released();
            tokio::pin!(released);
            released.as_mut().enable();
            if !stopping && !self.is_suspended() {
                self.dispatch()?;
            }
            self.start_finishing();
            if stopping && self.flights.is_empty() && self.finishing.is_none() {
                self.release(self.queue.iter());
                return Ok(());
            }
            let due = self.next_due();
            let has_room = self.queue.len() < ROWS_MAX && self.done.len() < FLIGHTS_MAX;
            tokio::select! {
                Some(landed) = self.flights.join_next() => {
                    let landed = landed.map_err(|error| StageError::caused("a flight did not survive", error))?;
                    self.land(landed)?;
                }
                told = wait(&mut self.finishing) => {
                    self.finishing = None;
                    told?;
                }
                delivery = self.lane.inbox.recv(), if has_room && !stopping => match delivery {
                    Some(delivery) => self.accept(delivery).await?,
                    None => stopping = true,
                },
                () = self.lane.shard.stop.cancelled(), if !stopping => stopping = true,
                () = &mut released, if !stopping => {}
                () = tokio::time::sleep(due.unwrap_or(Duration::from_secs(5))), if !stopping => {}
            }
            if !stopping {
                self.refresh_portal().await;
            }
        }
    }

    fn is_suspended(&self) -> bool {
        let tenant = self.lane.shard.config.tenant(&self.lane.tenant);
        tenant.is_none_or(|tenant| tenant.suspended.is_some())
    }

    /// A changed connection, or a credential that was refused, means another portal object.
    async fn refresh_portal(&mut self) {
        if !self.tenant.is_open(&self.lane.shard).await
            && let Some(portal) = self.tenant.ready(&self.lane.shard).await
        {
            self.tenant.note("credentials", None);
            self.portal = portal;
        }
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn linger(&self) -> Duration {
        if self.flights.is_empty() {
            self.linger.idle
        } else {
            self.linger.busy
        }
    }

    fn next_due(&self) -> Option<Duration> {
        let now = self.now();
        self.queue.next_due(now, self.linger()).map(|due| due - now)
    }

    async fn accept(&mut self, delivery: Delivery) -> Result<(), StageError> {
        let batch = match WriteBatch::decode(&delivery.payload) {
            Ok(batch) => Arc::new(batch),
            Err(error) => return delivery.poison(&error.to_string()).await,
        };
        let Some(target) = find(&self.lane.shard, &self.lane.tenant, &batch.envelope.sync).await else {
            return self.refuse_message(delivery, batch).await;
        };
        let target = Arc::new(target);
        self.shard
            .prepare_type(&self.lane.shard, &self.tenant, &self.portal, &target)
            .await?;
        let message = delivery.sequence;
        let (tenant, lane) = (&self.lane.tenant, self.lane.lane);
        let span = tracing::info_span!("load", %tenant, %lane, sequence = message, rows = batch.ids.len());
        delivery.continue_trace(&span);
        for index in 0..batch.ids.len() {
            let row = Row::new(message, batch.clone(), target.clone(), index);
            let (now, group) = (self.now(), group_of(&row));
            self.queue.push(Waiting {
                key: row.key(),
                group,
                since: now,
                not_before: now,
                payload: row,
            });
        }
        let rows = batch.ids.len();
        let ends = vec![None; rows];
        let since = Instant::now();
        let in_hand = InHand {
            delivery,
            batch,
            target,
            ends,
            held: Vec::new(),
            left: rows,
            since,
            span,
        };
        if rows == 0 {
            self.done.insert(message, in_hand);
        } else {
            self.in_hand.insert(message, in_hand);
        }
        Ok(())
    }

    /// A batch whose sync is not there: of a removed tenant nothing is told, else its rows fail.
    async fn refuse_message(&mut self, delivery: Delivery, batch: Arc<WriteBatch>) -> Result<(), StageError> {
        if self.lane.shard.config.tenant(&self.lane.tenant).is_none() {
            return delivery.ack().await;
        }
        let message = format!(
            "the sync {} is not there, or was never activated",
            batch.envelope.sync
        );
        let ends = batch
            .ids
            .iter()
            .map(|_| {
                Some(End::failed(Failure::new(
                    FailureCategory::Internal,
                    message.clone(),
                )))
            })
            .collect();
        let done = Finished {
            delivery,
            batch,
            object_type: None,
            ends,
            held: Vec::new(),
        };
        let context = &self.lane;
        finish(&self.shard, &context.shard, context.lane, done).await
    }

    /// Sends as many batches as there is room for.
    fn dispatch(&mut self) -> Result<(), StageError> {
        while self.flights.len() < FLIGHTS_MAX {
            let (now, linger) = (self.now(), self.linger());
            let mut ends: Vec<(u64, usize, End, Option<HeldDelete>)> = Vec::new();
            let mut begun: Vec<RecordKey> = Vec::new();
            let mut failed: Option<StageError> = None;
            let mut counted: HashMap<ObjectTypeId, usize> = HashMap::new();
            let (tenant, shard, lane) = (&self.tenant, &self.shard, &self.lane);
            let taken = self.queue.take(now, BATCH_INPUTS_MAX, linger, |waiting| {
                // What is judged is had first, or another lane could write it after the judgement. A row whose answer was
                // lost has kept its record.
                let begins = !waiting.payload.in_doubt;
                if begins && !tenant.busy.try_begin(&waiting.key) {
                    return Pick::Blocked;
                }
                let pick = match decide(tenant, shard, lane, &waiting.payload, &mut counted) {
                    Ok(None) => Pick::Send,
                    Ok(Some((end, held))) => {
                        ends.push((waiting.payload.message, waiting.payload.index, end, held));
                        Pick::End
                    }
                    Err(error) => {
                        failed = Some(error);
                        Pick::Blocked
                    }
                };
                if begins && pick == Pick::Send {
                    begun.push(waiting.key.clone());
                } else if begins {
                    tenant.busy.end([&waiting.key]);
                }
                pick
            });
            if taken.batch.is_empty() {
                // They wait for company.
                self.tenant.busy.end(&begun);
            }
            if let Some(error) = failed {
                return Err(error);
            }
            self.release(&taken.ended);
            for (message, index, end, held) in ends {
                self.end_row(message, index, end, held);
            }
            if taken.batch.is_empty() {
                break;
            }
            self.fly(taken.batch);
        }
        Ok(())
    }

    /// Lets others write the records of rows whose answer was lost.
    fn release<'r>(&self, rows: impl IntoIterator<Item = &'r Pending>) {
        let kept = rows.into_iter().filter(|waiting| waiting.payload.in_doubt);
        let keys: Vec<&RecordKey> = kept.map(|waiting| &waiting.key).collect();
        if !keys.is_empty() {
            self.tenant.busy.end(keys);
        }
    }

    /// Sends rows whose records are had.
    fn fly(&mut self, rows: Vec<Pending>) {
        let airline = Airline {
            context: self.lane.shard.clone(),
            tenant: self.tenant.clone(),
            share: Share::from(self.lane.lane),
            metrics: self.shard.metrics.clone(),
        };
        let (portal, shard) = (self.portal.clone(), self.shard.clone());
        let first = rows
            .first()
            .and_then(|waiting| self.in_hand.get(&waiting.payload.message));
        let span = first.map_or_else(tracing::Span::none, |in_hand| in_hand.span.clone());
        let flight = async move {
            let mut rows = rows;
            let mut payloads: Vec<Row> = rows.iter().map(|waiting| waiting.payload.clone()).collect();
            let upserts = payloads.first().is_some_and(Row::is_upsert);
            let fates = if upserts {
                airline.upsert(&portal, &mut payloads).await
            } else {
                // What was granted must be known to the next owner before it is done.
                match shard.deletes.put_down(&airline.context, &airline.tenant.id).await {
                    Ok(()) => airline.delete(&portal, &mut payloads).await,
                    Err(error) => Err(error),
                }
            };
            for (waiting, payload) in rows.iter_mut().zip(payloads) {
                waiting.payload = payload;
            }
            Landed { rows, fates }
        };
        let flight = self.lane.shard.tracked(flight.instrument(span));
        self.flights.spawn(flight);
    }

    fn land(&mut self, landed: Landed) -> Result<(), StageError> {
        let fates = landed.fates?;
        let now = self.now();
        let mut answered: Vec<RecordKey> = Vec::with_capacity(landed.rows.len());
        // In reverse, so that rows to be tried again keep their order at the queue's head.
        for (mut waiting, fate) in landed.rows.into_iter().zip(fates).rev() {
            match fate {
                Fate::Ended(end) => {
                    answered.push(waiting.key);
                    self.end_row(waiting.payload.message, waiting.payload.index, end, None);
                }
                Fate::Again(wait) => {
                    if !waiting.payload.in_doubt {
                        answered.push(waiting.key.clone());
                    }
                    waiting.not_before = now + wait;
                    self.queue.give_back(waiting);
                }
            }
        }
        self.tenant.busy.end(&answered);
        Ok(())
    }

    fn end_row(&mut self, message: u64, index: usize, end: End, held: Option<HeldDelete>) {
        let Some(in_hand) = self.in_hand.get_mut(&message) else {
            return;
        };
        if in_hand.ends[index].replace(end).is_none() {
            in_hand.left -= 1;
        }
        in_hand.held.extend(held);
        if in_hand.left == 0
            && let Some(done) = self.in_hand.remove(&message)
        {
            self.done.insert(message, done);
        }
    }

    /// One message at a time is told, so that what is told of one record stays in order.
    fn start_finishing(&mut self) {
        if self.finishing.is_some() {
            return;
        }
        let Some((&sequence, next)) = self.done.first_key_value() else {
            return;
        };
        let earlier = self.in_hand.iter().filter(|(message, _)| **message < sequence);
        if outlives(&next.batch, earlier.map(|(_, in_hand)| &*in_hand.batch)) {
            return;
        }
        let Some((_, done)) = self.done.pop_first() else {
            return;
        };
        let (shard, context, lane) = (self.shard.clone(), self.lane.shard.clone(), self.lane.lane);
        shard
            .metrics
            .batch_handled(lane, done.batch.ids.len() as u64, done.since.elapsed());
        let span = done.span.clone();
        let telling = async move {
            let finished = Finished {
                object_type: Some(done.target.object_type.clone()),
                delivery: done.delivery,
                batch: done.batch,
                ends: done.ends,
                held: done.held,
            };
            finish(&shard, &context, lane, finished).await
        };
        self.finishing = Some(Box::pin(telling.instrument(span)));
    }
}

/// Whether a message that deletes records must not be acknowledged yet, because an earlier one with an older row of such a
/// record is still in hand: it would come again to the next owner, who has no tombstone and finds nothing in HubSpot, and
/// would bring the record back. (An older row of a record that is there is known by its version.) Pure.
fn outlives<'b>(done: &WriteBatch, earlier: impl Iterator<Item = &'b WriteBatch>) -> bool {
    let deletes = done.kinds.iter().zip(&done.ids);
    let deleted: HashSet<SalesforceId> = deletes
        .filter(|(kind, _)| **kind != ChangeKind::Upsert)
        .map(|(_, id)| *id)
        .collect();
    let mut earlier = earlier;
    !deleted.is_empty() && earlier.any(|batch| batch.ids.iter().any(|id| deleted.contains(id)))
}

/// Waits for a future that may not be there.
async fn wait<T>(future: &mut Option<Boxed<T>>) -> T {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use landbridge_model::{Envelope, Purpose, Revision, Source, SyncName, Table, TenantId, Version};

    use super::*;

    fn batch(rows: &[(u32, ChangeKind)]) -> WriteBatch {
        WriteBatch {
            envelope: Envelope {
                tenant: TenantId::new("acme").unwrap(),
                sync: SyncName::new("cars").unwrap(),
                revision: Revision(1),
                purpose: Purpose::Apply,
                source: Source::Import,
                run: None,
                force: false,
                only: None,
            },
            ids: rows
                .iter()
                .map(|(number, _)| SalesforceId::parse(&format!("a00{number:012}")).unwrap())
                .collect(),
            versions: vec![Version::new(1, 1); rows.len()],
            kinds: rows.iter().map(|(_, kind)| *kind).collect(),
            table: Table::default(),
            links: Table::default(),
        }
    }

    #[test]
    fn a_delete_is_not_acknowledged_before_an_older_row_of_its_record() {
        use ChangeKind::{Delete, Leave, Upsert};
        let (one, two) = (batch(&[(1, Upsert)]), batch(&[(2, Upsert)]));
        for (done, earlier, expected) in [
            (batch(&[(1, Delete)]), vec![&one], true),
            (batch(&[(3, Upsert), (1, Leave)]), vec![&two, &one], true),
            (batch(&[(1, Delete)]), vec![&two], false),
            (batch(&[(1, Delete)]), vec![], false),
            (batch(&[(1, Upsert)]), vec![&one], false),
        ] {
            assert_eq!(outlives(&done, earlier.into_iter()), expected, "{done:?}");
        }
    }
}
