//! Batches of changes and of writes.

use landbridge_model::{ChangeBatch, WriteBatch};
use prost::Message as _;

use crate::common::{decode, envelope_in, envelope_out, rows_in, rows_out, table_in, table_out};
use crate::{Wire, WireError, v1};

impl Wire for ChangeBatch {
    fn encode(&self) -> Vec<u8> {
        v1::ChangeBatch {
            envelope: Some(envelope_out(&self.envelope)),
            rows: Some(rows_out(&self.ids, &self.versions, &self.kinds)),
            columns: table_out(&self.table),
        }
        .encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let message: v1::ChangeBatch = decode("change batch", bytes)?;
        let envelope = envelope_in(message.envelope)?;
        let rows = rows_in(message.rows)?;
        let table = table_in(message.columns, rows.ids.len())?;
        Ok(Self {
            envelope,
            ids: rows.ids,
            versions: rows.versions,
            kinds: rows.kinds,
            table,
        })
    }
}

impl Wire for WriteBatch {
    fn encode(&self) -> Vec<u8> {
        write_batch_out(self).encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        write_batch_in(decode("write batch", bytes)?)
    }
}

pub(crate) fn write_batch_out(batch: &WriteBatch) -> v1::WriteBatch {
    v1::WriteBatch {
        envelope: Some(envelope_out(&batch.envelope)),
        rows: Some(rows_out(&batch.ids, &batch.versions, &batch.kinds)),
        columns: table_out(&batch.table),
        links: table_out(&batch.links),
    }
}

pub(crate) fn write_batch_in(message: v1::WriteBatch) -> Result<WriteBatch, WireError> {
    let envelope = envelope_in(message.envelope)?;
    let rows = rows_in(message.rows)?;
    let table = table_in(message.columns, rows.ids.len())?;
    let links = table_in(message.links, rows.ids.len())?;
    Ok(WriteBatch {
        envelope,
        ids: rows.ids,
        versions: rows.versions,
        kinds: rows.kinds,
        table,
        links,
    })
}
