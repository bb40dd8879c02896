//! Watching imports until they end: bars on a terminal, lines elsewhere, one JSON object a line on request.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use landbridge_model::ask::{ImportStatus, ListImports};
use landbridge_model::{ImportId, Outcome, TenantId};

use super::Context;
use crate::cli::OutputFormat;
use crate::output::{CommandError, Exit, counts, duration, say};

/// How often is looked.
const LOOK: Duration = Duration::from_millis(500);
/// Looks between two lines where there are no bars.
const LINE_EVERY: u32 = 10;
/// Control may change hands, or be restarted, while it is watched: failed looks in a row before it is given up.
const TROUBLE_MAX: u32 = 20;

/// Watches until all have ended. The exit code says whether everything arrived.
pub(super) async fn until_ended(
    context: &Context,
    tenant: &TenantId,
    ids: Vec<ImportId>,
) -> anyhow::Result<Exit> {
    let mut view = View::new(context.output, ids.len());
    let mut tick = tokio::time::interval(LOOK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut trouble = 0;
    loop {
        tick.tick().await;
        let statuses = match look(context, tenant, &ids).await {
            Ok(statuses) => statuses,
            Err(error) if error.exit == Exit::Unavailable && trouble < TROUBLE_MAX => {
                trouble += 1;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        trouble = 0;
        view.show(&statuses)?;
        if statuses.iter().all(is_over) {
            view.end(&statuses);
            let clean = statuses
                .iter()
                .all(|status| matches!(status.state.as_str(), "Completed" | "Canceled" | "Undone"));
            return Ok(if clean { Exit::Done } else { Exit::Differences });
        }
    }
}

async fn look(
    context: &Context,
    tenant: &TenantId,
    ids: &[ImportId],
) -> Result<Vec<ImportStatus>, CommandError> {
    let asked = ids.iter().map(|id| async move {
        let found = context.ask(tenant, &ListImports { id: Some(id.clone()) }).await?;
        let gone = || CommandError::new(Exit::NotFound, format!("the import {id} is gone"));
        found.into_iter().next().ok_or_else(gone)
    });
    futures::future::try_join_all(asked).await
}

/// Whether nothing more will happen to an import.
pub(super) fn is_over(status: &ImportStatus) -> bool {
    let stopped = matches!(status.state.as_str(), "Failed" | "Canceled");
    status.ended_ms.is_some() || (stopped && status.in_flight == 0)
}

fn settled(status: &ImportStatus) -> u64 {
    status.outcomes.iter().map(|(_, count)| count).sum()
}

/// How many records there will be, as far as is known.
fn total(status: &ImportStatus) -> u64 {
    status.salesforce_total.unwrap_or_default().max(status.extracted)
}

/// An import in one line.
pub(super) fn line(status: &ImportStatus) -> String {
    let mut text = format!(
        "import {} of {}: {}, {} of {} settled: {}",
        status.id,
        status.sync,
        status.state,
        settled(status),
        total(status),
        counts(&status.outcomes),
    );
    text.push_str(&pace(status));
    if let Some(reason) = &status.reason {
        text.push_str(&format!("; {reason}"));
    }
    text
}

fn pace(status: &ImportStatus) -> String {
    if is_over(status) {
        return String::new();
    }
    let first = match status.waits_for.as_slice() {
        [] => String::new(),
        ids => {
            let ids: Vec<&str> = ids.iter().map(ImportId::as_str).collect();
            format!("; after {}", ids.join(" and "))
        }
    };
    format!("; {} in flight, {}{first}", status.in_flight, speed(status))
}

/// How fast it goes, and for how long it still does where that can be told.
pub(super) fn speed(status: &ImportStatus) -> String {
    let left = status
        .remaining_seconds
        .map(|seconds| format!(", {} left", duration((seconds * 1_000.0) as i64)));
    format!("{:.0}/s{}", status.rate, left.unwrap_or_default())
}

/// The account of every record, as a sum.
pub(super) fn conservation(status: &ImportStatus) -> String {
    let parts: Vec<String> = Outcome::ALL
        .into_iter()
        .filter_map(|outcome| {
            status
                .outcomes
                .iter()
                .find(|(known, count)| *known == outcome && *count > 0)
        })
        .map(|(outcome, count)| format!("{count} {outcome}"))
        .chain([format!("{} in flight", status.in_flight)])
        .collect();
    let counted = match status.salesforce_total {
        Some(total) => format!("; Salesforce counted {total}"),
        None => String::new(),
    };
    let lost = match status.unaccounted {
        0 => String::new(),
        lost => format!(" + {lost} UNACCOUNTED FOR"),
    };
    format!(
        "{}: {} extracted = {}{lost}{counted}; links: {}",
        status.sync,
        status.extracted,
        parts.join(" + "),
        counts(&status.links)
    )
}

enum View {
    Bars(Vec<ProgressBar>),
    Lines { looks: u32, states: Vec<String> },
    Json { last: Vec<String> },
}

impl View {
    fn new(output: OutputFormat, imports: usize) -> Self {
        if output == OutputFormat::Json {
            return Self::Json {
                last: vec![String::new(); imports],
            };
        }
        if !std::io::stdout().is_terminal() {
            return Self::Lines {
                looks: 0,
                states: vec![String::new(); imports],
            };
        }
        let bars = MultiProgress::new();
        let style = ProgressStyle::with_template("{prefix:16} {bar:30.cyan/blue} {pos:>8}/{len:8} {msg}");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        Self::Bars(
            (0..imports)
                .map(|_| bars.add(ProgressBar::new(0).with_style(style.clone())))
                .collect(),
        )
    }

    fn show(&mut self, statuses: &[ImportStatus]) -> anyhow::Result<()> {
        match self {
            Self::Bars(bars) => {
                for (bar, status) in bars.iter().zip(statuses) {
                    bar.set_prefix(status.sync.to_string());
                    bar.set_length(total(status));
                    bar.set_position(settled(status));
                    bar.set_message(format!(
                        "{} {}{}",
                        status.state,
                        counts(&status.outcomes),
                        pace(status)
                    ));
                }
            }
            Self::Lines { looks, states } => {
                let due = *looks % LINE_EVERY == 0;
                *looks += 1;
                for (state, status) in states.iter_mut().zip(statuses) {
                    if (due && !is_over(status)) || *state != status.state {
                        say!("{}", line(status));
                        state.clone_from(&status.state);
                    }
                }
            }
            Self::Json { last } => {
                for (last, status) in last.iter_mut().zip(statuses) {
                    let text = serde_json::to_string(status)?;
                    if *last != text {
                        say!("{text}");
                        *last = text;
                    }
                }
            }
        }
        Ok(())
    }

    fn end(&self, statuses: &[ImportStatus]) {
        if let Self::Bars(bars) = self {
            bars.iter().for_each(ProgressBar::abandon);
        }
        if !matches!(self, Self::Json { .. }) {
            for status in statuses {
                say!("{}", conservation(status));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use landbridge_model::{LinkOutcome, Revision, SyncName};

    use super::*;

    fn status() -> ImportStatus {
        ImportStatus {
            id: ImportId::new("imp-1").unwrap(),
            sync: SyncName::new("vehicles").unwrap(),
            revision: Revision(1),
            state: "Running".to_owned(),
            salesforce_total: Some(100),
            extracted: 60,
            outcomes: vec![
                (Outcome::Created, 40),
                (Outcome::Updated, 0),
                (Outcome::Failed, 10),
            ],
            in_flight: 10,
            links: vec![(LinkOutcome::Linked, 30), (LinkOutcome::Parked, 2)],
            rate: 5.0,
            remaining_seconds: Some(10.0),
            started_by: "ann".to_owned(),
            started_ms: 0,
            ended_ms: None,
            unaccounted: 0,
            reason: None,
            waits_for: Vec::new(),
            keeps_before: false,
            undo: None,
        }
    }

    #[test]
    fn the_account_is_shown_as_a_sum() {
        assert_eq!(
            conservation(&status()),
            "vehicles: 60 extracted = 40 created + 10 failed + 10 in flight; Salesforce counted 100; links: 30 linked, \
             2 parked"
        );
        let lost = ImportStatus {
            in_flight: 9,
            unaccounted: 1,
            ..status()
        };
        assert!(conservation(&lost).contains("1 UNACCOUNTED FOR"));
    }

    #[test]
    fn a_line_says_how_long_it_takes() {
        assert_eq!(
            line(&status()),
            "import imp-1 of vehicles: Running, 50 of 100 settled: 40 created, 10 failed; 10 in flight, 5/s, 10 s left"
        );
    }

    #[test]
    fn a_line_says_what_is_read_first() {
        let queued = ImportStatus {
            state: "Queued".to_owned(),
            salesforce_total: None,
            remaining_seconds: None,
            waits_for: vec![ImportId::new("imp-0").unwrap()],
            ..status()
        };
        assert!(
            line(&queued).ends_with("; 10 in flight, 5/s; after imp-0"),
            "{}",
            line(&queued)
        );
    }

    #[test]
    fn an_import_that_was_stopped_is_over_when_nothing_is_on_its_way() {
        let stopped = |state: &str, in_flight| ImportStatus {
            state: state.into(),
            in_flight,
            ..status()
        };
        assert!(!is_over(&stopped("Canceled", 3)));
        assert!(is_over(&stopped("Canceled", 0)));
        assert!(!is_over(&stopped("Running", 0)), "the extractor may have more");
    }
}
