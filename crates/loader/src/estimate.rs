//! What an import costs in calls to HubSpot, by the rules by which it writes. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use landbridge_hubspot::Family;
use landbridge_hubspot::associations::{ARCHIVE_INPUTS_MAX, CREATE_INPUTS_MAX, READ_INPUTS_MAX};
use landbridge_hubspot::records::BATCH_INPUTS_MAX;
use landbridge_model::ask::{Estimate, EstimateWriting, EstimatedCalls, EstimatedLinks};

/// The window over which HubSpot limits calls.
const WINDOW: Duration = Duration::from_secs(10);

/// What is known of the portal when the estimate is made.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Budget {
    /// Calls that we allow ourselves in a window; `None` is no limit.
    pub(crate) burst: Option<f64>,
    /// Calls left of today's, when known.
    pub(crate) daily_left: Option<u64>,
    /// Whether every record of the type is remembered: then none has to be read before it is written.
    pub(crate) is_known: bool,
}

/// What the writes of an import cost.
pub(crate) fn import(wanted: &EstimateWriting, budget: Budget) -> Estimate {
    let mut calls: BTreeMap<Family, u64> = BTreeMap::new();
    let mut notes = vec![
        "batches are as full as they can be; rows that come slowly, and batches that HubSpot refuses for one row, cost \
         more calls"
            .to_owned(),
    ];
    let mut add = |family, number: u64, most: usize| {
        *calls.entry(family).or_default() += number.div_ceil(most as u64);
    };
    add(Family::Write, wanted.writes, BATCH_INPUTS_MAX);
    // A delete is looked up before it is written.
    add(Family::Read, wanted.deletes, BATCH_INPUTS_MAX);
    add(Family::Archive, wanted.deletes, BATCH_INPUTS_MAX);
    if wanted.object_type.is_some() && !budget.is_known {
        add(Family::List, wanted.writes.min(1), 1);
        if wanted.writes > BATCH_INPUTS_MAX as u64 {
            notes.push(format!(
                "what HubSpot has of the type is not known here: up to {} calls more read records before they are \
                 written, or list the type",
                wanted.writes.div_ceil(BATCH_INPUTS_MAX as u64)
            ));
        }
    }
    for lookup in &wanted.links {
        links(lookup, &mut add, &mut notes);
    }
    calls.retain(|_, number| *number > 0);
    let seconds = budget.burst.map(|burst| seconds(&calls, burst));
    let calls: Vec<EstimatedCalls> = calls
        .into_iter()
        .map(|(family, calls)| EstimatedCalls {
            family: family.as_str().to_owned(),
            calls,
        })
        .collect();
    let mut estimate = Estimate {
        calls,
        seconds,
        daily_left: budget.daily_left,
        before_calls: before(wanted),
        notes,
    };
    if estimate.before_calls > 0 {
        let more = estimate.before_calls;
        estimate.notes.push(format!(
            "an import that is to be undone some day (--keep-before) reads what is there first: {more} calls more"
        ));
    }
    if budget.daily_left.is_some_and(|left| left < estimate.total()) {
        estimate
            .notes
            .push("more than is left of today's calls: the import goes on tomorrow".to_owned());
    }
    estimate
}

/// Calls that read what is there before it is written over: records by 100, and associations that are not read anyway.
fn before(wanted: &EstimateWriting) -> u64 {
    let records = wanted.writes.div_ceil(BATCH_INPUTS_MAX as u64);
    let unread = |lookup: &&EstimatedLinks| !lookup.labelled;
    let links = wanted.links.iter().filter(unread).map(|lookup| {
        let unread = (lookup.made + lookup.taken).saturating_sub(lookup.read);
        unread.div_ceil(READ_INPUTS_MAX as u64)
    });
    records + links.sum::<u64>()
}

