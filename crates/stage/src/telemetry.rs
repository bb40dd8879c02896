//! Logs, traces and metrics: how they leave the process, and what the numbers are called.
//!
//! Logs go to standard error (results of commands go to standard output): as text on a terminal, as JSON elsewhere.
//! Traces go to an OpenTelemetry collector when `OTEL_EXPORTER_OTLP_ENDPOINT` names one. Metrics are kept for
//! Prometheus to fetch. Names live in [`Metrics`] and in the bus's own module, and nowhere else.

use std::fs::OpenOptions;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use landbridge_model::StageKind;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{KeyValue, global};
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use prometheus::{Encoder as _, Registry, TextEncoder};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer};

mod metrics;

pub use metrics::{CallResult, Metrics};

/// What is logged when nothing else is asked for: our own words (targets begin with the crate's name), and others'
/// warnings.
const DEFAULT_FILTER: &str = "warn,landbridge=info";

/// The environment variable that changes the filter, in the syntax of `tracing`: `debug`, `landbridge_loader=debug`.
const FILTER_VARIABLE: &str = "LANDBRIDGE_LOG";

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// One line a person reads.
    Text,
    /// One JSON object a line.
    Json,
}

/// What [`init`] sets up.
#[derive(Clone, Debug, Default)]
pub struct TelemetryOptions {
    /// How log lines look.
    pub format: LogFormat,
    /// Where they go instead of standard error: a file that is appended to. The demo needs the terminal for itself.
    pub file: Option<PathBuf>,
    /// What is logged, unless `LANDBRIDGE_LOG` says otherwise.
    pub filter: Option<String>,
}

/// Why telemetry cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TelemetryError {
    /// The filter makes no sense.
    #[error("the log filter {text:?} makes no sense; an example that does: info,landbridge_loader=debug")]
    Filter {
        /// As it was given.
        text: String,
        /// Why not.
        source: tracing_subscriber::filter::ParseError,
    },
    /// The log file cannot be opened.
    #[error("the log file {} cannot be written", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Traces cannot be exported.
    #[error("traces cannot be exported to {endpoint}; correct OTEL_EXPORTER_OTLP_ENDPOINT or unset it")]
    Traces {
        /// Where they should go.
        endpoint: String,
        /// Why not.
        source: opentelemetry_otlp::ExporterBuildError,
    },
    /// The metrics' exporter.
    #[error("metrics cannot be kept")]
    Metrics(#[source] opentelemetry_sdk::error::OTelSdkError),
    /// It was set up before.
    #[error("telemetry was set up before in this process")]
    Twice(#[source] tracing_subscriber::util::TryInitError),
}

/// What lives as long as the process. Shut it down at the end, or the last spans are lost.
#[derive(Clone, Debug)]
pub struct Telemetry {
    registry: Registry,
    meters: SdkMeterProvider,
    tracers: Option<SdkTracerProvider>,
}

/// Sets up logs, traces and metrics for the process. Call it once, inside the runtime, before anything else. `service`
/// is the name that collectors and Prometheus see.
pub fn init(service: &str, options: &TelemetryOptions) -> Result<Telemetry, TelemetryError> {
    let resource = Resource::builder()
        .with_service_name(service.to_owned())
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    global::set_text_map_propagator(TraceContextPropagator::new());
    let (registry, meters) = metrics_provider(resource.clone())?;
    global::set_meter_provider(meters.clone());

    let endpoint = std::env::var("OTEL_EXPORTER_OTLP_ENDPOINT")
        .ok()
        .filter(|text| !text.is_empty());
    let tracers = endpoint
        .map(|endpoint| trace_provider(&endpoint, resource))
        .transpose()?;
    let spans = tracers.as_ref().map(|tracers| {
        global::set_tracer_provider(tracers.clone());
        tracing_opentelemetry::layer().with_tracer(tracers.tracer("landbridge"))
    });
    let (writer, is_terminal) = writer(options)?;
    tracing_subscriber::registry()
        .with(filter(options.filter.as_deref())?)
        .with(spans)
        .with(log_layer(options.format, is_terminal, writer))
        .try_init()
        .map_err(TelemetryError::Twice)?;
    Ok(Telemetry {
        registry,
        meters,
        tracers,
    })
}

impl Telemetry {
    /// Metrics alone, not set up for the process: for tests, and for tools that log otherwise.
    pub fn metrics_only(service: &str) -> Result<Self, TelemetryError> {
        let resource = Resource::builder().with_service_name(service.to_owned()).build();
        let (registry, meters) = metrics_provider(resource)?;
        Ok(Self {
            registry,
            meters,
            tracers: None,
        })
    }

    /// Everything that is counted, in Prometheus' text form.
    pub fn metrics_text(&self) -> String {
        let mut text = Vec::new();
        match TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            Ok(()) => String::from_utf8_lossy(&text).into_owned(),
            Err(error) => {
                tracing::warn!(%error, "the metrics cannot be written out");
                String::new()
            }
        }
    }

    /// The instruments of a stage, kept here.
    pub fn metrics(&self, stage: StageKind) -> Metrics {
        use opentelemetry::metrics::MeterProvider as _;
        Metrics::with(&self.meters.meter("landbridge.stage"), stage)
    }

    /// Sends what is still buffered.
    pub fn shutdown(self) {
        if let Some(tracers) = self.tracers
            && let Err(error) = tracers.shutdown_with_timeout(Duration::from_secs(5))
        {
            tracing::debug!(%error, "the last spans could not be sent");
        }
        if let Err(error) = self.meters.shutdown() {
            tracing::debug!(%error, "the meters did not end well");
        }
    }
}

