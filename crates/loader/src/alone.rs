//! Rows that no lane holds: held deletes that are due, and refused rows that a person wants sent again. They lie in one of the
//! memories, and what cannot end now is due again at the next look.

use std::sync::Arc;
use std::time::Duration;

use landbridge_bus::LinkPart;
use landbridge_hubspot::Share;
use landbridge_model::{Identities, Lane, StageKind};
use landbridge_stage::{ShardContext, StageError};
use landbridge_wire::{LinkMessage, Report, ReportBody};

use crate::flight::Airline;
use crate::portal::{Portal, Tenant};
use crate::row::{End, Fate, Row};
use crate::shard::LoaderShard;

/// How often a call is made whose answer was lost, before its rows are left for the next look.
const CALLS_MAX: u32 = 4;

/// What makes such calls.
pub(crate) struct Charter {
    airline: Airline,
    portal: Arc<Portal>,
}

impl Charter {
    /// For a tenant; none while it stands still or its portal cannot be used.
    pub(crate) async fn of(
        shard: &LoaderShard,
        context: &ShardContext,
        tenant: &Arc<Tenant>,
    ) -> Option<Self> {
        let configured = context.config.tenant(&tenant.id)?;
        if configured.suspended.is_some() {
            return None;
        }
        let portal = tenant.portal(context).await.ok()?;
        let airline = Airline {
            context: context.clone(),
            tenant: tenant.clone(),
            share: Share::Bulk,
            metrics: shard.metrics.clone(),
        };
        Some(Self { airline, portal })
    }

    /// Takes the records of those rows that nobody is writing; others are for the next look. They are to be judged after
    /// this and flown, or given back.
    pub(crate) fn have(&self, row: &Row) -> bool {
        self.airline.tenant.busy.try_begin(&row.key())
    }

    /// Gives the record of a row back that is not flown.
    pub(crate) fn give_back(&self, row: &Row) {
        self.airline.tenant.busy.end([&row.key()]);
    }

    /// Writes rows of one kind, each of another record, all of them had: nothing else writes them until they are answered.
    pub(crate) async fn fly(&self, rows: &mut [Row]) -> Result<Vec<Fate>, StageError> {
        let keys: Vec<_> = rows.iter().map(Row::key).collect();
        let fates = self.settle(rows).await;
        self.airline.tenant.busy.end(&keys);
        fates
    }

    async fn settle(&self, rows: &mut [Row]) -> Result<Vec<Fate>, StageError> {
        let mut fates = self.call(rows).await?;
        for _ in 1..CALLS_MAX {
            let waits = |place: usize| match &fates[place] {
                Fate::Again(wait) if rows[place].in_doubt => Some((place, *wait)),
                Fate::Again(_) | Fate::Ended(_) => None,
            };
            let open: Vec<(usize, Duration)> = (0..rows.len()).filter_map(waits).collect();
            let Some(wait) = open.iter().map(|(_, wait)| *wait).max() else {
                break;
            };
            let pause = tokio::time::sleep(wait);
            if self
                .airline
                .context
                .stop
                .run_until_cancelled(pause)
                .await
                .is_none()
            {
                break;
            }
            let mut part: Vec<Row> = open.iter().map(|(place, _)| rows[*place].clone()).collect();
            let again = self.call(&mut part).await?;
            for (((place, _), row), fate) in open.into_iter().zip(part).zip(again) {
                rows[place] = row;
                fates[place] = fate;
            }
        }
        Ok(fates)
    }

    async fn call(&self, rows: &mut [Row]) -> Result<Vec<Fate>, StageError> {
        if rows.first().is_some_and(Row::is_upsert) {
            self.airline.upsert(&self.portal, rows).await
        } else {
            self.airline.delete(&self.portal, rows).await
        }
    }
}

/// Tells the resolver and control how such a row ended.
pub(crate) async fn tell(context: &ShardContext, row: &Row, end: &End) -> Result<(), StageError> {
    let hub = &context.hub;
    if let Some(identity) = end.identity(row) {
        let envelope = row.batch.envelope.clone();
        let subject = hub.links(&envelope.tenant, Lane::Live, LinkPart::Identities);
        let message = LinkMessage::Identities(Identities {
            envelope,
            object_type: row.target.object_type.clone(),
            identities: vec![identity],
        });
        let cause = format!("alone {} {}", row.id(), row.version());
        hub.send(&subject, &cause, &message).await?;
    }
    let report = Report {
        envelope: row.batch.envelope.clone(),
        stage: StageKind::Loader,
        at_ms: hub.now_ms(),
        org_ahead_ms: 0,
        body: ReportBody::Records(vec![end.report(row)]),
    };
    hub.report(&report).await
}
