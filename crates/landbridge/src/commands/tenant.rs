//! `landbridge tenant`.

use std::path::PathBuf;

use landbridge_bus::seal::{self, PublicKey};
use landbridge_control::ask::{AdoptOrg, ConnectionSide, Disconnect, PutTenant, RemoveTenant, TenantPart};
use landbridge_control::service::check_address;
use landbridge_model::config::{
    HubSpotConnection, HubSpotCredentials, SalesforceConnection, SalesforceCredentials, Tenant,
};
use landbridge_model::{StageKind, TenantId};
use serde_json::json;

use super::secret::SecretSource;
use super::{Context, Installation, LONG_PATIENCE, confirm, connect, connection};
use crate::cli::{
    GlobalArgs, OutputFormat, SideArg, TenantAddArgs, TenantAdoptArgs, TenantCommand, TenantDisconnectArgs,
    TenantRemoveArgs,
};
use crate::output::{CommandError, Exit, say, show, table};
use crate::settings::Settings;

pub(super) async fn run(
    global: &GlobalArgs,
    settings: Settings,
    command: TenantCommand,
) -> anyhow::Result<Exit> {
    match command {
        TenantCommand::Add(arguments) => {
            let addresses = addresses(&arguments)?;
            let credentials = Credentials::read(&arguments)?;
            let context = connect(global, settings).await?;
            add(&context, &arguments, addresses, credentials).await
        }
        TenantCommand::List => list(&connect(global, settings).await?).await,
        TenantCommand::Adopt(arguments) => adopt(&connect(global, settings).await?, &arguments).await,
        TenantCommand::Disconnect(arguments) => {
            disconnect(&connect(global, settings).await?, &arguments).await
        }
        TenantCommand::Remove(arguments) => remove(&connect(global, settings).await?, &arguments).await,
    }
}

struct Addresses {
    login_url: String,
    base_url: String,
}

/// Both addresses, or everything that is wrong with them.
fn addresses(arguments: &TenantAddArgs) -> Result<Addresses, CommandError> {
    let mut problems = Vec::new();
    let mut check = |flag: &str, text: &str| match check_address(text) {
        Ok(address) => address,
        Err(problem) => {
            problems.push(format!("{flag} {text}: {problem}"));
            String::new()
        }
    };
    let login_url = check("--salesforce-login-url", &arguments.salesforce_login_url);
    let base_url = check("--hubspot-url", &arguments.hubspot_url);
    if problems.is_empty() {
        Ok(Addresses { login_url, base_url })
    } else {
        Err(CommandError::invalid("the tenant cannot be added").with_details(problems))
    }
}

struct Credentials {
    salesforce: SalesforceCredentials,
    hubspot: HubSpotCredentials,
}

impl Credentials {
    fn read(arguments: &TenantAddArgs) -> Result<Self, CommandError> {
        let secret = |what, flag, file: &Option<PathBuf>, variable| {
            let source = SecretSource {
                what,
                flag,
                file: file.as_deref(),
                variable,
            };
            source.read().map(|secret| secret.reveal().to_owned())
        };
        Ok(Self {
            salesforce: salesforce(arguments, &secret)?,
            hubspot: hubspot(arguments, &secret)?,
        })
    }
}

/// Reads one secret: what it is, its flag, its file, its variable.
type Read<'a> =
    &'a dyn Fn(&'static str, &'static str, &Option<PathBuf>, &'static str) -> Result<String, CommandError>;

fn salesforce(arguments: &TenantAddArgs, secret: Read<'_>) -> Result<SalesforceCredentials, CommandError> {
    let client_id = arguments.client_id.clone();
    if let Some(username) = arguments.jwt_username.clone() {
        let private_key = secret(
            "the private key of the Salesforce app",
            "--private-key-file",
            &arguments.private_key_file,
            "LANDBRIDGE_SALESFORCE_PRIVATE_KEY",
        )?;
        return Ok(SalesforceCredentials::Jwt {
            client_id,
            username,
            private_key,
            audience: None,
        });
    }
    let client_secret = secret(
        "the consumer secret of the Salesforce app",
        "--client-secret-file",
        &arguments.client_secret_file,
        "LANDBRIDGE_SALESFORCE_CLIENT_SECRET",
    )?;
    if !arguments.refresh_token {
        return Ok(SalesforceCredentials::ClientCredentials {
            client_id,
            client_secret,
        });
    }
    let refresh_token = secret(
        "the Salesforce refresh token",
        "--refresh-token-file",
        &arguments.refresh_token_file,
        "LANDBRIDGE_SALESFORCE_REFRESH_TOKEN",
    )?;
    Ok(SalesforceCredentials::RefreshToken {
        client_id,
        client_secret,
        refresh_token,
    })
}

