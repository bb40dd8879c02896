//! The main job, taken apart into processes: import, late parents, live edits of every kind, verify, repair, explain.

use serde_json::{Value, json};

use crate::fleet::{self, count};
use crate::harness::{Installation, Sandbox, wait_for};

struct Scene {
    sandbox: Sandbox,
    installation: Installation,
    vehicles: String,
    depots: String,
}

fn imported() -> Scene {
    let installation = Installation::whole();
    let sandbox = Sandbox::start(installation.folder(), &["--records", "900", "--limits", "1000"]);
    fleet::make_ready(&installation, &sandbox);
    fleet::start_imports(&installation);
    installation.cli(&[&["sync", "activate"], &fleet::SYNCS[..]].concat());
    let imports = fleet::wait_for_imports(&installation);
    for import in &imports {
        let extracted = import["extracted"].as_u64().expect("a count");
        assert!(extracted > 0, "{import}");
        let settled = count(
            import,
            &["created", "updated", "unchanged", "superseded", "deleted", "kept"],
        );
        assert_eq!(settled, extracted, "{import}");
        assert_eq!(import["state"], "Completed", "{import}");
    }
    fleet::wait_until_quiet(&installation);
    let (vehicles, depots) = (sandbox.object_type("vehicles"), sandbox.object_type("depots"));
    Scene {
        sandbox,
        installation,
        vehicles,
        depots,
    }
}

impl Scene {
    fn property(&self, object_type: &str, id: &str, property: &str) -> Option<String> {
        self.sandbox.property(object_type, id, property)
    }

    fn hubspot_id(&self, object_type: &str, id: &str) -> Option<String> {
        self.sandbox.hubspot_id(object_type, id)
    }

    /// The depots that a vehicle is associated with.
    fn depots_of(&self, vehicle: &str) -> Vec<String> {
        self.sandbox.linked(&self.vehicles, &self.depots, vehicle)
    }

    fn edit(&self, object: &str, id: &str, fields: Value) {
        self.sandbox
            .salesforce("PATCH", &format!("/sobjects/{object}/{id}"), Some(fields));
    }
}

#[test]
fn the_main_job_ends_with_both_systems_equal() {
    let scene = imported();
    live_edits_arrive(&scene);
    fleet::wait_until_equal(&scene.installation);
    a_difference_is_found_named_and_repaired(&scene);
    the_story_of_a_record_can_be_told(&scene);
    everything_ends_on_sigterm(scene);
}

fn live_edits_arrive(scene: &Scene) {
    let sandbox = &scene.sandbox;
    let rows =
        sandbox.query("SELECT Id, Depot__c FROM Vehicle__c WHERE Depot__c != null ORDER BY Id LIMIT 4");
    let id = |row: usize| rows[row]["Id"].as_str().unwrap().to_owned();
    let other_depot = sandbox.query(&format!(
        "SELECT Id FROM Depot__c WHERE Id != '{}' ORDER BY Id LIMIT 1",
        rows[1]["Depot__c"].as_str().unwrap()
    ));
    let other_depot = other_depot[0]["Id"].as_str().unwrap().to_owned();
    let (updated, moved, cleared, doomed) = (id(0), id(1), id(2), id(3));

    scene.edit(
        "Vehicle__c",
        &updated,
        json!({ "Price__c": 4321.5, "Fuel__c": "Electric", "Phone__c": null }),
    );
    scene.edit("Vehicle__c", &moved, json!({ "Depot__c": other_depot }));
    scene.edit("Vehicle__c", &cleared, json!({ "Depot__c": null }));
    sandbox.salesforce("DELETE", &format!("/sobjects/Vehicle__c/{doomed}"), None);
    let depot = json!({ "Name": "Far end", "Code__c": "FAR-END", "Parent_Depot__c": other_depot });
    let created = sandbox.salesforce("POST", "/sobjects/Depot__c", Some(depot));
    let created = created["id"].as_str().unwrap().to_owned();

    wait_for("the new price", || {
        (scene.property(&scene.vehicles, &updated, "price")? == "4321.5").then_some(())
    });
    assert_eq!(
        scene.property(&scene.vehicles, &updated, "fuel").as_deref(),
        Some("ev")
    );
    assert_eq!(
        scene.property(&scene.vehicles, &updated, "phone").as_deref(),
        Some("")
    );
    let home = wait_for("the depot's identity", || {
        scene.hubspot_id(&scene.depots, &other_depot)
    });
    wait_for("the re-parented link", || {
        (scene.depots_of(&moved) == [home.clone()]).then_some(())
    });
    wait_for("the cleared link", || {
        scene.depots_of(&cleared).is_empty().then_some(())
    });
    wait_for("the delete", || {
        scene.hubspot_id(&scene.vehicles, &doomed).is_none().then_some(())
    });
    wait_for("the new depot", || scene.hubspot_id(&scene.depots, &created));

    let body = json!({ "ids": [doomed] });
    sandbox.salesforce("POST", "/__sandbox/undelete", Some(body));
    wait_for("the undeleted vehicle", || {
        scene.hubspot_id(&scene.vehicles, &doomed)
    });
    wait_for("its link", || (scene.depots_of(&doomed).len() == 1).then_some(()));
}

fn a_difference_is_found_named_and_repaired(scene: &Scene) {
    let rows = scene
        .sandbox
        .query("SELECT Id, Name FROM Depot__c ORDER BY Id DESC LIMIT 1");
    let id = rows[0]["Id"].as_str().unwrap();
    let hubspot_id = scene
        .hubspot_id(&scene.depots, id)
        .expect("the depot is in HubSpot");
    let path = format!("/crm/objects/2026-09/{}/{hubspot_id}", scene.depots);
    let tampered = json!({ "properties": { "name": "Somebody else's name" } });
    scene.sandbox.hubspot("PATCH", &path, Some(tampered));

    let output = scene
        .installation
        .try_cli(&["--output", "json", "verify", "depots"]);
    assert_eq!(output.status.code(), Some(3));
    let told = String::from_utf8(output.stdout).unwrap();
    for expected in [
        id,
        "different",
        "Somebody else's name",
        rows[0]["Name"].as_str().unwrap(),
    ] {
        assert!(told.contains(expected), "{expected:?} is not in {told}");
    }
    let output = scene.installation.try_cli(&["verify", "depots", "--repair"]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    assert_eq!(
        scene.property(&scene.depots, id, "name").as_deref(),
        rows[0]["Name"].as_str()
    );
}

fn the_story_of_a_record_can_be_told(scene: &Scene) {
    let rows = scene
        .sandbox
        .query("SELECT Id FROM Vehicle__c ORDER BY Id LIMIT 1");
    let id = rows[0]["Id"].as_str().unwrap();
    let story = scene.installation.cli(&["explain", id]).to_string();
    for stage in ["extractor", "mapper", "resolver", "loader"] {
        assert!(story.contains(stage), "the {stage} says nothing of {id}: {story}");
    }
}

fn everything_ends_on_sigterm(mut scene: Scene) {
    for stage in crate::harness::STAGES {
        let process = scene.installation.take(stage);
        assert_eq!(process.terminate(), Some(0), "{stage} did not end well");
    }
}
