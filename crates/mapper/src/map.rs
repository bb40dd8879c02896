//! Rows in; values, link intents and verdicts out.
//!
//! Every row of a batch ends in exactly one place (**P2**): among the writes, among the outcomes, or among the rows to
//! read again. Link intents go beside writes and never alone.

use std::borrow::Cow;
use std::collections::HashMap;

use landbridge_model::batch::BATCH_BYTES_MAX;
use landbridge_model::convert::moments;
use landbridge_model::plan::{Column, Plan, Source};
use landbridge_model::{
    Association, ChangeBatch, ChangeKind, Envelope, Failure, FailureCategory, LinkIntents, Outcome, Purpose,
    RecordOutcome, SalesforceId, Table, TextColumn, Version, WriteBatch,
};

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapped {
    /// What HubSpot shall have; rows in the batch's order. More than one where fields that are mapped twice, or long
    /// options, make a message too large.
    pub writes: Vec<WriteBatch>,
    /// The parents that lookups name; only with [`Purpose::Apply`].
    pub intents: Option<LinkIntents>,
    /// Rows that end here: superseded, filtered, failed.
    pub outcomes: Vec<RecordOutcome>,
    /// Rows that lack columns which a newer revision of the sync wants.
    pub rereads: Vec<SalesforceId>,
}

/// Where a row goes, as far as it is known.
#[derive(Clone, Debug)]
enum Fate {
    Travels(ChangeKind),
    Ends(Outcome, Option<Failure>),
    IsReadAgain,
}

/// Maps a batch. `newest` gives the newest version of a record that was mapped before, if it is known; it is not asked
/// when the purpose is to compare.
pub fn map(plan: &Plan, batch: &ChangeBatch, newest: impl Fn(&SalesforceId) -> Option<Version>) -> Mapped {
    let mut fates = fates(plan, batch, newest);
    let travelling: Vec<usize> = (0..fates.len())
        .filter(|&row| matches!(fates[row], Fate::Travels(_)))
        .collect();
    let mut values = Table::default();
    for column in &plan.columns {
        if let Some(cells) = cells(column, batch) {
            values.add(&column.property, convert(column, &cells, &travelling, &mut fates));
        }
    }
    let mut lookups = Table::default();
    for link in &plan.links {
        if let Some(cells) = batch.table.column(&link.field) {
            lookups.add(&link.slot(), parents(link, cells, &travelling, &mut fates));
        }
    }
    refuse_oversized(&values, &travelling, &mut fates);
    assemble(plan, batch, &fates, &travelling, values, lookups)
}

/// A row that no message could carry fails alone.
fn refuse_oversized(values: &Table, travelling: &[usize], fates: &mut [Fate]) {
    let total: usize = values.iter().map(|(_, column)| column.text_bytes()).sum();
    if total <= BATCH_BYTES_MAX {
        return;
    }
    for (place, &row) in travelling.iter().enumerate() {
        let bytes = values.row_bytes(place);
        if bytes > BATCH_BYTES_MAX {
            let message = format!(
                "the record's values take {bytes} bytes, more than the {BATCH_BYTES_MAX} that one record may; map \
                 fewer long texts"
            );
            let failure = Failure::new(FailureCategory::InvalidValue, message);
            fates[row] = Fate::Ends(Outcome::Failed, Some(failure));
        }
    }
}

/// Decides what can be decided without converting anything.
fn fates(plan: &Plan, batch: &ChangeBatch, newest: impl Fn(&SalesforceId) -> Option<Version>) -> Vec<Fate> {
    let is_apply = batch.envelope.purpose == Purpose::Apply;
    let newest_here = if is_apply {
        newest_in(batch)
    } else {
        HashMap::new()
    };
    let is_superseded = |row: usize| {
        let (id, version) = (&batch.ids[row], batch.versions[row]);
        newest_here
            .get(id)
            .is_some_and(|known| version.is_superseded_by(*known))
            || (is_apply && newest(id).is_some_and(|known| version.is_superseded_by(known)))
    };
    let missing = plan.missing_columns(&batch.table);
    let lacking = Lacking::of(plan, batch, &missing);
    let filter = plan.filter.as_ref().map(|filter| {
        let columns: Vec<Option<&TextColumn>> =
            filter.fields().map(|field| batch.table.column(field)).collect();
        (filter, columns)
    });
    let fate = |row: usize| {
        if is_superseded(row) {
            return Fate::Ends(Outcome::Superseded, None);
        }
        match (batch.kinds[row], &lacking) {
            (ChangeKind::Delete, _) => return Fate::Travels(ChangeKind::Delete),
            (_, Lacking::ReadAgain) => return Fate::IsReadAgain,
            (_, Lacking::Fail(failure)) => return Fate::Ends(Outcome::Failed, Some(failure.clone())),
            (_, Lacking::Nothing) => {}
        }
        let miss = filter
            .as_ref()
            .and_then(|(filter, columns)| filter.first_miss(|place| columns[place]?.get(row)));
        match miss {
            None if batch.kinds[row] == ChangeKind::Leave => Fate::Travels(ChangeKind::Leave),
            None => Fate::Travels(ChangeKind::Upsert),
            Some(_) if plan.leaves_travel() => Fate::Travels(ChangeKind::Leave),
            // The condition travels in the place of a failure's message; the category says nothing here.
            Some(condition) => Fate::Ends(
                Outcome::Filtered,
                Some(Failure::new(FailureCategory::InvalidValue, condition)),
            ),
        }
    };
    (0..batch.ids.len()).map(fate).collect()
}

