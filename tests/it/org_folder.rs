//! An org out of a Salesforce DX source folder goes the whole way: every type of field, formulas, links of both kinds,
//! live edits. What must stand in HubSpot is written down here by hand.

use jiff::civil::{Date, date};
use jiff::{Timestamp, Unit};
use serde_json::json;

use crate::fleet::{self, count};
use crate::harness::{Installation, Sandbox, repository, wait_for};

struct Scene {
    installation: Installation,
    sandbox: Sandbox,
    harbours: String,
    boats: String,
    inspections: String,
}

/// The org's day.
fn today() -> Date {
    Timestamp::now().in_tz("UTC").unwrap().date()
}

fn days_since(day: Date) -> i32 {
    today().since((Unit::Day, day)).unwrap().get_days()
}

fn imported() -> Scene {
    let installation = Installation::whole();
    let folder = repository().join("tests/it/orgs/harbour");
    let sandbox = Sandbox::start(
        installation.folder(),
        &["--org", folder.to_str().unwrap(), "--limits", "1000"],
    );
    sandbox.create_object_types(&folder.join("portal/object-types.json"));
    installation.add_tenant("harbour", &sandbox);
    let syncs = folder.join("syncs");
    installation.cli(&["sync", "apply", "-f", syncs.to_str().unwrap()]);
    // Details before their masters, boats before their harbours.
    let names = ["inspections", "boats", "harbours"];
    installation.cli(&[&["import", "start"], &names[..]].concat());
    installation.cli(&[&["sync", "activate"], &names[..]].concat());
    let imports = fleet::wait_for_imports(&installation);
    let created = |sync: &str| {
        let import = imports.iter().find(|import| import["sync"] == sync).unwrap();
        assert_eq!(import["state"], "Completed", "{import}");
        count(import, &["created"])
    };
    assert_eq!(names.map(created), [3, 3, 2]);
    fleet::wait_until_quiet(&installation);
    let [harbours, boats, inspections] =
        ["harbours", "boats", "inspections"].map(|name| sandbox.object_type(name));
    Scene {
        installation,
        sandbox,
        harbours,
        boats,
        inspections,
    }
}

impl Scene {
    fn boat(&self, name: &str) -> String {
        self.sandbox.id_of("Boat__c", &format!("Name = '{name}'"))
    }

    fn harbour(&self, name: &str) -> String {
        self.sandbox.id_of("Harbour__c", &format!("Name = '{name}'"))
    }

    fn inspection(&self, score: u32) -> String {
        self.sandbox
            .id_of("Inspection__c", &format!("Score__c = {score}"))
    }

    #[track_caller]
    fn assert_boat(&self, id: &str, expected: &[(&str, &str)]) {
        let names: Vec<&str> = expected.iter().map(|(name, _)| *name).collect();
        let record = self.sandbox.record(&self.boats, id, &names).expect("a record");
        for (name, value) in expected {
            let found = record["properties"][name].as_str().unwrap_or_default();
            assert_eq!(found, *value, "{name} of {id}");
        }
    }

    /// Waits until a property of a boat has this value.
    #[track_caller]
    fn await_boat(&self, id: &str, property: &str, value: &str) {
        wait_for(&format!("{property} {value:?} of {id}"), || {
            (self.sandbox.property(&self.boats, id, property)? == value).then_some(())
        });
    }

    /// Waits until a record is linked to this parent, or to none.
    #[track_caller]
    fn await_link(&self, from: &str, to: &str, id: &str, parent: Option<&str>) {
        let wanted: Vec<String> = parent
            .into_iter()
            .map(|parent| self.sandbox.hubspot_id(to, parent).expect("the parent"))
            .collect();
        wait_for(&format!("the link of {id} to {parent:?}"), || {
            (self.sandbox.linked(from, to, id) == wanted).then_some(())
        });
    }
}

