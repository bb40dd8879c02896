//! Finding the rows for which a batch is refused as a whole, or for which HubSpot fails at the whole batch: all others land.
//!
//! A refusal that speaks of values must have its cause in a row. A 5xx and a 400 that names nothing may have it in a row
//! or in HubSpot: such a search ends when its first calls all went the same way.

use std::sync::Arc;

use landbridge_hubspot::narrow::{Narrowing, Next};
use landbridge_hubspot::settle::ItemVerdict;
use landbridge_hubspot::{Error, Verdict};
use landbridge_stage::StageError;

use super::shape::{suspects, suspects_of};
use super::{Airline, Sent};
use crate::portal::Portal;
use crate::refusal::row_failure;
use crate::row::{End, Fate, Row};

/// Calls for a row that were lost before its neighbours are saved from it.
const LOST_CALLS: u32 = 3;
/// Calls of a search that all failed alike and end it. Halving comes from a hundred rows to a single one in seven.
const ALIKE_MAX: u32 = 8;
/// How often HubSpot must fail at a row alone, while it answers others, before the row is given up.
const ALONE_MAX: u32 = 4;

/// Whether some rows of a refused batch may be taken without the others, and how sure that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hope {
    /// The cause is a row.
    Sure,
    /// The cause may be a row.
    Some,
    /// The cause is no row, or it is too early to say.
    None,
}

/// Pure. `calls` are those made for the row of the batch that has had the most.
pub(super) fn hope(error: &Error, calls: u32) -> Hope {
    match &error.verdict {
        verdict if verdict.is_about_rows() => Hope::Sure,
        Verdict::Ambiguous if calls >= LOST_CALLS => Hope::Some,
        Verdict::Configuration if error.status == Some(400) => Hope::Some,
        _ => Hope::None,
    }
}

/// What is known of a row at which HubSpot fails.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Failing {
    /// How often it did so with the row alone, having answered others since the time before.
    alone: u32,
    /// HubSpot's answers to others when it last failed at this one.
    answers: Option<u64>,
}

impl Failing {
    /// A call failed that carried this row and others.
    fn among_others(&mut self, answers: u64) {
        self.answers.get_or_insert(answers);
    }

    /// A call failed that carried only this row: whether it is to be given up.
    fn by_itself(&mut self, answers: u64) -> bool {
        self.alone += u32::from(self.answers.is_some_and(|before| before < answers));
        self.answers = Some(answers);
        self.alone >= ALONE_MAX
    }

    /// Whether the row may be what HubSpot fails at, and its neighbours not.
    pub(super) fn is_suspect(&self) -> bool {
        self.alone > 0
    }
}

impl Airline {
    /// Finds the rows for which a batch was refused; all others land.
    pub(super) async fn narrow(
        &self,
        portal: &Portal,
        rows: &mut [Row],
        group: &[usize],
        error: Error,
        fates: &mut [Option<Fate>],
    ) -> Result<(), StageError> {
        let suspects = suspects(rows, group, &error);
        let mut alike = u32::from(!error.verdict.is_about_rows());
        let mut narrowing = Narrowing::new(group.len(), Arc::new(error), suspects);
        loop {
            match narrowing.step() {
                Next::Done => return Ok(()),
                Next::Bad(at, error) if error.verdict.is_about_rows() => {
                    self.refuse_alone(rows, group[at], &error, fates).await;
                }
                // What failed by chance proves nothing against the row that is left.
                Next::Bad(at, _) => match self.send(portal, rows, &group[at..=at]).await? {
                    Sent::Settled(verdicts, correlation) => {
                        self.land(rows, &group[at..=at], verdicts, correlation.as_deref(), fates)
                            .await?;
                    }
                    Sent::Refused(error) => {
                        self.refused_alone(portal, rows, group[at], &error, fates).await?
                    }
                },
                Next::Send(places) => {
                    let part: Vec<usize> = places.iter().map(|&at| group[at]).collect();
                    match self.send(portal, rows, &part).await? {
                        Sent::Settled(verdicts, correlation) => {
                            self.land(rows, &part, verdicts, correlation.as_deref(), fates)
                                .await?;
                            narrowing.taken();
                            alike = 0;
                        }
                        Sent::Refused(error) => {
                            let hope = hope(&error, LOST_CALLS);
                            alike = if hope == Hope::Some { alike + 1 } else { 0 };
                            if hope == Hope::None || alike >= ALIKE_MAX {
                                // Not about rows: what is left shares its fate.
                                let left = group.iter().copied().filter(|&place| fates[place].is_none());
                                let left: Vec<usize> = left.collect();
                                self.refuse(rows, &left, &error, fates).await;
                                return Ok(());
                            }
                            let named = suspects_of(rows, group, &places, &error);
                            narrowing.refused(Arc::new(error), named);
                        }
                    }
                }
            }
        }
    }

