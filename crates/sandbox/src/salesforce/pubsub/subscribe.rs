//! One subscription: credit comes in, events go out while there is credit.

use super::{
    Service,
    bus::{Event, From},
    proto::{ConsumerEvent, FetchRequest, FetchResponse, ProducerEvent, ReplayPreset},
    status::{refusal, rpc_id},
    topic::Topic,
};
use std::time::Duration;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};
use tonic::{Code, Status, Streaming};

/// The most events that may be owed to a subscriber.
const MOST_CREDIT: usize = 100;

type Answers = mpsc::Sender<Result<FetchResponse, Status>>;

/// A place as clients keep it: ten bytes that mean nothing to them.
fn place_bytes(number: u64) -> Vec<u8> {
    let mut bytes = number.to_be_bytes().to_vec();
    bytes.extend_from_slice(&[0, 0]);
    bytes
}

/// A place back from its bytes; eight are taken as well.
fn place_of(bytes: &[u8]) -> Option<u64> {
    match bytes.len() {
        8 | 10 => Some(u64::from_be_bytes(bytes[..8].try_into().ok()?)),
        _ => None,
    }
}

/// Serves a subscription until it ends, in one way or another.
pub(super) async fn run(service: Service, requests: Streaming<FetchRequest>, answers: Answers) {
    let stop = service.stop.clone();
    let served = stop
        .run_until_cancelled(serve(&service, requests, &answers))
        .await;
    if let Some(Err(status)) = served {
        // Nobody is left to tell it to if this fails.
        let _ = answers.send(Err(status)).await;
    }
}

async fn serve(
    service: &Service,
    mut requests: Streaming<FetchRequest>,
    answers: &Answers,
) -> Result<(), Status> {
    let Some(first) = requests.message().await? else {
        return Ok(());
    };
    let mut subscription = Subscription::begin(service, &first)?;
    let mut news = service.org.bus.news();
    let mut cuts = service.org.bus.cuts();
    cuts.mark_unchanged();
    loop {
        news.mark_unchanged();
        subscription.deliver(answers).await?;
        tokio::select! {
            request = requests.message() => match request? {
                Some(request) => subscription.ask(&request)?,
                // The client asks for no more; what it asked for it still gets.
                None if subscription.credit == 0 => return Ok(()),
                None => return subscription.finish(news, cuts, answers).await,
            },
            changed = news.changed() => if changed.is_err() { return Ok(()) },
            _ = cuts.changed() => return Err(unavailable()),
            () = sleep_until(subscription.next_sign()) => {
                if subscription.credit == 0 {
                    return Ok(());
                }
                subscription.keep_alive(answers).await?;
            }
        }
    }
}

fn unavailable() -> Status {
    refusal(
        Code::Unavailable,
        "service.unavailable",
        "The service is unavailable. Try again later.",
    )
}

/// The client has gone: there is nobody to tell.
fn gone<T>(_: T) -> Status {
    Status::cancelled("the client is gone")
}

struct Subscription<'s> {
    service: &'s Service,
    name: String,
    topic: Topic,
    /// The place up to which everything was told.
    place: u64,
    credit: usize,
    /// When the client last gave credit or was last told something.
    since: Instant,
}