#[test]
fn an_org_of_ones_own_goes_the_whole_way() {
    let scene = imported();
    every_type_of_field_arrives(&scene);
    formulas_arrive_as_salesforce_computes_them(&scene);
    both_kinds_of_parents_are_linked(&scene);
    fleet::wait_until_equal(&scene.installation);
    live_edits_arrive_with_their_formulas(&scene);
    a_master_takes_its_details_with_it(&scene);
    fleet::wait_until_quiet(&scene.installation);
    fleet::wait_until_equal(&scene.installation);
}

fn every_type_of_field_arrives(scene: &Scene) {
    let heron = scene.boat("Heron");
    scene.assert_boat(
        &heron,
        &[
            ("name", "Heron"),
            ("berth", "N-12"),
            ("motto", "Slow and steady,\nwe arrive."),
            ("log", "Left at dawn.\nBack at dusk."),
            ("notes", "<p>Needs <b>paint</b></p>"),
            ("email", "heron@harbour.example"),
            ("phone", "+49 40 123456"),
            ("website", "https://harbour.example/heron"),
            ("kind", "sail"),
            ("gear", "Net;Raft"),
            ("insured", "true"),
            ("length", "12.4"),
            ("worth", "84500.5"),
            ("share", "33.25"),
            ("launched", "2020-02-29"),
            ("surveyed", "2026-03-04T05:06:07.000Z"),
            ("sails_at", "06:30:00"),
            ("latitude", "53.54127"),
            ("longitude", "9.99302"),
            ("serial", "B-0001"),
            ("inspections", "2"),
            ("harbour_depth", "7.5"),
        ],
    );
    // What the user may see of it is Salesforce's affair; so is whose it is.
    let rows = scene
        .sandbox
        .query("SELECT Papers__c, OwnerId FROM Boat__c WHERE Name = 'Heron'");
    let served = |field: &str| rows[0][field].as_str().expect("a value").to_owned();
    scene.assert_boat(
        &heron,
        &[("papers", &served("Papers__c")), ("owner_id", &served("OwnerId"))],
    );
    let empty = [
        "berth", "motto", "log", "notes", "email", "phone", "website", "papers",
    ];
    let more = ["gear", "worth", "share", "launched", "surveyed", "sails_at"];
    let last = ["latitude", "longitude", "harbour_depth"];
    let nothing: Vec<(&str, &str)> = empty
        .iter()
        .chain(&more)
        .chain(&last)
        .map(|name| (*name, ""))
        .collect();
    let gull = scene.boat("Gull");
    scene.assert_boat(&gull, &nothing);
    scene.assert_boat(
        &gull,
        &[("insured", "false"), ("inspections", "0"), ("kind", "motor")],
    );
    let north = scene.harbour("North quay");
    let coast = scene.sandbox.property(&scene.harbours, &north, "coast");
    assert_eq!(coast.as_deref(), Some("East"));
}

fn formulas_arrive_as_salesforce_computes_them(scene: &Scene) {
    let table = [
        ("Heron", "165", "Heron / Sail", "large", "by phone", "Elmouth"),
        ("Tern", "60", "Tern / Row", "small", "by mail", "Elmouth"),
        ("Gull", "135", "Gull / Motor", "small", "by mail", ""),
    ];
    for (name, fee, sign, size, contact, town) in table {
        let expected = [
            ("fee", fee),
            ("sign", sign),
            ("size", size),
            ("contact", contact),
            ("home_town", town),
        ];
        scene.assert_boat(&scene.boat(name), &expected);
    }
    for (name, launched) in [("Heron", date(2020, 2, 29)), ("Tern", date(2025, 12, 31))] {
        let age = scene
            .sandbox
            .property(&scene.boats, &scene.boat(name), "age_days")
            .expect("a boat");
        let age: i32 = age.parse().expect("a number of days");
        // Midnight may have passed since it was read.
        let now = days_since(launched);
        assert!(
            age == now || age == now - 1,
            "{name} is {age} days old, not {now}"
        );
    }
    scene.assert_boat(&scene.boat("Gull"), &[("age_days", "")]);
    for (score, verdict) in [(80, "sound"), (49, "unsound"), (50, "sound")] {
        let found = scene
            .sandbox
            .property(&scene.inspections, &scene.inspection(score), "verdict");
        assert_eq!(found, Some(format!("{verdict} in Elmouth")), "of score {score}");
    }
}

