//! From what was measured to what is compared: everything for a record, and as a ratio to the relay.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::installation::SANDBOX;
use crate::pipeline::Measured;
use crate::relay::Relay;
use crate::traffic::{Load, Traffic};

/// A pipeline's run and the relay of the same run of this program, side by side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Figures {
    /// Distinct records with an outcome.
    pub(crate) records: u64,
    /// Distinct links with an outcome.
    pub(crate) links: u64,
    /// Records a second, from the start of the import to the last outcome of a record or a link.
    pub(crate) records_per_second: f64,
    /// Records a second, to the last outcome of a record.
    pub(crate) records_per_second_without_links: f64,
    /// Records a second of the relay.
    pub(crate) relay_records_per_second: f64,
    /// Processor seconds for a million records of the five stages and the nats-server, without the sandbox.
    pub(crate) engine_cpu_seconds_per_million: f64,
    /// Each process's cost.
    pub(crate) processes: BTreeMap<&'static str, Cost>,
    /// Messages that the bus stored for a thousand records.
    pub(crate) messages_per_thousand_records: f64,
    /// Bytes of payload that the bus stored for a record.
    pub(crate) bytes_per_record: f64,
    /// What each stream took.
    pub(crate) streams: Traffic,
    /// The comparison.
    pub(crate) ratios: Ratios,
}

/// What a process cost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Cost {
    /// Processor seconds for a million records.
    pub(crate) cpu_seconds_per_million: f64,
    /// The most memory that was ever resident, in bytes.
    pub(crate) peak_bytes: u64,
    /// Resident memory at the end, in bytes.
    pub(crate) resident_bytes: u64,
}

/// The pipeline as multiples of the relay: numbers of one run on one machine, so that they can be compared across
/// machines and commits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Ratios {
    /// Records a second; higher is better, 1 would be a pipeline that costs nothing but the bus.
    pub(crate) throughput: f64,
    /// Processor time for a record of the engine and its nats-server, without the sandbox; lower is better.
    pub(crate) cpu: f64,
    /// Stored messages for a record.
    pub(crate) messages: f64,
    /// Stored bytes for a record.
    pub(crate) bytes: f64,
}

impl Figures {
    /// Puts both together. `measured` has records, or there would be nothing to say.
    pub(crate) fn of(measured: &Measured, relay: &Relay) -> Self {
        let records = measured.records as f64;
        let rate = |took: std::time::Duration| records / took.as_secs_f64();
        let Load { messages, bytes } = measured.traffic.total();
        let engine = measured.processes.iter().filter(|(name, _)| *name != SANDBOX);
        let engine_cpu: f64 = engine.map(|(_, usage)| usage.cpu_seconds).sum();
        let processes = measured.processes.iter().map(|(name, usage)| {
            let cost = Cost {
                cpu_seconds_per_million: round(usage.cpu_seconds * 1e6 / records, 1),
                peak_bytes: usage.peak_bytes,
                resident_bytes: usage.resident_bytes,
            };
            (*name, cost)
        });
        Self {
            records: measured.records,
            links: measured.links.iter().map(|(_, count)| count).sum(),
            records_per_second: round(rate(measured.took), 0),
            records_per_second_without_links: round(rate(measured.records_took), 0),
            relay_records_per_second: round(relay.records_per_second, 0),
            engine_cpu_seconds_per_million: round(engine_cpu * 1e6 / records, 1),
            processes: processes.collect(),
            messages_per_thousand_records: round(messages as f64 * 1e3 / records, 1),
            bytes_per_record: round(bytes as f64 / records, 1),
            streams: measured.traffic.clone(),
            ratios: Ratios {
                throughput: round(rate(measured.took) / relay.records_per_second, 4),
                cpu: round(engine_cpu / records / relay.cpu_seconds_per_record, 2),
                messages: round(messages as f64 / records / relay.messages_per_record, 2),
                bytes: round(bytes as f64 / records / relay.bytes_per_record, 2),
            },
        }
    }
}

fn round(number: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (number * scale).round() / scale
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::usage::Usage;
    use landbridge_model::{LinkOutcome, Outcome};
    use std::time::Duration;

    pub(crate) fn example() -> (Measured, Figures) {
        let usage = |cpu_seconds| Usage {
            cpu_seconds,
            resident_bytes: 30 << 20,
            peak_bytes: 40 << 20,
        };
        let loads = [
            (
                "LB_CHANGES".to_owned(),
                Load {
                    messages: 100,
                    bytes: 6_000_000,
                },
            ),
            (
                "LB_WRITES".to_owned(),
                Load {
                    messages: 200,
                    bytes: 3_000_000,
                },
            ),
        ];
        let measured = Measured {
            records: 20_000,
            outcomes: vec![(Outcome::Created, 20_000)],
            links: vec![(LinkOutcome::Linked, 15_000), (LinkOutcome::Parked, 10)],
            records_took: Duration::from_secs(4),
            took: Duration::from_secs(5),
            processes: vec![
                ("sandbox", usage(9.0)),
                ("nats-server", usage(0.5)),
                ("loader", usage(1.5)),
            ],
            traffic: Traffic(loads.into()),
            complaints: Vec::new(),
        };
        let relay = Relay {
            records_per_second: 80_000.0,
            cpu_seconds_per_record: 2e-5,
            messages_per_record: 0.015,
            bytes_per_record: 900.0,
        };
        let figures = Figures::of(&measured, &relay);
        (measured, figures)
    }

    #[test]
    fn ratios_leave_the_sandbox_out_and_count_links_in() {
        let (_, figures) = example();
        let expected = Ratios {
            throughput: 0.05,
            cpu: 5.0,
            messages: 1.0,
            bytes: 0.5,
        };
        assert_eq!(figures.ratios, expected);
        assert_eq!(figures.links, 15_010);
        assert_eq!(figures.records_per_second, 4_000.0);
        assert_eq!(figures.records_per_second_without_links, 5_000.0);
        assert_eq!(figures.processes["loader"].cpu_seconds_per_million, 75.0);
        assert_eq!(figures.bytes_per_record, 450.0);
        assert_eq!(figures.messages_per_thousand_records, 15.0);
    }
}
