//! An installation of separate processes, a sandbox, and the operator's command line.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use landbridge_bus::server::{LocalServer, LocalServerOptions};
use landbridge_bus::{Bus, BusConfig};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// How long a state may take to come about before a test gives up. Generous: CI machines are small and busy.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// The binary under test.
pub fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_landbridge"));
    command.env("RUST_BACKTRACE", "1");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LANDBRIDGE_")) {
        command.env_remove(name);
    }
    command
}

/// The repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Waits until `look` finds something. Panics with `what` after [`PATIENCE`].
#[track_caller]
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::park_timeout(Duration::from_millis(100));
    }
}

/// A process of ours that does not outlive its test.
pub struct Process {
    pub name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    fn start(name: &str, mut command: Command, folder: &Path) -> Self {
        let log = folder.join(format!("{name}.log"));
        let file = std::fs::File::create(&log).unwrap();
        let child = command.stderr(file).stdin(Stdio::null()).spawn().unwrap();
        Self {
            name: name.to_owned(),
            child,
            log,
        }
    }

    /// Ends it without a chance to put anything down.
    pub fn kill_hard(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end, and gives its exit code.
    pub fn terminate(mut self) -> Option<i32> {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        kill(pid, Signal::SIGTERM).unwrap();
        wait_for(&format!("the end of {} after SIGTERM", self.name), || {
            self.child.try_wait().unwrap()
        })
        .code()
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let from = log.len().saturating_sub(4_000);
            let tail = String::from_utf8_lossy(&log.as_bytes()[from..]).into_owned();
            eprintln!("---- end of the log of {}\n{tail}", self.name);
        }
    }
}

/// A sandbox in a process of its own.
pub struct Sandbox {
    _process: Process,
    /// What it printed with `--json`.
    pub access: Value,
    http: reqwest::Client,
    runtime: tokio::runtime::Runtime,
    salesforce_token: String,
}

