//! What association calls a set of wishes needs, given what HubSpot has now. Pure.
//!
//! HubSpot's rules that shape it: what is written to a pair replaces its labels, so a pair's whole set is sent; the
//! plain association comes along with any label, and taking it away takes all.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use landbridge_hubspot::associations::{AssociatedRecord, Pair, TypedPair};
use landbridge_model::batch::AssociationType;
use landbridge_model::{Former, HubSpotId};

/// One lookup's wish.
#[derive(Clone, Debug)]
pub(crate) struct Wish<'a> {
    /// The record that holds the lookup.
    pub(crate) child: HubSpotId,
    /// The parent to link; `None` only unlinks.
    pub(crate) parent: Option<HubSpotId>,
    /// What it linked before.
    pub(crate) former: Former,
    /// The label; `None` is the plain association.
    pub(crate) label: Option<&'a AssociationType>,
}

impl Wish<'_> {
    /// Whether the child's associations must be read before it can be planned.
    pub(crate) fn needs_reading(&self) -> bool {
        self.label.is_some() || self.former != Former::Nothing
    }
}

/// Calls to make: first what is taken away, then what is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Calls {
    /// Pairs to lose everything.
    pub(crate) archive: BTreeSet<Pair>,
    /// Pairs to lose these labels only.
    pub(crate) strip: Vec<TypedPair>,
    /// Pairs to get the plain association.
    pub(crate) plain: BTreeSet<Pair>,
    /// Pairs to get exactly these types.
    pub(crate) typed: Vec<TypedPair>,
    /// Pairs that each wish touches, in the order of the wishes.
    pub(crate) touched: Vec<Vec<Pair>>,
}

#[derive(Default)]
struct Change<'a> {
    give: BTreeSet<Option<&'a AssociationType>>,
    take: BTreeSet<Option<&'a AssociationType>>,
}

pub(crate) type Current = BTreeMap<HubSpotId, Vec<AssociatedRecord>>;

