//! `landbridge sandbox`.

use landbridge_sandbox::{OrgSource, Sandbox, SandboxConfig, TlsFiles};
use tokio_util::sync::CancellationToken;

use crate::cli::SandboxArgs;
use crate::output::say;

/// Runs both sides until a stop is asked for.
pub async fn run(arguments: SandboxArgs, stop: CancellationToken) -> anyhow::Result<()> {
    let tls = match (arguments.tls_cert, arguments.tls_key) {
        (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
        _ => None,
    };
    let config = SandboxConfig {
        salesforce: arguments.salesforce,
        hubspot: arguments.hubspot,
        org: arguments.org.map_or(OrgSource::BuiltIn, OrgSource::Folder),
        records: arguments.records,
        seed: arguments.seed,
        hubspot_limits: arguments.limits,
        tls,
        state: arguments.state,
        ..SandboxConfig::default()
    };
    let sandbox = Sandbox::start(config).await?;
    for line in unsupported(&sandbox) {
        tracing::warn!("{line}");
    }
    let access = sandbox.announcement();
    if arguments.json {
        say!("{}", serde_json::to_string(access)?);
    } else {
        say!("Salesforce  {}", access.salesforce.login_url);
        say!("HubSpot     {}", access.hubspot.base_url);
        say!("Credentials are printed with --json. Ctrl-C ends the sandbox.");
    }
    stop.cancelled().await;
    sandbox.stop().await;
    Ok(())
}

/// What the org's definitions say and the sandbox cannot do.
fn unsupported(sandbox: &Sandbox) -> Vec<String> {
    let formulas = sandbox.report().salesforce.unsupported_formulas.iter();
    formulas
        .map(|formula| {
            format!(
                "{}.{} is served empty: {}",
                formula.object, formula.field, formula.reason
            )
        })
        .collect()
}
