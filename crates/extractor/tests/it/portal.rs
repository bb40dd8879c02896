//! A loader that only tells which records HubSpot has.

use std::collections::BTreeSet;
use std::sync::Arc;

use landbridge_model::ask::{ListRecords, ListedRecord, Question, RecordPage};
use landbridge_model::{HubSpotId, SalesforceId, StageKind};
use landbridge_stage::{ShardContext, StageError, Worker, answer_with, parse_ask};
use landbridge_wire::{Ask, AskError, AskErrorCode};

/// All of them are Landbridge's.
pub(crate) struct Portal(pub(crate) BTreeSet<SalesforceId>);

impl Worker for Portal {
    const KIND: StageKind = StageKind::Loader;
    type Shard = ();

    async fn open(&self, _context: ShardContext) -> Result<Arc<()>, StageError> {
        Ok(Arc::new(()))
    }

    async fn answer(&self, _shard: Arc<()>, ask: Ask) -> Result<String, AskError> {
        if ask.service != ListRecords::SERVICE {
            return Err(AskError::new(
                AskErrorCode::Invalid,
                "only records are listed here",
            ));
        }
        let _all: ListRecords = parse_ask(&ask)?;
        let listed = self.0.iter().enumerate().map(|(n, id)| ListedRecord {
            hubspot_id: HubSpotId(n as u64 + 1),
            salesforce_id: Some(id.to_string()),
            version: Some("1".to_owned()),
        });
        answer_with(&RecordPage {
            records: listed.collect(),
            after: None,
        })
    }
}