fn hubspot(arguments: &TenantAddArgs, secret: Read<'_>) -> Result<HubSpotCredentials, CommandError> {
    let Some(client_id) = arguments.hubspot_client_id.clone() else {
        let token = secret(
            "the HubSpot token",
            "--hubspot-token-file",
            &arguments.hubspot_token_file,
            "LANDBRIDGE_HUBSPOT_TOKEN",
        )?;
        return Ok(HubSpotCredentials::Token { token });
    };
    Ok(HubSpotCredentials::OAuth {
        client_id,
        client_secret: secret(
            "the client secret of the HubSpot app",
            "--hubspot-client-secret-file",
            &arguments.hubspot_client_secret_file,
            "LANDBRIDGE_HUBSPOT_CLIENT_SECRET",
        )?,
        refresh_token: secret(
            "the HubSpot refresh token",
            "--hubspot-refresh-token-file",
            &arguments.hubspot_refresh_token_file,
            "LANDBRIDGE_HUBSPOT_REFRESH_TOKEN",
        )?,
    })
}

async fn add(
    context: &Context,
    arguments: &TenantAddArgs,
    addresses: Addresses,
    credentials: Credentials,
) -> anyhow::Result<Exit> {
    let (to_extractor, to_loader) = keys(context, &arguments.name).await?;
    let tenant = Tenant {
        id: arguments.name.clone(),
        salesforce: SalesforceConnection {
            login_url: addresses.login_url,
            org_id: None,
            daily_calls: arguments.salesforce_daily_calls,
            change_events: !arguments.salesforce_without_change_events,
            pubsub_url: arguments.salesforce_pubsub_url.clone(),
            adopted_ms: None,
        },
        hubspot: HubSpotConnection {
            base_url: addresses.base_url,
            portal_id: None,
            calls_per_ten_seconds: arguments.hubspot_calls_per_ten_seconds,
            api_version: arguments.hubspot_api_version.clone(),
        },
        suspended: None,
    };
    // A tenant that is there keeps what is not mentioned.
    let unmentioned = [
        (TenantPart::DailyCalls, arguments.salesforce_daily_calls.is_none()),
        (TenantPart::PubsubUrl, arguments.salesforce_pubsub_url.is_none()),
        (
            TenantPart::CallsPerTenSeconds,
            arguments.hubspot_calls_per_ten_seconds.is_none(),
        ),
        (TenantPart::ApiVersion, arguments.hubspot_api_version.is_none()),
    ];
    let keep = unmentioned
        .into_iter()
        .filter_map(|(part, is_unmentioned)| is_unmentioned.then_some(part));
    let put = PutTenant {
        tenant,
        salesforce: Some(to_extractor.seal(&serde_json::to_vec(&credentials.salesforce)?)?),
        hubspot: Some(to_loader.seal(&serde_json::to_vec(&credentials.hubspot)?)?),
        keep: keep.collect(),
    };
    let change = context.ask(&arguments.name, &put).await?;
    if context.output == OutputFormat::Text {
        say!("tenant {} {}", arguments.name, change.as_str());
    }
    if arguments.no_test {
        if context.output == OutputFormat::Json {
            say!("{}", json!({ "tenant": arguments.name, "change": change }));
        }
        return Ok(Exit::Done);
    }
    connection::test(context, &arguments.name).await
}

/// The keys that credentials are sealed to, so that they cross no wire in the open.
async fn keys(context: &Context, tenant: &TenantId) -> Result<(PublicKey, PublicKey), CommandError> {
    match &context.installation {
        Installation::Bus { hub, .. } => {
            let key = async |stage| seal::public_key(hub.bus(), stage).await.map_err(no_key);
            Ok((key(StageKind::Extractor).await?, key(StageKind::Loader).await?))
        }
        Installation::Server(remote) => remote.keys(tenant).await,
    }
}

