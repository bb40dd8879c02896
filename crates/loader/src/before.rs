//! Before-images: what is there before an import's call, kept before the call is sent.
//!
//! A call that is sent again, after its answer was lost or its message came again, is kept again. An undo goes from the
//! newest image to the oldest, so it arrives at what was there before the first.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use landbridge_hubspot::Error;
use landbridge_hubspot::associations::Pair;
use landbridge_model::before::{
    Association, BeforeBody, BeforeImage, LinksBefore, PairBefore, RecordsBefore,
};
use landbridge_model::config::Import;
use landbridge_model::sync::VERSION_PROPERTY;
use landbridge_model::{
    ChangeKind, Envelope, Failure, FailureCategory, HubSpotId, ImportId, ObjectTypeId, RunId, SalesforceId,
    SyncName, Table,
};
use landbridge_stage::{ShardContext, StageError};

use crate::flight::Airline;
use crate::pairs::{Calls, Current};
use crate::portal::Portal;
use crate::row::{End, Fate, Row};

/// How long a write of an import that is not known yet waits for it.
const IMPORT_WAIT: Duration = Duration::from_secs(30);
/// The most text in one image.
const IMAGE_BYTES: usize = 512 * 1024;
/// What a row or a pair takes beside its text.
const ROW_BYTES: usize = 256;

/// The import that a message belongs to, if it belongs to one.
pub(crate) async fn import_of(context: &ShardContext, envelope: &Envelope) -> Option<Arc<Import>> {
    let id = ImportId::new(envelope.run.as_ref()?.as_str()).ok()?;
    let (tenant, config) = (&envelope.tenant, &context.config);
    if let Some(import) = config.import(tenant, &id) {
        return Some(import);
    }
    let known = config.wait_for(|config| config.import(tenant, &id));
    tokio::time::timeout(IMPORT_WAIT, known).await.ok()
}

/// The run for which is kept what was there before; `None` when nothing is.
pub(crate) fn kept_for(import: Option<&Import>) -> Option<RunId> {
    let import = import.filter(|import| import.keep_before)?;
    Some(RunId::from(&import.id))
}

/// Tells images of one run apart.
fn token() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// Places of rows, with the records that they delete.
type Deletes = Vec<(usize, HubSpotId)>;

type Read = Result<Result<(), Error>, StageError>;

/// What HubSpot has of a record: its id, and the wanted properties.
type Found = HashMap<SalesforceId, (HubSpotId, HashMap<String, String>)>;

impl Airline {
    /// Keeps what is there before these rows are written. Rows of which that cannot be kept end as failures.
    pub(crate) async fn keep_before(
        &self,
        portal: &Portal,
        rows: &[Row],
        fates: &mut [Option<Fate>],
    ) -> Read {
        // Rows of one message and one kind of call have the same columns.
        let mut groups: BTreeMap<(u64, bool), Vec<usize>> = BTreeMap::new();
        for (place, row) in rows
            .iter()
            .enumerate()
            .filter(|(place, _)| fates[*place].is_none())
        {
            let group = groups.entry((row.message, row.over.is_some())).or_default();
            group.push(place);
        }
        let mut kept: Vec<(RunId, Vec<usize>)> = Vec::new();
        for places in groups.into_values() {
            let envelope = &rows[places[0]].batch.envelope;
            let import = import_of(&self.context, envelope).await;
            kept.extend(kept_for(import.as_deref()).map(|run| (run, places)));
        }
        if kept.is_empty() {
            return Ok(Ok(()));
        }
        let all: Vec<usize> = kept.iter().flat_map(|(_, places)| places).copied().collect();
        let found = match self.what_is_there(portal, rows, &all).await {
            Ok(found) => found,
            Err(error) => return Ok(Err(error)),
        };
        for (run, places) in kept {
            self.keep_rows(&run, rows, &places, &found, fates).await?;
        }
        Ok(Ok(()))
    }

