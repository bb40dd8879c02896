//! Settings: one TOML file, then `LANDBRIDGE_*` variables, then flags; the later one wins.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use landbridge_bus::BusConfig;
use landbridge_extractor::{ExtractorSettings, StreamSettings};
use landbridge_loader::LoaderSettings;
use landbridge_model::StageKind;
use landbridge_resolver::ResolverSettings;
use landbridge_stage::LaneSettings;
use landbridge_stage::telemetry::{LogFormat, TelemetryOptions};
use serde::{Deserialize, Serialize};

use crate::cli::{GlobalArgs, ProcessArgs};

/// Everything that can be set. `deploy/landbridge.toml` shows every key with its default.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where caches, the child bus's store and (unless `keys_dir` says otherwise) keys are kept. Caches may be deleted
    /// at any time; keys may not.
    pub state_dir: PathBuf,
    /// Where the private keys of extractor, loader and control are kept; `<state_dir>/keys` when left out.
    pub keys_dir: Option<PathBuf>,
    /// Folders like `keys_dir` with earlier private keys: they still open what was sealed to them, and that is sealed to
    /// the current key. While processes of one kind change their key one by one, each names the others' there.
    pub earlier_keys_dirs: Vec<PathBuf>,
    /// Where `/healthz`, `/readyz` and `/metrics` are served; not at all when left out.
    pub health: Option<SocketAddr>,
    /// Logs.
    pub log: LogSettings,
    /// The bus.
    pub bus: BusConfig,
    /// What all workers share.
    pub process: ProcessSettings,
    /// Reading Salesforce.
    pub extractor: ExtractorSection,
    /// Links.
    pub resolver: ResolverSettings,
    /// Writing HubSpot.
    pub loader: LoaderSection,
    /// Definitions, imports, failures.
    pub control: landbridge_control::Settings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            state_dir: default_state_dir(),
            keys_dir: None,
            earlier_keys_dirs: Vec::new(),
            health: None,
            log: LogSettings::default(),
            bus: BusConfig::default(),
            process: ProcessSettings::default(),
            extractor: ExtractorSection::default(),
            resolver: ResolverSettings::default(),
            loader: LoaderSection::default(),
            control: landbridge_control::Settings::default(),
        }
    }
}

/// `[process]`: what all workers share.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProcessSettings {
    /// Time to finish what is in hand on SIGTERM. Keep it below the grace period of whatever stops the process.
    #[serde(with = "humantime_serde")]
    pub drain_timeout: Duration,
    /// The longest that one call to Salesforce or HubSpot may take. A shard whose lease ran out is left alone for so
    /// long by its next owner; the lease (`bus.lease_ttl`) must be longer.
    #[serde(with = "humantime_serde")]
    pub call_timeout: Duration,
    /// How much of one worker's cache is kept in memory, in bytes as sled counts them: as they are on disk. In memory they
    /// are about four times as many.
    pub cache_bytes: u64,
    /// Bytes of bulk messages that one shard may have in hand before the tails of its queues are given back.
    pub bulk_bytes_max: usize,
    /// How long a message may be in hand without a sign of life before the server takes it for lost.
    #[serde(with = "humantime_serde")]
    pub ack_wait: Duration,
}

impl Default for ProcessSettings {
    fn default() -> Self {
        let lanes = LaneSettings::default();
        Self {
            drain_timeout: Duration::from_secs(30),
            call_timeout: Duration::from_secs(30),
            cache_bytes: 32 * 1024 * 1024,
            bulk_bytes_max: lanes.bulk_bytes_max,
            ack_wait: lanes.ack_wait,
        }
    }
}

impl ProcessSettings {
    /// How lanes are read.
    pub fn lanes(&self) -> LaneSettings {
        LaneSettings {
            ack_wait: self.ack_wait,
            bulk_bytes_max: self.bulk_bytes_max,
        }
    }
}

/// `[log]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// `auto` is text on a terminal and JSON elsewhere.
    pub format: LogFormatSetting,
    /// What is logged, such as `info,landbridge_loader=debug`; `LANDBRIDGE_LOG` goes before it.
    pub filter: Option<String>,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormatSetting {
    /// Text on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// One line a person reads.
    Text,
    /// One JSON object a line.
    Json,
}

impl LogSettings {
    /// As telemetry takes them; `filter` is what is logged when nothing was set.
    pub fn options(&self, filter: Option<&str>) -> TelemetryOptions {
        TelemetryOptions {
            format: match self.format {
                LogFormatSetting::Auto => LogFormat::Auto,
                LogFormatSetting::Text => LogFormat::Text,
                LogFormatSetting::Json => LogFormat::Json,
            },
            file: None,
            filter: self.filter.clone().or_else(|| filter.map(str::to_owned)),
        }
    }
}

