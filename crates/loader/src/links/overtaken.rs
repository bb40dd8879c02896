//! Orders that were overtaken: an end was archived, or became another record, while the link was on its way.
//!
//! Such an order is no failure. Whoever archived or recreated the end tells the resolver, which drops the link, parks it, or
//! orders it anew for the record that is there now. But a resolver that has lost its memory since may have been told before
//! it lost it: of an end that is another record now, it is told once more, by having the child read again.

use landbridge_model::{Envelope, HubSpotId, ObjectTypeId, Purpose, SalesforceId, Source};
use landbridge_stage::StageError;
use landbridge_wire::Reread;

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
    /// It is gone.
    Gone,
    /// It is another record by now.
    Replaced,
    /// Nothing is known, or it is being written just now.
    Unknown,
}

/// Pure.
fn word(known: Known, is_busy: bool, hubspot_id: HubSpotId) -> Word {
    match known {
        _ if is_busy => Word::Unknown,
        Known::Present(present) if present.id == hubspot_id => Word::Stands,
        Known::Present(_) => Word::Replaced,
        Known::Absent | Known::Gone(_) => Word::Gone,
        Known::Nothing => Word::Unknown,
    }
}

/// By what an order was overtaken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Overtaken {
    /// An end went.
    Gone,
    /// An end is another record now.
    Replaced,
}

/// By what an order that HubSpot refused was overtaken, if it was. One whose ends somebody else deleted in HubSpot was not.
pub(super) async fn overtaken(
    airline: &Airline,
    portal: &Portal,
    job: &Job,
) -> Result<Option<Overtaken>, StageError> {
    let Some(target) = &job.target else {
        return Ok(None);
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
    let mut found = None;
    for end in [Some(child), parent].into_iter().flatten() {
        found = found.max(end.overtaken(airline, portal).await?);
    }
    Ok(found)
}

/// The wish that the child of an overtaken order be read again.
pub(super) fn reread(envelope: &Envelope, child: SalesforceId) -> Reread {
    Reread {
        envelope: Envelope {
            purpose: Purpose::Apply,
            source: Source::Reread,
            run: None,
            force: false,
            only: None,
            ..envelope.clone()
        },
        id: child,
        reason: "a link was ordered for a record that is another one in HubSpot by now".to_owned(),
    }
}

impl End<'_> {
    async fn overtaken(&self, airline: &Airline, portal: &Portal) -> Result<Option<Overtaken>, StageError> {
        let Some(id_property) = self.id_property else {
            return Ok(None); // kept by HubSpot's own integration
        };
        let tenant = &airline.tenant;
        let is_busy = tenant.busy.has(&(self.object_type.clone(), self.id));
        let complete = tenant.memory.is_complete(self.object_type)?;
        let known = tenant.memory.look(self.object_type, self.id, complete)?;
        match word(known, is_busy, self.hubspot_id) {
            Word::Stands => Ok(None),
            Word::Gone => Ok(Some(Overtaken::Gone)),
            Word::Replaced => Ok(Some(Overtaken::Replaced)),
            Word::Unknown => {
                let read = airline
                    .read(portal, self.object_type, id_property, &[self.id])
                    .await;
                // Not readable now: the failure stands, and a retry decides it anew.
                let Ok(found) = read else { return Ok(None) };
                Ok(match found.get(&self.id) {
                    // What is written just now will be another record than it was.
                    None if is_busy => Some(Overtaken::Replaced),
                    None => Some(Overtaken::Gone),
                    Some((id, _)) if *id == self.hubspot_id => None,
                    Some(_) => Some(Overtaken::Replaced),
                })
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
            (here(8), false, Word::Replaced),
            (Known::Absent, false, Word::Gone),
            (Known::Gone(Version::new(1, 1)), false, Word::Gone),
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