    async fn what_is_there(&self, portal: &Portal, rows: &[Row], places: &[usize]) -> Result<Found, Error> {
        let target = &rows[places[0]].target;
        let names: BTreeSet<&str> = places.iter().flat_map(|&place| columns(&rows[place])).collect();
        let mut wanted = vec![target.id_property.as_str()];
        wanted.extend(names.iter().filter(|name| **name != target.id_property));
        let ids: Vec<SalesforceId> = places.iter().map(|&place| rows[place].id()).collect();
        let texts: Vec<&str> = ids.iter().map(SalesforceId::as_str).collect();
        let began = std::time::Instant::now();
        let (object_type, id_property) = (&target.object_type, Some(target.id_property.as_str()));
        let reply = portal
            .client
            .read_records(self.share, object_type, id_property, &texts, &wanted)
            .await;
        self.count("batch-read", &reply, began);
        let reply = reply?;
        let mut found = Found::new();
        for record in reply.records(&wanted)?.results {
            let id = record.values[0].as_deref().map(SalesforceId::parse);
            let Some(Ok(id)) = id else { continue };
            let named = wanted.iter().zip(&record.values);
            let values =
                named.filter_map(|(name, value)| Some(((*name).to_owned(), value.as_deref()?.to_owned())));
            found.insert(id, (record.id, values.collect()));
        }
        Ok(found)
    }

    /// Stores images of rows that have the same columns, in messages of bounded size.
    async fn keep_rows(
        &self,
        run: &RunId,
        rows: &[Row],
        places: &[usize],
        found: &Found,
        fates: &mut [Option<Fate>],
    ) -> Result<(), StageError> {
        let most = self.context.hub.bus().max_payload();
        let mut part: Vec<usize> = Vec::new();
        let mut bytes = 0;
        for &place in places {
            let row = &rows[place];
            let size = ROW_BYTES + text_of(row, found);
            if size > most {
                let text = "what HubSpot has of the record is too large to be kept, so the import could not be undone: \
                            it is not written over";
                let failure = Failure::new(FailureCategory::InvalidValue, text);
                fates[place] = Some(Fate::Ended(End::failed(failure)));
                continue;
            }
            if bytes + size > IMAGE_BYTES.min(most) && !part.is_empty() {
                self.keep(run, &rows[part[0]], records_of(rows, &part, found))
                    .await?;
                part.clear();
                bytes = 0;
            }
            bytes += size;
            part.push(place);
        }
        match part.first() {
            Some(&first) => self.keep(run, &rows[first], records_of(rows, &part, found)).await,
            None => Ok(()),
        }
    }

    async fn keep(&self, run: &RunId, row: &Row, records: RecordsBefore) -> Result<(), StageError> {
        let image = BeforeImage {
            envelope: row.batch.envelope.clone(),
            object_type: row.target.object_type.clone(),
            body: BeforeBody::Records(records),
        };
        self.context.hub.keep_before(run, &token(), &image).await
    }

    /// Keeps that records were deleted. Nothing brings them back by HubSpot's API: an undo tells of them.
    pub(crate) async fn keep_deleted(
        &self,
        rows: &[Row],
        deleted: &[(usize, HubSpotId)],
    ) -> Result<(), StageError> {
        let mut groups: HashMap<(SyncName, Option<RunId>), Deletes> = HashMap::new();
        for &(place, id) in deleted {
            let envelope = &rows[place].batch.envelope;
            let group = groups.entry((envelope.sync.clone(), envelope.run.clone()));
            group.or_default().push((place, id));
        }
        for group in groups.into_values() {
            let first = &rows[group[0].0];
            let import = import_of(&self.context, &first.batch.envelope).await;
            let Some(run) = kept_for(import.as_deref()) else {
                continue;
            };
            let records = RecordsBefore {
                id_property: first.target.id_property.clone(),
                ids: group.iter().map(|(place, _)| rows[*place].id()).collect(),
                versions: group.iter().map(|(place, _)| rows[*place].version()).collect(),
                kinds: vec![ChangeKind::Delete; group.len()],
                hubspot_ids: group.iter().map(|(_, id)| Some(*id)).collect(),
                before: Table::default(),
                ours: Table::default(),
            };
            self.keep(&run, first, records).await?;
        }
        Ok(())
    }

