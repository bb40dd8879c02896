//! `/__sandbox/…`: what only a sandbox has. No token, no limits.
//!
//! | call | does |
//! |---|---|
//! | `GET objects` | how many live and archived records each object type has |
//! | `POST clock {advance_ms}` | lets time pass for the portal alone |
//! | `GET habits` | what of the portal can be changed, as it is |
//! | `PATCH habits {custom_object_types, custom_records, custom_properties, lags, behaviour}` | changes these |
//! | `POST tokens {scopes, edit_associations}` | a further token, of an app of its own; without scopes it may do all; `edit_associations: false` is a user who may not associate |
//! | `POST usage {calls, associations}` | pretends that so many calls were made today |
//! | `POST companies [{name, salesforceaccountid}]` | what HubSpot's own Salesforce integration does |
//! | `POST rules {object_type, when, equals, requires}` | a conditional rule, as 2026-09 enforces |

use super::{
    Behaviour, Habits, Inner, Lags,
    catalog::Catalog,
    clock,
    errors::{Reply, parse},
    object_type::ConditionalRule,
    table::Change,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::borrow::Cow;

/// `None`: there is no such path.
pub(super) fn serve(portal: &Inner, method: &str, rest: &[&str], body: &[u8]) -> Option<Reply> {
    Some(match (method, rest) {
        ("GET", ["objects"]) => objects(&portal.catalog.read()),
        ("POST", ["clock"]) => with(body, |Advance { advance_ms }| {
            portal.clock.advance(advance_ms);
            json!({ "now": clock::instant(portal.clock.now_ms()) })
        }),
        ("GET", ["habits"]) => Reply::json(200, &json!(*portal.habits.read())),
        ("PATCH", ["habits"]) => with(body, |change: HabitsChange| {
            change.apply(&mut portal.habits.write());
            json!({})
        }),
        ("POST", ["tokens"]) => with(
            body,
            |Token {
                 scopes,
                 edit_associations,
             }| {
                json!({ "token": portal.auth.add(&portal.dice, scopes, edit_associations == Some(false)) })
            },
        ),
        ("POST", ["usage"]) => with(body, |Usage { calls, associations }| {
            portal
                .limiter
                .set_daily_used(portal.clock.now_ms(), calls, associations);
            json!({})
        }),
        ("POST", ["companies"]) => with(body, |companies: Vec<Company>| {
            let put = |company: &Company| put_company(portal, &company.name, &company.salesforceaccountid);
            let ids: Vec<String> = companies.iter().map(|company| put(company).to_string()).collect();
            json!({ "ids": ids })
        }),
        ("POST", ["rules"]) => with(body, |rule: Rule| {
            let mut catalog = portal.catalog.write();
            let Ok(at) = catalog.find(&rule.object_type) else {
                return json!({ "added": false });
            };
            let Rule {
                when,
                equals,
                requires,
                ..
            } = rule;
            catalog.table_mut(at).rules.push(ConditionalRule {
                when,
                equals,
                requires,
            });
            json!({ "added": true })
        }),
        _ => return None,
    })
}

fn with<T: DeserializeOwned>(body: &[u8], act: impl FnOnce(T) -> Value) -> Reply {
    match parse(body) {
        Ok(parsed) => Reply::json(200, &act(parsed)),
        Err(error) => error.into_reply("sandbox"),
    }
}

#[derive(Deserialize)]
struct Advance {
    advance_ms: i64,
}

/// What is absent stays as it is; `lags` and `behaviour` are replaced whole.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HabitsChange {
    custom_object_types: Option<usize>,
    custom_records: Option<u64>,
    custom_properties: Option<usize>,
    lags: Option<Lags>,
    behaviour: Option<Behaviour>,
}

impl HabitsChange {
    fn apply(self, habits: &mut Habits) {
        habits.custom_object_types = self.custom_object_types.unwrap_or(habits.custom_object_types);
        habits.custom_records = self.custom_records.unwrap_or(habits.custom_records);
        habits.custom_properties = self.custom_properties.unwrap_or(habits.custom_properties);
        habits.lags = self.lags.unwrap_or(habits.lags);
        habits.behaviour = self.behaviour.unwrap_or(habits.behaviour);
    }
}

#[derive(Deserialize)]
struct Token {
    scopes: Option<Vec<String>>,
    edit_associations: Option<bool>,
}

#[derive(Deserialize)]
struct Usage {
    calls: u64,
    #[serde(default)]
    associations: u64,
}

#[derive(Deserialize)]
struct Company {
    name: String,
    salesforceaccountid: String,
}

/// A conditional rule: `requires` must have a value when `when` is `equals`.
#[derive(Deserialize)]
struct Rule {
    object_type: String,
    when: String,
    equals: String,
    requires: String,
}

/// How many records of what there are.
fn objects(catalog: &Catalog) -> Reply {
    let told: Vec<Value> = catalog
        .tables()
        .map(|(_, table)| {
            json!({
                "objectTypeId": table.type_id, "name": table.definition.name, "live": table.live,
                "archived": table.records.len() - table.live,
            })
        })
        .collect();
    Reply::json(200, &Value::Array(told))
}

/// What HubSpot's own integration does when an Account is new or renamed.
pub(super) fn put_company(portal: &Inner, name: &str, salesforce_account_id: &str) -> u64 {
    let now_ms = portal.clock.now_ms();
    let lag_ms = portal.habits.read().lags.search_index;
    let mut catalog = portal.catalog.write();
    let at = catalog.find("companies").expect("every portal has companies");
    let known = catalog.native.get(salesforce_account_id).copied();
    let synced = clock::instant(now_ms);
    let values = [
        ("name", name),
        ("salesforceaccountid", salesforce_account_id),
        ("salesforcelastsynctime", &synced),
    ];
    let table = catalog.table(at);
    let mut changes: Vec<Change<'_>> = values
        .iter()
        .filter_map(|(name, value)| Some((table.column(name)?, Cow::Borrowed(*value))))
        .collect();
    changes.sort_by_key(|(column, _)| *column);
    if let Some(row) = known.and_then(|id| table.row(id)) {
        catalog.table_mut(at).update(row, now_ms, lag_ms, &changes);
        return catalog.table(at).id(row);
    }
    let id = catalog.new_record_id(&portal.dice);
    catalog.table_mut(at).create(id, now_ms, lag_ms, &changes);
    catalog.native.insert(salesforce_account_id.to_owned(), id);
    id
}
