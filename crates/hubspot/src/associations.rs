//! Associations: labels of a pair of types, and batches of pairs of records.

use std::collections::BTreeMap;

use landbridge_model::batch::AssociationType;
use landbridge_model::hubspot::AssociationLabel;
use landbridge_model::{HubSpotId, ObjectTypeId};
use serde::{Deserialize, Serialize};

use crate::client::{Call, Client, json_body};
use crate::error::Error;
use crate::governor::{Family, Share};
use crate::records::Paging;
use crate::text::Id;
use crate::verdict::{Effect, ErrorBody, judge_item};

/// Most pairs of one create.
pub const CREATE_INPUTS_MAX: usize = 2_000;
/// Most records of one read.
pub const READ_INPUTS_MAX: usize = 1_000;
/// Most pairs of one archive; not documented, so kept low.
pub const ARCHIVE_INPUTS_MAX: usize = 100;

/// One pair of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pair {
    /// The child.
    pub from: HubSpotId,
    /// The parent.
    pub to: HubSpotId,
}

/// One pair with all the types it should have: what is sent replaces the pair's labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypedPair {
    /// The pair.
    pub pair: Pair,
    /// Its types, child to parent.
    pub types: Vec<AssociationType>,
}

/// What an answer to a batch of pairs says.
#[derive(Clone, Debug, Default)]
pub struct PairAnswer {
    /// Pairs that HubSpot says it has now. Archives name none.
    pub done: Vec<Pair>,
    /// Refusals; they name ids, not pairs.
    pub errors: Vec<ErrorBody>,
}

/// One association of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssociatedRecord {
    /// The record at the other end.
    pub to: HubSpotId,
    /// All types of the pair, each with its label.
    pub types: Vec<AssociationLabel>,
}

#[derive(Serialize)]
struct IdBody {
    id: String,
}

impl From<HubSpotId> for IdBody {
    fn from(id: HubSpotId) -> Self {
        Self { id: id.to_string() }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TypeBody<'a> {
    association_category: &'a str,
    association_type_id: u32,
}

#[derive(Serialize)]
struct TypedInput<'a> {
    from: IdBody,
    to: IdBody,
    types: Vec<TypeBody<'a>>,
}

#[derive(Serialize)]
struct Inputs<T> {
    inputs: Vec<T>,
}

impl<'a> From<&'a AssociationType> for TypeBody<'a> {
    fn from(kind: &'a AssociationType) -> Self {
        Self {
            association_category: &kind.category,
            association_type_id: kind.type_id,
        }
    }
}

fn typed_inputs(pairs: &[TypedPair]) -> Inputs<TypedInput<'_>> {
    let inputs = pairs.iter().map(|TypedPair { pair, types }| TypedInput {
        from: pair.from.into(),
        to: pair.to.into(),
        types: types.iter().map(Into::into).collect(),
    });
    Inputs {
        inputs: inputs.collect(),
    }
}

/// A pair in an answer: typed creates name two ids, default ones two objects with ids.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnsweredPair {
    from_object_id: Option<Id>,
    to_object_id: Option<Id>,
    from: Option<FromId>,
    to: Option<FromId>,
}

impl AnsweredPair {
    fn pair(self) -> Option<Pair> {
        let from = self.from_object_id.or(self.from.map(|end| end.id))?.0;
        let to = self.to_object_id.or(self.to.map(|end| end.id))?.0;
        Some(Pair { from, to })
    }
}

#[derive(Deserialize)]
#[serde(default)]
struct Answer<T> {
    results: Vec<T>,
    errors: Vec<ErrorBody>,
}

impl<T> Default for Answer<T> {
    fn default() -> Self {
        Self {
            results: Vec::new(),
            errors: Vec::new(),
        }
    }
}

#[derive(Deserialize)]
struct LabelBody {
    category: String,
    #[serde(rename = "typeId")]
    type_id: u32,
    label: Option<String>,
}

