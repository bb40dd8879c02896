//! Records that HubSpot's own integration keeps: found by a property that is not unique, hence by listing all of them
//! into memory, and by search for those that came since.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use landbridge_hubspot::{Client, Error, Share};
use landbridge_model::ask::FoundIdentities;
use landbridge_model::{HubSpotId, ObjectTypeId, SalesforceId};
use parking_lot::Mutex;

/// For an id that is missing or claimed twice a listing is repeated after so many times its own length, and never more often
/// than this.
const REST: u32 = 20;
const REST_MIN: Duration = Duration::from_secs(5);
/// For ids that are known: a record may have been merged into another, or given to another account.
const FRESH: u32 = 200;
const FRESH_MIN: Duration = Duration::from_secs(600);
/// Values of one search.
const SEARCH_VALUES_MAX: usize = 100;
/// More than this many missing ids are left to the next listing.
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
    /// Whether it is time to list again for ids of which some are in doubt, or none.
    fn is_due(self, doubt: bool, now: Instant) -> bool {
        let rest = if doubt {
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
    /// Looks for `ids`: by listing when that is due, else, for those that are not known, by search.
    async fn refresh(
        &mut self,
        client: &Client,
        object_type: &ObjectTypeId,
        property: &str,
        ids: &[SalesforceId],
    ) -> Result<(), Error> {
        let missing: Vec<SalesforceId> = ids
            .iter()
            .copied()
            .filter(|id| !self.found.contains_key(id))
            .collect();
        let claimed_twice = |id: &SalesforceId| self.found.get(id).is_some_and(|records| records.len() > 1);
        let doubt = !missing.is_empty() || ids.iter().any(claimed_twice);
        let began = Instant::now();
        if self.listed.is_none_or(|listed| listed.is_due(doubt, began)) {
            self.found = list(client, object_type, property).await?;
            let took = began.elapsed();
            self.listed = Some(Listed {
                at: began + took,
                took,
            });
        } else if !missing.is_empty() && missing.len() <= SEARCHED_MAX {
            for (id, record) in search(client, object_type, property, &missing).await? {
                add(&mut self.found, id, record);
            }
        }
        Ok(())
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

async fn search(
    client: &Client,
    object_type: &ObjectTypeId,
    property: &str,
    ids: &[SalesforceId],
) -> Result<Vec<(SalesforceId, HubSpotId)>, Error> {
    let mut found = Vec::new();
    for chunk in ids.chunks(SEARCH_VALUES_MAX) {
        let values: Vec<&str> = chunk.iter().map(SalesforceId::as_str).collect();
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
    fn what_is_in_doubt_is_listed_again_sooner() {
        let at = Instant::now();
        let listed = |seconds| Listed {
            at,
            took: Duration::from_secs(seconds),
        };
        let due = |listed: Listed, doubt, seconds| listed.is_due(doubt, at + Duration::from_secs(seconds));
        assert!(!due(listed(0), true, 4) && due(listed(0), true, 5));
        assert!(!due(listed(10), true, 199) && due(listed(10), true, 200));
        assert!(!due(listed(0), false, 599) && due(listed(0), false, 600));
        assert!(!due(listed(10), false, 1_999) && due(listed(10), false, 2_000));
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
