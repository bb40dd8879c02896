//! What a dry run has found, summed up; and what it cannot know, said. Pure.

use landbridge_model::ask::{Estimate, EstimateWriting, EstimatedLinks};
use landbridge_model::config::{Draft, Resolved};
use landbridge_model::hubspot::PropertyType;
use landbridge_model::validate::Problem;
use landbridge_model::{LinkStance, Outcome, SalesforceId};

use crate::ask::{DryRunReport, DryRunScope, LookupTotals, MatchingCount};
use crate::ledger::{DryRunAccount, Lookup, SHOWN_MAX};

/// What a report says besides what was found.
pub(super) struct Circumstances<'a> {
    pub(super) draft: &'a Draft,
    pub(super) scope: &'a DryRunScope,
    pub(super) records: MatchingCount,
    pub(super) would_create: &'a [String],
    pub(super) notes: &'a [Problem],
    pub(super) unseen: Vec<SalesforceId>,
    pub(super) salesforce: Estimate,
    pub(super) hubspot: Estimate,
}

/// What an import would write, reckoned to all records where only some were looked at.
pub(super) fn writing(
    found: &DryRunAccount,
    draft: &Draft,
    scope: &DryRunScope,
    records: MatchingCount,
) -> EstimateWriting {
    let scale = |number: u64| match scope {
        DryRunScope::All => number,
        DryRunScope::Sample(_) | DryRunScope::Ids(_) => {
            scaled(number, found.answered(), records.matching.max(found.answered()))
        }
    };
    let Some(resolved) = &draft.sync.resolved else {
        return EstimateWriting::default();
    };
    let links = resolved.associations.iter().filter_map(|association| {
        let lookup = found
            .lookups()
            .iter()
            .find(|lookup| lookup.field == association.slot())?;
        let rules = &draft.sync.definition.spec.associations;
        let rule = rules.iter().find(|rule| rule.holds(&association.slot()));
        // A record of the same type is announced by its own write.
        let announced = association.to == resolved.object_type.object_type_id;
        Some(EstimatedLinks {
            to: association.to.clone(),
            labelled: rule.is_some_and(|rule| rule.label.is_some()),
            match_unique: association.match_unique,
            // One that stands is written all the same: nobody remembers it yet.
            made: scale(made(lookup)),
            taken: scale(lookup.taken),
            read: scale(lookup.of_present),
            parents: if announced { 0 } else { scale(lookup.parents()) },
        })
    });
    EstimateWriting {
        object_type: (!draft.missing.object_type).then(|| resolved.object_type.object_type_id.clone()),
        writes: scale(found.count(Outcome::Created) + found.count(Outcome::Updated)),
        deletes: scale(found.count(Outcome::Deleted)),
        links: links.collect(),
    }
}

fn made(lookup: &Lookup) -> u64 {
    let stances = [LinkStance::Link, LinkStance::Stands, LinkStance::Replace];
    stances.iter().map(|stance| lookup.count(*stance)).sum()
}