impl<'s> Subscription<'s> {
    fn begin(service: &'s Service, first: &FetchRequest) -> Result<Subscription<'s>, Status> {
        let topic = service.topic(&first.topic_name)?;
        let now = service.org.clock.now_ms();
        let corrupted = || {
            let message = "The Replay ID validation failed. Ensure that the Replay ID is valid.";
            refusal(
                Code::InvalidArgument,
                "subscription.fetch.replayid.corrupted",
                message,
            )
        };
        let from = match ReplayPreset::try_from(first.replay_preset) {
            Ok(ReplayPreset::Latest) => From::Now,
            Ok(ReplayPreset::Earliest) => From::Earliest,
            Ok(ReplayPreset::Custom) if first.replay_id.is_empty() => {
                let tail = "subscription.fetch.replayid.validation.failed";
                let message = "A replay ID must be given with the CUSTOM preset";
                return Err(refusal(Code::InvalidArgument, tail, message));
            }
            Ok(ReplayPreset::Custom) => From::After(place_of(&first.replay_id).ok_or_else(corrupted)?),
            Err(_) => {
                let message = "The replay preset is unknown";
                return Err(refusal(
                    Code::InvalidArgument,
                    "subscription.fetch.request.invalid",
                    message,
                ));
            }
        };
        let place = service.org.bus.place(from, now).map_err(|_| corrupted())?;
        let mut subscription = Subscription {
            service,
            name: first.topic_name.clone(),
            topic,
            place,
            credit: 0,
            since: Instant::now(),
        };
        subscription.ask(first)?;
        Ok(subscription)
    }

    /// Takes a request's credit; its topic may be repeated and not be changed.
    fn ask(&mut self, request: &FetchRequest) -> Result<(), Status> {
        if !request.topic_name.is_empty() && request.topic_name != self.name {
            let message = "The topic of a subscription cannot be changed";
            return Err(refusal(
                Code::InvalidArgument,
                "subscription.fetch.topic.mismatch",
                message,
            ));
        }
        let Some(more) = usize::try_from(request.num_requested)
            .ok()
            .filter(|more| *more > 0)
        else {
            let tail = "subscription.fetch.requested.events.invalid";
            return Err(refusal(
                Code::InvalidArgument,
                tail,
                "The number of requested events must be positive",
            ));
        };
        self.credit = (self.credit + more).min(MOST_CREDIT);
        self.since = Instant::now();
        Ok(())
    }

    /// When something has to happen although nothing does: a sign of life, or the end for want of credit.
    fn next_sign(&self) -> Instant {
        let habits = self.service.org.bus.habits();
        let ms = if self.credit == 0 {
            habits.credit_ms
        } else {
            habits.keep_alive_ms
        };
        self.since + Duration::from_millis(ms)
    }

    /// Sends what there is, as far as the credit reaches.
    async fn deliver(&mut self, answers: &Answers) -> Result<(), Status> {
        // What the user may hear of, and what is selected, may have changed since.
        self.topic = self.service.topic(&self.name)?;
        let forbidden = self.forbidden();
        while self.credit > 0 && !self.is_mute() {
            let topic = self.topic;
            let now = self.service.org.clock.now_ms();
            let next = self.service.org.bus.next(
                self.place,
                |object| topic.wants(object) && !forbidden.contains(&object),
                self.credit,
                now,
            );
            let Some((events, place)) = next else {
                self.service.org.stats.refused("pubsub_deliveries");
                let message = "You have exceeded the event delivery limit for your org.";
                return Err(refusal(
                    Code::ResourceExhausted,
                    "subscription.limit.exceeded",
                    message,
                ));
            };
            let looked_on = place != self.place;
            self.place = place;
            if events.is_empty() {
                if looked_on {
                    continue;
                }
                return Ok(());
            }
            self.credit -= events.len();
            self.service
                .org
                .stats
                .records("pubsub_events", events.len() as u64);
            self.answer(answers, events).await?;
        }
        Ok(())
    }

    /// Objects that the channel of all leaves out without a word.
    fn forbidden(&self) -> Vec<usize> {
        let habits = self.service.org.bus.habits();
        let org = self.service.org.org.read();
        let named = habits.forbidden.iter();
        named.filter_map(|name| org.schema().index(name)).collect()
    }

    fn is_mute(&self) -> bool {
        self.service.org.bus.habits().mute
    }

    async fn keep_alive(&mut self, answers: &Answers) -> Result<(), Status> {
        if self.is_mute() {
            self.since = Instant::now();
            return Ok(());
        }
        let org = &self.service.org;
        let now_ms = org.clock.now_ms();
        let place = org.bus.mark_after(self.place, now_ms);
        if place != self.place {
            org.keep_place(place, now_ms);
        }
        self.place = place;
        self.answer(answers, Vec::new()).await
    }

    async fn answer(&mut self, answers: &Answers, events: Vec<Event>) -> Result<(), Status> {
        self.since = Instant::now();
        let latest = events.last().map_or(self.place, |event| event.number);
        let response = FetchResponse {
            events: events.into_iter().map(told).collect(),
            latest_replay_id: place_bytes(latest),
            rpc_id: rpc_id(),
            pending_num_requested: self.credit as i32,
        };
        answers.send(Ok(response)).await.map_err(gone)
    }

    /// Serves the credit that is left to a client that has closed its side.
    async fn finish(
        mut self,
        mut news: watch::Receiver<u64>,
        mut cuts: watch::Receiver<u64>,
        answers: &Answers,
    ) -> Result<(), Status> {
        while self.credit > 0 {
            news.mark_unchanged();
            self.deliver(answers).await?;
            tokio::select! {
                changed = news.changed() => if changed.is_err() { return Ok(()) },
                _ = cuts.changed() => return Err(unavailable()),
                () = answers.closed() => return Ok(()),
                () = sleep_until(self.next_sign()) => self.keep_alive(answers).await?,
            }
        }
        Ok(())
    }
}

fn told(event: Event) -> ConsumerEvent {
    ConsumerEvent {
        replay_id: place_bytes(event.number),
        event: Some(ProducerEvent {
            id: event.id,
            schema_id: event.schema_id,
            payload: event.payload.to_vec(),
            headers: Vec::new(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_ten_bytes_and_nothing_else_is_taken() {
        assert_eq!(place_bytes(296_772), [0, 0, 0, 0, 0, 4, 135, 68, 0, 0]);
        assert_eq!(place_of(&place_bytes(7)), Some(7));
        assert_eq!(place_of(&7u64.to_be_bytes()), Some(7));
        assert_eq!(place_of(b"garbage"), None);
    }
}
