//! What the stages count, and what the numbers are called. Labels are closed enums, so that their number is bounded.

use std::time::Duration;

use landbridge_model::{FailureCategory, Lane, LinkOutcome, Outcome, Shard, StageKind};
use opentelemetry::metrics::{Counter, Gauge, Histogram};
use opentelemetry::{KeyValue, global};

use crate::secrets::Side;

/// How an outside call ended, as a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallResult {
    /// As it should.
    Ok,
    /// The other side limits us.
    Limited,
    /// The other side refused it.
    Refused,
    /// The other side, or the way there, failed; it is repeated.
    Failed,
}

impl CallResult {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Limited => "limited",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// The instruments of one stage. Cheap to clone; call it once a batch, not once a record.
#[derive(Clone, Debug)]
pub struct Metrics {
    stage: StageKind,
    records: Counter<u64>,
    failures: Counter<u64>,
    links: Counter<u64>,
    batches: Counter<u64>,
    batch_records: Counter<u64>,
    batch_duration: Histogram<f64>,
    calls: Counter<u64>,
    call_duration: Histogram<f64>,
    lag: Histogram<f64>,
    lane_waiting: Gauge<u64>,
    shards: Gauge<u64>,
    budget: Gauge<f64>,
    change_events: Counter<u64>,
    streams: Gauge<u64>,
}

impl Metrics {
    /// Of the process's own meters, after [`super::init`].
    pub fn new(stage: StageKind) -> Self {
        Self::with(&global::meter("landbridge.stage"), stage)
    }

    pub(super) fn with(meter: &opentelemetry::metrics::Meter, stage: StageKind) -> Self {
        let counter = |name: &'static str, description: &'static str| {
            meter.u64_counter(name).with_description(description).build()
        };
        let seconds = |name: &'static str, description: &'static str, boundaries: Vec<f64>| {
            let histogram = meter
                .f64_histogram(name)
                .with_unit("s")
                .with_description(description);
            histogram.with_boundaries(boundaries).build()
        };
        let brief = vec![0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0];
        let long = vec![
            0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0, 10_000.0,
        ];
        Self {
            stage,
            records: counter(
                "landbridge.records",
                "Records that reached an outcome, by outcome",
            ),
            failures: counter("landbridge.failures", "Records that failed, by category"),
            links: counter("landbridge.links", "Links that reached an outcome, by outcome"),
            batches: counter("landbridge.batches", "Batches handled"),
            batch_records: counter("landbridge.batch.records", "Records in the batches handled"),
            batch_duration: seconds(
                "landbridge.batch.duration",
                "From taking a batch to its end",
                brief.clone(),
            ),
            calls: counter(
                "landbridge.calls",
                "Calls to Salesforce and HubSpot, by how they ended",
            ),
            call_duration: seconds("landbridge.call.duration", "Duration of outside calls", brief),
            lag: seconds(
                "landbridge.lag",
                "From a change in Salesforce to its place in HubSpot",
                long,
            ),
            lane_waiting: meter
                .u64_gauge("landbridge.lane.waiting")
                .with_description("Messages of a lane in this worker's hands")
                .build(),
            shards: meter
                .u64_gauge("landbridge.shards.owned")
                .with_description("Shards that this worker works on")
                .build(),
            budget: meter
                .f64_gauge("landbridge.budget.used")
                .with_description("Part of the most exhausted tenant's daily calls that is spent, 0 to 1")
                .build(),
            change_events: counter(
                "landbridge.change.events",
                "Change events heard from Salesforce, by what they tell",
            ),
            streams: meter
                .u64_gauge("landbridge.streams")
                .with_description("Subscriptions to change events in a shard, by how they stand")
                .build(),
        }
    }

    fn stage(&self) -> KeyValue {
        KeyValue::new("stage", self.stage.as_str())
    }

    /// Records reached an outcome here.
    pub fn records_settled(&self, outcome: Outcome, records: u64) {
        self.records.add(
            records,
            &[self.stage(), KeyValue::new("outcome", outcome.as_str())],
        );
    }

    /// Records failed here.
    pub fn records_failed(&self, category: FailureCategory, records: u64) {
        self.failures.add(
            records,
            &[self.stage(), KeyValue::new("category", category.as_str())],
        );
    }

    /// Links reached an outcome here.
    pub fn links_settled(&self, outcome: LinkOutcome, links: u64) {
        self.links
            .add(links, &[self.stage(), KeyValue::new("outcome", outcome.as_str())]);
    }

    /// A batch was handled to its end.
    pub fn batch_handled(&self, lane: Lane, records: u64, took: Duration) {
        let labels = [self.stage(), KeyValue::new("lane", lane.as_str())];
        self.batches.add(1, &labels);
        self.batch_records.add(records, &labels);
        self.batch_duration.record(took.as_secs_f64(), &labels);
    }

    /// An outside call ended. `call` names the endpoint, one of a fixed few, never an id or a path with one.
    pub fn call_ended(&self, side: Side, call: &'static str, result: CallResult, took: Duration) {
        let place = [
            self.stage(),
            KeyValue::new("side", side.as_str()),
            KeyValue::new("call", call),
        ];
        self.call_duration.record(took.as_secs_f64(), &place);
        let [stage, side, call] = place;
        self.calls
            .add(1, &[stage, side, call, KeyValue::new("result", result.as_str())]);
    }

    /// A change of Salesforce is in HubSpot now.
    pub fn arrived(&self, lane: Lane, lag: Duration) {
        self.lag.record(
            lag.as_secs_f64(),
            &[self.stage(), KeyValue::new("lane", lane.as_str())],
        );
    }

    /// So many messages of a shard's lane are in this worker's hands.
    pub fn lane_waiting(&self, shard: Shard, lane: Lane, messages: u64) {
        let shard = KeyValue::new("shard", i64::from(shard.0));
        self.lane_waiting.record(
            messages,
            &[self.stage(), shard, KeyValue::new("lane", lane.as_str())],
        );
    }

    /// So many shards are open here.
    pub fn shards_owned(&self, shards: u64) {
        self.shards.record(shards, &[self.stage()]);
    }

    /// Change events were heard. `change` is one of a fixed few words.
    pub fn change_events(&self, change: &'static str, events: u64) {
        self.change_events
            .add(events, &[self.stage(), KeyValue::new("change", change)]);
    }

    /// So many subscriptions of a shard stand like this. `state` is one of a fixed few words.
    pub fn streams(&self, shard: Shard, state: &'static str, channels: u64) {
        let shard = KeyValue::new("shard", i64::from(shard.0));
        self.streams
            .record(channels, &[self.stage(), shard, KeyValue::new("state", state)]);
    }

    /// The most exhausted tenant of this worker has spent such a part of its daily calls.
    pub fn budget_used(&self, side: Side, part: f64) {
        self.budget
            .record(part, &[self.stage(), KeyValue::new("side", side.as_str())]);
    }
}