fn both_kinds_of_parents_are_linked(scene: &Scene) {
    let north = scene.harbour("North quay");
    for (boat, harbour) in [("Heron", Some(&north)), ("Tern", Some(&north)), ("Gull", None)] {
        let boat = scene.boat(boat);
        scene.await_link(&scene.boats, &scene.harbours, &boat, harbour.map(String::as_str));
    }
    for (score, boat) in [(80, "Heron"), (49, "Heron"), (50, "Tern")] {
        let (inspection, boat) = (scene.inspection(score), scene.boat(boat));
        scene.await_link(&scene.inspections, &scene.boats, &inspection, Some(&boat));
    }
}

fn live_edits_arrive_with_their_formulas(scene: &Scene) {
    let sandbox = &scene.sandbox;
    let (heron, tern) = (scene.boat("Heron"), scene.boat("Tern"));
    let south = scene.harbour("South quay");
    let petrel = json!({ "Name": "Petrel", "Kind__c": "Motor", "Length__c": 20, "Harbour__c": south });
    let petrel = sandbox.create("Boat__c", petrel);
    sandbox.edit(
        "Boat__c",
        &tern,
        json!({ "Length__c": 10.5, "Phone__c": "+49 40 999", "Kind__c": "Sail", "Gear__c": "Radar" }),
    );
    sandbox.edit(
        "Boat__c",
        &heron,
        json!({ "Harbour__c": south, "Worth__c": null }),
    );
    // A change of the boat's harbour changes no stamp of its inspections; an edit of their own does.
    let (first, second) = (scene.inspection(80), scene.inspection(49));
    sandbox.edit("Inspection__c", &first, json!({ "Remark__c": "moved" }));
    sandbox.edit("Inspection__c", &second, json!({ "Boat__c": tern }));

    scene.await_boat(&petrel, "fee", "260");
    let petrel_is = [
        ("size", "large"),
        ("sign", "Petrel / Motor"),
        ("home_town", "Ashport"),
        ("serial", "B-0004"),
    ];
    scene.assert_boat(&petrel, &petrel_is);
    scene.await_link(&scene.boats, &scene.harbours, &petrel, Some(&south));
    scene.await_boat(&tern, "fee", "141.25");
    let tern_is = [
        ("size", "large"),
        ("contact", "by phone"),
        ("sign", "Tern / Sail"),
        ("kind", "sail"),
        ("gear", "Radar"),
    ];
    scene.assert_boat(&tern, &tern_is);
    scene.await_boat(&heron, "home_town", "Ashport");
    scene.assert_boat(&heron, &[("harbour_depth", "4"), ("worth", "")]);
    scene.await_link(&scene.boats, &scene.harbours, &heron, Some(&south));
    wait_for("the verdict by way of the new harbour", || {
        let verdict = sandbox.property(&scene.inspections, &first, "verdict")?;
        (verdict == "sound in Ashport").then_some(())
    });
    scene.await_link(&scene.inspections, &scene.boats, &second, Some(&tern));
    // Roll-ups of both masters follow.
    scene.await_boat(&heron, "inspections", "1");
    scene.await_boat(&tern, "inspections", "2");

    sandbox.edit("Boat__c", &petrel, json!({ "Harbour__c": null }));
    scene.await_boat(&petrel, "home_town", "");
    scene.await_link(&scene.boats, &scene.harbours, &petrel, None);
}

fn a_master_takes_its_details_with_it(scene: &Scene) {
    let tern = scene.boat("Tern");
    let details = [scene.inspection(49), scene.inspection(50)];
    scene.sandbox.delete("Boat__c", &tern);
    let gone = |object_type: &str, id: &str| {
        wait_for(&format!("the end of {id}"), || {
            scene.sandbox.hubspot_id(object_type, id).is_none().then_some(())
        });
    };
    gone(&scene.boats, &tern);
    details.iter().for_each(|id| gone(&scene.inspections, id));
    let kept = scene.inspection(80);
    assert!(scene.sandbox.hubspot_id(&scene.inspections, &kept).is_some());
}
