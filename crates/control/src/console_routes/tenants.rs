//! All tenants, and adding one.

use std::time::Duration;

use axum::extract::Query;
use axum::http::StatusCode;
use landbridge_model::{Problem, TenantId};
use serde::Deserialize;

use super::attention::attention;
use super::form::Form;
use super::routes::Routes;
use super::visit::{self, Answer, Refusal, Visit};
use crate::ask::{Seen, TenantStatus};
use crate::console::connections::{NewTenant, Side, new_tenant};
use crate::console::parts::{Health, Paging};
use crate::console::tenants::{TenantRow, Tenants, page};
use crate::console::{Place, fields, paths};
use crate::service::{PutHubSpot, PutSalesforce, PutTenantBody, Standing, check_address};

/// Tenants on a page.
const ROWS: usize = 50;
/// Where HubSpot is, unless somebody rehearses.
const HUBSPOT: &str = "https://api.hubapi.com";
/// What the form of a new tenant has as its path: no tenant can be reached under it.
const TAKEN: &str = "new";

pub(super) fn routes() -> Routes {
    Routes::default()
        .get(paths::TENANTS, show)
        .get(paths::NEW_TENANT, ask)
        .post(paths::NEW_TENANT, add)
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Wanted {
    q: String,
    health: String,
    page: usize,
}

async fn show(visit: Visit, Query(wanted): Query<Wanted>) -> Answer {
    let standings = visit.service.standings(&visit.session.caller).await;
    let rows = standings.iter().map(row).collect();
    let view = narrowed(rows, &wanted);
    Ok(visit.page(page(&visit.shell_at(Place::Tenants), &Ok(view))))
}

/// One tenant's line, from what is configured and what its workers said last.
fn row(standing: &Standing) -> TenantRow {
    let view = &standing.tenant.view().tenant;
    let status = standing.status.as_ref().and_then(|status| status.as_ref().ok());
    let (health, note) = judged(standing, view.suspended.as_deref());
    TenantRow {
        id: view.id.clone(),
        org: view.salesforce.org_id.clone(),
        portal: view.hubspot.portal_id,
        health,
        note,
        active: standing.syncs.active,
        syncs: standing.syncs.all,
        behind: status.and_then(|status| behind(status)),
        failures: status.map(|status| status.failures),
        imports: status.map(|status| status.imports.len() as u64),
    }
}

/// How a tenant stands, and the worst thing about it.
fn judged(standing: &Standing, suspended: Option<&str>) -> (Health, String) {
    if let Some(reason) = suspended {
        return (Health::Stopped, reason.to_owned());
    }
    if let Some((name, reason)) = standing.syncs.suspended.first() {
        let more = standing.syncs.suspended.len() - 1;
        let reason = reason.as_deref().unwrap_or("the reason was not recorded");
        let others = match more {
            0 => String::new(),
            more => format!(" So are {more} more."),
        };
        return (Health::Stopped, format!("{name} is suspended: {reason}{others}"));
    }
    match &standing.status {
        None => (Health::Unknown, "Its workers are being asked.".to_owned()),
        Some(Err(trouble)) => (Health::Unknown, format!("It cannot be asked: {trouble}")),
        Some(Ok(status)) => match attention(status) {
            Some(worst) => (Health::Attention, worst),
            None => (Health::Good, String::new()),
        },
    }
}

fn behind(status: &TenantStatus) -> Option<Duration> {
    let furthest = status.syncs.iter().filter_map(|sync| sync.behind_ms).max()?;
    u64::try_from(furthest).ok().map(Duration::from_millis)
}

/// The page of the list that is wanted.
fn narrowed(rows: Vec<TenantRow>, wanted: &Wanted) -> Tenants {
    let counts = Health::ALL
        .into_iter()
        .map(|health| {
            let standing = rows.iter().filter(|row| row.health == health);
            (health, standing.count() as u64)
        })
        .collect();
    let health = Health::ALL
        .into_iter()
        .find(|health| health.as_str() == wanted.health);
    let query = wanted.q.trim().to_lowercase();
    let is_wanted = |row: &TenantRow| health.is_none_or(|health| row.health == health) && says(row, &query);
    let matching: Vec<TenantRow> = rows.into_iter().filter(is_wanted).collect();
    let total = matching.len();
    let pages = total.div_ceil(ROWS).max(1);
    let number = wanted.page.clamp(1, pages);
    let skipped = (number - 1) * ROWS;
    let rows: Vec<TenantRow> = matching.into_iter().skip(skipped).take(ROWS).collect();
    let path = |number: usize| {
        let mut path = format!("{}?page={number}", paths::TENANTS);
        if let Some(health) = health {
            path.push_str(&format!("&health={}", health.as_str()));
        }
        if !query.is_empty() {
            path.push_str(&format!("&{}={}", fields::QUERY, paths::query_value(&query)));
        }
        path
    };
    let paging = Paging {
        first: if rows.is_empty() { 0 } else { skipped as u64 + 1 },
        last: (skipped + rows.len()) as u64,
        total: Some(total as u64),
        previous: (number > 1).then(|| path(number - 1)),
        next: (number < pages).then(|| path(number + 1)),
    };
    Tenants {
        rows,
        query: wanted.q.trim().to_owned(),
        health,
        counts,
        paging,
    }
}

fn says(row: &TenantRow, query: &str) -> bool {
    query.is_empty()
        || row.id.as_str().contains(query)
        || row
            .org
            .as_ref()
            .is_some_and(|org| org.to_lowercase().contains(query))
        || row
            .portal
            .is_some_and(|portal| portal.to_string().contains(query))
}

async fn ask(visit: Visit) -> Answer {
    visit.may_add_tenants()?;
    let view = NewTenant {
        hubspot: HUBSPOT.to_owned(),
        ..NewTenant::default()
    };
    Ok(visit.page(new_tenant(&visit.shell_at(Place::Tenants), &view)))
}

async fn add(visit: Visit, form: Form) -> Answer {
    visit.may_add_tenants()?;
    let text = |name| form.text(name).unwrap_or_default().to_owned();
    let mut view = NewTenant {
        name: text("tenant"),
        salesforce: text("salesforce"),
        hubspot: text("hubspot"),
        problems: Vec::new(),
    };
    match put(&visit, &view).await? {
        Ok(id) => {
            let next = paths::connection(&id, Side::Salesforce);
            let told = format!("{id} is added. Connect it to Salesforce now, and to HubSpot next.");
            Ok(visit.done(&next, &told))
        }
        Err(problems) => {
            view.problems = problems;
            let page = new_tenant(&visit.shell_at(Place::Tenants), &view);
            Ok(visit.page_with(StatusCode::UNPROCESSABLE_ENTITY, page))
        }
    }
}

/// Adds the tenant, or gives what the form is shown again with.
async fn put(visit: &Visit, view: &NewTenant) -> Result<Result<TenantId, Vec<Problem>>, Refusal> {
    let (id, wanted) = match checked(view) {
        Ok(checked) => checked,
        Err(problems) => return Ok(Err(problems)),
    };
    let caller = &visit.session.caller;
    if visit.service.tenant(caller, &id).is_ok() {
        let what = format!("there is a tenant {id} already");
        let problem = Problem::new("tenant", what, "choose another name");
        return Ok(Err(vec![problem]));
    }
    match visit.service.put_tenant(caller, &id, wanted, Seen::Nothing).await {
        Ok(_) => Ok(Ok(id)),
        Err(error) => Ok(Err(vec![visit.problem("tenant", error)?])),
    }
}

/// The tenant that a form asks for, or everything that is wrong with it.
fn checked(view: &NewTenant) -> Result<(TenantId, PutTenantBody), Vec<Problem>> {
    let mut problems = Vec::new();
    let id = match TenantId::new(&view.name) {
        Ok(id) if id.as_str() != TAKEN => Some(id),
        Ok(id) => {
            problems.push(Problem::new(
                "tenant",
                format!("no tenant can be called {id} here"),
                "choose another name",
            ));
            None
        }
        Err(error) => {
            problems.push(Problem::new(
                "tenant",
                error.to_string(),
                "use lower-case letters, digits, hyphens or underscores",
            ));
            None
        }
    };
    for (place, address) in [("salesforce", &view.salesforce), ("hubspot", &view.hubspot)] {
        if let Err(problem) = check_address(address) {
            problems.push(visit::address_problem(place, &problem));
        }
    }
    match id {
        Some(id) if problems.is_empty() => Ok((
            id,
            PutTenantBody {
                salesforce: PutSalesforce {
                    login_url: view.salesforce.clone(),
                    daily_calls: None,
                    change_events: None,
                    pubsub_url: None,
                },
                hubspot: PutHubSpot {
                    base_url: Some(view.hubspot.clone()),
                    calls_per_ten_seconds: None,
                    api_version: None,
                },
                credentials: None,
            },
        )),
        _ => Err(problems),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, health: Health) -> TenantRow {
        TenantRow {
            id: TenantId::new(name).unwrap(),
            org: Some(format!("00D{name}AAA")),
            portal: Some(139_902),
            health,
            note: String::new(),
            active: 1,
            syncs: 2,
            behind: None,
            failures: None,
            imports: None,
        }
    }

    fn many() -> Vec<TenantRow> {
        let health = |number: usize| {
            if number == 7 {
                Health::Stopped
            } else {
                Health::Good
            }
        };
        (0..120)
            .map(|number| row(&format!("t{number:03}"), health(number)))
            .collect()
    }

    fn wanted(q: &str, health: &str, page: usize) -> Wanted {
        Wanted {
            q: q.to_owned(),
            health: health.to_owned(),
            page,
        }
    }

    #[test]
    fn a_list_is_shown_page_by_page_and_loses_nothing() {
        let mut seen = Vec::new();
        for number in 1..=3 {
            let view = narrowed(many(), &wanted("", "", number));
            assert_eq!(view.paging.total, Some(120));
            assert_eq!(view.paging.previous.is_some(), number > 1);
            assert_eq!(view.paging.next.is_some(), number < 3);
            seen.extend(view.rows.into_iter().map(|row| row.id.to_string()));
        }
        let all: Vec<String> = many().into_iter().map(|row| row.id.to_string()).collect();
        assert_eq!(seen, all);
    }

    #[test]
    fn a_list_is_narrowed_by_words_and_health() {
        for (query, health, page, expected) in [
            ("t00", "", 1, 10),
            ("139902", "", 1, ROWS),
            ("00dT007", "", 1, 1),
            ("zebra", "", 1, 0),
            ("", "stopped", 1, 1),
            ("t008", "stopped", 1, 0),
            ("", "nonsense", 1, ROWS),
            ("", "", 99, 20),
        ] {
            let view = narrowed(many(), &wanted(query, health, page));
            assert_eq!(view.rows.len(), expected, "{query:?} {health:?} {page}");
            assert_eq!(
                view.counts[0],
                (Health::Stopped, 1),
                "counts are of all that are seen"
            );
        }
        let next = narrowed(many(), &wanted("t 0&", "good", 1)).paging.next;
        assert_eq!(next, None);
        let next = narrowed(many(), &wanted("t", "good", 1)).paging.next;
        assert_eq!(next.as_deref(), Some("/?page=2&health=good&q=t"));
    }

    #[test]
    fn a_form_is_checked_as_a_whole() {
        let view = NewTenant {
            name: "Acme Rentals".to_owned(),
            salesforce: "acme".to_owned(),
            hubspot: "http://api.hubapi.com".to_owned(),
            problems: Vec::new(),
        };
        let problems = checked(&view).unwrap_err();
        let places: Vec<&str> = problems.iter().map(|problem| problem.place.as_str()).collect();
        assert_eq!(places, ["tenant", "salesforce", "hubspot"]);
    }
}
