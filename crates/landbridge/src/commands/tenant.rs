//! `landbridge tenant`.

use landbridge_bus::seal;
use landbridge_control::ask::{PutTenant, RemoveTenant};
use landbridge_model::StageKind;
use landbridge_model::config::{
    HubSpotConnection, HubSpotCredentials, SalesforceConnection, SalesforceCredentials, Tenant,
};
use serde_json::json;

use super::secret::SecretSource;
use super::{Context, LONG_PATIENCE, confirm, connect, connection};
use crate::cli::{GlobalArgs, OutputFormat, TenantAddArgs, TenantCommand, TenantRemoveArgs};
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
        TenantCommand::List => list(&connect(global, settings).await?),
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
    let mut check = |flag: &str, text: &str| match address(text) {
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

/// An address without a path, to which credentials can be sent without being seen on the way.
fn address(text: &str) -> Result<String, String> {
    let url = reqwest::Url::parse(text)
        .map_err(|error| format!("{error}; write an address such as https://acme.my.salesforce.com"))?;
    let host = url
        .host_str()
        .ok_or("it names no host; write an address such as https://api.hubapi.com")?;
    let is_here = host == "localhost"
        || host
            .trim_matches(['[', ']'])
            .parse()
            .is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    match url.scheme() {
        "https" => {}
        "http" if is_here => {}
        "http" => return Err("credentials would travel in the clear; write https".to_owned()),
        other => {
            return Err(format!(
                "{other} is not a scheme that is spoken here; write https"
            ));
        }
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("an address holds no credentials; leave them out".to_owned());
    }
    if url.path() != "/" || url.query().is_some() {
        return Err("only scheme, host and port are wanted; leave the rest out".to_owned());
    }
    Ok(text.trim_end_matches('/').to_owned())
}

struct Credentials {
    salesforce: SalesforceCredentials,
    hubspot: HubSpotCredentials,
}

impl Credentials {
    fn read(arguments: &TenantAddArgs) -> Result<Self, CommandError> {
        let secret = |what, flag, file: &Option<std::path::PathBuf>, variable| {
            let source = SecretSource {
                what,
                flag,
                file: file.as_deref(),
                variable,
            };
            source.read().map(|secret| secret.reveal().to_owned())
        };
        let client_id = arguments.client_id.clone();
        let client_secret = secret(
            "the consumer secret of the Salesforce app",
            "--client-secret-file",
            &arguments.client_secret_file,
            "LANDBRIDGE_SALESFORCE_CLIENT_SECRET",
        )?;
        let salesforce = if arguments.refresh_token {
            let refresh_token = secret(
                "the Salesforce refresh token",
                "--refresh-token-file",
                &arguments.refresh_token_file,
                "LANDBRIDGE_SALESFORCE_REFRESH_TOKEN",
            )?;
            SalesforceCredentials::RefreshToken {
                client_id,
                client_secret,
                refresh_token,
            }
        } else {
            SalesforceCredentials::ClientCredentials {
                client_id,
                client_secret,
            }
        };
        let token = secret(
            "the HubSpot token",
            "--hubspot-token-file",
            &arguments.hubspot_token_file,
            "LANDBRIDGE_HUBSPOT_TOKEN",
        )?;
        Ok(Self {
            salesforce,
            hubspot: HubSpotCredentials::Token { token },
        })
    }
}

async fn add(
    context: &Context,
    arguments: &TenantAddArgs,
    addresses: Addresses,
    credentials: Credentials,
) -> anyhow::Result<Exit> {
    let bus = context.hub.bus();
    let to_extractor = seal::public_key(bus, StageKind::Extractor)
        .await
        .map_err(no_key)?;
    let to_loader = seal::public_key(bus, StageKind::Loader).await.map_err(no_key)?;
    let suspended = context
        .config
        .tenant(&arguments.name)
        .and_then(|tenant| tenant.suspended.clone());
    let tenant = Tenant {
        id: arguments.name.clone(),
        salesforce: SalesforceConnection {
            login_url: addresses.login_url,
            org_id: None,
            daily_calls: arguments.salesforce_daily_calls,
        },
        hubspot: HubSpotConnection {
            base_url: addresses.base_url,
            portal_id: None,
            calls_per_ten_seconds: arguments.hubspot_calls_per_ten_seconds,
        },
        suspended,
    };
    let put = PutTenant {
        tenant,
        salesforce: Some(to_extractor.seal(&serde_json::to_vec(&credentials.salesforce)?)?),
        hubspot: Some(to_loader.seal(&serde_json::to_vec(&credentials.hubspot)?)?),
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

fn no_key(error: seal::SealError) -> CommandError {
    CommandError::new(
        Exit::Unavailable,
        format!(
            "there is nobody to seal the credentials to: {error}; start the extractor and the loader first"
        ),
    )
}

fn list(context: &Context) -> anyhow::Result<Exit> {
    let tenants = context.config.tenants();
    let tenants: Vec<&Tenant> = tenants.iter().map(AsRef::as_ref).collect();
    show(context.output, &tenants, |tenants| {
        if tenants.is_empty() {
            return "there is no tenant yet: add one with landbridge tenant add".to_owned();
        }
        let unknown = || "not seen yet".to_owned();
        let rows = tenants.iter().map(|tenant| {
            [
                tenant.id.to_string(),
                tenant.salesforce.login_url.clone(),
                tenant.salesforce.org_id.clone().unwrap_or_else(unknown),
                tenant.hubspot.base_url.clone(),
                tenant.hubspot.portal_id.map_or_else(unknown, |id| id.to_string()),
                context.config.syncs(&tenant.id).len().to_string(),
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

async fn remove(context: &Context, arguments: &TenantRemoveArgs) -> anyhow::Result<Exit> {
    let name = &arguments.name;
    let syncs = context.config.syncs(name).len();
    if context.config.tenant(name).is_none() {
        return Err(CommandError::new(Exit::NotFound, format!("there is no tenant {name}")).into());
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_or_refused_with_a_remedy() {
        for (text, taken) in [
            (
                "https://acme.my.salesforce.com/",
                "https://acme.my.salesforce.com",
            ),
            ("http://127.0.0.1:8081", "http://127.0.0.1:8081"),
            ("http://localhost:8081", "http://localhost:8081"),
        ] {
            assert_eq!(address(text).as_deref(), Ok(taken));
        }
        for (text, part) in [
            ("acme.my.salesforce.com", "write an address"),
            ("http://api.hubapi.com", "write https"),
            ("ftp://api.hubapi.com", "write https"),
            ("https://me:secret@api.hubapi.com", "leave them out"),
            ("https://api.hubapi.com/crm", "leave the rest out"),
        ] {
            let problem = address(text).unwrap_err();
            assert!(problem.contains(part), "{text}: {problem}");
            assert!(!problem.contains("secret"), "{problem}");
        }
    }
}