fn no_key(error: seal::SealError) -> CommandError {
    CommandError::new(
        Exit::Unavailable,
        format!(
            "there is nobody to seal the credentials to: {error}; start the extractor and the loader first"
        ),
    )
}

async fn list(context: &Context) -> anyhow::Result<Exit> {
    let tenants = context.tenants().await?;
    let mut syncs = Vec::with_capacity(tenants.len());
    for tenant in &tenants {
        syncs.push(context.syncs(&tenant.id).await?.len());
    }
    show(context.output, &tenants, |tenants| {
        if tenants.is_empty() {
            return "there is no tenant yet: add one with landbridge tenant add".to_owned();
        }
        let unknown = || "not seen yet".to_owned();
        let rows = tenants.iter().zip(&syncs).map(|(tenant, syncs)| {
            [
                tenant.id.to_string(),
                tenant.salesforce.login_url.clone(),
                tenant.salesforce.org_id.clone().unwrap_or_else(unknown),
                tenant.hubspot.base_url.clone(),
                tenant.hubspot.portal_id.map_or_else(unknown, |id| id.to_string()),
                syncs.to_string(),
                tenant
                    .suspended
                    .as_ref()
                    .map_or_else(String::new, |why| format!("suspended: {why}")),
            ]
        });
        table(
            ["tenant", "salesforce", "org", "hubspot", "portal", "syncs", ""],
            rows,
        )
    })?;
    Ok(Exit::Done)
}

async fn adopt(context: &Context, arguments: &TenantAdoptArgs) -> anyhow::Result<Exit> {
    let (name, org) = (&arguments.name, &arguments.org);
    let question = format!(
        "Take the org {org} in the place of the one that {name} reads? Every active sync is imported again and writes over \
         what HubSpot has; records that the org does not have are held for your decision."
    );
    confirm(&question, arguments.yes)?;
    let ask = AdoptOrg {
        org_id: org.clone(),
        by: super::local_name(),
    };
    let adopted = context.ask_patiently(name, &ask, LONG_PATIENCE).await?;
    show(context.output, &adopted, |adopted| {
        let from = adopted.from.as_deref().unwrap_or("no org");
        let mut lines = vec![format!(
            "{name} reads the org {} in the place of {from}",
            adopted.to
        )];
        let imports = adopted.imports.iter();
        lines.extend(imports.map(|import| format!("  import {} of {}", import.id, import.sync)));
        lines.extend(
            adopted
                .problems
                .iter()
                .map(|problem| format!("  not imported: {problem}")),
        );
        lines.push("What the org does not have is held: landbridge held list".to_owned());
        lines.join("\n")
    })?;
    Ok(Exit::Done)
}

async fn disconnect(context: &Context, arguments: &TenantDisconnectArgs) -> anyhow::Result<Exit> {
    let name = &arguments.name;
    let side = match arguments.side {
        SideArg::Salesforce => ConnectionSide::Salesforce,
        SideArg::Hubspot => ConnectionSide::HubSpot,
    };
    let question = format!(
        "Forget the {} credentials of {name}? All of its syncs stand still; what was written to HubSpot stays.",
        side.name()
    );
    confirm(&question, arguments.yes)?;
    let by = super::local_name();
    context.ask(name, &Disconnect { side, by }).await?;
    say!("{} of {name} is disconnected; its syncs stand still", side.name());
    Ok(Exit::Done)
}

async fn remove(context: &Context, arguments: &TenantRemoveArgs) -> anyhow::Result<Exit> {
    let name = &arguments.name;
    let is_there = context.tenants().await?.iter().any(|tenant| tenant.id == *name);
    if !is_there {
        return Err(CommandError::new(Exit::NotFound, format!("there is no tenant {name}")).into());
    }
    let syncs = context.syncs(name).await?.len();
    let question = format!(
        "Remove the tenant {name} with its {syncs} syncs, its imports and its credentials? What was written to HubSpot \
         stays."
    );
    confirm(&question, arguments.yes)?;
    context
        .ask_patiently(name, &RemoveTenant {}, LONG_PATIENCE)
        .await?;
    say!("tenant {name} removed");
    Ok(Exit::Done)
}
