//! `landbridge connection`.

use landbridge_control::ask::{ConnectionsTest, TestConnections};
use landbridge_model::TenantId;
use landbridge_model::ask::LimitUse;

use super::{Context, LONG_PATIENCE};
use crate::cli::ConnectionCommand;
use crate::output::{Exit, show};

pub(super) async fn run(context: &Context, command: ConnectionCommand) -> anyhow::Result<Exit> {
    let ConnectionCommand::Test(argument) = command;
    test(context, &context.tenant(&argument).await?).await
}

/// Signs in to both sides and shows how they stand.
pub(super) async fn test(context: &Context, tenant: &TenantId) -> anyhow::Result<Exit> {
    let result = context
        .ask_patiently(tenant, &TestConnections {}, LONG_PATIENCE)
        .await?;
    show(context.output, &result, text)?;
    Ok(if result.problems.is_empty() {
        Exit::Done
    } else {
        Exit::Refused
    })
}

fn text(result: &ConnectionsTest) -> String {
    let mut lines = Vec::new();
    let number =
        |number: Option<u64>| number.map_or_else(|| "unknown".to_owned(), |number| number.to_string());
    match &result.salesforce {
        None => lines.push("Salesforce  no connection".to_owned()),
        Some(test) => {
            let name = test.org_name.as_ref();
            let name = name.map(|name| format!(" ({name})")).unwrap_or_default();
            lines.push(format!("Salesforce  org {}{name} as {}", test.org_id, test.user));
            lines.push(format!(
                "            {} (API {})",
                test.instance_url, test.api_version
            ));
            let (left, max) = (number(test.daily_calls_left), number(test.daily_calls_max));
            lines.push(format!("            {left} of {max} API calls left today"));
        }
    }
    match &result.hubspot {
        None => lines.push("HubSpot     no connection".to_owned()),
        Some(test) => {
            lines.push(format!(
                "HubSpot     portal {} ({})",
                test.portal_id, test.account_type
            ));
            let (burst, left, max) = (
                number(test.burst_max),
                number(test.daily_left),
                number(test.daily_max),
            );
            lines.push(format!(
                "            {burst} calls in ten seconds; {left} of {max} left today ({})",
                test.time_zone
            ));
            if let Some(LimitUse { limit, used }) = test.object_types {
                lines.push(format!("            {used} of {limit} custom object types"));
            }
        }
    }
    if result.problems.is_empty() {
        lines.push("Both connections work.".to_owned());
    } else {
        lines.push("Problems:".to_owned());
        lines.extend(result.problems.iter().map(|problem| format!("  {problem}")));
    }
    lines.join("\n")
}
