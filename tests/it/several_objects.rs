//! A lookup that may lead to several objects goes the whole way: who owns a depot is a person or a queue.

use serde_json::json;

use crate::fleet;
use crate::harness::{Installation, Sandbox, repository, wait_for};

const RULES: &str = "    - field: OwnerId
      object: User
      to: contacts
      match: owner_in_salesforce
    - field: OwnerId
      object: Group
      to: companies
      match: owner_in_salesforce
";

/// Makes a record of a standard type that says whom in Salesforce it stands for.
fn stand_for(sandbox: &Sandbox, object_type: &str, name: &str, salesforce_id: &str) -> String {
    let properties = format!("/crm/properties/2026-09/{object_type}");
    let group = json!({ "name": "people", "label": "People" });
    sandbox.hubspot("POST", &format!("{properties}/groups"), Some(group));
    let property = json!({
        "name": "owner_in_salesforce", "label": "Owner in Salesforce", "type": "string", "fieldType": "text",
        "groupName": "people",
    });
    sandbox.hubspot("POST", &properties, Some(property));
    let path = format!("/crm/objects/2026-09/{object_type}");
    let record = json!({ "properties": { name: "somebody", "owner_in_salesforce": salesforce_id } });
    // A new property takes no value for a moment.
    let made = wait_for("the record to be taken", || {
        sandbox.try_hubspot("POST", &path, Some(record.clone()))
    });
    made["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_record_follows_its_lookup_from_one_object_to_another() {
    let installation = Installation::whole();
    let sandbox = Sandbox::start(installation.folder(), &["--records", "120", "--limits", "1000"]);
    let user = sandbox.query("SELECT Id FROM User")[0]["Id"]
        .as_str()
        .unwrap()
        .to_owned();
    // The org's SOQL takes Group for a word of its own: the one queue is read by its id, which differs from the user's by what
    // it begins with.
    let path = format!("/sobjects/Group/00G{}?fields=Id", &user[3..15]);
    let queue = sandbox.salesforce("GET", &path, None)["Id"]
        .as_str()
        .unwrap()
        .to_owned();
    let person = stand_for(&sandbox, "contacts", "firstname", &user);
    let team = stand_for(&sandbox, "companies", "name", &queue);
    fleet::make_ready(&installation, &sandbox);
    let text = std::fs::read_to_string(repository().join("deploy/examples/demo/depots.yaml")).unwrap();
    // Companies are associated by the account already: of the owner's there is a label.
    let rules = RULES.replace("to: companies\n", "to: companies\n      label: owned by\n");
    let depots_file = installation.folder().join("depots.yaml");
    let apply = |text: &str| {
        std::fs::write(&depots_file, text).unwrap();
        installation.try_cli(&["sync", "apply", "-f", depots_file.to_str().unwrap()])
    };
    let account = "    - field: Account__c\n      to: companies\n      match: salesforceaccountid\n";
    assert!(text.contains(account));
    let nameless = text.replace(account, "    - field: OwnerId\n      to: contacts\n");
    let refused = apply(&nameless);
    let told = String::from_utf8_lossy(&[refused.stdout, refused.stderr].concat()).into_owned();
    assert!(
        !refused.status.success() && told.contains("may lead to several objects"),
        "{told}"
    );
    let definition = text.replace(account, &rules);
    let applied = apply(&definition);
    assert!(
        applied.status.success(),
        "{}",
        String::from_utf8_lossy(&applied.stderr)
    );

    installation.cli(&["import", "start", "depots"]);
    installation.cli(&["sync", "activate", "depots"]);
    fleet::wait_for_imports(&installation);
    let depots = sandbox.object_type("depots");
    let depot = sandbox
        .query("SELECT Id, OwnerId FROM Depot__c LIMIT 1")
        .remove(0);
    assert_eq!(depot["OwnerId"], user.as_str());
    let depot = depot["Id"].as_str().unwrap().to_owned();
    let owners = || {
        let of = |object_type: &str| sandbox.linked(&depots, object_type, &depot);
        (of("0-1"), of("0-2"))
    };
    let await_owners = |what: &str, people: &[&String], teams: &[&String]| {
        wait_for(what, || {
            let (found_people, found_teams) = owners();
            let is_it = found_people.iter().eq(people.iter().copied())
                && found_teams.iter().eq(teams.iter().copied());
            is_it.then_some(())
        });
    };
    await_owners("a person to own it", &[&person], &[]);
    sandbox.edit("Depot__c", &depot, json!({ "OwnerId": queue }));
    await_owners("a queue to own it, and the person no longer", &[], &[&team]);
    sandbox.edit("Depot__c", &depot, json!({ "OwnerId": user }));
    await_owners("the person to own it again", &[&person], &[]);
    fleet::wait_until_quiet(&installation);
    wait_for("the depots to be as they should", || {
        installation
            .try_cli(&["verify", "depots"])
            .status
            .success()
            .then_some(())
    });
    let exported = installation.try_cli(&["sync", "export", "depots"]);
    let exported = String::from_utf8_lossy(&exported.stdout).into_owned();
    assert!(exported.contains("object: Group"), "{exported}");
}
