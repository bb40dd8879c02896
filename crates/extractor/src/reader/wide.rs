//! Rows with more columns than an address can name. Their own fields are read by id in one call, whatever their number; that
//! call takes no paths over a parent, so those are queried, some at a time, and joined by id.

use std::collections::HashMap;

use landbridge_model::{SalesforceId, Table};
use landbridge_salesforce::Columns;

use super::{IDS_IN_A_QUERY, Reader};
use crate::plan::{ID, ReadPlan};
use crate::rows::{self, RowKey};
use crate::trouble::Trouble;

/// Characters of paths that one query names: with the ids beside them the address stays far from its limit.
const PATHS_IN_A_QUERY: usize = 4_000;

/// The columns of one call, and the place that each has in the plan.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) columns: Columns,
    places: Vec<usize>,
}

/// The plan's own fields, and its paths over parents in groups that a query can name. The extractor's own columns are part of
/// each, so that each is read as rows are.
pub(super) fn parts(plan: &ReadPlan) -> (Part, Vec<Part>) {
    let columns = &plan.columns;
    let part = |places: Vec<usize>| Part {
        columns: columns.of(&places),
        places,
    };
    let extractors: Vec<usize> = (0..plan.keys.len()).collect();
    let is_path = |place: &usize| columns.names()[*place].contains('.');
    let own = (0..columns.len()).filter(|place| !is_path(place)).collect();
    let mut groups: Vec<(usize, Vec<usize>)> = Vec::new();
    for place in (0..columns.len()).filter(is_path) {
        let length = columns.names()[place].len() + 2;
        match groups.last_mut() {
            Some((used, places)) if *used + length <= PATHS_IN_A_QUERY => {
                *used += length;
                places.push(place);
            }
            _ => groups.push((length, [&extractors[..], &[place]].concat())),
        }
    }
    (
        part(own),
        groups.into_iter().map(|(_, places)| part(places)).collect(),
    )
}

impl Reader {
    /// Live records by id, at most as many as one call can name, with all columns of the plan; and the ids of those that are
    /// not there, or vanished between two calls: those are found by their newer stamp.
    pub(super) async fn whole_rows(
        &self,
        ids: &[SalesforceId],
    ) -> Result<(Table, Vec<SalesforceId>), Trouble> {
        let (own, paths) = parts(&self.plan);
        self.may_read().await?;
        let found = self.client.retrieve(&self.plan.object, ids, &own.columns).await?;
        let mut missing: Vec<SalesforceId> = found.missing.iter().map(|&place| ids[place]).collect();
        if paths.is_empty() {
            return Ok((found.rows, missing));
        }
        let there: Vec<SalesforceId> = found.places.iter().map(|&place| ids[place]).collect();
        let mut over: Vec<(Table, HashMap<SalesforceId, usize>)> = Vec::new();
        for part in &paths {
            let mut table = part.columns.table();
            for some in there.chunks(IDS_IN_A_QUERY) {
                super::append(&mut table, &self.query_ids(some, &part.columns).await?);
            }
            let keys: Vec<RowKey> = rows::keys(&self.plan, &table, 0)?;
            let by_id = keys.iter().enumerate().map(|(row, key)| (key.id, row));
            over.push((table, by_id.collect()));
        }
        let mut table = self.plan.columns.table();
        for (row, id) in there.iter().enumerate() {
            let mut cells: Vec<Option<&str>> = vec![None; self.plan.columns.len()];
            let rows: Option<Vec<usize>> = over.iter().map(|(_, by_id)| by_id.get(id).copied()).collect();
            let Some(rows) = rows else {
                missing.push(*id);
                continue;
            };
            for ((part, (table, _)), row) in paths.iter().zip(&over).zip(rows) {
                fill(&mut cells, part, table, row);
            }
            // Last, so that the stamp is that of the fields: what is newer has a newer one, and is read again.
            fill(&mut cells, &own, &found.rows, row);
            debug_assert!(cells[ID].is_some(), "every row has its id");
            table.push_row(cells);
        }
        Ok((table, missing))
    }
}

fn fill<'t>(cells: &mut [Option<&'t str>], part: &Part, table: &'t Table, row: usize) {
    for (at, &place) in part.places.iter().enumerate() {
        cells[place] = table.at(at).get(row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn paths_are_asked_for_in_groups_and_everything_once() {
        let mut plan = testing::plan();
        let paths = (0..300).map(|n| format!("Depot__r.A_Field_Whose_Name_Is_Long_{n:03}__c"));
        let named = [
            "Id",
            "SystemModstamp",
            "IsDeleted",
            "Name",
            "Owner.Name",
            "Price__c",
        ]
        .map(str::to_owned);
        plan.columns = Columns::text(named.into_iter().chain(paths));
        let (own, groups) = parts(&plan);
        assert_eq!(
            own.columns.select_list(),
            "Id, SystemModstamp, IsDeleted, Name, Price__c"
        );
        assert!(groups.len() > 1);
        let mut seen: Vec<usize> = own.places.clone();
        for group in &groups {
            let (keys, places) = group.places.split_at(plan.keys.len());
            assert_eq!(keys, [0, 1, 2], "each is read as rows are");
            assert!(group.columns.select_list().len() < PATHS_IN_A_QUERY + 100);
            seen.extend(places);
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..plan.columns.len()).collect::<Vec<_>>());
    }
}
