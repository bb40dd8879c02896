//! Merging two records: the loser's gaps fill the winner's, its associations move, and its id leads on.

use super::{
    call::Call,
    dice::FastSet,
    errors::{Answer, ApiError, Reply, parse},
    pairs::{Labels, TypeIndex},
    records::writable,
    table::{Change, Table},
    told::{Extras, Teller},
};
use serde::Deserialize;
use std::borrow::Cow;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Merge {
    primary_object_id: String,
    object_id_to_merge: String,
}

/// `POST /{t}/merge`.
pub(super) fn merge(call: &Call<'_>, of: &str) -> Answer {
    let at = writable(call, of)?;
    let wanted: Merge = parse(call.body)?;
    let mut catalog = call.portal.catalog.write();
    let table = catalog.table(at);
    let find = |id: &str| {
        let row = id.parse().ok().and_then(|id| table.row(id));
        row.ok_or_else(|| ApiError::not_found(format!("Object {id} not found")).context("id", &[id]))
    };
    let (winner, loser) = (
        find(&wanted.primary_object_id)?,
        find(&wanted.object_id_to_merge)?,
    );
    if winner == loser {
        return Err(ApiError::validation("Cannot merge an object with itself"));
    }
    let (winner_id, loser_id) = (table.id(winner), table.id(loser));
    let gaps = gaps(table, winner, loser);
    let moved: Vec<(TypeIndex, u64, u64)> = catalog
        .pairs
        .from(at)
        .flat_map(|(other, direction)| {
            direction
                .links(loser_id)
                .iter()
                .map(move |link| (other, link.to, link.types))
        })
        .filter(|(other, to, _)| (*other, *to) != (at, winner_id))
        .collect();

    let lag_ms = call.habits.lags.search_index;
    catalog.pairs.forget(at, loser_id);
    let table = catalog.table_mut(at);
    table.archive(loser, call.now_ms, false);
    table.update(winner, call.now_ms, lag_ms, &gaps);
    for target in table.merged.values_mut().filter(|target| **target == loser_id) {
        *target = winner_id;
    }
    table.merged.insert(loser_id, winner_id);
    for (other, to, types) in moved {
        let _ = catalog
            .pairs
            .link((at, winner_id), (other, to), types, Labels::Keep);
    }
    let teller = Teller {
        table: catalog.table(at),
        portal_id: call.habits.portal_id,
    };
    let mut out = Vec::new();
    teller.written(&mut out, winner, &gaps, &Extras::default());
    Ok(Reply::raw(200, out))
}

/// What the loser has and the winner has not.
fn gaps(table: &Table, winner: u32, loser: u32) -> Vec<Change<'static>> {
    let kept: FastSet<u16> = table
        .record(winner)
        .row
        .iter()
        .map(|(column, _)| column)
        .collect();
    let inherited = table
        .record(loser)
        .row
        .iter()
        .filter(|(column, _)| !kept.contains(column));
    inherited
        .map(|(column, value)| (column, Cow::Owned(value.to_owned())))
        .collect()
}