impl Sandbox {
    /// Starts one with further arguments.
    pub fn start(folder: &Path, arguments: &[&str]) -> Self {
        install_tls();
        let mut command = binary();
        command
            .args(["sandbox", "--json"])
            .args(arguments)
            .stdout(Stdio::piped());
        let mut process = Process::start("sandbox", command, folder);
        let mut line = String::new();
        let stdout = process.child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let access: Value = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("the sandbox printed {line:?}: {error}\n{}", process.log()));
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(20))
            .build()
            .unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let mut sandbox = Self {
            _process: process,
            access,
            http,
            runtime,
            salesforce_token: String::new(),
        };
        sandbox.sign_in();
        sandbox
    }

    /// Signs in to the org, again if its sessions were ended.
    pub fn sign_in(&mut self) {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", self.text("/salesforce/client_id")),
            ("client_secret", self.text("/salesforce/client_secret")),
        ];
        let url = format!("{}/services/oauth2/token", self.text("/salesforce/login_url"));
        let answer: Value = self
            .runtime
            .block_on(async { self.http.post(url).form(&form).send().await?.json().await })
            .expect("the org answers the sign-in");
        self.salesforce_token = answer["access_token"].as_str().expect("a token").to_owned();
    }

    /// A text of what it announced, by JSON pointer.
    pub fn text(&self, pointer: &str) -> &str {
        self.access
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("no {pointer}"))
    }

    /// A call to the org's REST API; `path` begins behind the version.
    pub fn salesforce(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let url = format!(
            "{}/services/data/v66.0{path}",
            self.text("/salesforce/instance_url")
        );
        self.call(method, &url, &self.salesforce_token, body)
    }

    /// Sets what no real org lets be set, such as its clock.
    pub fn set_up_org(&self, settings: Value) {
        self.org_backdoor("settings", settings);
    }

    /// Does to the org what no real one lets be done.
    pub fn org_backdoor(&self, what: &str, body: Value) {
        let url = format!("{}/__sandbox/{what}", self.text("/salesforce/instance_url"));
        self.call("POST", &url, &self.salesforce_token, Some(body));
    }

    /// What the org tells of itself that no real one does.
    pub fn org_state(&self, what: &str) -> Value {
        let url = format!("{}/__sandbox/{what}", self.text("/salesforce/instance_url"));
        self.call("GET", &url, &self.salesforce_token, None)
    }

    /// Ends what goes wrong on either side.
    pub fn clear_faults(&self) {
        for (base, token) in [
            ("/salesforce/instance_url", self.salesforce_token.as_str()),
            ("/hubspot/base_url", self.text("/hubspot/token")),
        ] {
            let url = format!("{}/__sandbox/faults", self.text(base));
            self.call("DELETE", &url, token, None);
        }
    }

    /// How often the org was asked for a family of calls.
    pub fn asked_for(&self, family: &str) -> u64 {
        let counts = self.org_state("stats");
        counts["by_family"][family].as_u64().unwrap_or(0)
    }

    /// A call to the portal.
    pub fn hubspot(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let url = format!("{}{path}", self.text("/hubspot/base_url"));
        self.call(method, &url, self.text("/hubspot/token"), body)
    }

    /// A call to the portal that it may refuse.
    pub fn try_hubspot(&self, method: &str, path: &str, body: Option<Value>) -> Option<Value> {
        let url = format!("{}{path}", self.text("/hubspot/base_url"));
        self.try_call(method, &url, self.text("/hubspot/token"), body)
            .ok()
    }

    /// A portal with real limits makes also its own people wait.
    fn call(&self, method: &str, url: &str, token: &str, body: Option<Value>) -> Value {
        wait_for("a call to be let through", || {
            match self.try_call(method, url, token, body.clone()) {
                Ok(answer) => Some(answer),
                Err(refusal) if refusal.starts_with("429") => None,
                Err(refusal) => panic!("{url}: {refusal}"),
            }
        })
    }

    fn try_call(&self, method: &str, url: &str, token: &str, body: Option<Value>) -> Result<Value, String> {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.http.request(method, url).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let (status, text) = self
            .runtime
            .block_on(async {
                let response = request.send().await?;
                Ok::<_, reqwest::Error>((response.status(), response.text().await?))
            })
            .expect("the sandbox answers");
        if !status.is_success() {
            return Err(format!("{status} {text}"));
        }
        Ok(if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).unwrap()
        })
    }

    /// The rows of a query.
    pub fn query(&self, soql: &str) -> Vec<Value> {
        let query: String = url_encode(soql);
        let answer = self.salesforce("GET", &format!("/query?q={query}"), None);
        answer["records"].as_array().unwrap().clone()
    }

    /// The object type id of a custom object type by its short name: a new one shows in the portal's list after a while.
    pub fn object_type(&self, name: &str) -> String {
        wait_for(&format!("the object type {name} to show"), || {
            let schemas = self.hubspot("GET", "/crm-object-schemas/2026-09/schemas", None);
            let listed = schemas["results"].as_array()?;
            let found = listed.iter().find(|schema| schema["name"] == name)?;
            Some(found["objectTypeId"].as_str()?.to_owned())
        })
    }

    /// A HubSpot record by its Salesforce id, with these properties.
    pub fn record(&self, object_type: &str, id: &str, properties: &[&str]) -> Option<Value> {
        let body = serde_json::json!({
            "idProperty": "salesforce_id", "properties": properties, "inputs": [{ "id": id }],
        });
        let path = format!("/crm/objects/2026-09/{object_type}/batch/read");
        let answer = self.hubspot("POST", &path, Some(body));
        answer["results"].as_array().unwrap().first().cloned()
    }
}

fn url_encode(text: &str) -> String {
    text.bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

/// reqwest wants a TLS provider even for plain HTTP.
pub fn install_tls() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        rustls::crypto::ring::default_provider()
            .install_default()
            .expect("no other provider is installed");
    });
}

/// A bus and workers, each in a process and a folder of its own.
pub struct Installation {
    folder: tempfile::TempDir,
    server: Option<LocalServer>,
    runtime: tokio::runtime::Runtime,
    processes: Vec<Process>,
    extra: Vec<(String, String)>,
}

impl Installation {
    /// A bus, and nothing else yet.
    pub fn new() -> Self {
        install_tls();
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let options = LocalServerOptions {
            store: Some(folder.path().join("nats")),
            ..Default::default()
        };
        let server = runtime.block_on(LocalServer::start(options)).unwrap();
        Self {
            folder,
            server: Some(server),
            runtime,
            processes: Vec::new(),
            extra: Vec::new(),
        }
    }

    /// With one worker of each kind.
    pub fn whole() -> Self {
        let mut installation = Self::new();
        for stage in STAGES {
            installation.start(stage, stage);
        }
        installation.wait_until_ready();
        installation
    }

    /// With everything in one process.
    pub fn up() -> Self {
        let mut installation = Self::new();
        installation.start("everything", "up");
        installation.wait_until_ready();
        installation
    }

