//! The numbers of health across tenants. Pure.

use std::cmp::Reverse;
use std::time::Duration;

use landbridge_model::ask::CallBudget;
use landbridge_model::config::SyncStatus;

use crate::ask::TenantStatus;
use crate::console::health::{AllHealth, TenantHealth};
use crate::console::parts::{Health, Paging};
use crate::console_routes::attention::attention;
use crate::service::Overview;

/// The tenants of one part of the list, the worst of them first.
pub(super) fn view(tenants: &[Overview], paging: Paging) -> AllHealth {
    let mut rows: Vec<TenantHealth> = tenants.iter().map(row).collect();
    rows.sort_by_key(|row| {
        (
            Reverse(severity(row.health)),
            Reverse(row.failures),
            row.id.clone(),
        )
    });
    let statuses = || tenants.iter().filter_map(|tenant| tenant.status.as_ref());
    AllHealth {
        carried: statuses().map(|status| status.carried_last_hour).sum(),
        failures: statuses().map(|status| status.failures).sum(),
        suspended: statuses().map(suspended).sum(),
        held: statuses().map(|status| status.held).sum(),
        rows,
        paging,
    }
}

/// What stands still is worse than what could not be asked, and that is worse than what should be looked at.
fn severity(health: Health) -> u8 {
    match health {
        Health::Good => 0,
        Health::Attention => 1,
        Health::Unknown => 2,
        Health::Stopped => 3,
    }
}

fn suspended(status: &TenantStatus) -> u64 {
    let stopped = status
        .syncs
        .iter()
        .filter(|sync| sync.status == SyncStatus::Suspended);
    stopped.count() as u64
}

fn row(tenant: &Overview) -> TenantHealth {
    let Some(status) = &tenant.status else {
        return TenantHealth {
            id: tenant.tenant.clone(),
            health: Health::Unknown,
            note: tenant.trouble.clone().unwrap_or_default(),
            behind: None,
            p99: None,
            backlog: 0,
            parked: 0,
            failures: 0,
            held: 0,
            calls: (None, None),
        };
    };
    let (health, note) = judge(status);
    let length = |milliseconds: i64| Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0));
    TenantHealth {
        id: tenant.tenant.clone(),
        health,
        note,
        behind: status
            .syncs
            .iter()
            .filter_map(|sync| sync.behind_ms)
            .max()
            .map(length),
        p99: status.latency.p99_ms.map(length),
        backlog: status.backlog.iter().map(|lane| lane.messages).sum(),
        parked: status.parked,
        failures: status.failures,
        held: status.held,
        calls: (share(status.salesforce_budget), share(status.hubspot_budget)),
    }
}

/// Percent of the day's calls that are used.
fn share(budget: Option<CallBudget>) -> Option<u64> {
    let budget = budget.filter(|budget| budget.limit > 0)?;
    Some(budget.used.saturating_mul(100) / budget.limit)
}

/// How a tenant stands, and the worst thing about it.
fn judge(status: &TenantStatus) -> (Health, String) {
    if let Some(why) = &status.suspended {
        return (Health::Stopped, why.clone());
    }
    let stopped = suspended(status);
    if stopped > 0 {
        return (
            Health::Stopped,
            counted(stopped, "sync is suspended", "syncs are suspended"),
        );
    }
    match attention(status) {
        Some(worst) => (Health::Attention, worst),
        None => (Health::Good, String::new()),
    }
}

fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use landbridge_model::TenantId;

    use super::*;

    fn tenant(name: &str, status: Option<TenantStatus>) -> Overview {
        Overview {
            tenant: TenantId::new(name).unwrap(),
            trouble: status.is_none().then(|| "the worker does not answer".to_owned()),
            status,
        }
    }

    #[test]
    fn the_worst_is_first_and_says_why() {
        let failing = TenantStatus {
            failures: 3,
            held: 0,
            carried_last_hour: 5,
            ..TenantStatus::default()
        };
        let stopped = TenantStatus {
            suspended: Some("another org answers".to_owned()),
            carried_last_hour: 6,
            ..TenantStatus::default()
        };
        let tenants = [
            tenant("fine", Some(TenantStatus::default())),
            tenant("failing", Some(failing)),
            tenant("silent", None),
            tenant("stopped", Some(stopped)),
        ];
        let paging = Paging {
            first: 1,
            last: 4,
            total: Some(4),
            previous: None,
            next: None,
        };
        let view = view(&tenants, paging);
        let told: Vec<String> = view
            .rows
            .iter()
            .map(|row| format!("{}: {}", row.id, row.note))
            .collect();
        assert_eq!(
            told,
            [
                "stopped: another org answers",
                "silent: the worker does not answer",
                "failing: 3 records or links are refused.",
                "fine: ",
            ]
        );
        assert_eq!((view.carried, view.failures), (11, 3));
    }

    #[test]
    fn a_limit_that_is_not_known_has_no_share() {
        let budget = |used, limit| {
            Some(CallBudget {
                limit,
                used,
                own: None,
                allocated: limit,
                reserved: 0,
                forecast: None,
            })
        };
        assert_eq!(
            (share(None), share(budget(5, 0)), share(budget(30, 120))),
            (None, None, Some(25))
        );
    }
}