impl From<LabelBody> for AssociationLabel {
    fn from(body: LabelBody) -> Self {
        let kind = AssociationType {
            category: body.category,
            type_id: body.type_id,
        };
        Self {
            kind,
            label: body.label.filter(|label| !label.is_empty()),
        }
    }
}

#[derive(Deserialize)]
struct FromRecord {
    from: FromId,
    #[serde(default)]
    to: Vec<ToRecord>,
    paging: Option<Paging>,
}

#[derive(Deserialize)]
struct FromId {
    id: Id,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToRecord {
    to_object_id: Id,
    #[serde(default)]
    association_types: Vec<LabelBody>,
}

impl Client {
    /// The labels of a pair of types, in this direction; the plain association has none.
    pub async fn labels(
        &self,
        share: Share,
        from: &ObjectTypeId,
        to: &ObjectTypeId,
    ) -> Result<Vec<AssociationLabel>, Error> {
        let call = Call::get(self.version().labels(from, to), Family::Associations, share);
        let answer: Answer<LabelBody> = self.send(call).await?.json()?;
        Ok(answer.results.into_iter().map(Into::into).collect())
    }

    /// Makes a label for a pair of types; answers the types that came to be, of either direction.
    pub async fn create_label(
        &self,
        from: &ObjectTypeId,
        to: &ObjectTypeId,
        name: &str,
        label: &str,
    ) -> Result<Vec<AssociationLabel>, Error> {
        #[derive(Serialize)]
        struct Body<'a> {
            name: &'a str,
            label: &'a str,
            #[serde(rename = "inverseLabel", skip_serializing_if = "Option::is_none")]
            inverse: Option<String>,
        }
        // Between a type and itself a label without an inverse reads the same from both ends: nobody could tell which
        // of the two records names the other.
        let inverse = (from == to).then(|| format!("{label} (inverse)"));
        let body = json_body(&Body { name, label, inverse });
        let path = self.version().labels(from, to);
        let call = Call::post(path, body, Family::Associations, Share::Live, Effect::Writes);
        let answer: Answer<LabelBody> = self.send(call).await?.json()?;
        Ok(answer.results.into_iter().map(Into::into).collect())
    }

    /// Gives each pair exactly these types; 2,000 pairs at most, each pair once. Repeating it changes nothing.
    pub async fn associate(
        &self,
        share: Share,
        from: &ObjectTypeId,
        to: &ObjectTypeId,
        pairs: &[TypedPair],
    ) -> Result<PairAnswer, Error> {
        let path = self.version().associations(from, to, "/batch/create");
        let body = json_body(&typed_inputs(pairs));
        self.send_pairs(Call::post(
            path,
            body,
            Family::Associations,
            share,
            Effect::Writes,
        ))
        .await
    }

    /// Gives each pair the plain association and leaves its labels alone; 2,000 pairs at most. Repeating it changes
    /// nothing. The answer may name each pair in both directions.
    pub async fn associate_plainly(
        &self,
        share: Share,
        from: &ObjectTypeId,
        to: &ObjectTypeId,
        pairs: &[Pair],
    ) -> Result<PairAnswer, Error> {
        #[derive(Serialize)]
        struct Input {
            from: IdBody,
            to: IdBody,
        }
        let inputs = pairs
            .iter()
            .map(|pair| Input {
                from: pair.from.into(),
                to: pair.to.into(),
            })
            .collect();
        let path = self.version().associations(from, to, "/batch/associate/default");
        let body = json_body(&Inputs { inputs });
        self.send_pairs(Call::post(
            path,
            body,
            Family::Associations,
            share,
            Effect::Writes,
        ))
        .await
    }

