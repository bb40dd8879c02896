//! The operator's commands. Each asks control of a running installation, over the bus or over its REST API.

mod access;
mod alerts;
mod connection;
mod explain;
mod failures;
mod held;
mod import;
mod keys;
mod noted;
mod remote;
mod secret;
mod status;
mod sync;
mod tenant;
mod verify;
mod watch;

use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use landbridge_bus::Bus;
use landbridge_control::Service;
use landbridge_control::service::{Caller, SyncView, TenantView};
use landbridge_model::ask::Question;
use landbridge_model::config::Tenant;
use landbridge_model::{StageKind, TenantId};
use landbridge_stage::{ConfigView, Hub};

use crate::cli::{GlobalArgs, OperatorCommand, OutputFormat, SyncCommand, TenantArg, UserCommand};
use crate::output::{CommandError, Exit};
use crate::settings::Settings;
use remote::Remote;

/// How long control may think about an ordinary question.
const PATIENCE: Duration = Duration::from_secs(30);
/// Questions that look into Salesforce and HubSpot, or create something there.
pub(crate) const LONG_PATIENCE: Duration = Duration::from_secs(300);
/// A person waits: a bus that is not there is told soon.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What every command works with.
pub struct Context {
    /// What is asked.
    pub installation: Installation,
    /// How lists and statuses are printed.
    pub output: OutputFormat,
}

/// How a running installation is asked.
pub enum Installation {
    /// Over its bus, as whoever has that in hand.
    Bus {
        /// The bus, typed.
        hub: Hub,
        /// Tenants, syncs, imports.
        config: ConfigView,
        /// Users and tokens.
        service: Service,
    },
    /// Over its REST API, as whoever the token says.
    Server(Remote),
}

impl Context {
    /// Asks control about a tenant.
    pub async fn ask<Q: Question>(&self, tenant: &TenantId, question: &Q) -> Result<Q::Answer, CommandError> {
        self.ask_patiently(tenant, question, PATIENCE).await
    }

    /// Asks control what may take a while.
    pub async fn ask_patiently<Q: Question>(
        &self,
        tenant: &TenantId,
        question: &Q,
        patience: Duration,
    ) -> Result<Q::Answer, CommandError> {
        match &self.installation {
            Installation::Bus { hub, service, .. } => {
                let asked = hub.ask(StageKind::Control, tenant, question, patience);
                match noted::of(tenant, question) {
                    Some((action, subject)) => {
                        let named = (action.as_str(), subject.as_str());
                        Ok(service.noted(&local(), tenant, named, asked).await?)
                    }
                    None => Ok(asked.await?),
                }
            }
            Installation::Server(remote) => remote.ask(tenant, question).await,
        }
    }

    /// The tenants that there are.
    pub async fn tenants(&self) -> Result<Vec<Tenant>, CommandError> {
        match &self.installation {
            Installation::Bus { config, .. } => {
                Ok(config.tenants().iter().map(|tenant| (**tenant).clone()).collect())
            }
            Installation::Server(remote) => {
                let views: Vec<TenantView> = remote.all(&["tenants"], &[]).await?;
                Ok(views.into_iter().map(|view| view.tenant).collect())
            }
        }
    }

    /// The syncs of a tenant.
    pub async fn syncs(&self, tenant: &TenantId) -> Result<Vec<SyncView>, CommandError> {
        match &self.installation {
            Installation::Bus { config, .. } => {
                let syncs = config.syncs(tenant);
                Ok(syncs.iter().map(|sync| SyncView::from(&**sync)).collect())
            }
            Installation::Server(remote) => remote.all(&["tenants", tenant.as_str(), "syncs"], &[]).await,
        }
    }

    /// The tenant that is meant: the one that was named, or the only one.
    pub async fn tenant(&self, argument: &TenantArg) -> Result<TenantId, CommandError> {
        let tenants = self.tenants().await?;
        let known: Vec<TenantId> = tenants.into_iter().map(|tenant| tenant.id).collect();
        choose_tenant(argument.tenant.as_ref(), &known)
    }
}

