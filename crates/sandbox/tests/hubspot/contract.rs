//! The sandbox, and our client, against what HubSpot documents.
//!
//! Three things are held against the OpenAPI documents in `tests/contract/hubspot`: that the sandbox serves every
//! operation in them, that every answer to a tour of all of them has a declared status and a body of the declared shape
//! and nothing besides, and that every call of our own client is one that they allow. Where the documents are known to
//! be wrong, [`exceptions`] says so, and an exception that is no longer needed fails the test too.

mod definitions;
mod documents;
mod exceptions;
mod links;
mod ours;
mod records;
mod rest;
mod tour;

use landbridge_hubspot::ApiVersion;
use std::collections::BTreeSet;
use tour::Tour;

#[test]
fn every_documented_operation_answers_as_documented() {
    let mut tour = Tour::new();
    for version in ["v3", "2026-03", "2026-09"] {
        tour.version = version;
        definitions::schemas(&mut tour);
        definitions::properties(&mut tour);
        definitions::validations(&mut tour);
        records::one_by_one(&mut tour);
        records::batches(&mut tour);
        records::searches(&mut tour);
        links::pairs(&mut tour);
        links::labels(&mut tour);
        links::ceilings(&mut tour);
        rest::limits(&mut tour);
        rest::account(&mut tour);
        rest::imports(&mut tour);
        rest::sign_in(&mut tour);
        rest::strangers(&mut tour);
    }
    let found: BTreeSet<_> = tour.violations.into_iter().collect();
    exceptions::judge(&found, exceptions::ANSWERS);
    let left: Vec<String> = tour
        .contract
        .operations
        .iter()
        .map(|operation| format!("{} ({})", operation.name(), operation.document))
        .filter(|name| !tour.succeeded.contains(name))
        .collect();
    assert!(
        left.is_empty(),
        "never answered with a success:\n{}",
        left.join("\n")
    );
}

#[tokio::test]
async fn our_client_calls_as_documented() {
    for version in [ApiVersion::Dated("2026-09".to_owned()), ApiVersion::Numbered] {
        let calls = ours::drive(version).await;
        let contract = documents::Contract::load();
        let mut found = BTreeSet::new();
        let mut strange = Vec::new();
        for call in &calls {
            let operations = contract.find(&call.method, &call.path);
            if operations.is_empty() {
                strange.push(format!("{} {}", call.method, call.path));
            }
            for operation in operations {
                found.extend(contract.judge_call(operation, &call.query, &call.body));
            }
        }
        strange.retain(|call| !exceptions::UNDOCUMENTED.contains(&call.as_str()));
        assert!(
            strange.is_empty(),
            "calls to undocumented places:\n{}",
            strange.join("\n")
        );
        exceptions::judge(&found, exceptions::CALLS);
    }
}
