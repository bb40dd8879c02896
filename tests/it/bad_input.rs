//! Bad input gives a clear error that names the place and the remedy, before anything is written.

use serde_json::json;

use crate::fleet;
use crate::harness::{Installation, Sandbox, binary, repository, text};

fn vehicles() -> String {
    std::fs::read_to_string(repository().join("deploy/examples/demo/vehicles.yaml")).unwrap()
}

/// Applies a changed definition, which must be refused with all of `words`, and must not have been written.
#[track_caller]
fn refused(installation: &Installation, name: &str, definition: &str, words: &[&str]) {
    let file = installation.folder().join(format!("{name}.yaml"));
    std::fs::write(&file, definition).unwrap();
    let before = installation.cli(&["sync", "list"]);
    let output = installation.try_cli(&["sync", "apply", "-f", file.to_str().unwrap()]);
    let told = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(2), "{name}: {told}");
    for word in words {
        assert!(told.contains(word), "{name}: {word:?} is not in: {told}");
    }
    assert_eq!(installation.cli(&["sync", "list"]), before, "{name} was written");
}

#[test]
fn definitions_that_cannot_work_are_refused_with_place_and_remedy() {
    let installation = Installation::whole();
    let sandbox = Sandbox::start(installation.folder(), &["--records", "100", "--limits", "1000"]);
    fleet::make_ready(&installation, &sandbox);
    let good = vehicles();
    let changed = |from: &str, to: &str| {
        assert!(good.contains(from), "the example no longer says {from:?}");
        good.replacen(from, to, 1)
    };

    let unknown_key = changed("  rules:\n", "  rulez:\n");
    refused(
        &installation,
        "unknown-key",
        &unknown_key,
        &["unknown-key.yaml:12:3", "rulez", "rules"],
    );

    let no_required = changed("    - from: Name\n      to: name\n", "");
    refused(
        &installation,
        "unmapped-required",
        &no_required,
        &["property name", "requires"],
    );

    let bad_type = changed("from: Purchased_On__c", "from: Active__c");
    refused(
        &installation,
        "impossible-type",
        &bad_type,
        &["Active__c", "purchased_on"],
    );

    let no_option = changed("        Hybrid: hybrid\n", "");
    refused(&installation, "picklist", &no_option, &["Hybrid", "fuel"]);

    let unsynced = changed(
        "      to: depots\n      label: stationed at",
        "      to: garages\n",
    );
    refused(
        &installation,
        "unsynced-parent",
        &unsynced,
        &["spec.associations[1].to", "garages"],
    );
}

#[test]
fn a_wrong_token_is_named_and_nothing_is_kept_quiet() {
    let installation = Installation::whole();
    let sandbox = Sandbox::start(installation.folder(), &["--records", "50"]);
    let token = installation.folder().join("token");
    std::fs::write(&token, "pat-na1-wrong").unwrap();
    let secret = installation.folder().join("secret");
    std::fs::write(&secret, sandbox.text("/salesforce/client_secret")).unwrap();
    let output = installation.try_cli(&[
        "tenant",
        "add",
        "acme",
        "--salesforce-login-url",
        sandbox.text("/salesforce/login_url"),
        "--client-id",
        sandbox.text("/salesforce/client_id"),
        "--client-secret-file",
        secret.to_str().unwrap(),
        "--hubspot-url",
        sandbox.text("/hubspot/base_url"),
        "--hubspot-token-file",
        token.to_str().unwrap(),
    ]);
    let told = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert!(!output.status.success(), "{told}");
    assert!(told.contains("HubSpot"), "{told}");
    assert!(!told.contains("pat-na1-wrong"), "the token was printed: {told}");
}

#[test]
fn a_malformed_org_folder_is_refused_by_file() {
    let folder = tempfile::tempdir().unwrap();
    let object = folder.path().join("force-app/main/default/objects/Boat__c");
    std::fs::create_dir_all(object.join("fields")).unwrap();
    std::fs::write(
        folder.path().join("sfdx-project.json"),
        r#"{"packageDirectories":[{"path":"force-app"}]}"#,
    )
    .unwrap();
    std::fs::write(
        object.join("Boat__c.object-meta.xml"),
        "<CustomObject><label>Boat",
    )
    .unwrap();
    let output = binary()
        .args(["sandbox", "--org", folder.path().to_str().unwrap(), "--json"])
        .output()
        .unwrap();
    assert!(!output.status.success());
    let told = text(&output.stderr);
    assert!(told.contains("Boat__c.object-meta.xml"), "{told}");
}

#[test]
fn a_portal_out_of_object_types_says_so() {
    let installation = Installation::whole();
    let sandbox = Sandbox::start(installation.folder(), &["--records", "50", "--limits", "1000"]);
    installation.add_tenant("demo", &sandbox);
    let limit = sandbox.hubspot("GET", "/crm/limits/2026-09/custom-object-types", None);
    let limit = limit["limit"].as_u64().expect("a limit");
    for number in 0..limit {
        let schema = json!({
            "name": format!("filler_{number}"), "labels": { "singular": "Filler", "plural": "Fillers" },
            "primaryDisplayProperty": "name", "requiredProperties": [], "searchableProperties": [],
            "secondaryDisplayProperties": [], "allowsSensitiveProperties": false, "associatedObjects": [],
            "properties": [{ "name": "name", "label": "Name", "type": "string", "fieldType": "text" }],
        });
        sandbox.hubspot("POST", "/crm-object-schemas/2026-09/schemas", Some(schema));
    }
    let test = installation.try_cli(&["connection", "test"]);
    let told = format!("{}{}", text(&test.stdout), text(&test.stderr));
    assert!(
        told.contains(&limit.to_string()) && told.contains("object type"),
        "{told}"
    );
}
