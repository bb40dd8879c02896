//! Orders that were overtaken: an end was archived, or became another record, while the link was on its way.
//!
//! Such an order is no failure. Whoever archived or recreated the end tells the resolver, which drops the link, parks it, or
//! orders it anew for the record that is there now.

use landbridge_model::{HubSpotId, ObjectTypeId, SalesforceId};
use landbridge_stage::StageError;

use super::Job;
use crate::flight::Airline;
use crate::known::Known;
use crate::portal::Portal;

/// One end of an order, as the resolver knew it.
struct End<'a> {
    object_type: &'a ObjectTypeId,
    /// The unique property, where Landbridge writes the type.
    id_property: Option<&'a str>,
    id: SalesforceId,
    hubspot_id: HubSpotId,
}

/// What the loader's memory says of an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    /// It is still that record.
    Stands,
    /// It is gone, or another one.
    Overtaken,
    /// Nothing is known, or it is being written just now.
    Unknown,
}

/// Pure.
fn word(known: Known, is_busy: bool, hubspot_id: HubSpotId) -> Word {
    match known {
        _ if is_busy => Word::Unknown,
        Known::Present(present) if present.id == hubspot_id => Word::Stands,
        Known::Present(_) | Known::Absent | Known::Gone(_) => Word::Overtaken,
        Known::Nothing => Word::Unknown,
    }
}

/// Whether an order that HubSpot refused was overtaken. One whose ends somebody else deleted in HubSpot was not.
pub(super) async fn is_overtaken(airline: &Airline, portal: &Portal, job: &Job) -> Result<bool, StageError> {
    let Some(target) = &job.target else {
        return Ok(false);
    };
    let child = End {
        object_type: &target.object_type,
        id_property: Some(&target.id_property),
        id: job.link.child,
        hubspot_id: job.link.child_hubspot_id,
    };
    let parent = match (&job.association, job.link.parent) {
        (Some(association), Some((id, hubspot_id))) => Some(End {
            object_type: &association.to,
            id_property: association
                .match_unique
                .then_some(association.match_property.as_str()),
            id,
            hubspot_id,
        }),
        _ => None,
    };
    for end in [Some(child), parent].into_iter().flatten() {
        if end.is_overtaken(airline, portal).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

impl End<'_> {
    async fn is_overtaken(&self, airline: &Airline, portal: &Portal) -> Result<bool, StageError> {
        let Some(id_property) = self.id_property else {
            return Ok(false); // kept by HubSpot's own integration
        };
        let tenant = &airline.tenant;
        let is_busy = tenant.busy.has(&(self.object_type.clone(), self.id));
        let complete = tenant.memory.is_complete(self.object_type)?;
        let known = tenant.memory.look(self.object_type, self.id, complete)?;
        match word(known, is_busy, self.hubspot_id) {
            Word::Stands => Ok(false),
            Word::Overtaken => Ok(true),
            Word::Unknown => {
                let read = airline
                    .read(portal, self.object_type, id_property, &[self.id])
                    .await;
                // Not readable now: the failure stands, and a retry decides it anew.
                let is_same = |(id, _): &(HubSpotId, _)| *id == self.hubspot_id;
                Ok(read.is_ok_and(|found| !found.get(&self.id).is_some_and(is_same)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use landbridge_model::Version;

    use super::*;
    use crate::known::Present;

    #[test]
    fn an_end_that_is_gone_or_another_record_overtakes() {
        let here = |id| {
            Known::Present(Present {
                id: HubSpotId(id),
                version: None,
                fingerprint: None,
                told: true,
                made: false,
            })
        };
        for (known, is_busy, expected) in [
            (here(7), false, Word::Stands),
            (here(7), true, Word::Unknown),
            (here(8), false, Word::Overtaken),
            (Known::Absent, false, Word::Overtaken),
            (Known::Gone(Version::new(1, 1)), false, Word::Overtaken),
            (Known::Nothing, false, Word::Unknown),
        ] {
            assert_eq!(
                word(known, is_busy, HubSpotId(7)),
                expected,
                "{known:?} {is_busy}"
            );
        }
    }
}
