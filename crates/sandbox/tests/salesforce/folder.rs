//! Orgs from Salesforce DX source folders: a small garage, and folders with something wrong.

use crate::support::{Org, config};
use landbridge_sandbox::{OrgSource, Sandbox, SandboxConfig};
use serde_json::{Value, json};
use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
};

fn garage() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/garage")
}

fn of_folder(folder: &Path) -> SandboxConfig {
    SandboxConfig {
        org: OrgSource::Folder(folder.to_path_buf()),
        ..config()
    }
}

#[tokio::test]
async fn a_folder_becomes_an_org() {
    let org = Org::start(of_folder(&garage())).await;
    let main = &org
        .records("SELECT FIELDS(ALL) FROM Garage__c WHERE Garage_Id__c = 1 LIMIT 1")
        .await[0];
    let expected = json!({
        "Name": "Main", "Garage_Id__c": 1.0, "Place__c": { "latitude": 48.1, "longitude": 11.5 }, "Open__c": true,
        "Kind__c": "Indoor", "Serial__c": "G-001", "Job_Count__c": 2.0, "Job_Cost__c": 11.5, "Link__c": null,
        "Sticker__c": "<img src=\"https://pictures.example/1.png\" alt=\"Sticker\" style=\"height:20px; width:30px;\" border=\"0\"/>",
    });
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(&main[name], value, "{name}");
    }
    assert!(main["Age__c"].as_f64() >= Some(10.0));
    let annex = &org
        .records("SELECT Parent__r.Name, Owner_Account__r.Name, Tools__c FROM Garage__c WHERE Name = 'Annex'")
        .await[0];
    assert_eq!(
        (
            &annex["Parent__r"]["Name"],
            &annex["Owner_Account__r"],
            &annex["Tools__c"]
        ),
        (&json!("Main"), &Value::Null, &json!("Lift;Jack"))
    );
    let children = &org
        .records("SELECT (SELECT Name FROM Jobs__r ORDER BY Name) FROM Garage__c WHERE Name = 'Main'")
        .await[0];
    assert_eq!(children["Jobs__r"]["records"][1]["Name"], "J-0002");
    assert_eq!(
        org.records("SELECT Fleet_Size__c FROM Account").await[0]["Fleet_Size__c"],
        12.0
    );
    let report = &org.sandbox.report().salesforce;
    assert_eq!(report.unsupported_formulas.len(), 1);
    assert_eq!(report.unsupported_formulas[0].field, "Link__c");
    assert!(
        report.unsupported_formulas[0]
            .reason
            .contains("$Api.Partner_Server_URL_260")
    );
    assert!(
        report.notes.iter().any(|note| note.starts_with("Account.Rating")),
        "{:?}",
        report.notes
    );
}

#[tokio::test]
async fn roll_ups_stamp_their_master_and_restricted_lookups_hold() {
    let org = Org::start(of_folder(&garage())).await;
    let soql = "SELECT Id, Job_Count__c, Job_Cost__c, Owner_Account__c, SystemModstamp FROM Garage__c WHERE Name = 'Main'";
    let before = org.records(soql).await[0].clone();
    let job = org
        .create("Job__c", json!({ "Garage__c": before["Id"], "Cost__c": 5 }))
        .await;
    let after = org.records(soql).await[0].clone();
    assert_eq!(
        (&after["Job_Count__c"], &after["Job_Cost__c"]),
        (&json!(3.0), &json!(16.5))
    );
    assert_ne!(before["SystemModstamp"], after["SystemModstamp"]);
    org.delete(&format!("sobjects/Job__c/{job}")).await;
    assert_eq!(org.records(soql).await[0]["Job_Cost__c"], 11.5);
    let account = before["Owner_Account__c"].as_str().expect("an id");
    let (status, refusal) = org.delete(&format!("sobjects/Account/{account}")).await;
    assert_eq!(
        (status, refusal[0]["errorCode"].as_str()),
        (400, Some("DELETE_FAILED"))
    );
}

