//! Settings of the bus: where the server is, how to log in, and what the streams look like.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A text that never shows: `Debug`, `Display` and serialization give `[redacted]`.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself. Call it where it is sent, and nowhere else.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("[redacted]")
    }
}

/// `[bus]`: the NATS server and what Landbridge keeps on it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BusConfig {
    /// URL of an external server, `nats://host:4222` or `tls://host:4222`, several separated by commas. Without it a
    /// server is started as a child process.
    pub url: Option<String>,
    /// A `.creds` file (JWT and seed), for servers with decentralised accounts.
    pub credentials_file: Option<PathBuf>,
    /// User name, with `password`.
    pub user: Option<String>,
    /// Password of `user`.
    pub password: Option<Secret>,
    /// Token, for servers with token authentication.
    pub token: Option<Secret>,
    /// TLS towards an external server.
    pub tls: TlsConfig,
    /// How long to keep trying until the server answers at start.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// The `nats-server` binary to start, instead of the one on PATH or the packaged one.
    pub server_binary: Option<PathBuf>,
    /// Port of the child server on the loopback interface; a free one without it.
    pub server_port: Option<u16>,
    /// Whether the child server syncs every message to disk before it acknowledges it. Without it a crash of the
    /// whole machine (not of a process) can lose the last two minutes.
    pub server_sync_always: bool,
    /// Copies of every stream: 1 on a single server, 3 on a cluster.
    pub replicas: usize,
    /// Into how many shards the tenants are sliced. Fixed at the first start.
    pub shards: u16,
    /// Messages that one tenant may have in one lane before its publisher waits.
    pub lane_capacity: u32,
    /// Whether messages in queues carry ids by which the server drops repeats. It only saves work.
    pub deduplication: bool,
    /// How long the server remembers message ids.
    #[serde(with = "humantime_serde")]
    pub duplicate_window: Duration,
    /// How long outcomes are kept: longer than any unfinished import.
    #[serde(with = "humantime_serde")]
    pub outcomes_max_age: Duration,
    /// How long an import can be undone that kept what was there before: so long its before-images are kept, and what
    /// its undo left as it is.
    #[serde(with = "humantime_serde")]
    pub before_max_age: Duration,
    /// How long the audit log is kept.
    #[serde(with = "humantime_serde")]
    pub audit_max_age: Duration,
    /// Change existing streams where these settings differ from what the server has, instead of refusing to start.
    pub reconfigure: bool,
    /// How long a lease of a shard lasts without renewal, in whole seconds. The longest outside call must fit in.
    #[serde(with = "humantime_serde")]
    pub lease_ttl: Duration,
}

impl Default for BusConfig {
    fn default() -> Self {
        Self {
            url: None,
            credentials_file: None,
            user: None,
            password: None,
            token: None,
            tls: TlsConfig::default(),
            connect_timeout: Duration::from_secs(30),
            server_binary: None,
            server_port: None,
            server_sync_always: false,
            replicas: 1,
            shards: 16,
            lane_capacity: 16,
            deduplication: true,
            duplicate_window: Duration::from_secs(120),
            outcomes_max_age: Duration::from_secs(30 * 24 * 3600),
            before_max_age: Duration::from_secs(14 * 24 * 3600),
            audit_max_age: Duration::from_secs(31_557_600),
            reconfigure: false,
            lease_ttl: Duration::from_secs(90),
        }
    }
}

/// `[bus.tls]`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsConfig {
    /// PEM file of the authority that signed the server's certificate, if it is not a public one.
    pub ca: Option<PathBuf>,
    /// PEM file of the client's certificate, with `key`.
    pub cert: Option<PathBuf>,
    /// PEM file of the client's private key.
    pub key: Option<PathBuf>,
    /// Refuse to talk to a server without TLS.
    pub required: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_never_show() {
        let config = BusConfig {
            password: Some(Secret::new("hunter2")),
            ..BusConfig::default()
        };
        assert!(!format!("{config:?}").contains("hunter2"));
        assert!(!serde_json::to_string(&config).unwrap().contains("hunter2"));
    }

    #[test]
    fn an_unknown_key_is_refused() {
        assert!(serde_json::from_str::<BusConfig>(r#"{"replica": 3}"#).is_err());
        let config: BusConfig = serde_json::from_str(r#"{"replicas": 3, "lease_ttl": "20s"}"#).unwrap();
        assert_eq!((config.replicas, config.lease_ttl), (3, Duration::from_secs(20)));
    }
}
