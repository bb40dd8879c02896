//! Records that HubSpot's own integration keeps: found by a property that is not unique, hence by listing all of them
//! into memory, and by search for those that came since.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use landbridge_hubspot::{Client, Error, Share};
use landbridge_model::ask::FoundIdentities;
use landbridge_model::{HubSpotId, ObjectTypeId, SalesforceId};
use parking_lot::Mutex;

/// For more ids that are missing or claimed twice than are searched for, a listing is repeated after so many times its own
/// length, and never more often than this.
const REST: u32 = 20;
const REST_MIN: Duration = Duration::from_secs(5);
/// For ids that are known: a record may have been merged into another, or given to another account.
const FRESH: u32 = 200;
const FRESH_MIN: Duration = Duration::from_secs(600);
/// Values of one search.
const SEARCH_VALUES_MAX: usize = 100;
/// More ids than this are left to the next listing. Search has a limit of its own, so that who writes waits for none of it;
/// a listing takes its pages from them.
const SEARCHED_MAX: usize = 500;

#[derive(Debug, Default)]
struct Scan {
    found: HashMap<SalesforceId, Vec<HubSpotId>>,
    listed: Option<Listed>,
}

/// When the last listing ended, and how long it took.
#[derive(Clone, Copy, Debug)]
struct Listed {
    at: Instant,
    took: Duration,
}

impl Listed {
    /// Whether it is time to list again for ids of which so many are in doubt.
    fn is_due(self, doubtful: usize, now: Instant) -> bool {
        let rest = if doubtful > SEARCHED_MAX {
            (self.took * REST).max(REST_MIN)
        } else {
            (self.took * FRESH).max(FRESH_MIN)
        };
        now >= self.at + rest
    }
}

type Shelf = HashMap<(ObjectTypeId, String), Arc<tokio::sync::Mutex<Scan>>>;

/// All scans of a tenant.
#[derive(Debug, Default)]
pub(crate) struct Scans(Mutex<Shelf>);