/// Plans the wishes of one pair of types. `current` holds the children that were read. `has_plain_field` says that some
/// lookup of the sync links this type plainly. `from_salesforce` holds those of the associated records that came from
/// Salesforce: a plain association whose maker is unknown is taken for ours only with these.
pub(crate) fn plan(
    wishes: &[Wish<'_>],
    current: &Current,
    has_plain_field: bool,
    from_salesforce: &HashSet<HubSpotId>,
) -> Calls {
    let mut calls = Calls::default();
    let mut changes: BTreeMap<Pair, Change<'_>> = BTreeMap::new();
    for wish in wishes {
        let mut touched = Vec::new();
        for to in formers(wish, current, from_salesforce) {
            let pair = Pair { from: wish.child, to };
            changes.entry(pair).or_default().take.insert(wish.label);
            touched.push(pair);
        }
        if let Some(to) = wish.parent {
            let pair = Pair { from: wish.child, to };
            changes.entry(pair).or_default().give.insert(wish.label);
            touched.push(pair);
        }
        calls.touched.push(touched);
    }
    for (pair, change) in changes {
        let has = current
            .get(&pair.from)
            .and_then(|records| records.iter().find(|record| record.to == pair.to));
        if change.give.is_empty() {
            take(&mut calls, pair, &change, has, has_plain_field);
        } else {
            give(&mut calls, pair, &change, has);
        }
    }
    calls
}

/// Which wishes between records of one type have to wait for a reading of their own. Two records that name each other
/// are one association seen from both ends: what is written at one end replaces what the other end's write gave,
/// unless it was read in between. The first wish never waits.
pub(crate) fn must_wait(
    wishes: &[Wish<'_>],
    current: &Current,
    from_salesforce: &HashSet<HubSpotId>,
) -> Vec<bool> {
    let mut touched: HashSet<(HubSpotId, HubSpotId)> = HashSet::new();
    let decide = |wish: &Wish<'_>| {
        let others = formers(wish, current, from_salesforce)
            .into_iter()
            .chain(wish.parent);
        let others: Vec<HubSpotId> = others.filter(|other| *other != wish.child).collect();
        let waits = others.iter().any(|other| touched.contains(&(*other, wish.child)));
        if !waits {
            touched.extend(others.into_iter().map(|other| (wish.child, other)));
        }
        waits
    };
    wishes.iter().map(decide).collect()
}

/// The associated records of which must be known whether they came from Salesforce before these wishes can be planned.
pub(crate) fn in_doubt(wishes: &[Wish<'_>], current: &Current) -> Vec<HubSpotId> {
    let plain_and_unknown = wishes
        .iter()
        .filter(|wish| wish.former == Former::Unknown && wish.label.is_none());
    let doubtful: BTreeSet<HubSpotId> = plain_and_unknown
        .flat_map(|wish| {
            let associated = current.get(&wish.child).into_iter().flatten();
            let others = associated.filter(|record| Some(record.to) != wish.parent && is_plain(record));
            others.map(|record| record.to)
        })
        .collect();
    doubtful.into_iter().collect()
}

/// The parents that a wish no longer wants.
fn formers(wish: &Wish<'_>, current: &Current, from_salesforce: &HashSet<HubSpotId>) -> Vec<HubSpotId> {
    match wish.former {
        Former::Nothing => Vec::new(),
        Former::Record(former) if Some(former) == wish.parent => Vec::new(),
        Former::Record(former) => vec![former],
        Former::Unknown => current
            .get(&wish.child)
            .into_iter()
            .flatten()
            .filter(|record| Some(record.to) != wish.parent)
            .filter(|record| match wish.label {
                Some(label) => record.types.iter().any(|held| held.kind == *label),
                None => is_plain(record) && from_salesforce.contains(&record.to),
            })
            .map(|record| record.to)
            .collect(),
    }
}

fn is_plain(record: &AssociatedRecord) -> bool {
    record.types.iter().all(|held| held.label.is_none())
}

fn give(calls: &mut Calls, pair: Pair, change: &Change<'_>, has: Option<&AssociatedRecord>) {
    let labels: Vec<&AssociationType> = change.give.iter().copied().flatten().collect();
    let taken: Vec<&AssociationType> = change
        .take
        .iter()
        .filter(|kind| !change.give.contains(*kind))
        .copied()
        .flatten()
        .collect();
    if labels.is_empty() && taken.is_empty() {
        calls.plain.insert(pair);
        return;
    }
    let kept = has
        .into_iter()
        .flat_map(|record| &record.types)
        .map(|held| &held.kind);
    let mut types: Vec<AssociationType> = kept.filter(|kind| !taken.contains(kind)).cloned().collect();
    for label in labels {
        if !types.contains(label) {
            types.push(label.clone());
        }
    }
    calls.typed.push(TypedPair { pair, types });
}

fn take(
    calls: &mut Calls,
    pair: Pair,
    change: &Change<'_>,
    has: Option<&AssociatedRecord>,
    has_plain_field: bool,
) {
    let Some(has) = has else { return };
    let labels: Vec<AssociationType> = change
        .take
        .iter()
        .copied()
        .flatten()
        .filter(|kind| has.types.iter().any(|held| held.kind == **kind))
        .cloned()
        .collect();
    let others_remain = has
        .types
        .iter()
        .any(|held| held.label.is_some() && !labels.contains(&held.kind));
    let takes_plain = change.take.contains(&None);
    let plain_is_wanted = has_plain_field && !takes_plain;
    if !others_remain && !plain_is_wanted {
        calls.archive.insert(pair);
    } else if !labels.is_empty() {
        calls.strip.push(TypedPair { pair, types: labels });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use landbridge_model::hubspot::AssociationLabel;

    fn kind(type_id: u32) -> AssociationType {
        AssociationType {
            category: "USER_DEFINED".into(),
            type_id,
        }
    }

    /// Type 1 is the plain association; all others are labels.
    fn has(to: u64, types: &[u32]) -> AssociatedRecord {
        let label = |id: u32| (id != 1).then(|| format!("label {id}"));
        let types = types.iter().map(|&id| AssociationLabel {
            kind: kind(id),
            label: label(id),
        });
        AssociatedRecord {
            to: HubSpotId(to),
            types: types.collect(),
        }
    }

    fn current(records: Vec<AssociatedRecord>) -> Current {
        BTreeMap::from([(HubSpotId(9), records)])
    }

    fn wish(parent: Option<u64>, former: Former, label: Option<&AssociationType>) -> Wish<'_> {
        Wish {
            child: HubSpotId(9),
            parent: parent.map(HubSpotId),
            former,
            label,
        }
    }

    #[track_caller]
    fn check(wishes: &[Wish<'_>], current: Current, plain_field: bool, expected: &str) {
        let ours = HashSet::from([HubSpotId(5), HubSpotId(6)]);
        let calls = plan(wishes, &current, plain_field, &ours);
        let ends = |pairs: &BTreeSet<Pair>| pairs.iter().map(|pair| pair.to.0).collect::<Vec<_>>();
        let typed = |pairs: &[TypedPair]| {
            let types = |pair: &TypedPair| pair.types.iter().map(|kind| kind.type_id).collect::<Vec<_>>();
            pairs
                .iter()
                .map(|pair| (pair.pair.to.0, types(pair)))
                .collect::<Vec<_>>()
        };
        let actual = format!(
            "archive {:?} strip {:?} plain {:?} typed {:?}",
            ends(&calls.archive),
            typed(&calls.strip),
            ends(&calls.plain),
            typed(&calls.typed)
        );
        assert_eq!(actual, expected);
    }

    #[test]
    fn plain_links() {
        let former = Former::Record(HubSpotId(5));
        let none = "archive [] strip [] plain [] typed []";
        let linked = "archive [] strip [] plain [6] typed []";
        check(
            &[wish(Some(6), Former::Nothing, None)],
            current(vec![]),
            true,
            linked,
        );
        let moved = "archive [5] strip [] plain [6] typed []";
        check(
            &[wish(Some(6), former, None)],
            current(vec![has(5, &[1])]),
            true,
            moved,
        );
        check(&[wish(Some(6), former, None)], current(vec![]), true, linked);
        check(
            &[wish(None, former, None)],
            current(vec![has(5, &[1, 4])]),
            true,
            none,
        );
        check(
            &[wish(Some(5), former, None)],
            current(vec![has(5, &[1])]),
            true,
            "archive [] strip [] plain [5] typed []",
        );
    }

    #[test]
    fn what_was_linked_before_an_unknown_history() {
        let records = vec![has(5, &[1]), has(7, &[1]), has(6, &[1, 4])];
        // 7 did not come from Salesforce, 6 has a label of somebody: both stay.
        check(
            &[wish(Some(8), Former::Unknown, None)],
            current(records),
            true,
            "archive [5] strip [] plain [8] typed []",
        );
        let label = kind(2);
        let records = vec![has(5, &[1, 2]), has(7, &[1, 3])];
        check(
            &[wish(Some(8), Former::Unknown, Some(&label))],
            current(records),
            false,
            "archive [5] strip [] plain [] typed [(8, [2])]",
        );
    }

    #[test]
    fn only_what_might_be_taken_away_is_in_doubt() {
        let label = kind(7);
        let now = || current(vec![has(5, &[1]), has(6, &[1, 7]), has(8, &[1])]);
        for (wish, expected) in [
            (wish(Some(5), Former::Unknown, None), vec![8]),
            (wish(None, Former::Unknown, None), vec![5, 8]),
            (wish(Some(5), Former::Unknown, Some(&label)), vec![]),
            (wish(Some(5), Former::Nothing, None), vec![]),
            (wish(Some(5), Former::Record(HubSpotId(8)), None), vec![]),
        ] {
            let doubtful = in_doubt(std::slice::from_ref(&wish), &now());
            let expected: Vec<HubSpotId> = expected.into_iter().map(HubSpotId).collect();
            assert_eq!(doubtful, expected, "{wish:?}");
        }
        let linked = [wish(Some(5), Former::Unknown, None)];
        assert!(in_doubt(&linked, &current(vec![has(5, &[1])])).is_empty());
    }

    #[test]
    fn labels_are_sent_as_the_whole_set_of_their_pair() {
        let (two, three) = (kind(2), kind(3));
        check(
            &[wish(Some(5), Former::Nothing, Some(&two))],
            current(vec![has(5, &[1, 4])]),
            false,
            "archive [] strip [] plain [] typed [(5, [1, 4, 2])]",
        );
        let both = [
            wish(Some(5), Former::Nothing, Some(&two)),
            wish(Some(5), Former::Nothing, Some(&three)),
        ];
        check(
            &both,
            current(vec![]),
            false,
            "archive [] strip [] plain [] typed [(5, [2, 3])]",
        );
        // One lookup leaves the parent while another comes to it.
        let former = Former::Record(HubSpotId(5));
        let swap = [
            wish(None, former, Some(&two)),
            wish(Some(5), Former::Nothing, Some(&three)),
        ];
        check(
            &swap,
            current(vec![has(5, &[1, 2])]),
            false,
            "archive [] strip [] plain [] typed [(5, [1, 3])]",
        );
    }

    #[test]
    fn records_that_name_each_other_are_not_written_from_one_reading() {
        let label = kind(2);
        let of = |child: u64, parent: Option<u64>, former| Wish {
            child: HubSpotId(child),
            ..wish(parent, former, Some(&label))
        };
        let waits = |wishes: &[Wish<'_>], current: &Current| must_wait(wishes, current, &HashSet::new());
        let unknown = Former::Unknown;
        let none = Current::new();
        let circle = [
            of(1, Some(2), unknown),
            of(2, Some(1), unknown),
            of(3, Some(1), unknown),
        ];
        assert_eq!(waits(&circle, &none), [false, true, false]);
        let chain = [
            of(1, Some(2), unknown),
            of(2, Some(3), unknown),
            of(3, Some(3), unknown),
        ];
        assert_eq!(waits(&chain, &none), [false, false, false]);
        let swap = [
            of(1, None, Former::Record(HubSpotId(2))),
            of(2, Some(1), Former::Nothing),
        ];
        assert_eq!(waits(&swap, &none), [false, true]);
        // The former parent is seen only in the reading.
        let found = Current::from([(HubSpotId(1), vec![has(2, &[1, 2])])]);
        let moved = [of(1, Some(3), unknown), of(2, Some(1), Former::Nothing)];
        assert_eq!(waits(&moved, &found), [false, true]);
        assert_eq!(waits(&moved, &none), [false, false]);
    }

    #[test]
    fn taking_a_label_away_leaves_what_others_want() {
        let two = kind(2);
        let former = Former::Record(HubSpotId(5));
        let leave = || [wish(None, former, Some(&two))];
        check(
            &leave(),
            current(vec![has(5, &[1, 2, 4])]),
            false,
            "archive [] strip [(5, [2])] plain [] typed []",
        );
        check(
            &leave(),
            current(vec![has(5, &[1, 2])]),
            true,
            "archive [] strip [(5, [2])] plain [] typed []",
        );
        check(
            &leave(),
            current(vec![has(5, &[1, 2])]),
            false,
            "archive [5] strip [] plain [] typed []",
        );
    }
}
