//! What went over the bus, from the counters that every worker shows under `/metrics`.

use std::collections::BTreeMap;

use serde::Serialize;

/// Messages that a stream accepted, and their payloads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Load {
    /// Messages.
    pub(crate) messages: u64,
    /// Bytes of payload, without headers.
    pub(crate) bytes: u64,
}

/// Loads by stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Traffic(pub(crate) BTreeMap<String, Load>);

impl Traffic {
    /// Adds what one process has published, from the text of its `/metrics`.
    pub(crate) fn add(&mut self, exposition: &str) {
        for (name, stream, value) in exposition.lines().filter_map(sample) {
            match name {
                "landbridge_bus_published_total" => self.load(stream).messages += value,
                "landbridge_bus_published_bytes_total" => self.load(stream).bytes += value,
                _ => {}
            }
        }
    }

    fn load(&mut self, stream: &str) -> &mut Load {
        self.0.entry(stream.to_owned()).or_default()
    }

    /// What came on top of an earlier reading.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let rest = |stream: &String, load: &Load| {
            let before = earlier.0.get(stream).copied().unwrap_or_default();
            Load {
                messages: load.messages.saturating_sub(before.messages),
                bytes: load.bytes.saturating_sub(before.bytes),
            }
        };
        let loads = self
            .0
            .iter()
            .map(|(stream, load)| (stream.clone(), rest(stream, load)));
        Self(loads.filter(|(_, load)| *load != Load::default()).collect())
    }

    /// All streams together.
    pub(crate) fn total(&self) -> Load {
        self.0.values().fold(Load::default(), |sum, load| Load {
            messages: sum.messages + load.messages,
            bytes: sum.bytes + load.bytes,
        })
    }
}

/// A line such as `name_total{stream="LB_WRITES",…} 12`: name, stream, value. `None` for any other line.
fn sample(line: &str) -> Option<(&str, &str, u64)> {
    let (name, rest) = line.split_once('{')?;
    let (labels, value) = rest.rsplit_once('}')?;
    let stream = labels
        .split(',')
        .find_map(|label| label.strip_prefix("stream=\""))?;
    let value: f64 = value.trim().parse().ok()?;
    Some((name, stream.strip_suffix('"')?, value as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "\
# HELP landbridge_bus_published_total Messages that a stream has accepted
# TYPE landbridge_bus_published_total counter
landbridge_bus_published_total{stream=\"LB_CHANGES\",otel_scope_name=\"landbridge.bus\"} 10
landbridge_bus_published_bytes_total{otel_scope_name=\"landbridge.bus\",stream=\"LB_CHANGES\"} 1000
landbridge_bus_published_total{stream=\"LB_FAILED\",otel_scope_name=\"landbridge.bus\"} 2
landbridge_bus_delivered_total{stream=\"LB_CHANGES\",otel_scope_name=\"landbridge.bus\"} 99
target_info{service_name=\"landbridge-mapper\"} 1
";
    const AFTER: &str = "\
landbridge_bus_published_total{stream=\"LB_CHANGES\"} 15
landbridge_bus_published_bytes_total{stream=\"LB_CHANGES\"} 1.5e3
landbridge_bus_published_total{stream=\"LB_FAILED\"} 2
landbridge_bus_published_total{stream=\"LB_WRITES\"} 7
landbridge_bus_published_bytes_total{stream=\"LB_WRITES\"} 70
";

    fn read(text: &str) -> Traffic {
        let mut traffic = Traffic::default();
        traffic.add(text);
        traffic
    }

    #[test]
    fn what_came_on_top_is_counted_by_stream() {
        let traffic = read(AFTER).since(&read(BEFORE));
        let expected = [
            (
                "LB_CHANGES".to_owned(),
                Load {
                    messages: 5,
                    bytes: 500,
                },
            ),
            (
                "LB_WRITES".to_owned(),
                Load {
                    messages: 7,
                    bytes: 70,
                },
            ),
        ];
        assert_eq!(traffic, Traffic(expected.into()));
        assert_eq!(
            traffic.total(),
            Load {
                messages: 12,
                bytes: 570
            }
        );
    }

    #[test]
    fn processes_add_up() {
        let mut traffic = read(BEFORE);
        traffic.add(BEFORE);
        assert_eq!(
            traffic.0["LB_CHANGES"],
            Load {
                messages: 20,
                bytes: 2000
            }
        );
    }
}
