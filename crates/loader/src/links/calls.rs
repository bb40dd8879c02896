//! Association calls: repeated while trouble passes, counted against what was asked, narrowed when refused whole.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use landbridge_hubspot::associations::{AssociatedRecord, Pair, PairAnswer, READ_INPUTS_MAX, TypedPair};
use landbridge_hubspot::narrow::{Narrowing, Next};
use landbridge_hubspot::records::BATCH_INPUTS_MAX;
use landbridge_hubspot::verdict::{ErrorBody, judge_item};
use landbridge_hubspot::{Error, Verdict};
use landbridge_model::batch::AssociationType;
use landbridge_model::{Failure, FailureCategory, HubSpotId, ObjectTypeId, SalesforceId};
use landbridge_stage::StageError;

use super::{PairFates, READ_BACK_PAUSE};
use crate::flight::{Airline, waits};
use crate::portal::Portal;
use crate::refusal::{call_failure, row_failure};

/// How often pairs are asked for again that HubSpot accepted but does not have.
const READ_BACKS: u32 = 4;

/// Repeats a call while its trouble passes by itself. `None` when there is no use in going on with this portal object: on
/// a stop, or when its credential is refused.
pub(crate) async fn patiently<T, F: Future<Output = Result<T, Error>>>(
    airline: &Airline,
    portal: &Portal,
    mut call: impl FnMut() -> F,
) -> Result<Option<Result<T, Error>>, StageError> {
    let mut attempts = 0;
    loop {
        airline
            .context
            .lease
            .wait_to_send(portal.client.timeout())
            .await?;
        let began = Instant::now();
        let result = call().await;
        airline.count("associations", &result, began);
        let error = match result {
            Ok(done) => return Ok(Some(Ok(done))),
            Err(error) => error,
        };
        airline.note_credentials(&error).await;
        if matches!(error.verdict, Verdict::Auth | Verdict::Scopes { .. }) {
            return Ok(None);
        }
        let Some(wait) = waits(&error, attempts) else {
            return Ok(Some(Err(error)));
        };
        attempts += 1;
        tokio::select! {
            () = airline.context.stop.cancelled() => return Ok(None),
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Which of these records carry a Salesforce id in `property`.
pub(crate) async fn came_from_salesforce(
    airline: &Airline,
    portal: &Portal,
    object_type: &ObjectTypeId,
    property: &str,
    records: &[HubSpotId],
) -> Result<Option<Result<HashSet<HubSpotId>, Error>>, StageError> {
    let mut found = HashSet::new();
    for chunk in records.chunks(BATCH_INPUTS_MAX) {
        let texts: Vec<String> = chunk.iter().map(HubSpotId::to_string).collect();
        let ids: Vec<&str> = texts.iter().map(String::as_str).collect();
        let read = patiently(airline, portal, || {
            portal.client.read_records(
                airline.share,
                object_type,
                None,
                &ids,
                std::slice::from_ref(&property),
            )
        });
        let reply = match read.await? {
            Some(Ok(reply)) => reply,
            Some(Err(error)) => return Ok(Some(Err(error))),
            None => return Ok(None),
        };
        match reply.records(&[property]) {
            Ok(answer) => found.extend(answer.results.iter().filter_map(|record| {
                let value = record.values[0].as_deref()?;
                SalesforceId::parse(value.trim()).is_ok().then_some(record.id)
            })),
            Err(error) => return Ok(Some(Err(error))),
        }
    }
    Ok(Some(Ok(found)))
}

/// Makes calls for one pair of types.
pub(crate) struct Caller<'a> {
    pub(crate) airline: &'a Airline,
    pub(crate) portal: &'a Portal,
    pub(crate) from: &'a ObjectTypeId,
    pub(crate) to: &'a ObjectTypeId,
}

/// Pairs that failed with their reason; `None` as in [`patiently`].
type Outcome = Result<Option<PairFates>, StageError>;

impl Caller<'_> {
    /// Removes every association of these pairs.
    pub(crate) async fn dissociate(&self, pairs: &[Pair]) -> Outcome {
        let (client, share) = (&self.portal.client, self.airline.share);
        let call = |places: Vec<usize>| {
            let part: Vec<Pair> = places.iter().map(|&place| pairs[place]).collect();
            async move { client.dissociate(share, self.from, self.to, &part).await }
        };
        self.settle(pairs, None, call).await
    }

    /// Removes labels.
    pub(crate) async fn strip(&self, typed: &[TypedPair]) -> Outcome {
        let (client, share) = (&self.portal.client, self.airline.share);
        let call = |places: Vec<usize>| {
            let part: Vec<TypedPair> = places.iter().map(|&place| typed[place].clone()).collect();
            async move { client.remove_types(share, self.from, self.to, &part).await }
        };
        let pairs: Vec<Pair> = typed.iter().map(|typed| typed.pair).collect();
        self.settle(&pairs, None, call).await
    }

    /// Makes plain associations.
    pub(crate) async fn link_plainly(&self, pairs: &[Pair]) -> Outcome {
        let (client, share) = (&self.portal.client, self.airline.share);
        let call = |places: Vec<usize>| {
            let part: Vec<Pair> = places.iter().map(|&place| pairs[place]).collect();
            async move { client.associate_plainly(share, self.from, self.to, &part).await }
        };
        self.settle(pairs, Some(&|_| &[]), call).await
    }

    /// Makes labelled associations.
    pub(crate) async fn link(&self, typed: &[TypedPair]) -> Outcome {
        let (client, share) = (&self.portal.client, self.airline.share);
        let call = |places: Vec<usize>| {
            let part: Vec<TypedPair> = places.iter().map(|&place| typed[place].clone()).collect();
            async move { client.associate(share, self.from, self.to, &part).await }
        };
        let pairs: Vec<Pair> = typed.iter().map(|typed| typed.pair).collect();
        self.settle(&pairs, Some(&|place| &typed[place].types), call)
            .await
    }

    /// Calls until each pair is done or refused. Pairs that are made must be named by an answer or found by a read with
    /// the types that `made` says. (Of what archives did, HubSpot's answers name nothing.)
    async fn settle<F: Future<Output = Result<PairAnswer, Error>>>(
        &self,
        pairs: &[Pair],
        made: Option<Types<'_>>,
        call: impl Fn(Vec<usize>) -> F,
    ) -> Outcome {
        let mut failed = PairFates::new();
        let mut left: Vec<usize> = (0..pairs.len()).collect();
        for round in 0..=READ_BACKS {
            if left.is_empty() {
                return Ok(Some(failed));
            }
            if round > 0 {
                tokio::time::sleep(READ_BACK_PAUSE * round).await;
            }
            let Some(open) = self.call_all(pairs, &left, &call, &mut failed).await? else {
                return Ok(None);
            };
            let Some(types) = made.filter(|_| !open.is_empty()) else {
                return Ok(Some(failed));
            };
            let Some(missing) = self.read_back(pairs, types, &open).await? else {
                return Ok(None);
            };
            left = missing;
        }
        for place in left {
            let text = "HubSpot accepted the association, but does not have it";
            failed.insert(pairs[place], Failure::new(FailureCategory::HubSpotError, text));
        }
        Ok(Some(failed))
    }

    /// One call for all, narrowed when it is refused whole; answers the places that no answer mentions.
    async fn call_all<F: Future<Output = Result<PairAnswer, Error>>>(
        &self,
        pairs: &[Pair],
        places: &[usize],
        call: &impl Fn(Vec<usize>) -> F,
        failed: &mut PairFates,
    ) -> Result<Option<Vec<usize>>, StageError> {
        let mut open = Vec::new();
        let send = |part: Vec<usize>| patiently(self.airline, self.portal, move || call(part.clone()));
        match send(places.to_vec()).await? {
            None => return Ok(None),
            Some(Ok(answer)) => take(pairs, places, answer, failed, &mut open),
            Some(Err(error)) if places.len() > 1 && narrows(&error) => {
                let mut narrowing = Narrowing::new(places.len(), Arc::new(error), []);
                loop {
                    match narrowing.step() {
                        Next::Done => break,
                        Next::Bad(at, error) => {
                            failed.insert(pairs[places[at]], link_failure(&error));
                        }
                        Next::Send(group) => {
                            let part: Vec<usize> = group.iter().map(|&at| places[at]).collect();
                            match send(part.clone()).await? {
                                None => return Ok(None),
                                Some(Ok(answer)) => {
                                    take(pairs, &part, answer, failed, &mut open);
                                    narrowing.taken();
                                }
                                Some(Err(error)) => narrowing.refused(Arc::new(error), []),
                            }
                        }
                    }
                }
            }
            Some(Err(error)) => {
                let failure = link_failure(&error);
                failed.extend(places.iter().map(|&place| (pairs[place], failure.clone())));
            }
        }
        Ok(Some(open))
    }

    /// Which of these pairs HubSpot does not have, or not with all their types.
    async fn read_back(
        &self,
        pairs: &[Pair],
        types: Types<'_>,
        open: &[usize],
    ) -> Result<Option<Vec<usize>>, StageError> {
        let (client, share) = (&self.portal.client, self.airline.share);
        let children: BTreeSet<HubSpotId> = open.iter().map(|&place| pairs[place].from).collect();
        let children: Vec<HubSpotId> = children.into_iter().collect();
        let mut found = BTreeMap::new();
        for chunk in children.chunks(READ_INPUTS_MAX) {
            let read = patiently(self.airline, self.portal, || {
                client.read_associations(share, self.from, self.to, chunk)
            });
            match read.await? {
                None => return Ok(None),
                // Not readable now: ask for them again.
                Some(Err(_)) => return Ok(Some(open.to_vec())),
                Some(Ok(records)) => found.extend(records),
            }
        }
        let mut missing = open.to_vec();
        missing.retain(|&place| !is_there(&found, pairs[place], types(place)));
        Ok(Some(missing))
    }
}

/// The types that the pair at a place should have; none when any will do.
type Types<'a> = &'a (dyn Fn(usize) -> &'a [AssociationType] + Sync);

/// Whether a record is associated with another, with all of these types.
fn is_there(
    found: &BTreeMap<HubSpotId, Vec<AssociatedRecord>>,
    pair: Pair,
    types: &[AssociationType],
) -> bool {
    let others = found.get(&pair.from).into_iter().flatten();
    let there: Vec<&AssociationType> = others
        .filter(|other| other.to == pair.to)
        .flat_map(|other| other.types.iter().map(|label| &label.kind))
        .collect();
    !there.is_empty() && types.iter().all(|wanted| there.contains(&wanted))
}

/// Whether a refusal may be about some of the pairs only.
fn narrows(error: &Error) -> bool {
    error.verdict.is_about_rows() || error.verdict == Verdict::NotFound
}

/// Counts an answer against what was asked.
fn take(pairs: &[Pair], places: &[usize], answer: PairAnswer, failed: &mut PairFates, open: &mut Vec<usize>) {
    let done: HashSet<Pair> = answer
        .done
        .iter()
        .flat_map(|pair| {
            [
                *pair,
                Pair {
                    from: pair.to,
                    to: pair.from,
                },
            ]
        })
        .collect();
    for &place in places {
        let pair = pairs[place];
        if done.contains(&pair) {
            continue;
        }
        match answer.errors.iter().find(|error| names(error, pair)) {
            Some(error) => {
                failed.insert(pair, item_failure(error));
            }
            None => open.push(place),
        }
    }
}

/// Whether an error is about this pair: its context or its words name one of the two records.
fn names(error: &ErrorBody, pair: Pair) -> bool {
    let (from, to) = (pair.from.to_string(), pair.to.to_string());
    let by_name = |name: &str| error.named(name);
    let froms = by_name("fromObjectId").iter().chain(by_name("fromId"));
    let tos = by_name("toObjectId").iter().chain(by_name("toId"));
    let (froms, tos): (Vec<&String>, Vec<&String>) = (froms.collect(), tos.collect());
    if !froms.is_empty() && !tos.is_empty() {
        return froms.contains(&&from) && tos.contains(&&to);
    }
    let mut ids = by_name("id").iter().chain(by_name("ids")).chain(froms).chain(tos);
    ids.any(|id| *id == from || *id == to) || (pair.from == pair.to && error.message.contains(&from))
}

/// Whether a refusal's words say that a record, a pair or a label has all the associations it may have.
fn tells_limit(message: &str) -> bool {
    let told = message.to_ascii_lowercase();
    ["limit", "no more than", "exceed the maximum"]
        .iter()
        .any(|words| told.contains(words))
}

fn item_failure(error: &ErrorBody) -> Failure {
    let mut failure = row_failure(&judge_item(error), &error.message, None, |_| None);
    failure.category = FailureCategory::HubSpotError;
    if error.names_limit() || tells_limit(&error.message) {
        failure.category = FailureCategory::AssociationLimit;
    }
    failure
}

fn link_failure(error: &Error) -> Failure {
    let mut failure = call_failure(error);
    if error.names_limit || tells_limit(&error.message) {
        failure.category = FailureCategory::AssociationLimit;
    }
    failure
}

#[cfg(test)]
mod tests {
    use landbridge_model::hubspot::AssociationLabel;

    use super::*;

    #[test]
    fn an_answer_is_counted_against_what_was_asked() {
        let pair = |from, to| Pair {
            from: HubSpotId(from),
            to: HubSpotId(to),
        };
        let pairs = [pair(1, 10), pair(2, 20), pair(3, 30), pair(4, 40)];
        let error = br#"{"category":"VALIDATION_ERROR","subCategory":"crm.associations.TO_OBJECT_NOT_FOUND",
            "message":"30 is gone","context":{"toObjectId":["30"]}}"#;
        let answer = PairAnswer {
            done: vec![pair(1, 10), pair(20, 2)],
            errors: vec![ErrorBody::parse(error)],
        };
        let (mut failed, mut open) = (PairFates::new(), Vec::new());
        take(&pairs, &[0, 1, 2, 3], answer, &mut failed, &mut open);
        assert_eq!(open, [3], "the last pair is neither done nor refused");
        assert_eq!(failed.keys().collect::<Vec<_>>(), [&pairs[2]]);
        assert_eq!(failed[&pairs[2]].message, "30 is gone");
    }

    #[test]
    fn a_full_record_is_told_apart() {
        let error = |code: &str, message: &str| {
            let body =
                format!(r#"{{"category":"VALIDATION_ERROR","subCategory":"{code}","message":"{message}"}}"#);
            item_failure(&ErrorBody::parse(body.as_bytes())).category
        };
        let full = FailureCategory::AssociationLimit;
        assert_eq!(
            error("crm.associations.ASSOCIATION_LIMIT_EXCEEDED", "not possible"),
            full
        );
        assert_eq!(
            error(
                "",
                "Associating 1 and 2 would exceed the maximum of 10 associations"
            ),
            full
        );
        let other = error("crm.associations.INVALID_IDENTIFIER", "x is not a valid ID");
        assert_eq!(other, FailureCategory::HubSpotError);
    }

    #[test]
    fn an_accepted_pair_counts_with_its_types_only() {
        let named = |type_id| AssociationType {
            category: "USER_DEFINED".to_owned(),
            type_id,
        };
        let label = |type_id| AssociationLabel {
            kind: named(type_id),
            label: None,
        };
        let (pair, other) = (
            Pair {
                from: HubSpotId(1),
                to: HubSpotId(2),
            },
            Pair {
                from: HubSpotId(1),
                to: HubSpotId(3),
            },
        );
        let record = AssociatedRecord {
            to: pair.to,
            types: vec![label(1), label(7)],
        };
        let found = BTreeMap::from([(pair.from, vec![record])]);
        assert!(is_there(&found, pair, &[]));
        assert!(is_there(&found, pair, &[named(7)]));
        assert!(!is_there(&found, pair, &[named(7), named(8)]));
        assert!(!is_there(&found, other, &[]));
    }
}