/// `[extractor]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExtractorSection {
    /// Pause between two looks at a sync's increment. Stretched when the org's daily allocation runs low.
    #[serde(with = "humantime_serde")]
    pub poll_interval: Duration,
    /// Whether changes are heard of by change events, for objects that an org has selected for change data capture and
    /// connections that do not say otherwise. Whatever is not heard is polled for.
    pub change_events: bool,
    /// Where the Pub/Sub API is; `https://api.deu.pubsub.salesforce.com:7443` for orgs whose data stays in the European Union.
    pub pubsub_url: String,
    /// Pause between two looks at a sync's increment while its object's change events come.
    #[serde(with = "humantime_serde")]
    pub poll_interval_streaming: Duration,
    /// How far behind the org's clock a window ends: a row's stamp is taken when its statement runs, and the row is
    /// seen when its transaction commits.
    #[serde(with = "humantime_serde")]
    pub lag: Duration,
    /// How much of what was read already is read again, for transactions that took longer than the lag.
    #[serde(with = "humantime_serde")]
    pub overlap: Duration,
    /// How often Salesforce is asked for transactions that are still open; what they change is read when they have ended.
    #[serde(with = "humantime_serde")]
    pub settle_interval: Duration,
    /// How often what HubSpot has is looked for in Salesforce; `0s` is never.
    #[serde(with = "humantime_serde")]
    pub reconcile_interval: Duration,
    /// How often an object is described again, at most, to see what changed in it; `0s` is never.
    #[serde(with = "humantime_serde")]
    pub describe_interval: Duration,
    /// How often parents are looked at for changes that formulas and mapped paths of their children show; `0s` is never.
    #[serde(with = "humantime_serde")]
    pub formula_interval: Duration,
    /// Most rows of one message, 1 to 500.
    pub batch_rows: usize,
    /// Rows of one Bulk results page, where we may choose.
    pub page_rows: u32,
    /// Bulk results pages fetched at the same time for one import.
    pub parallel_pages: usize,
    /// More records than this are read by Bulk: by a large window of the increment, a compare, or for formulas.
    pub bulk_from: u64,
}

impl Default for ExtractorSection {
    fn default() -> Self {
        let settings = ExtractorSettings::default();
        Self {
            poll_interval: settings.poll_interval,
            change_events: settings.stream.enabled,
            pubsub_url: settings.stream.address,
            poll_interval_streaming: settings.stream.poll_interval,
            lag: settings.lag,
            overlap: settings.overlap,
            settle_interval: settings.settle_interval,
            reconcile_interval: settings.reconcile_interval,
            describe_interval: settings.describe_interval,
            formula_interval: settings.formula_interval,
            batch_rows: settings.batch_rows,
            page_rows: settings.page_rows,
            parallel_pages: settings.parallel_pages,
            bulk_from: settings.bulk_from,
        }
    }
}

/// `[loader]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoaderSection {
    /// How long a row waits for others to share a call with.
    #[serde(with = "humantime_serde")]
    pub linger: Duration,
}

impl Default for LoaderSection {
    fn default() -> Self {
        Self {
            linger: LoaderSettings::default().linger,
        }
    }
}

/// Why the settings cannot be used. Nothing has been started.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A file that was named is not there.
    #[error("the settings file {0} is not there")]
    NoFile(PathBuf),
    /// A key is unknown, or a value has the wrong type; the text names the key and where it comes from.
    #[error("{0}")]
    Invalid(Box<figment::Error>),
    /// Two settings do not fit each other.
    #[error("{0}")]
    Contradiction(String),
}

impl Settings {
    /// Reads the file, the variables and the flags.
    pub fn load(global: &GlobalArgs, process: Option<&ProcessArgs>) -> Result<Self, SettingsError> {
        let mut figment = Figment::from(Serialized::defaults(Self::default()));
        if let Some(file) = &global.config {
            if !file.is_file() {
                return Err(SettingsError::NoFile(file.clone()));
            }
            figment = figment.merge(Toml::file_exact(file));
        }
        // `LANDBRIDGE_LOADER__LINGER=20ms` is `linger` in `[loader]`. The other variables are read by the command line.
        let read_as_flags = ["config", "nats", "output", "state_dir", "log"];
        let variables = Env::prefixed("LANDBRIDGE_")
            .filter(move |key| {
                !read_as_flags
                    .iter()
                    .any(|flag| key.as_str().eq_ignore_ascii_case(flag))
            })
            .filter(|key| key.as_str().contains("__") || FLAT.iter().any(|flat| key == flat))
            .split("__");
        figment = figment.merge(variables);
        let mut settings: Self = figment
            .extract()
            .map_err(|error| SettingsError::Invalid(Box::new(error)))?;
        settings.take_flags(global, process);
        settings.check()?;
        Ok(settings)
    }

    fn take_flags(&mut self, global: &GlobalArgs, process: Option<&ProcessArgs>) {
        if let Some(url) = &global.nats {
            self.bus.url = Some(url.clone());
        }
        let Some(process) = process else { return };
        if let Some(folder) = &process.state_dir {
            self.state_dir = folder.clone();
        }
        if process.health.is_some() {
            self.health = process.health;
        }
    }

