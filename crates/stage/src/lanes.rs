//! Lanes as queues: one consumer for a shard's lane, one queue and one task for each tenant in it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use landbridge_bus::subject::RecordSubject;
use landbridge_bus::{Acker, ConsumeSettings, Headers, LaneConsumer, LinkPart, Message, Queue, Subject};
use landbridge_model::{Lane, TenantId};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::error::StageError;
use crate::hub::Hub;
use crate::tail::{Offer, Tail};
use crate::telemetry::Metrics;
use crate::worker::{ShardContext, Worker};

/// A message given back for want of memory comes again after so long.
const GIVE_BACK: Duration = Duration::from_millis(500);

/// How often what is in hand is counted for the metrics.
const COUNT: Duration = Duration::from_secs(5);

/// What is in hand and not yet acknowledged, by sequence.
type InHand = Arc<Mutex<HashMap<u64, (Acker, usize)>>>;

/// One tenant's lane, for as long as its task runs.
#[derive(Debug)]
pub struct LaneContext {
    /// Whose.
    pub tenant: TenantId,
    /// Which lane.
    pub lane: Lane,
    /// Its messages, in order.
    pub inbox: LaneInbox,
    /// The shard it belongs to.
    pub shard: ShardContext,
}

/// A tenant's queue in memory.
#[derive(Debug)]
pub struct LaneInbox {
    receiver: mpsc::UnboundedReceiver<Delivery>,
    stop: CancellationToken,
}

impl LaneInbox {
    /// The next message, or `None` when the shard is given up: finish what is in hand and return. Can be dropped at
    /// any await without losing one.
    pub async fn recv(&mut self) -> Option<Delivery> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            delivery = self.receiver.recv() => delivery,
        }
    }

    /// The next message, if there is one already.
    pub fn try_recv(&mut self) -> Option<Delivery> {
        if self.stop.is_cancelled() {
            None
        } else {
            self.receiver.try_recv().ok()
        }
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.receiver.len()
    }
}

/// A message in hand. Dropped without an acknowledgement it stays in hand, untouched, until the shard is given up;
/// then it comes again, in its place.
#[derive(Debug)]
pub struct Delivery {
    /// The encoded batch.
    pub payload: Bytes,
    /// Its place in the stream: the order of a tenant's lane is the order of these.
    pub sequence: u64,
    /// Where it was published.
    pub subject: Subject,
    /// Which of the two publishers of a links lane it comes from.
    pub part: Option<LinkPart>,
    /// Whether it has been in somebody's hands before.
    pub redelivered: bool,
    headers: Headers,
    acker: Acker,
    in_hand: InHand,
    hub: Hub,
}

impl Delivery {
    /// Takes the message off the lane. Call it only when what it caused is durable elsewhere.
    pub async fn ack(self) -> Result<(), StageError> {
        self.acker.ack().await?;
        self.in_hand
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.sequence);
        Ok(())
    }

    /// Sets aside a message that makes no sense, with the reason, and takes it off the lane.
    pub async fn poison(self, reason: &str) -> Result<(), StageError> {
        let tenant = self.subject.tenant().clone();
        tracing::error!(%tenant, subject = %self.subject, sequence = self.sequence, reason,
            "a message makes no sense; it is set aside among the failures");
        let record = format!("{}-{}", self.subject.stream().as_str(), self.sequence);
        let place = RecordSubject {
            shard: self.hub.shard_of(&tenant),
            tenant,
            sync: crate::memories::POISON.to_owned(),
            record: record.clone(),
        };
        let mut message = Message::new(&record, self.payload.clone());
        message.headers.set("Landbridge-Poison", reason);
        self.hub.bus().publish(&Subject::Failed(place), &message).await?;
        self.ack().await
    }

    /// Makes a span the continuation of the sender's trace.
    pub fn continue_trace(&self, span: &tracing::Span) {
        self.headers.continue_trace(span);
    }
}

/// How lanes are read.
#[derive(Clone, Copy, Debug)]
pub struct LaneSettings {
    /// How long a message may be in hand without a sign of life before the server takes it for lost.
    pub ack_wait: Duration,
    /// Bytes that the bulk lanes of one shard may have in hand before the tails of queues are given back.
    pub bulk_bytes_max: usize,
}

impl Default for LaneSettings {
    fn default() -> Self {
        Self {
            ack_wait: Duration::from_secs(120),
            bulk_bytes_max: 64 * 1024 * 1024,
        }
    }
}

struct TenantQueue {
    sender: mpsc::UnboundedSender<Delivery>,
    tail: Tail<Delivery>,
}

