//! The handle: one connection to a server that has been checked, and everything that hangs on it.

use std::sync::Arc;
use std::time::Duration;

use async_nats::ConnectOptions;
use async_nats::jetstream::stream::Config;
use serde::Deserialize;
use tracing::{debug, info, warn};

use crate::api::Api;
use crate::config::BusConfig;
use crate::error::{Error, STREAM_NOT_FOUND};
use crate::kv::{Key, Kv, KvError};
use crate::server::{MINIMUM_VERSION, Version};
use crate::streams::{self, Bucket, Installation, Mismatch};
use crate::telemetry::Metrics;

/// Why the bus cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// No server answers.
    #[error(
        "no NATS server answers at {url}; is it running, and are address, credentials and TLS settings right?"
    )]
    Connect {
        /// Where it was looked for (without credentials).
        url: String,
        /// The last refusal.
        source: async_nats::ConnectError,
    },
    /// A file of credentials or a client certificate cannot be read.
    #[error("the file {path} cannot be read")]
    File {
        /// The file.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The server is too old.
    #[error("the NATS server at {url} is version {found}; {minimum} or newer is needed", minimum = MINIMUM_VERSION)]
    Version {
        /// The server.
        url: String,
        /// What it says it is.
        found: String,
    },
    /// The server runs without JetStream, or this account may not use it.
    #[error(
        "the NATS server at {url} offers no JetStream to this account; start it with `jetstream {{}}` in its configuration"
    )]
    NoJetStream {
        /// The server.
        url: String,
        /// What it said.
        source: Error,
    },
    /// The server answers, and its JetStream does not.
    #[error("JetStream at {url} does not answer; is the server overloaded, or its cluster without a leader?")]
    Silent {
        /// The server.
        url: String,
        /// What was waited for.
        source: Error,
    },
    /// Existing streams are set otherwise.
    #[error("existing streams are set otherwise than configured: {}; change the `bus` settings to what is there, or set `bus.reconfigure = true` to change the streams (retention and storage cannot be changed)", list(.0))]
    Mismatch(Vec<Mismatch>),
    /// The shard count is fixed at first start.
    #[error(
        "this installation was started with {found} shards and cannot change: `bus.shards` says {configured}"
    )]
    Shards {
        /// What the installation was started with.
        found: u16,
        /// What the settings say now.
        configured: u16,
    },
    /// The installation was made by a newer version.
    #[error("this installation has layout {0}, which a newer version made; use that version")]
    Layout(u32),
    /// The installation's own record is unreadable or cannot be written.
    #[error("the installation's record in lb_config cannot be used")]
    Installation(#[source] KvError),
    /// Anything else the server refused.
    #[error("the streams cannot be set up")]
    Setup(#[from] Error),
}

fn list(mismatches: &[Mismatch]) -> String {
    mismatches
        .iter()
        .map(Mismatch::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

/// The bus. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Bus {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) api: Api,
    pub(crate) config: BusConfig,
    pub(crate) metrics: Metrics,
}

impl Bus {
    /// Connects, checks the server's version, creates or verifies the streams and buckets, and checks that this is
    /// the installation that the settings mean. `name` shows in the server's list of connections.
    pub async fn open(config: &BusConfig, url: &str, name: &str) -> Result<Self, OpenError> {
        let client = connect(config, url, name).await?;
        let found = client.server_info().version;
        if Version::parse(&found).is_none_or(|version| version < MINIMUM_VERSION) {
            return Err(OpenError::Version {
                url: without_credentials(url),
                found,
            });
        }
        let bus = Self {
            inner: Arc::new(Inner {
                api: Api::new(client),
                config: config.clone(),
                metrics: Metrics::new(),
            }),
        };
        bus.wait_for_jetstream(url).await?;
        bus.ensure_streams().await?;
        bus.ensure_installation().await?;
        info!(
            url = without_credentials(url),
            server = found,
            "connected to the bus"
        );
        Ok(bus)
    }

    /// JetStream says at once that it is not there; a server that has just started, is busy, or elects a leader says
    /// nothing for a while.
    async fn wait_for_jetstream(&self, url: &str) -> Result<(), OpenError> {
        let started = tokio::time::Instant::now();
        loop {
            let asked = self
                .api()
                .call_within::<serde_json::Value>(Duration::from_secs(5), "INFO".to_owned(), &())
                .await;
            let url = without_credentials(url);
            match asked {
                Ok(_) => return Ok(()),
                Err(Error::Timeout) if started.elapsed() < self.inner.config.connect_timeout => {
                    debug!(url, "JetStream does not answer yet");
                }
                Err(source @ Error::Timeout) => return Err(OpenError::Silent { url, source }),
                Err(source) => return Err(OpenError::NoJetStream { url, source }),
            }
        }
    }

    /// Into how many shards this installation slices its tenants.
    pub fn shards(&self) -> u16 {
        self.inner.config.shards
    }

    /// The settings in force.
    pub fn config(&self) -> &BusConfig {
        &self.inner.config
    }

    /// One of the buckets.
    pub fn kv(&self, bucket: Bucket) -> Kv {
        Kv::new(self.clone(), bucket)
    }

    /// The largest payload that one message may have here, in bytes, with room for headers.
    pub fn max_payload(&self) -> usize {
        self.api().client.max_payload().saturating_sub(16 * 1024)
    }

    /// Whether the connection stands at this moment.
    pub fn is_connected(&self) -> bool {
        self.api().client.connection_state() == async_nats::connection::State::Connected
    }

    /// Sends what is still buffered. Call it before the process ends.
    pub async fn flush(&self) -> Result<(), Error> {
        self.api()
            .client
            .flush()
            .await
            .map_err(|e| Error::Closed(Some(e.into())))
    }

    pub(crate) fn api(&self) -> &Api {
        &self.inner.api
    }

    async fn ensure_streams(&self) -> Result<(), OpenError> {
        #[derive(Deserialize)]
        struct Info {
            config: Config,
        }
        let mut mismatches = Vec::new();
        for wanted in streams::all(&self.inner.config) {
            let name = wanted.name.clone();
            let existing = match self.api().call::<Info>(format!("STREAM.INFO.{name}"), &()).await {
                Ok(info) => Some(info.config),
                Err(error) if error.has_code(STREAM_NOT_FOUND) => None,
                Err(error) => return Err(error.into()),
            };
            // Two processes may create the same stream at once: with equal settings both succeed.
            let call = match &existing {
                None => Some("CREATE"),
                Some(found) if streams::mismatches(found, &wanted).is_empty() => None,
                Some(_) if self.inner.config.reconfigure => Some("UPDATE"),
                Some(_) => None,
            };
            let found = match (call, existing) {
                (Some(call), _) => {
                    debug!(stream = name, call, "setting up");
                    self.api()
                        .call::<Info>(format!("STREAM.{call}.{name}"), &wanted)
                        .await?
                        .config
                }
                (None, Some(found)) => self.protected(found, &wanted).await,
                (None, None) => unreachable!("a stream that is missing is created"),
            };
            mismatches.extend(streams::mismatches(&found, &wanted));
        }
        if mismatches.is_empty() {
            Ok(())
        } else {
            Err(OpenError::Mismatch(mismatches))
        }
    }

    /// A stream of an earlier version, with what protects it now: that alone is changed without being asked for, for it
    /// keeps nobody from working with the stream, and the server takes it back for nobody.
    async fn protected(&self, found: Config, wanted: &Config) -> Config {
        let next = Config {
            deny_delete: found.deny_delete || wanted.deny_delete,
            deny_purge: found.deny_purge || wanted.deny_purge,
            ..found.clone()
        };
        if (next.deny_delete, next.deny_purge) == (found.deny_delete, found.deny_purge) {
            return found;
        }
        let call = format!("STREAM.UPDATE.{}", next.name);
        match self.api().call::<serde_json::Value>(call, &next).await {
            Ok(_) => next,
            Err(error) => {
                warn!(stream = found.name, %error, "messages can still be deleted from the stream; it is used as it is");
                found
            }
        }
    }

    async fn ensure_installation(&self) -> Result<(), OpenError> {
        let config = self.kv(Bucket::Config);
        let key = Key::new(["installation"]);
        let ours = Installation {
            layout: Installation::LAYOUT,
            shards: self.inner.config.shards,
        };
        let found = match config.create_json(&key, &ours).await {
            Ok(_) => ours.clone(),
            Err(KvError::Exists) => match config.get_json::<Installation>(&key).await {
                Ok(Some((found, _))) => found,
                Ok(None) => ours.clone(),
                Err(error) => return Err(OpenError::Installation(error)),
            },
            Err(error) => return Err(OpenError::Installation(error)),
        };
        if found.layout > Installation::LAYOUT {
            return Err(OpenError::Layout(found.layout));
        }
        if found.shards != ours.shards {
            return Err(OpenError::Shards {
                found: found.shards,
                configured: ours.shards,
            });
        }
        Ok(())
    }
}

/// Keeps trying until `connect_timeout` is over: server and workers are often started at the same moment.
async fn connect(config: &BusConfig, url: &str, name: &str) -> Result<async_nats::Client, OpenError> {
    let started = tokio::time::Instant::now();
    let mut pause = Duration::from_millis(50);
    loop {
        let options = connect_options(config, name).await?;
        let servers: Vec<String> = url.split(',').map(|part| part.trim().to_owned()).collect();
        match options.connect(servers).await {
            Ok(client) => return Ok(client),
            Err(source) => {
                let last_chance = started.elapsed() + pause >= config.connect_timeout;
                if last_chance || !is_worth_repeating(&source) {
                    return Err(OpenError::Connect {
                        url: without_credentials(url),
                        source,
                    });
                }
                debug!(%source, "the bus does not answer yet");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(2));
            }
        }
    }
}

/// Wrong credentials do not become right by waiting.
fn is_worth_repeating(error: &async_nats::ConnectError) -> bool {
    use async_nats::ConnectErrorKind::{Authentication, AuthorizationViolation, ServerParse, Tls};
    !matches!(
        error.kind(),
        Authentication | AuthorizationViolation | ServerParse | Tls
    )
}

async fn connect_options(config: &BusConfig, name: &str) -> Result<ConnectOptions, OpenError> {
    let mut options = ConnectOptions::new()
        .name(name)
        .connection_timeout(Duration::from_secs(5))
        .ping_interval(Duration::from_secs(10))
        .subscription_capacity(64 * 1024)
        .event_callback(|event| async move {
            match event {
                async_nats::Event::Connected => debug!("connected to the bus"),
                async_nats::Event::SlowConsumer(id) => {
                    warn!(id, "a subscription is too slow; messages were lost")
                }
                event => info!(%event, "bus connection"),
            }
        });
    if let (Some(user), Some(password)) = (&config.user, &config.password) {
        options = options.user_and_password(user.clone(), password.reveal().to_owned());
    }
    if let Some(token) = &config.token {
        options = options.token(token.reveal().to_owned());
    }
    if let Some(path) = &config.credentials_file {
        options = options
            .credentials_file(path)
            .await
            .map_err(|source| OpenError::File {
                path: path.display().to_string(),
                source,
            })?;
    }
    if let Some(ca) = &config.tls.ca {
        options = options.add_root_certificates(ca.clone());
    }
    if let (Some(cert), Some(key)) = (&config.tls.cert, &config.tls.key) {
        options = options.add_client_certificate(cert.clone(), key.clone());
    }
    if config.tls.required || config.tls.ca.is_some() || config.tls.cert.is_some() {
        options = options.require_tls(true);
    }
    Ok(options)
}

/// A URL may carry `user:password@`: it must not reach a log.
fn without_credentials(url: &str) -> String {
    url.split(',')
        .map(|part| match part.trim().rsplit_once('@') {
            Some((head, host)) => match head.split_once("://") {
                Some((scheme, _)) => format!("{scheme}://{host}"),
                None => host.to_owned(),
            },
            None => part.trim().to_owned(),
        })
        .collect::<Vec<_>>()
        .join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_in_a_url_never_show() {
        for (url, shown) in [
            ("nats://127.0.0.1:4222", "nats://127.0.0.1:4222"),
            ("nats://me:secret@bus:4222", "nats://bus:4222"),
            ("tls://t0ken@a:1, tls://t0ken@b:2", "tls://a:1,tls://b:2"),
            ("me:secret@bus", "bus"),
        ] {
            assert_eq!(without_credentials(url), shown);
        }
    }
}