    /// Removes every type of each pair; 100 pairs at most.
    pub async fn dissociate(
        &self,
        share: Share,
        from: &ObjectTypeId,
        to: &ObjectTypeId,
        pairs: &[Pair],
    ) -> Result<PairAnswer, Error> {
        #[derive(Serialize)]
        struct Input {
            from: IdBody,
            to: Vec<IdBody>,
        }
        let mut by_child: BTreeMap<HubSpotId, Vec<IdBody>> = BTreeMap::new();
        for pair in pairs {
            by_child.entry(pair.from).or_default().push(pair.to.into());
        }
        let inputs = by_child
            .into_iter()
            .map(|(from, to)| Input {
                from: from.into(),
                to,
            })
            .collect();
        let path = self.version().associations(from, to, "/batch/archive");
        let body = json_body(&Inputs { inputs });
        self.send_pairs(Call::post(
            path,
            body,
            Family::Associations,
            share,
            Effect::Writes,
        ))
        .await
    }

    /// Removes only these types of each pair; 100 pairs at most. Removing the plain type removes all.
    pub async fn remove_types(
        &self,
        share: Share,
        from: &ObjectTypeId,
        to: &ObjectTypeId,
        pairs: &[TypedPair],
    ) -> Result<PairAnswer, Error> {
        let path = self.version().associations(from, to, "/batch/labels/archive");
        let body = json_body(&typed_inputs(pairs));
        self.send_pairs(Call::post(
            path,
            body,
            Family::Associations,
            share,
            Effect::Writes,
        ))
        .await
    }

    async fn send_pairs(&self, call: Call) -> Result<PairAnswer, Error> {
        let reply = self.send(call).await?;
        // Any 2xx will do, and some have no body; results of archives have other shapes or none.
        let errors = serde_json::from_slice::<Answer<serde::de::IgnoredAny>>(&reply.body)
            .map(|answer| answer.errors)
            .unwrap_or_default();
        let pairs: Answer<AnsweredPair> = serde_json::from_slice(&reply.body).unwrap_or_default();
        let done = pairs.results.into_iter().filter_map(AnsweredPair::pair).collect();
        Ok(PairAnswer { done, errors })
    }

    /// All associations of these records to records of another type, every page; 1,000 records at most. A record
    /// without any, or that does not exist, has no entry. An error for the time being about one record is one of the call.
    pub async fn read_associations(
        &self,
        share: Share,
        from: &ObjectTypeId,
        to: &ObjectTypeId,
        records: &[HubSpotId],
    ) -> Result<BTreeMap<HubSpotId, Vec<AssociatedRecord>>, Error> {
        #[derive(Serialize)]
        struct Input {
            id: String,
            #[serde(skip_serializing_if = "Option::is_none")]
            after: Option<String>,
        }
        let mut found: BTreeMap<HubSpotId, Vec<AssociatedRecord>> = BTreeMap::new();
        let mut inputs: Vec<Input> = records
            .iter()
            .map(|id| Input {
                id: id.to_string(),
                after: None,
            })
            .collect();
        while !inputs.is_empty() {
            let path = self.version().associations(from, to, "/batch/read");
            let body = json_body(&Inputs { inputs });
            let call = Call::post(path, body, Family::Associations, share, Effect::Reads);
            let reply = self.send(call).await?;
            let answer: Answer<FromRecord> = if reply.body.is_empty() {
                Answer::default()
            } else {
                reply.json()?
            };
            let passing = answer.errors.into_iter().find_map(|error| {
                let verdict = judge_item(&error);
                verdict
                    .retry_after()
                    .is_some()
                    .then_some((verdict, error.message))
            });
            if let Some((verdict, message)) = passing {
                return Err(Error::new(verdict, "an associations read", message));
            }
            inputs = Vec::new();
            for record in answer.results {
                let id = record.from.id.0;
                let others = record.to.into_iter().map(|other| AssociatedRecord {
                    to: other.to_object_id.0,
                    types: other.association_types.into_iter().map(Into::into).collect(),
                });
                found.entry(id).or_default().extend(others);
                if let Some(after) = record.paging.and_then(Paging::after) {
                    inputs.push(Input {
                        id: id.to_string(),
                        after: Some(after),
                    });
                }
            }
        }
        Ok(found)
    }
}
