//! A record is deleted and brought back: inside the grace HubSpot has seen nothing of it; after it, it is made anew and linked again.

use serde_json::json;

use crate::fleet;
use crate::harness::{Installation, Sandbox, repository, wait_for};

/// Gives the vehicles' sync another grace.
fn set_grace(installation: &Installation, grace: &str) {
    let text = std::fs::read_to_string(repository().join("deploy/examples/demo/vehicles.yaml")).unwrap();
    let with_grace = text.replace("maxDeletes: 500", &format!("maxDeletes: 500\n    grace: {grace}"));
    assert_ne!(text, with_grace);
    let file = installation.folder().join("vehicles.yaml");
    std::fs::write(&file, with_grace).unwrap();
    installation.cli(&["sync", "apply", "-f", file.to_str().unwrap()]);
}

#[test]
fn a_record_that_comes_back_keeps_its_id_and_links_inside_the_grace_and_is_made_anew_after_it() {
    let installation = Installation::whole();
    let sandbox = Sandbox::start(installation.folder(), &["--records", "120", "--limits", "1000"]);
    fleet::make_ready(&installation, &sandbox);
    set_grace(&installation, "1h");
    installation.cli(&["import", "start", "depots", "vehicles"]);
    installation.cli(&["sync", "activate", "depots", "vehicles"]);
    fleet::wait_for_imports(&installation);
    fleet::wait_until_quiet(&installation);
    let [vehicles, depots] = ["vehicles", "depots"].map(|name| sandbox.object_type(name));
    let rows = sandbox.query("SELECT Id FROM Vehicle__c WHERE Depot__c != null LIMIT 1");
    let vehicle = rows[0]["Id"].as_str().unwrap().to_owned();
    let held = || installation.cli(&["held", "list"])["total"].as_u64();
    let bring_back = || sandbox.org_backdoor("undelete", json!({ "ids": [vehicle] }));
    let stands = || {
        (
            sandbox.hubspot_id(&vehicles, &vehicle),
            sandbox.linked(&vehicles, &depots, &vehicle),
            sandbox.linked(&vehicles, "0-2", &vehicle),
        )
    };
    let before = stands();
    assert_eq!(before.1.len(), 1, "it is stationed somewhere: {before:?}");

    sandbox.delete("Vehicle__c", &vehicle);
    wait_for("the delete to be held", || (held()? == 1).then_some(()));
    bring_back();
    wait_for("the delete to be let go", || (held()? == 0).then_some(()));
    fleet::wait_until_quiet(&installation);
    assert_eq!(stands(), before, "HubSpot has seen nothing of it");

    set_grace(&installation, "1s");
    sandbox.delete("Vehicle__c", &vehicle);
    wait_for("the vehicle to go", || {
        sandbox.hubspot_id(&vehicles, &vehicle).is_none().then_some(())
    });
    bring_back();
    wait_for("the vehicle and its links to be back", || {
        let (id, stationed, companies) = stands();
        let is_whole = id.is_some() && (&stationed, &companies) == (&before.1, &before.2);
        is_whole.then_some(())
    });
    assert_ne!(
        stands().0,
        before.0,
        "HubSpot restores nothing by its API: it is another record"
    );
    wait_for("the vehicles to be as they should", || {
        installation
            .try_cli(&["verify", "vehicles"])
            .status
            .success()
            .then_some(())
    });
}
