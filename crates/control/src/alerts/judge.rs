//! What is wrong, and who has been told: pure.
//!
//! * **A1** A condition is told once when it begins and once when it is over, whatever happens in between.
//! * **A2** What cannot be known now changes nothing: neither is it told, nor is it over.
//! * **A3** A condition is over only when it has stayed away for a while: what comes and goes is one alert, not many.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use landbridge_model::SyncName;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::facts::{CredentialFacts, Facts, SyncFacts};

/// What an alert is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AlertKind {
    /// The tenant stands still.
    TenantSuspended,
    /// Landbridge stopped a sync.
    SyncSuspended,
    /// Deletes wait for a person's word.
    HeldDeletes,
    /// A sync is further behind Salesforce than the bound.
    Freshness,
    /// More records and links are refused than the bound.
    Failures,
    /// Credentials are refused, or old.
    Credentials,
}

impl AlertKind {
    /// The word in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TenantSuspended => "tenant-suspended",
            Self::SyncSuspended => "sync-suspended",
            Self::HeldDeletes => "held-deletes",
            Self::Freshness => "freshness",
            Self::Failures => "failures",
            Self::Credentials => "credentials",
        }
    }
}

/// From where on something is told. Suspensions, held deletes that wait for a person and refused credentials always are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertBounds {
    /// Seconds that a sync may be behind Salesforce; never told when left out.
    #[serde(default)]
    pub behind_seconds: Option<u64>,
    /// Records and links that may be refused at a time; never told when left out.
    #[serde(default)]
    pub failures: Option<u64>,
    /// Days after which credentials are to be replaced; never told when left out.
    #[serde(default)]
    pub credential_days: Option<u32>,
}

impl Default for AlertBounds {
    fn default() -> Self {
        Self {
            behind_seconds: Some(900),
            failures: Some(100),
            credential_days: None,
        }
    }
}

/// A condition that was told and is not over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Standing {
    /// What it is about.
    pub alert: AlertKind,
    /// Which sync, or which side; none when it is about the tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// As it is now, in words.
    pub text: String,
    /// When it began, in milliseconds since 1970.
    pub since_ms: i64,
    /// Since when it has stayed away; it may come back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub away_since_ms: Option<i64>,
}

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Turn {
    /// It began.
    Raised,
    /// It is over.
    Recovered,
}

impl Turn {
    /// The word in messages.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Recovered => "recovered",
        }
    }
}

/// Something to be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Told {
    /// The same for the same thing, however often it is sent: receivers drop repeats by it.
    pub(crate) id: String,
    /// What it is about.
    pub(crate) alert: AlertKind,
    /// Which sync, or which side; none when it is about the tenant.
    pub(crate) subject: Option<String>,
    /// Whether it began or is over.
    pub(crate) turn: Turn,
    /// In words.
    pub(crate) text: String,
    /// When the condition began, in milliseconds since 1970.
    pub(crate) since_ms: i64,
    /// When this was found, in milliseconds since 1970.
    pub(crate) at_ms: i64,
}

/// How one condition looks now.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Wrong(String),
    /// All is well; as it is told when it was not.
    Well(String),
    Unknown,
}

type Conditions = BTreeMap<(AlertKind, Option<String>), Seen>;

/// From what was told so far to what is to be told now. What is no longer there at all is over.
pub(crate) fn judge(
    before: &[Standing],
    facts: &Facts,
    bounds: &AlertBounds,
    settle_ms: i64,
    now_ms: i64,
) -> (Vec<Standing>, Vec<Told>) {
    let mut seen = conditions(facts, bounds);
    let (mut after, mut told) = (Vec::new(), Vec::new());
    for standing in before {
        let key = (standing.alert, standing.subject.clone());
        let now = seen.remove(&key).unwrap_or_else(|| Seen::Well(no_more(standing)));
        match now {
            Seen::Wrong(text) => after.push(Standing {
                text,
                away_since_ms: None,
                ..standing.clone()
            }),
            Seen::Unknown => after.push(standing.clone()),
            Seen::Well(text) => {
                let away_since_ms = standing.away_since_ms.unwrap_or(now_ms);
                if now_ms - away_since_ms >= settle_ms {
                    told.push(message(standing, Turn::Recovered, text, now_ms));
                } else {
                    after.push(Standing {
                        away_since_ms: Some(away_since_ms),
                        ..standing.clone()
                    });
                }
            }
        }
    }
    for ((alert, subject), now) in seen {
        let Seen::Wrong(text) = now else { continue };
        let standing = Standing {
            alert,
            subject,
            text: text.clone(),
            since_ms: now_ms,
            away_since_ms: None,
        };
        told.push(message(&standing, Turn::Raised, text, now_ms));
        after.push(standing);
    }
    (after, told)
}