fn choose_tenant(named: Option<&TenantId>, known: &[TenantId]) -> Result<TenantId, CommandError> {
    let names: Vec<&str> = known.iter().map(TenantId::as_str).collect();
    match (named, known) {
        (Some(named), _) if known.contains(named) => Ok(named.clone()),
        (Some(named), []) => Err(CommandError::new(
            Exit::NotFound,
            format!("there is no tenant {named}, nor any other: add it with landbridge tenant add {named}"),
        )),
        (Some(named), _) => Err(CommandError::new(
            Exit::NotFound,
            format!("there is no tenant {named}; there are {}", names.join(", ")),
        )),
        (None, [only]) => Ok(only.clone()),
        (None, []) => Err(CommandError::new(
            Exit::NotFound,
            "there is no tenant yet: add one with landbridge tenant add",
        )),
        (None, _) => Err(CommandError::invalid(format!(
            "there are several tenants ({}): name one with --tenant",
            names.join(", ")
        ))),
    }
}

/// Runs one command.
pub async fn run(
    global: &GlobalArgs,
    settings: Settings,
    command: OperatorCommand,
) -> anyhow::Result<ExitCode> {
    let exit = match command {
        // Needs no installation.
        OperatorCommand::Sync(SyncCommand::Validate(arguments)) if arguments.offline => {
            sync::validate_offline(global.output, &arguments)?
        }
        // What is wrong with files is told before anybody is asked.
        OperatorCommand::Sync(command) => {
            let prepared = sync::Prepared::new(command)?;
            prepared.run(&connect(global, settings).await?).await?
        }
        OperatorCommand::Tenant(command) => tenant::run(global, settings, command).await?,
        OperatorCommand::Connection(command) => {
            connection::run(&connect(global, settings).await?, command).await?
        }
        OperatorCommand::Import(command) => import::run(&connect(global, settings).await?, command).await?,
        OperatorCommand::Failures(command) => {
            failures::run(&connect(global, settings).await?, command).await?
        }
        OperatorCommand::Held(command) => held::run(&connect(global, settings).await?, command).await?,
        OperatorCommand::Explain(arguments) => {
            explain::run(&connect(global, settings).await?, &arguments).await?
        }
        OperatorCommand::Verify(arguments) => {
            verify::run(&connect(global, settings).await?, &arguments).await?
        }
        OperatorCommand::Status(arguments) => {
            status::run(&connect(global, settings).await?, &arguments).await?
        }
        OperatorCommand::Alerts(command) => alerts::run(&connect(global, settings).await?, command).await?,
        OperatorCommand::Keys(command) => keys::run(&connect(global, settings).await?, command).await?,
        OperatorCommand::User(command) => {
            let password = match &command {
                UserCommand::Add(arguments) => access::password_for(arguments)?,
                UserCommand::Password(arguments) => {
                    Some(access::read_password(arguments.password_file.as_deref())?)
                }
                UserCommand::List | UserCommand::Remove(_) => None,
            };
            access::run_user(&connect(global, settings).await?, command, password).await?
        }
        OperatorCommand::Token(command) => {
            access::run_token(&connect(global, settings).await?, command).await?
        }
    };
    Ok(exit.into())
}

