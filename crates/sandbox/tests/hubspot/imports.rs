//! Imports: what they do to records, when, and who sees them.

use super::desk::{Desk, Told, having, quiet};
use http::{HeaderMap, HeaderValue, header};
use landbridge_sandbox::hubspot::{Habits, Lags};
use serde_json::{Value, json};

const IMPORTS: &str = "/crm/imports/2026-09";

/// Imports take a second; nothing else takes time.
fn desk() -> Desk {
    Desk::with(having(Habits {
        lags: Lags {
            imports: 1000,
            ..Lags::NONE
        },
        ..quiet()
    }))
}

fn start(desk: &Desk, operation: &str, file: &str) -> Told {
    let of = desk.vehicles.as_str();
    let header = file.lines().next().unwrap_or_default();
    let columns: Vec<Value> = header
        .split(',')
        .map(|name| {
            let mut column = json!({"columnObjectTypeId": of, "columnName": name, "propertyName": name});
            if name == "key" {
                column["columnType"] = json!("HUBSPOT_ALTERNATE_ID");
            }
            column
        })
        .collect();
    let request = json!({
        "name": "Vehicles", "importOperations": {of: operation}, "dateFormat": "DAY_MONTH_YEAR",
        "files": [{"fileName": "v.csv", "fileFormat": "CSV",
                   "fileImportPage": {"hasHeader": true, "columnMappings": columns}}],
    });
    let form = format!(
        "--e\r\nContent-Disposition: form-data; name=\"importRequest\"\r\n\r\n{request}\r\n--e\r\n\
         Content-Disposition: form-data; name=\"files\"; filename=\"v.csv\"\r\n\r\n{file}\r\n--e--\r\n"
    );
    let mut headers = HeaderMap::new();
    let bearer = HeaderValue::from_str(&format!("Bearer {}", desk.token)).expect("plain text");
    headers.insert(header::AUTHORIZATION, bearer);
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("multipart/form-data; boundary=e"),
    );
    desk.call_with("POST", IMPORTS, &headers, form.as_bytes())
}

fn id(started: &Told) -> String {
    assert_eq!(started.status, 200, "{}", started.text);
    started.body["id"].as_str().unwrap_or_default().to_owned()
}

fn state(desk: &Desk, id: &str) -> Value {
    desk.get(&format!("{IMPORTS}/{id}")).body["state"].clone()
}

#[test]
fn rows_become_records_after_a_while_and_bad_values_are_left_out() {
    let desk = desk();
    desk.vehicle("b");
    let file = "key,stage,price,bought\na,open,1,24.12.2026\nb,nowhere,2,\nc,sold,dear,\nd,open\n";
    let started = start(&desk, "UPSERT", file);
    let import = id(&started);
    assert_eq!((&started.body["state"], desk.count()), (&json!("STARTED"), 1));
    desk.advance(999);
    assert_eq!((state(&desk, &import), desk.count()), (json!("PROCESSING"), 1));
    desk.advance(1);
    assert_eq!((state(&desk, &import), desk.count()), (json!("DONE"), 3));
    let done = desk.get(&format!("{IMPORTS}/{import}"));
    let counters = &done.body["metadata"]["counters"];
    assert_eq!(counters["TOTAL_ROWS"], 4);
    assert_eq!(
        (&counters["CREATED_OBJECTS"], &counters["UPDATED_OBJECTS"]),
        (&json!(2), &json!(1))
    );
    let all = format!("/crm/objects/2026-09/{}", desk.vehicles);
    let a = desk.get(&format!("{all}/a?idProperty=key&properties=bought,stage"));
    assert_eq!(a.body["properties"]["bought"], "2026-12-24");
    let b = desk.get(&format!("{all}/b?idProperty=key&properties=price,stage"));
    assert_eq!(
        (&b.body["properties"]["price"], &b.body["properties"]["stage"]),
        (&json!("2"), &Value::Null)
    );
    let errors = desk.get(&format!(
        "{IMPORTS}/{import}/errors?includeErrorMessage=true&includeRowData=true"
    ));
    assert_eq!(
        errors.each("/errorType"),
        [
            "COULD_NOT_PARSE_NUMBER",
            "INCORRECT_NUMBER_OF_COLUMNS",
            "INVALID_ENUMERATION_OPTION"
        ]
    );
    let wrong = errors
        .results()
        .iter()
        .find(|told| told["errorType"] == "INVALID_ENUMERATION_OPTION");
    let wrong = wrong.expect("it is told");
    assert_eq!(wrong["sourceData"]["lineNumber"], 3);
    assert_eq!(wrong["sourceData"]["rowData"], json!(["b", "nowhere", "2", ""]));
    assert_eq!(
        (&wrong["knownColumnNumber"], &wrong["invalidValue"]),
        (&json!(2), &json!("nowhere"))
    );
}

#[test]
fn an_operation_says_what_may_become_of_a_row() {
    let desk = desk();
    desk.vehicle("a");
    for (operation, kinds) in [
        ("CREATE", ["CREATE_ONLY_IMPORT"].as_slice()),
        ("UPDATE", &["UPDATE_ONLY_IMPORT"]),
    ] {
        let import = id(&start(
            &desk,
            operation,
            &format!("key,note\na,{operation}\n{operation},x\n"),
        ));
        desk.advance(1000);
        assert_eq!(
            desk.get(&format!("{IMPORTS}/{import}/errors")).each("/errorType"),
            kinds
        );
    }
    assert_eq!(desk.count(), 2);
}

#[test]
fn three_run_at_once_and_a_cancelled_one_writes_nothing() {
    let desk = desk();
    let imports: Vec<String> = (0..5)
        .map(|number| id(&start(&desk, "UPSERT", &format!("key\nk{number}\n"))))
        .collect();
    assert_eq!(state(&desk, &imports[2]), json!("STARTED"));
    assert_eq!(state(&desk, &imports[3]), json!("DEFERRED"));
    assert_eq!(
        desk.call("POST", &format!("{IMPORTS}/{}/cancel", imports[0]), b"")
            .status,
        200
    );
    assert_eq!(state(&desk, &imports[3]), json!("STARTED"), "there is room now");
    desk.advance(1000);
    assert_eq!(desk.count(), 3);
    desk.advance(1000);
    assert_eq!((state(&desk, &imports[4]), desk.count()), (json!("DONE"), 4));
    assert_eq!(
        desk.call("POST", &format!("{IMPORTS}/{}/cancel", imports[4]), b"")
            .status,
        400
    );
    assert_eq!(state(&desk, &imports[0]), json!("CANCELED"));
}

#[test]
fn an_import_is_its_apps_own() {
    let desk = desk();
    let import = id(&start(&desk, "UPSERT", "key\na\n"));
    let token = desk.post("/__sandbox/tokens", json!({})).body["token"].clone();
    let other = Desk {
        token: token.as_str().unwrap_or_default().to_owned(),
        ..desk
    };
    assert_eq!(other.get(&format!("{IMPORTS}/{import}")).status, 404);
    assert!(other.get(IMPORTS).results().is_empty());
}

#[test]
fn a_request_that_cannot_be_is_refused_at_once() {
    let desk = desk();
    assert_eq!(start(&desk, "REPLACE", "key\na\n").status, 400);
    assert_eq!(desk.post(IMPORTS, json!({})).status, 415, "a form is wanted");
}
