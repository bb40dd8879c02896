//! What the bus counts. Names live here and nowhere else.

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram};

use crate::streams::StreamName;

/// One set for a connection.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    published: Counter<u64>,
    published_bytes: Counter<u64>,
    publish_wait: Histogram<f64>,
    delivered: Counter<u64>,
    redelivered: Counter<u64>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let meter = opentelemetry::global::meter("landbridge.bus");
        Self {
            published: meter
                .u64_counter("landbridge.bus.published")
                .with_description("Messages that a stream has accepted")
                .build(),
            published_bytes: meter
                .u64_counter("landbridge.bus.published.bytes")
                .with_description("Payload bytes that a stream has accepted")
                .build(),
            publish_wait: meter
                .f64_histogram("landbridge.bus.publish.wait")
                .with_unit("s")
                .with_description("How long a publisher waited for a place in its lane")
                .build(),
            delivered: meter
                .u64_counter("landbridge.bus.delivered")
                .with_description("Messages taken from a lane")
                .build(),
            redelivered: meter
                .u64_counter("landbridge.bus.redelivered")
                .with_description("Messages taken from a lane that had been delivered before")
                .build(),
        }
    }

    pub(crate) fn published(&self, stream: StreamName, bytes: usize) {
        let labels = [KeyValue::new("stream", stream.as_str())];
        self.published.add(1, &labels);
        self.published_bytes.add(bytes as u64, &labels);
    }

    pub(crate) fn waited(&self, stream: StreamName, seconds: f64) {
        self.publish_wait
            .record(seconds, &[KeyValue::new("stream", stream.as_str())]);
    }

    pub(crate) fn delivered(&self, stream: StreamName, deliveries: u64) {
        let labels = [KeyValue::new("stream", stream.as_str())];
        self.delivered.add(1, &labels);
        if deliveries > 1 {
            self.redelivered.add(1, &labels);
        }
    }
}