impl Scans {
    /// Which records have these values in `property`.
    pub(crate) async fn find(
        &self,
        client: &Client,
        object_type: &ObjectTypeId,
        property: &str,
        ids: &[SalesforceId],
    ) -> Result<FoundIdentities, Error> {
        let key = (object_type.clone(), property.to_owned());
        let scan = self.0.lock().entry(key.clone()).or_default().clone();
        let mut scan = scan.lock_owned().await;
        let (client, ids) = (client.clone(), ids.to_vec());
        // A task of its own: an asker that gives up must not throw away a listing that is half done.
        let looking = tokio::spawn(async move {
            scan.refresh(&client, &key.0, &key.1, &ids).await?;
            Ok(answer(&scan.found, &ids))
        });
        match looking.await {
            Ok(result) => result,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

impl Scan {
    /// Looks for `ids`: by listing when that is due, else, for those that are not known or claimed twice, by search.
    async fn refresh(
        &mut self,
        client: &Client,
        object_type: &ObjectTypeId,
        property: &str,
        ids: &[SalesforceId],
    ) -> Result<(), Error> {
        let is_sure = |id: &SalesforceId| self.found.get(id).is_some_and(|records| records.len() == 1);
        let doubtful: Vec<SalesforceId> = ids.iter().copied().filter(|id| !is_sure(id)).collect();
        let began = Instant::now();
        let is_due = |listed: Listed| listed.is_due(doubtful.len(), began);
        if self.listed.is_none_or(is_due) {
            self.found = list(client, object_type, property).await?;
            let took = began.elapsed();
            self.listed = Some(Listed {
                at: began + took,
                took,
            });
        } else if !doubtful.is_empty() && doubtful.len() <= SEARCHED_MAX {
            let found = search(client, object_type, property, &doubtful).await?;
            self.learn(&doubtful, found);
        }
        Ok(())
    }

    /// What a search found of the ids that were looked for. What it does not find was perhaps written a moment ago: a listing
    /// knows better, and is believed on.
    fn learn(&mut self, searched: &[SalesforceId], found: Vec<(SalesforceId, HubSpotId)>) {
        let mut by_id: HashMap<SalesforceId, Vec<HubSpotId>> = HashMap::new();
        for (id, record) in found {
            add(&mut by_id, id, record);
        }
        for id in searched {
            if let Some(records) = by_id.remove(id) {
                self.found.insert(*id, records);
            }
        }
    }
}

fn answer(found: &HashMap<SalesforceId, Vec<HubSpotId>>, ids: &[SalesforceId]) -> FoundIdentities {
    let mut answer = FoundIdentities::default();
    for id in ids.iter().collect::<HashSet<_>>() {
        match found.get(id).map(Vec::as_slice) {
            None | Some([]) => {}
            Some([record]) => answer.found.push((*id, *record)),
            Some(several) => answer.ambiguous.push((*id, several.to_vec())),
        }
    }
    answer
}

fn add(found: &mut HashMap<SalesforceId, Vec<HubSpotId>>, id: SalesforceId, record: HubSpotId) {
    let records = found.entry(id).or_default();
    if !records.contains(&record) {
        records.push(record);
    }
}

async fn list(
    client: &Client,
    object_type: &ObjectTypeId,
    property: &str,
) -> Result<HashMap<SalesforceId, Vec<HubSpotId>>, Error> {
    let mut found = HashMap::new();
    let mut after: Option<String> = None;
    loop {
        let reply = client
            .list_records(Share::Lookups, object_type, &[property], after.as_deref(), false)
            .await?;
        let page = reply.records(&[property])?;
        for record in &page.results {
            // 15 and 18 characters are one record.
            let value = record.values[0].as_deref().map(str::trim).unwrap_or_default();
            if let Ok(id) = SalesforceId::parse(value) {
                add(&mut found, id, record.id);
            }
        }
        after = page.after;
        if after.is_none() {
            return Ok(found);
        }
    }
}

/// How an id may be written: with its checksum, and without.
fn forms(id: &SalesforceId) -> [&str; 2] {
    [id.as_str(), &id.as_str()[..15]]
}

async fn search(
    client: &Client,
    object_type: &ObjectTypeId,
    property: &str,
    ids: &[SalesforceId],
) -> Result<Vec<(SalesforceId, HubSpotId)>, Error> {
    let mut found = Vec::new();
    for chunk in ids.chunks(SEARCH_VALUES_MAX / 2) {
        let values: Vec<&str> = chunk.iter().flat_map(forms).collect();
        let reply = client
            .search_in(Share::Lookups, object_type, property, &values, &[property])
            .await?;
        for record in reply.records(&[property])?.results {
            let value = record.values[0].as_deref().unwrap_or_default();
            if let Ok(id) = SalesforceId::parse(value.trim()) {
                found.push((id, record.id));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_in_doubt_are_listed_again_sooner() {
        let at = Instant::now();
        let listed = |seconds| Listed {
            at,
            took: Duration::from_secs(seconds),
        };
        let due =
            |listed: Listed, doubtful, seconds| listed.is_due(doubtful, at + Duration::from_secs(seconds));
        let many = SEARCHED_MAX + 1;
        assert!(!due(listed(0), many, 4) && due(listed(0), many, 5));
        assert!(!due(listed(10), many, 199) && due(listed(10), many, 200));
        for few in [0, SEARCHED_MAX] {
            assert!(!due(listed(0), few, 599) && due(listed(0), few, 600));
            assert!(!due(listed(10), few, 1_999) && due(listed(10), few, 2_000));
        }
    }

    #[test]
    fn what_a_search_finds_takes_the_place_of_what_was_known() {
        let id = |text| SalesforceId::parse(text).unwrap();
        let (merged, missing, late) = (
            id("001000000000001"),
            id("001000000000002"),
            id("001000000000003"),
        );
        let mut scan = Scan::default();
        for record in [1, 2] {
            add(&mut scan.found, merged, HubSpotId(record));
        }
        scan.learn(
            &[merged, missing, late],
            vec![(merged, HubSpotId(2)), (late, HubSpotId(3))],
        );
        let mut answer = answer(&scan.found, &[merged, missing, late]);
        answer.found.sort_unstable();
        assert_eq!(answer.found, [(merged, HubSpotId(2)), (late, HubSpotId(3))]);
        assert!(answer.ambiguous.is_empty());
    }

    #[test]
    fn an_id_is_searched_for_in_both_its_forms() {
        let id = SalesforceId::parse("001000000000001AAA").unwrap();
        assert_eq!(forms(&id), ["001000000000001AAA", "001000000000001"]);
    }

    #[test]
    fn two_claims_on_one_record_are_told_and_not_guessed() {
        let id = |text| SalesforceId::parse(text).unwrap();
        let (one, two, three) = (
            id("001000000000001"),
            id("001000000000002"),
            id("001000000000003"),
        );
        let mut found = HashMap::new();
        for (id, record) in [(one, 1), (two, 2), (two, 3), (one, 1)] {
            add(&mut found, id, HubSpotId(record));
        }
        let answer = answer(&found, &[one, two, three, one]);
        assert_eq!(answer.found, [(one, HubSpotId(1))]);
        assert_eq!(answer.ambiguous, [(two, vec![HubSpotId(2), HubSpotId(3)])]);
    }
}