/// Connects to the bus of a running installation; never starts one.
async fn connect(global: &GlobalArgs, mut settings: Settings) -> anyhow::Result<Context> {
    if let Some(server) = &global.server {
        return Ok(Context {
            installation: Installation::Server(Remote::new(server)?),
            output: global.output,
        });
    }
    if let Some(folder) = std::env::var_os("LANDBRIDGE_STATE_DIR") {
        settings.state_dir = folder.into();
    }
    let url = match settings
        .bus
        .url
        .clone()
        .or_else(|| running_bus(&settings.state_dir.join("nats")))
    {
        Some(url) => url,
        None => {
            let what = format!(
                "no running installation is found: name its bus with --nats, LANDBRIDGE_NATS or bus.url, or start one \
                 with landbridge up (looked for a bus of its own in {})",
                settings.state_dir.display()
            );
            return Err(CommandError::new(Exit::Unavailable, what).into());
        }
    };
    settings.bus.connect_timeout = settings.bus.connect_timeout.min(CONNECT_TIMEOUT);
    let bus = Bus::open(&settings.bus, &url, "landbridge-cli").await?;
    let config = ConfigView::open(&bus).await?;
    let hub = Hub::new(bus);
    let service = Service::new(hub.clone(), config.clone(), settings.control);
    Ok(Context {
        installation: Installation::Bus { hub, config, service },
        output: global.output,
    })
}

/// The address of the server that `landbridge up` started over this folder: the server itself writes it there while it
/// runs.
fn running_bus(store: &Path) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Ports {
        nats: Vec<String>,
    }
    let files = std::fs::read_dir(store).ok()?.flatten().map(|entry| entry.path());
    let urls = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "ports"))
        .filter_map(|path| serde_json::from_slice::<Ports>(&std::fs::read(path).ok()?).ok())
        .flat_map(|ports| ports.nats);
    // A server that was killed leaves its file behind: only one that listens counts.
    urls.into_iter().find(|url| {
        let address = url.split_once("://").map_or(url.as_str(), |(_, address)| address);
        address.parse().is_ok_and(|address| {
            std::net::TcpStream::connect_timeout(&address, Duration::from_millis(500)).is_ok()
        })
    })
}

/// How the revisions and the audit log name whoever works beside the bus.
fn local_name() -> String {
    local().who
}

/// Whoever works beside the bus has everything in hand.
fn local() -> Caller {
    Caller::local(&std::env::var("USER").unwrap_or_else(|_| "unknown".to_owned()))
}

/// Asks on the terminal before something is removed.
fn confirm(question: &str, yes: bool) -> Result<(), CommandError> {
    if yes {
        return Ok(());
    }
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(CommandError::invalid(format!(
            "{question} There is nobody to ask: repeat it with --yes"
        )));
    }
    let mut answer = String::new();
    let asked =
        write!(std::io::stderr(), "{question} [y/N] ").and_then(|()| stdin.lock().read_line(&mut answer));
    match asked {
        Ok(_) if matches!(answer.trim(), "y" | "Y" | "yes") => Ok(()),
        _ => Err(CommandError::new(Exit::Failed, "nothing was done")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tenant_is_the_one_named_or_the_only_one() {
        let tenants = |names: &[&str]| -> Vec<TenantId> {
            names.iter().map(|name| TenantId::new(name).unwrap()).collect()
        };
        let acme = TenantId::new("acme").unwrap();
        assert_eq!(choose_tenant(None, &tenants(&["acme"])).unwrap(), acme);
        assert_eq!(
            choose_tenant(Some(&acme), &tenants(&["globex", "acme"])).unwrap(),
            acme
        );
        for (named, known, exit, part) in [
            (None, vec![], Exit::NotFound, "tenant add"),
            (None, tenants(&["acme", "globex"]), Exit::Invalid, "acme, globex"),
            (Some(&acme), tenants(&["globex"]), Exit::NotFound, "globex"),
        ] {
            let error = choose_tenant(named, &known).unwrap_err();
            assert_eq!(error.exit, exit);
            assert!(error.to_string().contains(part), "{error}");
        }
    }

    #[test]
    fn a_bus_that_no_longer_listens_is_not_found() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(running_bus(folder.path()), None);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("nats://{}", listener.local_addr().unwrap());
        let file = folder.path().join("nats-server_7.ports");
        std::fs::write(file, format!("{{\"nats\": [{url:?}], \"monitoring\": []}}")).unwrap();
        assert_eq!(running_bus(folder.path()), Some(url));
        drop(listener);
        assert_eq!(running_bus(folder.path()), None);
    }
}