/// The newest version of each record within the batch.
fn newest_in(batch: &ChangeBatch) -> HashMap<SalesforceId, Version> {
    let mut newest: HashMap<SalesforceId, Version> = HashMap::with_capacity(batch.ids.len());
    for (id, version) in batch.ids.iter().zip(&batch.versions) {
        let known = newest.entry(*id).or_insert(*version);
        *known = (*known).max(*version);
    }
    newest
}

/// What columns that are not there mean for the rows that need them.
enum Lacking {
    Nothing,
    ReadAgain,
    Fail(Failure),
}

impl Lacking {
    fn of(plan: &Plan, batch: &ChangeBatch, missing: &[&str]) -> Self {
        if missing.is_empty() {
            return Self::Nothing;
        }
        let is_older = batch.envelope.revision < plan.revision;
        if is_older && batch.envelope.purpose == Purpose::Apply {
            return Self::ReadAgain;
        }
        let filtered_by = plan
            .filter
            .iter()
            .flat_map(|filter| filter.fields())
            .find(|field| missing.iter().any(|name| name.eq_ignore_ascii_case(field)));
        let (field, what) = match filtered_by {
            Some(field) => (
                field,
                "the filter cannot be applied: Salesforce no longer shows the field",
            ),
            None if is_older => (
                missing[0],
                "the sync was edited while its records were compared; compare again",
            ),
            // Absent is not null: a column that was not read is left alone.
            None => return Self::Nothing,
        };
        let failure = Failure::new(FailureCategory::SchemaChanged, format!("{what} ({field})"));
        Self::Fail(failure.field(field))
    }
}

/// The cells of a plan's column, or `None` when the batch does not carry it.
fn cells<'a>(column: &Column, batch: &'a ChangeBatch) -> Option<Cow<'a, TextColumn>> {
    match column.source {
        Source::Table => batch.table.column(&column.field).map(Cow::Borrowed),
        Source::Id => Some(Cow::Owned(batch.ids.iter().map(|id| Some(id.as_str())).collect())),
        Source::IsDeleted => Some(Cow::Owned(batch.ids.iter().map(|_| Some("false")).collect())),
        Source::SystemModstamp => {
            let mut stamps = TextColumn::new();
            for version in &batch.versions {
                let stamp = jiff::Timestamp::from_millisecond(version.stamp_ms).ok();
                stamps.push(stamp.map(moments::instant_text).as_deref());
            }
            Some(Cow::Owned(stamps))
        }
    }
}

/// One property's values for the travelling rows. Rows whose value is refused end here.
fn convert(column: &Column, cells: &TextColumn, travelling: &[usize], fates: &mut [Fate]) -> TextColumn {
    let mut values = TextColumn::new();
    for &row in travelling {
        if !matches!(fates[row], Fate::Travels(ChangeKind::Upsert)) {
            values.push(None);
            continue;
        }
        let cell = cells.get(row);
        match column.convert(cell) {
            Ok(None) if column.required => {
                values.push(None);
                let failure = Failure::new(
                    FailureCategory::MissingRequiredProperty,
                    format!(
                        "HubSpot requires {}, and {} is empty; fill it in Salesforce, or make the property optional",
                        column.property, column.field
                    ),
                );
                let failure = failure.field(&column.field).property(&column.property);
                fates[row] = Fate::Ends(Outcome::Failed, Some(failure));
            }
            Ok(value) => values.push(value.as_deref()),
            Err(refusal) => {
                values.push(None);
                let failure = refusal.into_failure(&column.field, &column.property, cell.unwrap_or_default());
                fates[row] = Fate::Ends(Outcome::Failed, Some(failure));
            }
        }
    }
    values
}

/// One slot's parents for the travelling rows, as 18-character ids. A parent of an object that the slot is not for empties
/// it: the record was linked by it before it was moved to a parent of another object.
fn parents(link: &Association, cells: &TextColumn, travelling: &[usize], fates: &mut [Fate]) -> TextColumn {
    let mut ids = TextColumn::new();
    for &row in travelling {
        let cell = cells
            .get(row)
            .map(str::trim)
            .filter(|cell| !cell.is_empty())
            .filter(|_| matches!(fates[row], Fate::Travels(ChangeKind::Upsert)));
        match cell.map(SalesforceId::parse) {
            None => ids.push(None),
            Some(Ok(id)) => ids.push(link.takes(&id).then_some(id.as_str())),
            Some(Err(error)) => {
                ids.push(None);
                let failure = Failure::new(FailureCategory::InvalidValue, error.to_string())
                    .field(&link.field)
                    .value(&error.text);
                fates[row] = Fate::Ends(Outcome::Failed, Some(failure));
            }
        }
    }
    ids
}