fn filter(default: Option<&str>) -> Result<EnvFilter, TelemetryError> {
    let text = std::env::var(FILTER_VARIABLE)
        .ok()
        .filter(|text| !text.is_empty());
    let text = text.unwrap_or_else(|| default.unwrap_or(DEFAULT_FILTER).to_owned());
    EnvFilter::try_new(&text).map_err(|source| TelemetryError::Filter { text, source })
}

fn writer(options: &TelemetryOptions) -> Result<(BoxMakeWriter, bool), TelemetryError> {
    let Some(path) = &options.file else {
        return Ok((
            BoxMakeWriter::new(std::io::stderr),
            std::io::stderr().is_terminal(),
        ));
    };
    let failed = |source| TelemetryError::File {
        path: path.clone(),
        source,
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map_err(failed)?;
    Ok((BoxMakeWriter::new(Arc::new(file)), false))
}

fn log_layer<S, W>(format: LogFormat, is_terminal: bool, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let text = match format {
        LogFormat::Auto => is_terminal,
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let layer = tracing_subscriber::fmt::layer().with_writer(writer);
    if text {
        layer.with_ansi(is_terminal).with_target(false).compact().boxed()
    } else {
        layer
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .boxed()
    }
}

fn metrics_provider(resource: Resource) -> Result<(Registry, SdkMeterProvider), TelemetryError> {
    let registry = Registry::new();
    let exporter = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .build();
    let exporter = exporter.map_err(TelemetryError::Metrics)?;
    let provider = SdkMeterProvider::builder()
        .with_resource(resource)
        .with_reader(exporter)
        .build();
    Ok((registry, provider))
}

fn trace_provider(endpoint: &str, resource: Resource) -> Result<SdkTracerProvider, TelemetryError> {
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .with_timeout(Duration::from_secs(5))
        .build()
        .map_err(|source| TelemetryError::Traces {
            endpoint: endpoint.to_owned(),
            source,
        })?;
    Ok(SdkTracerProvider::builder()
        .with_resource(resource)
        .with_batch_exporter(exporter)
        .build())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Mutex;

    use landbridge_model::{Lane, Outcome};

    use super::*;
    use crate::secrets::Side;

    #[test]
    fn what_is_counted_is_exposed_with_help_and_without_surprises() {
        let telemetry = Telemetry::metrics_only("landbridge-loader").unwrap();
        let metrics = telemetry.metrics(StageKind::Loader);
        metrics.records_settled(Outcome::Created, 99);
        metrics.records_settled(Outcome::Created, 1);
        metrics.call_ended(
            Side::HubSpot,
            "batch-upsert",
            CallResult::Limited,
            Duration::from_millis(20),
        );
        metrics.shards_owned(16);
        metrics.arrived(Lane::Live, Duration::from_secs(2));
        let text = telemetry.metrics_text();
        for line in [
            "# HELP landbridge_records_total Records that reached an outcome, by outcome",
            "landbridge_records_total{outcome=\"created\",stage=\"loader\",otel_scope_name=\"landbridge.stage\"} 100",
            "landbridge_shards_owned{stage=\"loader\",otel_scope_name=\"landbridge.stage\"} 16",
            "service_name=\"landbridge-loader\"",
            "result=\"limited\"",
            "landbridge_lag_seconds_bucket{lane=\"live\",stage=\"loader\",otel_scope_name=\"landbridge.stage\",le=\"3\"} 1",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        let described = text.lines().filter(|line| line.starts_with("# HELP")).count();
        let typed = text.lines().filter(|line| line.starts_with("# TYPE")).count();
        assert_eq!(described, typed, "an instrument has no description:\n{text}");
    }

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, is_terminal: bool) -> String {
        let lines = Lines::default();
        let sink = lines.clone();
        let layer = log_layer(format, is_terminal, move || sink.clone());
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, || {
            let _span = tracing::info_span!("shard", shard = 3).entered();
            tracing::info!(tenant = "acme", "it begins");
        });
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn logs_are_text_on_a_terminal_and_json_elsewhere() {
        let json: serde_json::Value = serde_json::from_str(&logged(LogFormat::Auto, false)).unwrap();
        assert_eq!(
            (&json["message"], &json["tenant"]),
            (&"it begins".into(), &"acme".into())
        );
        assert_eq!(json["span"]["shard"], 3);
        for text in [logged(LogFormat::Auto, true), logged(LogFormat::Text, false)] {
            assert!(text.contains("it begins") && !text.starts_with('{'), "{text}");
        }
    }

    #[test]
    fn a_filter_that_makes_no_sense_is_named() {
        let error = filter(Some("landbridge=loud")).unwrap_err().to_string();
        assert!(error.contains("landbridge=loud"), "{error}");
        assert!(filter(None).is_ok());
    }

    /// A collector that only shows that spans arrive: the first bytes of a gRPC connection.
    #[tokio::test(flavor = "multi_thread")]
    async fn spans_go_to_the_collector() {
        use tokio::io::AsyncReadExt as _;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let tracers = trace_provider(&endpoint, Resource::builder().build()).unwrap();
        let layer = tracing_opentelemetry::layer().with_tracer(tracers.tracer("test"));
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, || tracing::info_span!("batch").in_scope(|| {}));
        let flush = std::thread::spawn(move || tracers.force_flush());
        let arrived = async {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut head = [0; 14];
            connection.read_exact(&mut head).await.unwrap();
            head
        };
        let head = tokio::time::timeout(Duration::from_secs(10), arrived)
            .await
            .unwrap();
        assert_eq!(&head, b"PRI * HTTP/2.0");
        drop(listener);
        assert!(flush.join().is_ok());
    }
}