    /// A `LANDBRIDGE_*` variable for every process started from now on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.extra.push((name.to_owned(), value.to_owned()));
    }

    /// Where tests may put files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self) -> Command {
        let mut command = binary();
        let url = self
            .server
            .as_ref()
            .expect("the server runs until the end")
            .url()
            .to_owned();
        command.env("LANDBRIDGE_NATS", url);
        // Quick, so that tests are: the same code with shorter waits.
        for (name, value) in [
            ("LANDBRIDGE_BUS__LEASE_TTL", "6s"),
            ("LANDBRIDGE_PROCESS__CALL_TIMEOUT", "3s"),
            ("LANDBRIDGE_CONTROL__ALERT_TIMEOUT", "3s"),
            // The sandbox and the receivers of webhooks are on this machine.
            ("LANDBRIDGE_CONTROL__ALLOW_PRIVATE_ADDRESSES", "true"),
            ("LANDBRIDGE_EXTRACTOR__POLL_INTERVAL", "500ms"),
            ("LANDBRIDGE_EXTRACTOR__LAG", "1s"),
            (
                "LANDBRIDGE_KEYS_DIR",
                self.folder.path().join("keys").to_str().unwrap(),
            ),
        ] {
            command.env(name, value);
        }
        for (name, value) in &self.extra {
            command.env(name, value);
        }
        command
    }

    /// Starts one process with a state folder of its own; `name` names both.
    pub fn start(&mut self, name: &str, stage: &str) {
        let mut command = self.command();
        match stage {
            "control" | "up" => command.arg(stage),
            stage => command.args(["worker", stage]),
        };
        command.args(["--health", "127.0.0.1:0"]);
        command.env("LANDBRIDGE_STATE_DIR", self.folder.path().join(name));
        let process = Process::start(name, command, self.folder.path());
        self.processes.push(process);
    }

    /// Whether a process was started, and not taken out again.
    pub fn runs(&self, name: &str) -> bool {
        self.processes.iter().any(|process| process.name == name)
    }

    /// Takes a process out, to end it.
    pub fn take(&mut self, name: &str) -> Process {
        let at = self
            .processes
            .iter()
            .position(|process| process.name == name)
            .expect("it runs");
        self.processes.remove(at)
    }

    /// Waits until every process says on `/readyz` that it works on all that it should.
    pub fn wait_until_ready(&self) {
        for process in &self.processes {
            let address = wait_for("the address of a health endpoint", || {
                health_address(&process.log())
            });
            wait_for(&format!("{} to be ready", process.name), || {
                self.runtime.block_on(is_ready(&address)).then_some(())
            });
        }
    }

    /// Looks at the bus itself.
    pub fn on_the_bus<T>(&self, look: impl AsyncFnOnce(Bus) -> T) -> T {
        let server = self.server.as_ref().expect("the server runs until the end");
        self.runtime.block_on(async {
            let config = BusConfig::default();
            let bus = Bus::open(&config, server.url(), "test").await.unwrap();
            look(bus).await
        })
    }

    /// Runs an operator's command.
    pub fn try_cli(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().unwrap()
    }

    /// Where control's API is served.
    pub fn control_address(&self) -> String {
        wait_for("the address of control", || {
            let control = self.processes.iter().find(|process| process.name == "control")?;
            address_in(&control.log(), "control is served")
        })
    }

    /// An operator's command over control's API, with nothing but a token.
    pub fn remote(&self, token: &str, arguments: &[&str]) -> Output {
        binary()
            .args(["--server", &format!("http://{}", self.control_address())])
            .args(arguments)
            .env("LANDBRIDGE_TOKEN", token)
            .env("LANDBRIDGE_STATE_DIR", self.folder.path().join("nothing"))
            .output()
            .unwrap()
    }

    /// Runs an operator's command that must succeed, and reads its JSON.
    #[track_caller]
    pub fn cli(&self, arguments: &[&str]) -> Value {
        let output = self.try_cli(&[&["--output", "json"], arguments].concat());
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(
            output.status.success(),
            "{arguments:?} ended with {:?}\n{out}\n{err}",
            output.status.code()
        );
        serde_json::from_str(&out).unwrap_or(Value::String(out))
    }

    /// Adds a user who signs in with a password.
    pub fn add_user(&self, name: &str, password: &str, grants: &[&str]) {
        let mut command = self.command();
        command.args(["user", "add", name]).args(grants);
        let output = command
            .env("LANDBRIDGE_USER_PASSWORD", password)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
    }

    /// Adds a tenant over a sandbox.
    pub fn add_tenant(&self, tenant: &str, sandbox: &Sandbox) {
        self.tenant_add(
            &[
                tenant,
                "--salesforce-login-url",
                sandbox.text("/salesforce/login_url"),
                "--client-id",
                sandbox.text("/salesforce/client_id"),
                "--hubspot-url",
                sandbox.text("/hubspot/base_url"),
            ],
            &[
                (
                    "LANDBRIDGE_SALESFORCE_CLIENT_SECRET",
                    sandbox.text("/salesforce/client_secret"),
                ),
                ("LANDBRIDGE_HUBSPOT_TOKEN", sandbox.text("/hubspot/token")),
            ],
        );
    }

    /// `tenant add`, which also tries both connections, with these secrets as variables.
    pub fn tenant_add(&self, arguments: &[&str], secrets: &[(&str, &str)]) {
        let output = self
            .command()
            .args(["tenant", "add"])
            .args(arguments)
            .envs(secrets.iter().copied())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}{}",
            text(&output.stdout),
            text(&output.stderr)
        );
    }
}