    /// A refusal of these rows together.
    pub(super) async fn refuse(
        &self,
        rows: &mut [Row],
        group: &[usize],
        error: &Error,
        fates: &mut [Option<Fate>],
    ) {
        self.note_credentials(error).await;
        for &place in group {
            let row = &mut rows[place];
            if error.verdict == Verdict::Ambiguous {
                row.failing.among_others(self.tenant.answers());
            }
            fates[place] = Some(self.fate_of_refused(row, error));
        }
    }

    /// A refusal of this row without others, or no answer to its call.
    pub(super) async fn refused_alone(
        &self,
        portal: &Portal,
        rows: &mut [Row],
        place: usize,
        error: &Error,
        fates: &mut [Option<Fate>],
    ) -> Result<(), StageError> {
        if error.verdict == Verdict::Ambiguous
            && let Some(verdict) = self.settled_by_reading(portal, &rows[place]).await?
        {
            return self.land(rows, &[place], vec![verdict], None, fates).await;
        }
        self.refuse_alone(rows, place, error, fates).await;
        Ok(())
    }

    async fn refuse_alone(&self, rows: &mut [Row], place: usize, error: &Error, fates: &mut [Option<Fate>]) {
        self.note_credentials(error).await;
        let row = &mut rows[place];
        let lost = error.verdict == Verdict::Ambiguous;
        let given_up = lost && row.failing.by_itself(self.tenant.answers());
        fates[place] = Some(if given_up {
            Fate::Ended(failing_row(row, error))
        } else {
            self.fate_of_refused(row, error)
        });
    }

    /// After a call for one row was lost: asks HubSpot for the record. An answer tells that HubSpot is there, and whether the
    /// write was carried out.
    async fn settled_by_reading(
        &self,
        portal: &Portal,
        row: &Row,
    ) -> Result<Option<ItemVerdict>, StageError> {
        if row.attempts < LOST_CALLS {
            return Ok(None);
        }
        let target = &row.target;
        let found = self
            .read(portal, &target.object_type, &target.id_property, &[row.id()])
            .await;
        let Ok(found) = found else { return Ok(None) };
        self.tenant.answered();
        Ok(found.get(&row.id()).and_then(|&(id, version)| {
            let landed = row.over.is_none() && version == Some(row.version());
            landed.then_some(ItemVerdict::Written { id, new: false })
        }))
    }
}

/// The end of a row at which HubSpot fails while it answers others.
fn failing_row(row: &Row, error: &Error) -> End {
    let mut failure = row_failure(
        &error.verdict,
        &error.message,
        error.correlation_id.as_deref(),
        |property| row.value(property),
    );
    failure.message = format!(
        "HubSpot fails at this record while it answers others: {}. It may have been written all the same",
        failure.message
    );
    End::failed(failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_given_up_only_while_hubspot_answers_others() {
        let mut outage = Failing::default();
        assert!((0..50).all(|_| !outage.by_itself(7)), "nobody is answered");
        assert!(!outage.is_suspect());

        let mut poison = Failing::default();
        poison.among_others(7);
        let fates: Vec<bool> = (8..12).map(|answers| poison.by_itself(answers)).collect();
        assert_eq!(fates, [false, false, false, true]);
        assert!(poison.is_suspect());
    }
}
