//! Headers of a message, and the trace context in them.

use async_nats::HeaderMap;
use opentelemetry::propagation::{Extractor, Injector};
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Names and texts beside a payload. Names are unique and compared as they are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same headers with one more, or with this one's text replaced. Line breaks cannot travel and become spaces.
    #[must_use]
    pub fn with(mut self, name: &str, text: impl Into<String>) -> Self {
        self.set(name, text);
        self
    }

    /// Adds or replaces one.
    pub fn set(&mut self, name: &str, text: impl Into<String>) {
        let text = text.into().replace(['\r', '\n'], " ");
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = text,
            None => self.0.push((name.to_owned(), text)),
        }
    }

    /// One header's text.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, text)| text.as_str())
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// Writes the current span's trace context, so that the receiver's span joins the same trace.
    pub fn inject_current_span(&mut self) {
        let context = tracing::Span::current().context();
        opentelemetry::global::get_text_map_propagator(|propagator| {
            propagator.inject_context(&context, self)
        });
    }

    /// The sender's trace context: give it to the receiving span with `set_parent`.
    pub fn trace_context(&self) -> opentelemetry::Context {
        opentelemetry::global::get_text_map_propagator(|propagator| propagator.extract(self))
    }

    /// Makes the sender's span the parent of `span`. Without tracing set up it does nothing.
    pub fn continue_trace(&self, span: &tracing::Span) {
        // The only failure is a span that no exporter watches: then there is no trace to join.
        let _ = span.set_parent(self.trace_context());
    }

    pub(crate) fn to_nats(&self) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, text) in &self.0 {
            map.insert(name.as_str(), text.as_str());
        }
        map
    }

    /// Without the server's own headers about storage, which callers get as fields.
    pub(crate) fn from_nats(map: Option<&HeaderMap>) -> Self {
        const SERVERS: [&str; 6] = [
            "Nats-Stream",
            "Nats-Subject",
            "Nats-Sequence",
            "Nats-Time-Stamp",
            "Nats-Num-Pending",
            "Nats-Last-Sequence",
        ];
        let mut headers = Self::default();
        for (name, texts) in map.into_iter().flat_map(HeaderMap::iter) {
            let name: &str = name.as_ref();
            if let Some(text) = texts.last()
                && !SERVERS.contains(&name)
            {
                headers.0.push((name.to_owned(), text.as_str().to_owned()));
            }
        }
        headers.0.sort();
        headers
    }
}

impl Injector for Headers {
    fn set(&mut self, key: &str, value: String) {
        Self::set(self, key, value);
    }
}

impl Extractor for Headers {
    fn get(&self, key: &str) -> Option<&str> {
        Self::get(self, key)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| name.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_break_cannot_smuggle_a_second_header() {
        let headers = Headers::new().with("reason", "first\r\nNats-TTL: 1");
        assert_eq!(headers.get("reason"), Some("first  Nats-TTL: 1"));
        assert_eq!(Headers::from_nats(Some(&headers.to_nats())), headers);
    }

    #[test]
    fn the_servers_storage_headers_are_not_ours() {
        let headers = Headers::new().with("Nats-Sequence", "7").with("Nats-Msg-Id", "x");
        assert_eq!(
            Headers::from_nats(Some(&headers.to_nats())),
            Headers::new().with("Nats-Msg-Id", "x")
        );
    }
}