    fn check(&self) -> Result<(), SettingsError> {
        for (name, longest) in [
            ("process.call_timeout", self.process.call_timeout),
            ("control.alert_timeout", self.control.alert_timeout),
        ] {
            if longest + self.bus.lease_ttl / 3 >= self.bus.lease_ttl {
                return Err(SettingsError::Contradiction(format!(
                    "{name} ({}) must be shorter than two thirds of bus.lease_ttl ({}): a call must end before the \
                     lease under which it was sent can, and none is sent that could not",
                    humantime_text(longest),
                    humantime_text(self.bus.lease_ttl),
                )));
            }
        }
        if !(1..=500).contains(&self.extractor.batch_rows) {
            return Err(SettingsError::Contradiction(
                "extractor.batch_rows must be 1 to 500".to_owned(),
            ));
        }
        if let Some(missing) = self.earlier_keys_dirs.iter().find(|folder| !folder.is_dir()) {
            return Err(SettingsError::Contradiction(format!(
                "earlier_keys_dirs names {}, which is no folder here",
                missing.display()
            )));
        }
        if self.bus.shards == 0 {
            return Err(SettingsError::Contradiction(
                "bus.shards must be at least 1".to_owned(),
            ));
        }
        Ok(())
    }

    /// How the extractor reads.
    pub fn extractor(&self) -> ExtractorSettings {
        ExtractorSettings {
            poll_interval: self.extractor.poll_interval,
            lag: self.extractor.lag,
            overlap: self.extractor.overlap,
            settle_interval: self.extractor.settle_interval,
            reconcile_interval: self.extractor.reconcile_interval,
            describe_interval: self.extractor.describe_interval,
            formula_interval: self.extractor.formula_interval,
            batch_rows: self.extractor.batch_rows,
            page_rows: self.extractor.page_rows,
            parallel_pages: self.extractor.parallel_pages,
            bulk_from: self.extractor.bulk_from,
            call_timeout: self.process.call_timeout,
            stream: StreamSettings {
                enabled: self.extractor.change_events,
                address: self.extractor.pubsub_url.clone(),
                poll_interval: self.extractor.poll_interval_streaming,
                ..StreamSettings::default()
            },
            ..ExtractorSettings::default()
        }
    }

    /// How the loader writes.
    pub fn loader(&self) -> LoaderSettings {
        LoaderSettings {
            linger: self.loader.linger,
            call_timeout: self.process.call_timeout,
            ..LoaderSettings::default()
        }
    }

    /// Where a stage keeps its cache.
    pub fn cache_dir(&self, stage: StageKind) -> PathBuf {
        self.state_dir.join(stage.as_str())
    }

    /// The file with a stage's private key.
    pub fn key_file(&self, stage: StageKind) -> PathBuf {
        let folder = self
            .keys_dir
            .clone()
            .unwrap_or_else(|| self.state_dir.join("keys"));
        folder.join(key_file_name(stage))
    }

    /// The files that may hold a stage's earlier private keys.
    pub fn earlier_key_files(&self, stage: StageKind) -> Vec<PathBuf> {
        let folders = self.earlier_keys_dirs.iter();
        folders.map(|folder| folder.join(key_file_name(stage))).collect()
    }
}

fn key_file_name(stage: StageKind) -> String {
    format!("{stage}.key")
}

/// Variables without a section.
const FLAT: [&str; 3] = ["keys_dir", "earlier_keys_dirs", "health"];

fn humantime_text(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f32())
}

fn default_state_dir() -> PathBuf {
    let home = || std::env::var_os("HOME").map(PathBuf::from);
    let base = std::env::var_os("XDG_STATE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| home().map(|home| home.join(".local/state")));
    base.unwrap_or_else(|| Path::new(".").to_path_buf())
        .join("landbridge")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The documented file shows every key with its default: a change of one without the other is found here.
    #[test]
    fn the_documented_settings_are_the_defaults() {
        let documented: toml::Value =
            toml::from_str(include_str!("../../../deploy/landbridge.toml")).unwrap();
        let defaults = toml::Value::try_from(Settings::default()).unwrap();
        let (documented, defaults) = (documented.as_table().unwrap(), defaults.as_table().unwrap());
        for (section, value) in defaults.iter().filter(|(section, _)| *section != "state_dir") {
            assert_eq!(documented.get(section), Some(value), "[{section}] differs");
        }
        for section in documented.keys() {
            assert!(
                defaults.contains_key(section),
                "{section} is documented and is no setting"
            );
        }
    }

    #[test]
    fn a_folder_of_earlier_keys_must_be_there() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings {
            earlier_keys_dirs: vec![folder.path().to_owned()],
            ..Settings::default()
        };
        assert!(settings.check().is_ok());
        settings.earlier_keys_dirs.push(folder.path().join("mistyped"));
        assert!(settings.check().unwrap_err().to_string().contains("mistyped"));
    }

    #[test]
    fn a_call_must_end_before_its_lease() {
        let mut settings = Settings::default();
        assert!(settings.check().is_ok());
        settings.process.call_timeout = settings.bus.lease_ttl;
        assert!(settings.check().unwrap_err().to_string().contains("lease_ttl"));
        // No alert would ever be sent.
        let mut settings = Settings::default();
        settings.control.alert_timeout = settings.bus.lease_ttl;
        assert!(
            settings
                .check()
                .unwrap_err()
                .to_string()
                .contains("alert_timeout")
        );
    }
}