/// Reads one lane of a shard until the shard is given up: gives each tenant a queue and a task of its own.
pub(crate) async fn pump<W: Worker>(
    worker: Arc<W>,
    state: Arc<W::Shard>,
    context: ShardContext,
    queue: Queue,
    lane: Lane,
    settings: LaneSettings,
) -> Result<(), StageError> {
    let consume = ConsumeSettings {
        ack_wait: settings.ack_wait,
        ..ConsumeSettings::default()
    };
    let mut consumer = LaneConsumer::open(
        context.hub.bus(),
        queue,
        context.shard,
        lane,
        context.epoch,
        consume,
    )
    .await?;
    let in_hand = InHand::default();
    let mut queues: HashMap<TenantId, TenantQueue> = HashMap::new();
    let mut tasks: JoinSet<Result<(), StageError>> = JoinSet::new();
    let mut signs_of_life = tokio::time::interval(settings.ack_wait / 3);
    signs_of_life.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let metrics = Metrics::new(W::KIND);
    let mut counting = tokio::time::interval(COUNT);
    counting.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let delivery = tokio::select! {
            biased;
            () = context.stop.cancelled() => break,
            Some(ended) = tasks.join_next(), if !tasks.is_empty() => return Err(task_ended(ended)),
            _ = signs_of_life.tick() => { signal_progress(&in_hand).await; continue }
            _ = counting.tick() => {
                let waiting = in_hand.lock().unwrap_or_else(PoisonError::into_inner).len();
                metrics.lane_waiting(context.shard, lane, waiting as u64);
                continue;
            }
            delivery = consumer.next() => delivery?,
        };
        let tenant = delivery.subject.tenant().clone();
        let tenant_queue = queues.entry(tenant.clone()).or_insert_with(|| {
            let (sender, receiver) = mpsc::unbounded_channel();
            let inbox = LaneInbox {
                receiver,
                stop: context.stop.clone(),
            };
            let lane_context = LaneContext {
                tenant,
                lane,
                inbox,
                shard: context.clone(),
            };
            let (worker, state) = (worker.clone(), state.clone());
            let working = async move { worker.run_lane(state, lane_context).await };
            tasks.spawn(context.tasks.track_future(working));
            TenantQueue {
                sender,
                tail: Tail::default(),
            }
        });
        let over = lane == Lane::Bulk && bytes_in_hand(&in_hand) > settings.bulk_bytes_max;
        let delivery = take_in_hand(delivery, &in_hand, &context.hub);
        match tenant_queue.tail.offer(delivery.sequence, delivery, over) {
            Offer::GiveBack(delivery) => {
                in_hand
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .remove(&delivery.sequence);
                delivery.acker.give_back(GIVE_BACK).await?;
            }
            Offer::Wait => {}
            Offer::Queue(deliveries) => {
                for delivery in deliveries {
                    // A closed queue is a task that ended: the next turn of the loop says why.
                    let _closed = tenant_queue.sender.send(delivery);
                }
            }
        }
    }
    drain(tasks, &in_hand, settings.ack_wait).await
}

/// The tasks see the stop at their next `recv` and finish what they hold; until then their messages stay theirs.
async fn drain(
    mut tasks: JoinSet<Result<(), StageError>>,
    in_hand: &InHand,
    ack_wait: Duration,
) -> Result<(), StageError> {
    let mut signs_of_life = tokio::time::interval(ack_wait / 3);
    loop {
        tokio::select! {
            _ = signs_of_life.tick() => signal_progress(in_hand).await,
            ended = tasks.join_next() => match ended {
                None => return Ok(()),
                Some(Ok(Ok(()))) => {}
                Some(ended) => return Err(task_ended(ended)),
            },
        }
    }
}

fn task_ended(ended: Result<Result<(), StageError>, tokio::task::JoinError>) -> StageError {
    match ended {
        Ok(Ok(())) => StageError::worker("a lane's task ended although its lane had not"),
        Ok(Err(error)) => error,
        Err(error) => StageError::caused("a lane's task did not survive", error),
    }
}

fn take_in_hand(delivery: landbridge_bus::Delivery, in_hand: &InHand, hub: &Hub) -> Delivery {
    let size = delivery.payload.len();
    let mut held = in_hand.lock().unwrap_or_else(PoisonError::into_inner);
    held.insert(delivery.sequence, (delivery.acker.clone(), size));
    drop(held);
    let part = match &delivery.subject {
        Subject::Links { part, .. } => Some(*part),
        _ => None,
    };
    Delivery {
        payload: delivery.payload,
        sequence: delivery.sequence,
        part,
        redelivered: delivery.deliveries > 1,
        headers: delivery.headers,
        subject: delivery.subject,
        acker: delivery.acker,
        in_hand: in_hand.clone(),
        hub: hub.clone(),
    }
}

fn bytes_in_hand(in_hand: &InHand) -> usize {
    in_hand
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .values()
        .map(|(_, size)| size)
        .sum()
}

async fn signal_progress(in_hand: &InHand) {
    let ackers: Vec<Acker> = {
        let held = in_hand.lock().unwrap_or_else(PoisonError::into_inner);
        held.values().map(|(acker, _)| acker.clone()).collect()
    };
    for acker in ackers {
        if let Err(error) = acker.progress().await {
            tracing::debug!(%error, "a sign of life was not sent; the next one may be");
        }
    }
}
