//! Parts that several messages share.

use std::sync::Arc;

use landbridge_model::{
    ChangeKind, Envelope, Failure, FailureCategory, MappedPart, Purpose, Revision, RunId, SalesforceId,
    Source, SyncName, Table, TenantId, TextColumn, Version,
};

use crate::{WireError, v1};

pub(crate) fn invalid(what: &'static str, reason: impl ToString) -> WireError {
    WireError::Invalid {
        what,
        reason: reason.to_string(),
    }
}

pub(crate) fn decode<M: prost::Message + Default>(what: &'static str, bytes: &[u8]) -> Result<M, WireError> {
    M::decode(bytes).map_err(|source| WireError::Undecodable { what, source })
}

pub(crate) fn envelope_out(envelope: &Envelope) -> v1::Envelope {
    let source = match envelope.source {
        Source::Import => v1::Source::Import,
        Source::Increment => v1::Source::Increment,
        Source::ChangeEvent => v1::Source::ChangeEvent,
        Source::Reread => v1::Source::Reread,
        Source::Repair => v1::Source::Repair,
        Source::Reconcile => v1::Source::Reconcile,
        Source::Purged => v1::Source::Purged,
        Source::Compare => v1::Source::Compare,
        Source::DryRun => v1::Source::DryRun,
    };
    let purpose = match envelope.purpose {
        Purpose::Apply => v1::Purpose::Apply,
        Purpose::Compare => v1::Purpose::Compare,
    };
    v1::Envelope {
        tenant: envelope.tenant.to_string(),
        sync: envelope.sync.to_string(),
        revision: envelope.revision.0,
        purpose: purpose.into(),
        source: source.into(),
        run: envelope.run.as_ref().map(RunId::to_string).unwrap_or_default(),
        force: envelope.force,
        only: envelope.only.as_ref().map(|part| v1::MappedPart {
            properties: part.properties.clone(),
            lookups: part.lookups.clone(),
        }),
    }
}

pub(crate) fn envelope_in(envelope: Option<v1::Envelope>) -> Result<Envelope, WireError> {
    let what = "envelope";
    let envelope = envelope.ok_or_else(|| invalid(what, "it is missing"))?;
    let source = match envelope.source() {
        v1::Source::Import => Source::Import,
        v1::Source::Increment => Source::Increment,
        v1::Source::ChangeEvent => Source::ChangeEvent,
        v1::Source::Reread => Source::Reread,
        v1::Source::Repair => Source::Repair,
        v1::Source::Reconcile => Source::Reconcile,
        v1::Source::Purged => Source::Purged,
        v1::Source::Compare => Source::Compare,
        v1::Source::DryRun => Source::DryRun,
        v1::Source::Unspecified => return Err(invalid(what, "it names no known source")),
    };
    let purpose = match envelope.purpose() {
        v1::Purpose::Apply => Purpose::Apply,
        v1::Purpose::Compare => Purpose::Compare,
    };
    let run = match envelope.run.as_str() {
        "" => None,
        run => Some(RunId::new(run).map_err(|error| invalid(what, error))?),
    };
    Ok(Envelope {
        tenant: TenantId::new(&envelope.tenant).map_err(|error| invalid(what, error))?,
        sync: SyncName::new(&envelope.sync).map_err(|error| invalid(what, error))?,
        revision: Revision(envelope.revision),
        purpose,
        source,
        run,
        force: envelope.force,
        only: envelope.only.map(|part| {
            Arc::new(MappedPart {
                properties: part.properties,
                lookups: part.lookups,
            })
        }),
    })
}

pub(crate) fn kind_out(kind: ChangeKind) -> v1::ChangeKind {
    match kind {
        ChangeKind::Upsert => v1::ChangeKind::Upsert,
        ChangeKind::Delete => v1::ChangeKind::Delete,
        ChangeKind::Leave => v1::ChangeKind::Leave,
    }
}

fn kind_in(kind: i32) -> Result<ChangeKind, WireError> {
    match v1::ChangeKind::try_from(kind) {
        Ok(v1::ChangeKind::Upsert) => Ok(ChangeKind::Upsert),
        Ok(v1::ChangeKind::Delete) => Ok(ChangeKind::Delete),
        Ok(v1::ChangeKind::Leave) => Ok(ChangeKind::Leave),
        Err(_) => Err(invalid("rows", format!("{kind} is no kind of change"))),
    }
}

/// Ids end to end.
pub(crate) fn ids_out(ids: &[SalesforceId]) -> Vec<u8> {
    ids.iter().flat_map(|id| id.as_bytes().iter().copied()).collect()
}