    /// Keeps how pairs are associated before these calls. `touched` names the lookup's record for each pair.
    pub(crate) async fn keep_links(
        &self,
        run: &RunId,
        envelope: &Envelope,
        (from, to): (&ObjectTypeId, &ObjectTypeId),
        touched: &BTreeMap<Pair, SalesforceId>,
        (calls, current): (&Calls, &Current),
    ) -> Result<(), StageError> {
        let pairs: Vec<PairBefore> = touched
            .iter()
            .map(|(pair, child)| {
                let before = associated(current, *pair);
                PairBefore {
                    child: *child,
                    from: pair.from,
                    to: pair.to,
                    ours: after(calls, *pair, &before, current),
                    before,
                }
            })
            .filter(|pair| pair.before != pair.ours)
            .collect();
        for part in pairs.chunks(IMAGE_BYTES / ROW_BYTES) {
            let image = BeforeImage {
                envelope: envelope.clone(),
                object_type: from.clone(),
                body: BeforeBody::Links(LinksBefore {
                    to: to.clone(),
                    pairs: part.to_vec(),
                }),
            };
            self.context.hub.keep_before(run, &token(), &image).await?;
        }
        Ok(())
    }
}

/// The properties that a row's call sets, but for the unique one, which it never changes.
fn columns(row: &Row) -> impl Iterator<Item = &str> {
    let sent = row.batch.table.names().filter(|name| row.sends(name));
    sent.chain([VERSION_PROPERTY])
}

fn text_of(row: &Row, found: &Found) -> usize {
    let there = found
        .get(&row.id())
        .map_or(0, |(_, values)| values.values().map(String::len).sum());
    let ours: usize = row
        .batch
        .table
        .iter()
        .map(|(_, column)| column.get(row.index).map_or(0, str::len) + 16)
        .sum();
    there + ours
}

fn records_of(rows: &[Row], places: &[usize], found: &Found) -> RecordsBefore {
    let first = &rows[places[0]];
    let names: Vec<&str> = columns(first).collect();
    let mut records = RecordsBefore {
        id_property: first.target.id_property.clone(),
        before: Table::with_columns(&names),
        ours: Table::with_columns(&names),
        ..RecordsBefore::default()
    };
    for &place in places {
        let row = &rows[place];
        let there = found.get(&row.id());
        records.ids.push(row.id());
        records.versions.push(row.sent_version());
        records.kinds.push(ChangeKind::Upsert);
        records.hubspot_ids.push(there.map(|(id, _)| *id));
        let before = |name: &&str| {
            there
                .and_then(|(_, values)| values.get(*name))
                .map(String::as_str)
        };
        records.before.push_row(names.iter().map(before));
        let version = row.sent_version().to_string();
        let ours = names.iter().map(|name| match *name {
            VERSION_PROPERTY => Some(version.as_str()),
            name => row
                .batch
                .table
                .column(name)
                .and_then(|column| column.get(row.index)),
        });
        records.ours.push_row(ours);
    }
    records
}

/// How HubSpot associates a pair, as it was read.
pub(crate) fn associated(current: &Current, pair: Pair) -> Association {
    let has = current
        .get(&pair.from)?
        .iter()
        .find(|record| record.to == pair.to)?;
    let labels = has.types.iter().filter(|held| held.label.is_some());
    Some(labels.map(|held| held.kind.clone()).collect())
}

/// How these calls associate a pair.
fn after(calls: &Calls, pair: Pair, before: &Association, current: &Current) -> Association {
    if calls.archive.contains(&pair) {
        return None;
    }
    if let Some(strip) = calls.strip.iter().find(|strip| strip.pair == pair) {
        let kept = before
            .iter()
            .flatten()
            .filter(|kind| !strip.types.contains(*kind));
        return Some(kept.cloned().collect());
    }
    if calls.plain.contains(&pair) {
        return Some(before.clone().unwrap_or_default());
    }
    if let Some(typed) = calls.typed.iter().find(|typed| typed.pair == pair) {
        let has = current
            .get(&pair.from)
            .and_then(|records| records.iter().find(|record| record.to == pair.to));
        // What is sent holds the plain type too, when it was there.
        let is_plain = |kind: &_| {
            has.is_some_and(|has| {
                has.types
                    .iter()
                    .any(|held| held.kind == *kind && held.label.is_none())
            })
        };
        return Some(
            typed
                .types
                .iter()
                .filter(|kind| !is_plain(kind))
                .cloned()
                .collect(),
        );
    }
    before.clone()
}