/// Puts the parts together: `values` and `lookups` have one row for each row of `travelling`, some of which have ended
/// since.
fn assemble(
    plan: &Plan,
    batch: &ChangeBatch,
    fates: &[Fate],
    travelling: &[usize],
    values: Table,
    lookups: Table,
) -> Mapped {
    let mut mapped = Mapped::default();
    for (row, fate) in fates.iter().enumerate() {
        match fate {
            Fate::Travels(_) => {}
            Fate::IsReadAgain => mapped.rereads.push(batch.ids[row]),
            Fate::Ends(outcome, failure) => mapped.outcomes.push(RecordOutcome {
                id: batch.ids[row],
                version: batch.versions[row],
                outcome: *outcome,
                hubspot_id: None,
                failure: failure.clone(),
            }),
        }
    }
    let kept: Vec<usize> = (0..travelling.len())
        .filter(|&place| matches!(fates[travelling[place]], Fate::Travels(_)))
        .collect();
    if kept.is_empty() {
        return mapped;
    }
    let all_kept = kept.len() == travelling.len();
    let select = |table: Table| if all_kept { table } else { table.select(&kept) };
    let rows: Vec<usize> = kept.iter().map(|&place| travelling[place]).collect();
    let ids: Vec<SalesforceId> = rows.iter().map(|&row| batch.ids[row]).collect();
    let versions: Vec<Version> = rows.iter().map(|&row| batch.versions[row]).collect();
    let kinds: Vec<ChangeKind> = rows
        .iter()
        .map(|&row| match fates[row] {
            Fate::Travels(kind) => kind,
            Fate::Ends(..) | Fate::IsReadAgain => batch.kinds[row],
        })
        .collect();
    let envelope = Envelope {
        revision: plan.revision,
        ..batch.envelope.clone()
    };
    let mut links = select(lookups);
    if let Some(part) = &envelope.only {
        links.retain(|slot| part.has_lookup(slot));
    }
    if envelope.purpose == Purpose::Apply {
        mapped.intents = intents(plan, &envelope, &ids, &versions, &kinds, links);
        links = Table::default();
    }
    mapped.writes = parted(WriteBatch {
        envelope,
        ids,
        versions,
        kinds,
        table: select(values),
        links,
    });
    mapped
}

/// The batch as messages that the bus takes; one, nearly always.
fn parted(writes: WriteBatch) -> Vec<WriteBatch> {
    let total: usize = writes.table.iter().map(|(_, column)| column.text_bytes()).sum();
    if total <= BATCH_BYTES_MAX {
        return vec![writes];
    }
    let mut parts: Vec<Vec<usize>> = vec![Vec::new()];
    let mut bytes = 0;
    for row in 0..writes.ids.len() {
        let row_bytes = writes.table.row_bytes(row);
        if bytes + row_bytes > BATCH_BYTES_MAX && bytes > 0 {
            parts.push(Vec::new());
            bytes = 0;
        }
        bytes += row_bytes;
        parts.last_mut().expect("there is always a part").push(row);
    }
    parts.iter().map(|rows| writes.select(rows)).collect()
}

/// The intents of rows that travel. A record that goes away links nothing and waits for nothing.
fn intents(
    plan: &Plan,
    envelope: &Envelope,
    ids: &[SalesforceId],
    versions: &[Version],
    kinds: &[ChangeKind],
    lookups: Table,
) -> Option<LinkIntents> {
    if plan.links.is_empty() {
        return None;
    }
    let deleted: Vec<bool> = kinds.iter().map(|kind| *kind != ChangeKind::Upsert).collect();
    let intents = |rows: &[usize], table: Table| LinkIntents {
        envelope: envelope.clone(),
        children: rows.iter().map(|&row| ids[row]).collect(),
        versions: rows.iter().map(|&row| versions[row]).collect(),
        deleted: rows.iter().map(|&row| deleted[row]).collect(),
        table,
    };
    if !lookups.is_empty() {
        let all: Vec<usize> = (0..ids.len()).collect();
        return Some(intents(&all, lookups));
    }
    // No lookup was read: upserts say nothing of their parents, deletes still end what waits.
    let gone: Vec<usize> = (0..ids.len()).filter(|&row| deleted[row]).collect();
    if gone.is_empty() {
        return None;
    }
    let mut table = Table::with_columns(plan.links.iter().map(Association::slot));
    for _ in &gone {
        table.push_row(plan.links.iter().map(|_| None));
    }
    Some(intents(&gone, table))
}

#[cfg(test)]
mod tests;