/// Somebody who is signed in to the console.
pub struct Browser {
    http: reqwest::Client,
    runtime: tokio::runtime::Runtime,
    address: String,
    cookie: String,
    csrf: String,
}

impl Browser {
    /// Signs in with a password.
    pub fn sign_in(installation: &Installation, user: &str, password: &str) -> Self {
        let http = reqwest::Client::builder()
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let mut browser = Self {
            http,
            runtime: tokio::runtime::Runtime::new().unwrap(),
            address: installation.control_address(),
            cookie: String::new(),
            csrf: String::new(),
        };
        let url = format!("http://{}/api/v1/sessions", browser.address);
        let body = serde_json::json!({ "user": user, "password": password });
        let answered = browser.runtime.block_on(async {
            let response = browser.http.post(url).json(&body).send().await?;
            let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
            Ok::<_, reqwest::Error>((cookie, response.json::<Value>().await?))
        });
        let (cookie, answer) = answered.expect("control signs them in");
        cookie
            .split(';')
            .next()
            .unwrap_or_default()
            .clone_into(&mut browser.cookie);
        answer["csrf_token"]
            .as_str()
            .expect("a token")
            .clone_into(&mut browser.csrf);
        browser
    }

    /// The same session at a control that was started since.
    pub fn over(self, installation: &Installation) -> Self {
        Self {
            address: installation.control_address(),
            ..self
        }
    }

    /// A page.
    #[track_caller]
    pub fn get(&self, path: &str) -> String {
        let url = format!("http://{}{path}", self.address);
        let request = self.http.get(url).header("cookie", &self.cookie);
        self.page(request, path)
    }

    /// What a field of a page's form holds.
    #[track_caller]
    pub fn field(&self, path: &str, name: &str) -> String {
        let page = self.get(path);
        let found = page.split_once(&format!("name=\"{name}\" value=\""));
        let (_, rest) = found.unwrap_or_else(|| panic!("{path} has no field {name}: {page}"));
        rest.split('"').next().unwrap_or_default().to_owned()
    }

    /// Sends a form.
    #[track_caller]
    pub fn post(&self, path: &str, fields: &[(&str, &str)]) {
        let mut form = vec![("csrf", self.csrf.as_str())];
        form.extend_from_slice(fields);
        let url = format!("http://{}{path}", self.address);
        let request = self.http.post(url).header("cookie", &self.cookie).form(&form);
        self.page(request, path);
    }

    #[track_caller]
    fn page(&self, request: reqwest::RequestBuilder, path: &str) -> String {
        let answered = self.runtime.block_on(async {
            let response = request.send().await?;
            Ok::<_, reqwest::Error>((response.status(), response.text().await?))
        });
        let (status, text) = answered.expect("control answers");
        assert!(
            status.is_success() || status.is_redirection(),
            "{path}: {status} {text}"
        );
        text
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        self.processes.clear();
        if std::thread::panicking() && std::env::var_os("LANDBRIDGE_KEEP_FAILED").is_some() {
            self.folder.disable_cleanup(true);
            eprintln!("---- kept for a look: {}", self.folder.path().display());
        }
        if let Some(server) = self.server.take() {
            self.runtime.block_on(server.stop());
        }
    }
}

/// Logs are JSON where there is no terminal; the line that names the address is the only one of its kind.
fn health_address(log: &str) -> Option<String> {
    address_in(log, "health is served")
}

fn address_in(log: &str, words: &str) -> Option<String> {
    let line = log.lines().find(|line| line.contains(words))?;
    let record: Value = serde_json::from_str(line).ok()?;
    let address = record
        .pointer("/fields/address")
        .or_else(|| record.get("address"))?;
    address.as_str().map(str::to_owned)
}

async fn is_ready(address: &str) -> bool {
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(5))
        .build()
        .unwrap();
    let answer = client.get(format!("http://{address}/readyz")).send().await;
    answer.is_ok_and(|answer| answer.status().is_success())
}

/// Every kind of process.
pub const STAGES: [&str; 5] = ["control", "loader", "resolver", "mapper", "extractor"];

/// Bytes as text.
pub fn text(bytes: &[u8]) -> String {
    let mut text = String::new();
    let mut rest = bytes;
    rest.read_to_string(&mut text).unwrap();
    text
}