fn links(lookup: &EstimatedLinks, add: &mut impl FnMut(Family, u64, usize), notes: &mut Vec<String>) {
    // What a labelled pair holds already is read first, since a write replaces it.
    let read = if lookup.labelled {
        lookup.made + lookup.taken
    } else {
        lookup.read
    };
    add(Family::Associations, read, READ_INPUTS_MAX);
    add(Family::Associations, lookup.made, CREATE_INPUTS_MAX);
    add(Family::Associations, lookup.taken, ARCHIVE_INPUTS_MAX);
    if lookup.match_unique {
        add(Family::Read, lookup.parents, BATCH_INPUTS_MAX);
    } else if lookup.parents > 0 {
        notes.push(format!(
            "the records of {} are listed to find the parents: one call for every 100 that the portal has",
            lookup.to
        ));
    }
}

/// Association calls have a window of their own: the slower of the two decides.
fn seconds(calls: &BTreeMap<Family, u64>, burst: f64) -> f64 {
    let associations = calls.get(&Family::Associations).copied().unwrap_or(0);
    let others = calls.values().sum::<u64>() - associations;
    let windows = associations.max(others) as f64 / burst.max(1.0);
    windows * WINDOW.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use landbridge_model::ObjectTypeId;

    fn wanted(writes: u64) -> EstimateWriting {
        EstimateWriting {
            object_type: Some(ObjectTypeId::new("2-1")),
            writes,
            ..EstimateWriting::default()
        }
    }

    fn told(estimate: &Estimate) -> String {
        let families = estimate
            .calls
            .iter()
            .map(|one| format!("{} {}", one.family, one.calls));
        families.collect::<Vec<_>>().join(", ")
    }

    fn lookup(labelled: bool, match_unique: bool) -> EstimatedLinks {
        EstimatedLinks {
            to: ObjectTypeId::new("2-2"),
            labelled,
            match_unique,
            made: 2_001,
            taken: 0,
            read: 0,
            parents: 150,
        }
    }

    #[test]
    fn calls_follow_the_batching_rules() {
        let known = Budget {
            is_known: true,
            ..Budget::default()
        };
        let cold = Budget::default();
        let with = |link: EstimatedLinks| EstimateWriting {
            links: vec![link],
            ..wanted(0)
        };
        let deletes = EstimateWriting {
            deletes: 101,
            ..wanted(0)
        };
        for (wanted, budget, expected) in [
            (wanted(0), known, ""),
            (wanted(1), known, "write 1"),
            (wanted(100), known, "write 1"),
            (wanted(101), known, "write 2"),
            (wanted(101), cold, "list 1, write 2"),
            (deletes, known, "read 2, archive 2"),
            // 2,000 plain links in a call; labelled ones are read first, by 1,000.
            (with(lookup(false, true)), known, "read 2, associations 2"),
            (with(lookup(true, true)), known, "read 2, associations 5"),
            (with(lookup(false, false)), known, "associations 2"),
        ] {
            assert_eq!(told(&import(&wanted, budget)), expected, "{wanted:?}");
        }
    }

    #[test]
    fn what_was_there_before_is_read_in_batches() {
        let calls = |writes, links: &[EstimatedLinks]| {
            let wanted = EstimateWriting {
                links: links.to_vec(),
                ..wanted(writes)
            };
            import(&wanted, Budget::default()).before_calls
        };
        assert_eq!(calls(0, &[]), 0);
        assert_eq!(calls(101, &[]), 2);
        // 2,001 links: those of a label are read anyway.
        assert_eq!(calls(100, &[lookup(false, true)]), 1 + 3);
        assert_eq!(calls(100, &[lookup(true, true)]), 1);
    }

    #[test]
    fn the_slower_window_decides_how_long_it_takes() {
        let budget = Budget {
            burst: Some(100.0),
            daily_left: Some(1),
            is_known: true,
        };
        let estimate = import(&wanted(100_000), budget);
        assert_eq!(estimate.seconds, Some(100.0));
        assert!(estimate.notes.iter().any(|note| note.contains("tomorrow")));
        let links = EstimateWriting {
            links: vec![EstimatedLinks {
                made: 4_000_000,
                ..lookup(false, true)
            }],
            ..wanted(100_000)
        };
        assert_eq!(import(&links, budget).seconds, Some(200.0));
    }
}