pub(crate) fn ids_in(bytes: &[u8]) -> Result<Vec<SalesforceId>, WireError> {
    let what = "rows";
    if !bytes.len().is_multiple_of(18) {
        return Err(invalid(what, "the ids are not 18 bytes each"));
    }
    let id = |bytes: &[u8]| {
        let text = std::str::from_utf8(bytes).map_err(|error| invalid(what, error))?;
        SalesforceId::parse(text).map_err(|error| invalid(what, error))
    };
    bytes.chunks_exact(18).map(id).collect()
}

/// Rows as columns: ids, versions, kinds.
pub(crate) struct RowKeys {
    pub(crate) ids: Vec<SalesforceId>,
    pub(crate) versions: Vec<Version>,
    pub(crate) kinds: Vec<ChangeKind>,
}

pub(crate) fn rows_out(ids: &[SalesforceId], versions: &[Version], kinds: &[ChangeKind]) -> v1::Rows {
    let all_upserts = kinds.iter().all(|kind| *kind == ChangeKind::Upsert);
    v1::Rows {
        ids: ids_out(ids),
        stamps_ms: versions.iter().map(|version| version.stamp_ms).collect(),
        reads_ms: versions.iter().map(|version| version.read_ms).collect(),
        kinds: if all_upserts {
            Vec::new()
        } else {
            kinds.iter().map(|kind| kind_out(*kind).into()).collect()
        },
    }
}

pub(crate) fn rows_in(rows: Option<v1::Rows>) -> Result<RowKeys, WireError> {
    let what = "rows";
    let rows = rows.unwrap_or_default();
    let ids = ids_in(&rows.ids)?;
    let count = ids.len();
    let kinds_fit = rows.kinds.is_empty() || rows.kinds.len() == count;
    if rows.stamps_ms.len() != count || rows.reads_ms.len() != count || !kinds_fit {
        return Err(invalid(what, "ids, versions and kinds differ in number"));
    }
    let versions = rows
        .stamps_ms
        .iter()
        .zip(&rows.reads_ms)
        .map(|(stamp_ms, read_ms)| Version::new(*stamp_ms, *read_ms))
        .collect();
    let kinds = if rows.kinds.is_empty() {
        vec![ChangeKind::Upsert; count]
    } else {
        rows.kinds.into_iter().map(kind_in).collect::<Result<_, _>>()?
    };
    Ok(RowKeys { ids, versions, kinds })
}

pub(crate) fn table_out(table: &Table) -> Vec<v1::Column> {
    table
        .iter()
        .map(|(name, column)| v1::Column {
            name: name.to_owned(),
            text: column.text().to_owned(),
            lengths: column.lengths().collect(),
            nulls: column.null_mask().to_vec(),
        })
        .collect()
}

pub(crate) fn table_in(columns: Vec<v1::Column>, rows: usize) -> Result<Table, WireError> {
    let mut table = Table::default();
    for column in columns {
        if column.lengths.len() != rows {
            let reason = format!(
                "column {} has {} cells for {rows} rows",
                column.name,
                column.lengths.len()
            );
            return Err(invalid("columns", reason));
        }
        let cells = TextColumn::from_parts(column.text, &column.lengths, column.nulls)
            .ok_or_else(|| invalid("columns", format!("column {} does not add up", column.name)))?;
        table.add(&column.name, cells);
    }
    Ok(table)
}

pub(crate) fn failure_out(failure: &Failure) -> v1::Failure {
    v1::Failure {
        category: failure.category.as_str().to_owned(),
        message: failure.message.clone(),
        property: failure.property.clone().unwrap_or_default(),
        field: failure.field.clone().unwrap_or_default(),
        has_value: failure.value.is_some(),
        value: failure.value.clone().unwrap_or_default(),
        correlation_id: failure.correlation_id.clone().unwrap_or_default(),
    }
}

pub(crate) fn failure_in(failure: v1::Failure) -> Failure {
    let some = |text: String| (!text.is_empty()).then_some(text);
    Failure {
        // A category that a newer stage knows and this one does not is still a failure to show.
        category: FailureCategory::ALL
            .into_iter()
            .find(|category| category.as_str() == failure.category)
            .unwrap_or(FailureCategory::Internal),
        message: failure.message,
        property: some(failure.property),
        field: some(failure.field),
        value: failure.has_value.then_some(failure.value),
        correlation_id: some(failure.correlation_id),
    }
}

pub(crate) fn parse_id(text: &str) -> Result<SalesforceId, WireError> {
    SalesforceId::parse(text).map_err(|error| invalid("record id", error))
}

pub(crate) fn optional(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}