#[tokio::test]
async fn every_type_is_described() {
    let org = Org::start(of_folder(&garage())).await;
    let (_, described) = org.get("sobjects/Garage__c/describe").await;
    let type_of = |name: &str| {
        let fields = described["fields"].as_array().expect("fields");
        fields.iter().find(|field| field["name"] == name).expect(name)["type"]
            .as_str()
            .expect("a type")
            .to_owned()
    };
    for (name, expected) in [
        ("Garage_Id__c", "double"),
        ("Owner_Account__c", "reference"),
        ("Place__c", "location"),
        ("Opened__c", "date"),
        ("Seen_At__c", "datetime"),
        ("Opens_At__c", "time"),
        ("Picture__c", "url"),
        ("Mail__c", "email"),
        ("Call__c", "phone"),
        ("Share__c", "percent"),
        ("Rent__c", "currency"),
        ("Open__c", "boolean"),
        ("Kind__c", "picklist"),
        ("Tools__c", "multipicklist"),
        ("Story__c", "textarea"),
        ("Rich__c", "textarea"),
        ("Memo__c", "textarea"),
        ("Pass__c", "encryptedstring"),
        ("Serial__c", "string"),
        ("Job_Count__c", "double"),
        ("Sticker__c", "string"),
    ] {
        assert_eq!(type_of(name), expected, "{name}");
    }
    let (_, job) = org.get("sobjects/Job__c/describe").await;
    let name = job["fields"]
        .as_array()
        .expect("fields")
        .iter()
        .find(|field| field["name"] == "Name")
        .expect("a name")
        .clone();
    assert_eq!(
        (&name["autoNumber"], &name["createable"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(
        org.post(
            "sobjects/Garage__c",
            json!({ "Garage_Id__c": 9, "Region__c": "South" })
        )
        .await
        .0,
        400
    );
}

#[tokio::test]
async fn samples_multiply_by_seed() {
    let sized = |seed| SandboxConfig {
        records: Some(500),
        seed,
        ..of_folder(&garage())
    };
    let (one, two, other) = (
        Org::start(sized(1)).await,
        Org::start(sized(1)).await,
        Org::start(sized(2)).await,
    );
    let mut total = 0;
    for object in ["Garage__c", "Bay__c", "Job__c"] {
        total += one.query(&format!("SELECT COUNT() FROM {object}")).await.1["totalSize"]
            .as_u64()
            .expect("a number");
    }
    // Jobs are details of garages and not in the plan by themselves.
    assert!((490..=510).contains(&total), "{total}");
    let soql = "SELECT Id, Name, Garage__c FROM Bay__c ORDER BY Id";
    assert_eq!(one.records(soql).await, two.records(soql).await);
    assert_ne!(one.records(soql).await, other.records(soql).await);
    let (_, keys) = one
        .query("SELECT COUNT_DISTINCT(Garage_Id__c), COUNT(Id) FROM Garage__c")
        .await;
    assert_eq!(keys["records"][0]["expr0"], keys["records"][0]["expr1"]);
}

/// The garage with one file changed.
fn broken(file: &str, from: &str, to: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    copy(&garage(), folder.path());
    let path = folder.path().join(file);
    let text = fs::read_to_string(&path).expect("a file of the fixture");
    assert!(text.contains(from), "{file} has no {from}");
    fs::write(&path, text.replacen(from, to, 1)).expect("written");
    folder
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a copy");
        }
    }
}

async fn complaint(folder: &Path) -> String {
    let error = Sandbox::start(of_folder(folder))
        .await
        .expect_err("a broken folder");
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}

#[tokio::test]
async fn broken_folders_are_refused_with_file_and_element() {
    let objects = "force-app/main/default/objects";
    let table = [
        (
            "Garage__c/fields/Rent__c.field-meta.xml",
            "<type>Currency</type>",
            "<type>Money</type>",
            "<type> `Money` is no field type",
        ),
        (
            "Garage__c/fields/Rent__c.field-meta.xml",
            "</CustomField>",
            "",
            "Rent__c.field-meta.xml is malformed",
        ),
        (
            "Garage__c/fields/Rent__c.field-meta.xml",
            "<precision>18<",
            "<precision>many<",
            "<precision> must be a whole number, not `many`",
        ),
        (
            "Garage__c/fields/Rent__c.field-meta.xml",
            "<scale>2<",
            "<scale>20<",
            "<precision> of 18 digits",
        ),
        (
            "Garage__c/fields/Rent__c.field-meta.xml",
            "<fullName>Rent__c</fullName>",
            "",
            "<fullName> is missing",
        ),
        (
            "Garage__c/fields/Rent__c.field-meta.xml",
            "CustomField xmlns",
            "CustomThing xmlns",
            "malformed",
        ),
        (
            "Garage__c/fields/Parent__c.field-meta.xml",
            "<referenceTo>Garage__c<",
            "<referenceTo>Nowhere__c<",
            "<referenceTo> names `Nowhere__c`",
        ),
        (
            "Garage__c/fields/Owner_Account__c.field-meta.xml",
            ">Restrict<",
            ">Maybe<",
            "<deleteConstraint> must be SetNull, Restrict or Cascade",
        ),
        (
            "Garage__c/fields/Mail__c.field-meta.xml",
            "<unique>false<",
            "<unique>no<",
            "<unique> must be true or false, not `no`",
        ),
        (
            "Garage__c/fields/Kind__c.field-meta.xml",
            "valueSetDefinition>",
            "valueSetThing>",
            "malformed",
        ),
        (
            "Garage__c/fields/Job_Cost__c.field-meta.xml",
            "Job__c.Garage__c",
            "Garage__c",
            "<summaryForeignKey> must be Object.Field",
        ),
        (
            "Garage__c/Garage__c.object-meta.xml",
            "<type>Text</type>",
            "<type>Number</type>",
            "<type> `Number` is neither Text nor AutoNumber",
        ),
        (
            "Garage__c/Garage__c.object-meta.xml",
            "<label>Garage</label>",
            "",
            "<label> is missing",
        ),
    ];
    for (file, from, to, expected) in table {
        let folder = broken(&format!("{objects}/{file}"), from, to);
        let text = complaint(folder.path()).await;
        let name = file.rsplit('/').next().expect("a name");
        assert!(text.contains(expected) && text.contains(name), "{file}: {text}");
    }
}

#[tokio::test]
async fn broken_samples_are_refused_with_their_record() {
    let table = [
        (
            "data/garages.json",
            "@AcmeRef",
            "@NobodyRef",
            "record MainRef: INVALID_CROSS_REFERENCE_KEY",
        ),
        (
            "data/garages.json",
            "\"Outdoor\"",
            "\"Underground\"",
            "record AnnexRef: INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        ),
        (
            "data/garages.json",
            "\"Picture__c\"",
            "\"Painting__c\"",
            "record MainRef: INVALID_FIELD",
        ),
        ("data/garages.json", "{", "", "garages.json is malformed"),
        (
            "data/sample-data-plan.json",
            "Garage__c",
            "Barn__c",
            "loads `Barn__c`, which is no object here",
        ),
        (
            "data/sample-data-plan.json",
            "bays.json",
            "boats.json",
            "cannot read",
        ),
    ];
    for (file, from, to, expected) in table {
        let folder = broken(file, from, to);
        let text = complaint(folder.path()).await;
        assert!(text.contains(expected), "{file}: {text}");
    }
    let empty = tempfile::tempdir().expect("a folder");
    assert!(complaint(empty.path()).await.contains("holds no objects"));
    assert!(
        complaint(&empty.path().join("missing"))
            .await
            .contains("cannot read")
    );
}
