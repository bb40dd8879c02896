//! A loader whose portal has what the changes so far say that it should have.

use std::sync::Arc;

use landbridge_model::ask::{ListRecords, ListedRecord, Question, RecordPage};
use landbridge_model::{ChangeKind, HubSpotId, SalesforceId, StageKind};
use landbridge_stage::{ShardContext, StageError, Worker, answer_with, parse_ask};
use landbridge_wire::{Ask, AskError, AskErrorCode};

use super::account::latest;
use crate::ledger::Ledger;

/// Records that one page tells.
const PAGE: usize = 700;

/// All records are Landbridge's.
pub(super) struct Mirror(pub(super) Ledger);

impl Worker for Mirror {
    const KIND: StageKind = StageKind::Loader;
    type Shard = ();

    async fn open(&self, _context: ShardContext) -> Result<Arc<()>, StageError> {
        Ok(Arc::new(()))
    }

    async fn answer(&self, _shard: Arc<()>, ask: Ask) -> Result<String, AskError> {
        if ask.service != ListRecords::SERVICE {
            let only = "only records are listed here";
            return Err(AskError::new(AskErrorCode::Invalid, only));
        }
        let question: ListRecords = parse_ask(&ask)?;
        let records: Vec<ListedRecord> = self.0.look(|arrivals| {
            let is_behind = |id: &SalesforceId| {
                question
                    .after
                    .as_ref()
                    .is_none_or(|after| id.as_str() > after.as_str())
            };
            let there = latest(arrivals)
                .into_iter()
                .filter(|(id, arrival)| arrival.kind == ChangeKind::Upsert && is_behind(id));
            let listed = there.enumerate().map(|(place, (id, arrival))| ListedRecord {
                hubspot_id: HubSpotId(place as u64 + 1),
                salesforce_id: Some(id.to_string()),
                version: Some(arrival.version.to_string()),
            });
            listed.take(PAGE).collect()
        });
        let is_last = records.len() < PAGE;
        let after = records.last().and_then(|last| last.salesforce_id.clone());
        answer_with(&RecordPage {
            records,
            after: after.filter(|_| !is_last),
        })
    }
}