/// A part of `of`, as a part of `all`, rounded up.
fn scaled(part: u64, of: u64, all: u64) -> u64 {
    if of == 0 {
        return 0;
    }
    let number = (u128::from(part) * u128::from(all)).div_ceil(u128::from(of));
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// The report.
pub(super) fn sum_up(found: &DryRunAccount, around: Circumstances<'_>) -> DryRunReport {
    let definition = &around.draft.sync.definition;
    let lookups = definition.spec.associations.iter().map(|rule| {
        let counted = found.lookups().iter().find(|lookup| rule.holds(&lookup.field));
        let count = |stance: LinkStance| counted.map_or(0, |lookup| lookup.count(stance));
        LookupTotals {
            field: rule.lookup().into_owned(),
            to: rule.to.clone(),
            links: LinkStance::ALL
                .into_iter()
                .map(|stance| (stance, count(stance)))
                .filter(|(_, count)| *count > 0)
                .collect(),
        }
    });
    DryRunReport {
        sync: definition.metadata.name.clone(),
        scope: around.scope.clone(),
        records: around.records,
        compared: found.answered(),
        outcomes: found.outcomes(),
        marked_only: found.marked_only(),
        failures: found.failures(),
        filtered_by: found.filtered_by(),
        links: lookups.collect(),
        would_create: around.would_create.to_vec(),
        extrapolated: *around.scope != DryRunScope::All,
        unpredictable: unpredictable(found, &around),
        salesforce: around.salesforce,
        hubspot: around.hubspot,
        unseen: around.unseen,
        shown_max: SHOWN_MAX as u64,
        notes: around.notes.to_vec(),
    }
}

/// What nobody can predict, as far as it concerns this definition.
fn unpredictable(found: &DryRunAccount, around: &Circumstances<'_>) -> Vec<String> {
    let mut told = vec![
        "what changes in Salesforce or HubSpot between now and the import".to_owned(),
        "HubSpot's own rules that no app can read, such as validation rules and conditionally required properties: \
         what they refuse, fails in the import"
            .to_owned(),
    ];
    if let Some(resolved) = &around.draft.sync.resolved {
        of_properties(resolved, around.draft, &mut told);
        if !resolved.associations.is_empty() {
            told.push("how many associations a record, or a label of it, may still get".to_owned());
        }
    }
    let missing = &around.draft.missing;
    if missing.object_type {
        told.push("whether HubSpot accepts the proposed object type as it is".to_owned());
    } else if missing.id_property {
        told.push(
            "which HubSpot records stand for the same things as the Salesforce records: none carries a Salesforce id yet, \
             so each Salesforce record becomes a new one"
                .to_owned(),
        );
    }
    if found.count(Outcome::Unchanged) > 0 {
        told.push(
            "whether the loader still remembers that records are unchanged: without its memory it writes them again, \
             with the same values"
                .to_owned(),
        );
    }
    if found.count(Outcome::Deleted) > 0 {
        told.push(
            "how many deletes the safety limit lets pass: it counts those of the hour in which they come"
                .to_owned(),
        );
    }
    if found.links(LinkStance::Unknown) > 0 {
        told.push(format!(
            "{} links: whether their parents come with the import, of which only some records were looked at",
            found.links(LinkStance::Unknown)
        ));
    }
    // Of all records some are read twice, as an import reads them.
    let read = match around.scope {
        DryRunScope::All => 0,
        DryRunScope::Sample(_) | DryRunScope::Ids(_) => {
            found.progress.as_ref().map_or(0, |progress| progress.rows)
        }
    };
    if let Some(unanswered) = read.checked_sub(found.answered()).filter(|left| *left > 0) {
        told.push(format!(
            "{unanswered} records that were read, and of which no answer came: a worker gave up on them; run it again"
        ));
    }
    if !around.records.exact {
        told.push(
            "how many records match the filter: Salesforce cannot count by one of the conditions, so the count is of \
             more"
                .to_owned(),
        );
    }
    told
}

fn of_properties(resolved: &Resolved, draft: &Draft, told: &mut Vec<String>) {
    let fields = draft.sync.definition.spec.fields.iter();
    let mapped: Vec<_> = fields
        .filter_map(|rule| resolved.object_type.property(&rule.to))
        .collect();
    let unique: Vec<&str> = mapped
        .iter()
        .filter(|property| property.has_unique_value)
        .map(|property| property.name.as_str())
        .collect();
    if !unique.is_empty() {
        told.push(format!(
            "two records of this import with the same value of {}: HubSpot takes one of them and refuses the other",
            unique.join(" or ")
        ));
    }
    let has_options = mapped
        .iter()
        .any(|property| property.kind == PropertyType::Enumeration);
    if has_options {
        told.push(
            "options that somebody adds or removes meanwhile; HubSpot shows such edits some seconds late"
                .to_owned(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_reckoned_to_the_whole_and_never_to_nothing() {
        for (part, of, all, expected) in [
            (0, 100, 10_000, 0),
            (1, 100, 10_000, 100),
            (1, 3, 10, 4),
            (100, 100, 100, 100),
            (5, 0, 100, 0),
            (u64::MAX, 1, u64::MAX, u64::MAX),
        ] {
            assert_eq!(scaled(part, of, all), expected, "{part} of {of} in {all}");
        }
    }
}
