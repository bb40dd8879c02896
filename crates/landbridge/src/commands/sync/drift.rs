//! `landbridge sync diff`: where what is applied is not what the files say.

use landbridge_control::service::{SyncView, definition_diff};
use landbridge_model::sync::SyncDefinition;
use landbridge_model::{SyncName, TenantId};
use serde::Serialize;

use super::by_tenant;
use crate::cli::TenantArg;
use crate::commands::Context;
use crate::output::{Exit, show};

/// How one definition differs from its file.
#[derive(Debug, Serialize)]
struct Drift {
    tenant: TenantId,
    name: SyncName,
    /// `missing` in the installation, `different`, or `unknown` to the files.
    state: &'static str,
    /// From what is applied to what the file says, each line with `+`, `-` or a space before it.
    lines: Vec<String>,
}

pub(super) async fn diff(context: &Context, definitions: Vec<SyncDefinition>) -> anyhow::Result<Exit> {
    let mut drifts = Vec::new();
    for (tenant, wanted) in by_tenant(definitions) {
        let named = TenantArg {
            tenant: Some(tenant.clone()),
        };
        context.tenant(&named).await?;
        drifts.extend(drift(&tenant, &wanted, &context.syncs(&tenant).await?));
    }
    show(context.output, &drifts, |drifts| {
        if drifts.is_empty() {
            return "nothing differs".to_owned();
        }
        let texts = drifts.iter().map(|drift| {
            let head = format!("{}/{} is {}", drift.tenant, drift.name, drift.state);
            std::iter::once(head)
                .chain(drift.lines.iter().cloned())
                .collect::<Vec<_>>()
                .join("\n")
        });
        texts.collect::<Vec<_>>().join("\n\n")
    })?;
    Ok(if drifts.is_empty() {
        Exit::Done
    } else {
        Exit::Differences
    })
}

/// Where what is applied is not what the files say.
fn drift(tenant: &TenantId, wanted: &[SyncDefinition], applied: &[SyncView]) -> Vec<Drift> {
    let found = |name: &SyncName, state, lines| Drift {
        tenant: tenant.clone(),
        name: name.clone(),
        state,
        lines,
    };
    let mut drifts = Vec::new();
    for definition in wanted {
        let name = &definition.metadata.name;
        match applied.iter().find(|sync| sync.name == *name) {
            None => drifts.push(found(name, "missing", Vec::new())),
            Some(sync) if sync.definition != *definition => {
                drifts.push(found(
                    name,
                    "different",
                    definition_diff(&sync.definition, definition),
                ));
            }
            Some(_) => {}
        }
    }
    let unknown = applied.iter().filter(|sync| {
        wanted
            .iter()
            .all(|definition| definition.metadata.name != sync.name)
    });
    drifts.extend(unknown.map(|sync| found(&sync.name, "unknown to the files", Vec::new())));
    drifts
}