fn message(standing: &Standing, turn: Turn, text: String, at_ms: i64) -> Told {
    let subject = standing.subject.as_deref().unwrap_or("all");
    let (alert, since_ms) = (standing.alert, standing.since_ms);
    Told {
        id: format!("{}.{subject}.{since_ms}.{}", alert.as_str(), turn.as_str()),
        alert,
        subject: standing.subject.clone(),
        turn,
        text,
        since_ms,
        at_ms,
    }
}

fn no_more(standing: &Standing) -> String {
    match &standing.subject {
        Some(subject) => {
            format!("{subject} is not watched for this any more: it was removed, or the bound was.")
        }
        None => "This is not watched any more: the bound was removed.".to_owned(),
    }
}

fn conditions(facts: &Facts, bounds: &AlertBounds) -> Conditions {
    let mut seen = Conditions::new();
    let suspended = match &facts.suspended {
        Some(reason) => Seen::Wrong(format!("The tenant stands still: {reason}")),
        None => Seen::Well("The tenant runs again.".to_owned()),
    };
    seen.insert((AlertKind::TenantSuspended, None), suspended);
    for sync in &facts.syncs {
        of_sync(sync, facts, bounds, &mut seen);
    }
    if let Some(bound) = bounds.failures {
        seen.insert((AlertKind::Failures, None), failures(facts.failures, bound));
    }
    for side in &facts.credentials {
        let key = (AlertKind::Credentials, Some(side.side.to_owned()));
        seen.insert(key, credentials(side, bounds.credential_days));
    }
    seen
}

fn of_sync(sync: &SyncFacts, facts: &Facts, bounds: &AlertBounds, seen: &mut Conditions) {
    let name = &sync.name;
    let key = |alert| (alert, Some(name.to_string()));
    let suspended = match &sync.suspended {
        Some(reason) => Seen::Wrong(format!("The sync {name} is suspended: {reason}")),
        None => Seen::Well(format!("The sync {name} is not suspended any more.")),
    };
    seen.insert(key(AlertKind::SyncSuspended), suspended);
    seen.insert(key(AlertKind::HeldDeletes), held(name, facts));
    if let Some(bound) = bounds.behind_seconds {
        seen.insert(key(AlertKind::Freshness), freshness(sync, bound));
    }
}

fn held(name: &SyncName, facts: &Facts) -> Seen {
    let Some(held) = &facts.held else {
        return Seen::Unknown;
    };
    match held.get(name) {
        None | Some(0) => Seen::Well(format!(
            "No delete of the sync {name} waits for approval any more."
        )),
        Some(1) => Seen::Wrong(format!("A delete of the sync {name} waits for approval.")),
        Some(count) => Seen::Wrong(format!("{count} deletes of the sync {name} wait for approval.")),
    }
}

fn freshness(sync: &SyncFacts, bound: u64) -> Seen {
    let name = &sync.name;
    if !sync.runs {
        return Seen::Well(format!(
            "The sync {name} does not run: how far behind it is, is not watched."
        ));
    }
    let Some(behind_ms) = sync.behind_ms else {
        return Seen::Unknown;
    };
    let behind = u64::try_from(behind_ms / 1_000).unwrap_or(0);
    if behind > bound {
        let (behind, bound) = (duration(behind), duration(bound));
        Seen::Wrong(format!(
            "The sync {name} is {behind} behind Salesforce; the bound is {bound}."
        ))
    } else {
        Seen::Well(format!(
            "The sync {name} is {} behind Salesforce, within the bound again.",
            duration(behind)
        ))
    }
}

fn failures(refused: Option<u64>, bound: u64) -> Seen {
    match refused {
        None => Seen::Unknown,
        Some(refused) if refused > bound => {
            Seen::Wrong(format!("{} refused; the bound is {bound}.", records(refused)))
        }
        Some(refused) => Seen::Well(format!("{} refused, within the bound again.", records(refused))),
    }
}

fn records(count: u64) -> String {
    if count == 1 {
        "1 record or link is".to_owned()
    } else {
        format!("{count} records and links are")
    }
}

fn credentials(side: &CredentialFacts, days: Option<u32>) -> Seen {
    let name = side.name;
    match (&side.refused, side.age_days, days) {
        (Some(Some(trouble)), ..) => Seen::Wrong(format!(
            "{name} refuses the credentials: {trouble}. Enter new ones."
        )),
        (_, Some(age), Some(bound)) if age > bound => Seen::Wrong(format!(
            "The {name} credentials were entered {age} days ago; replace them before they stop working."
        )),
        (None, ..) => Seen::Unknown,
        (Some(None), ..) => Seen::Well(format!("The {name} credentials are good again.")),
    }
}

/// Whole units that people say.
fn duration(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..120 => (seconds, "second"),
        120..7_200 => (seconds / 60, "minute"),
        7_200..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    if count == 1 {
        format!("1 {unit}")
    } else {
        format!("{count} {unit}s")
    }
}
