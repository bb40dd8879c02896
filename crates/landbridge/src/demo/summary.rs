//! The short summary at the end.

use std::time::Duration;

use landbridge_control::ask::{TenantStatus, VerifyReport};
use landbridge_model::SyncName;
use landbridge_model::ask::{CallCount, ImportStatus};

use super::arrivals::Arrival;
use super::screen::Screen;
use super::world::World;

/// Prints it.
pub fn print(
    world: &World,
    screen: &Screen,
    imported: &[ImportStatus],
    arrived: &[Arrival],
    status: &TenantStatus,
    reports: &[(SyncName, VerifyReport)],
) {
    screen.line("");
    screen.line("Summary");
    for import in imported {
        let outcomes = import.outcomes.iter().filter(|(_, count)| *count > 0);
        let outcomes: Vec<String> = outcomes
            .map(|(outcome, count)| format!("{count} {outcome}"))
            .collect();
        screen.line(&format!(
            "  import {:<16} {:<22} {} extracted = {} (unaccounted for: {})",
            import.sync.as_str(),
            import.state,
            import.extracted,
            outcomes.join(" + "),
            import.unaccounted
        ));
    }
    for import in imported {
        let links = import.links.iter().filter(|(_, count)| *count > 0);
        let links: Vec<String> = links
            .map(|(outcome, count)| format!("{count} {outcome}"))
            .collect();
        screen.line(&format!(
            "  links of {:<14} {}",
            import.sync.as_str(),
            none_if_empty(&links)
        ));
    }
    screen.line(&format!(
        "  Salesforce calls    {}",
        calls(&status.salesforce_calls)
    ));
    screen.line(&format!("  HubSpot calls       {}", calls(&status.hubspot_calls)));
    screen.line(&format!("  live edits          {}", delays(arrived, world.lag())));
    let differences: usize = reports.iter().map(|(_, report)| report.differences.len()).sum();
    screen.line(&format!(
        "  verify              {}",
        if differences == 0 {
            "no difference between the two systems".to_owned()
        } else {
            format!("{differences} differences")
        }
    ));
    screen.line("");
    screen.line("Where to look next (with --keep-running, in another terminal)");
    let bus = world.bus_url();
    screen.line(&format!("  landbridge status --nats {bus}"));
    if let Some(id) = reports
        .iter()
        .find_map(|(_, report)| report.apart.first().and_then(|found| found.id))
    {
        screen.line(&format!("  landbridge explain {id} --nats {bus}"));
    }
    screen.line(&format!("  landbridge import list --nats {bus} --output json"));
    screen.line("  README.md and ARCHITECTURE.md");
}

fn none_if_empty(words: &[String]) -> String {
    if words.is_empty() {
        "none".to_owned()
    } else {
        words.join(", ")
    }
}

fn calls(counts: &[CallCount]) -> String {
    let total: u64 = counts.iter().map(|count| count.calls).sum();
    let refused: u64 = counts.iter().map(|count| count.refused).sum();
    let families: Vec<String> = counts
        .iter()
        .filter(|count| count.calls > 0)
        .map(|count| format!("{} {}", count.calls, count.family))
        .collect();
    format!("{total} ({}), {refused} refused for a limit", families.join(", "))
}

/// Median and 99th percentile from commit to acknowledgement.
fn delays(arrived: &[Arrival], lag: Duration) -> String {
    let mut took: Vec<Duration> = arrived.iter().map(|arrival| arrival.took).collect();
    if took.is_empty() {
        return "none arrived".to_owned();
    }
    took.sort_unstable();
    format!(
        "{} arrived; from Salesforce commit to HubSpot acknowledgement median {:.1} s, p99 {:.1} s, \
         by change events; polling stands in for them {:.0} s behind the org's clock",
        took.len(),
        percentile(&took, 50).as_secs_f32(),
        percentile(&took, 99).as_secs_f32(),
        lag.as_secs_f32()
    )
}

/// The smallest of the sorted values that so many percent do not exceed.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let at = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    sorted.get(at).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let seconds: Vec<Duration> = (1..=200).map(Duration::from_secs).collect();
        assert_eq!(percentile(&seconds, 50), Duration::from_secs(100));
        assert_eq!(percentile(&seconds, 99), Duration::from_secs(198));
        assert_eq!(percentile(&seconds[..1], 99), Duration::from_secs(1));
    }
}
