//! The tour of everything around records: limits, the account, imports, signing in, being turned away.

use super::tour::Tour;
use landbridge_sandbox::hubspot::PortalCredentials;
use serde_json::{Value, json};

pub(crate) fn limits(tour: &mut Tour) {
    let of = tour.new_type("limits");
    let base = tour.place("limits", "");
    if !tour.is_documented("GET", &format!("{base}/records")) {
        return;
    }
    for what in [
        "records",
        "custom-object-types",
        "custom-properties",
        "calculated-properties",
        "pipelines",
        "associations/labels",
        "associations/records/from",
    ] {
        tour.get(&format!("{base}/{what}"));
    }
    // One pair at its ceiling and one near it.
    let (full, near) = (tour.new_record(&of, "full"), tour.new_record(&of, "near"));
    let labels = tour.get(&tour.associations(&format!("/{of}/companies/labels")));
    let plain = labels.results()[0]["typeId"].clone();
    let create = tour.associations(&format!("/{of}/companies/batch/create"));
    let mut inputs = Vec::new();
    for number in 0..5 {
        let company = tour.new_company(&format!("Company {number}"));
        for car in [&full, &near] {
            if number > 0 || car == &full {
                let types = json!([{ "associationCategory": "USER_DEFINED", "associationTypeId": plain }]);
                inputs.push(json!({ "from": { "id": car }, "to": { "id": company }, "types": types }));
            }
        }
    }
    let made = if tour.version == "2026-09" { 200 } else { 201 };
    tour.ask(made, "POST", &create, json!({ "inputs": inputs }));
    let configurations = match tour.version {
        "v3" => "/crm/associations/v4/definitions/configurations".to_owned(),
        dated => format!("/crm/associations/{dated}/definitions/configurations"),
    };
    let ceiling = json!({ "inputs": [{ "category": "USER_DEFINED", "typeId": plain, "maxToObjectIds": 5 }] });
    let path = format!("{configurations}/{of}/companies/batch/create");
    tour.ask(made, "POST", &path, ceiling);
    let told = tour.get(&format!("{base}/associations/records/{of}/0-2"));
    assert_eq!(told.body["totalRecordsAtLimit"], 1, "{}", told.text);
    let told = tour.get(&format!("{base}/associations/records/from"));
    assert!(told.text.contains(&of), "{}", told.text);
    let told = tour.get(&format!("{base}/associations/records/{of}/to"));
    assert!(told.text.contains("0-2"), "{}", told.text);
    let told = tour.get(&format!(
        "{base}/associations/labels?fromObjectTypeId={of}&toObjectTypeId=0-2"
    ));
    assert_eq!(told.results().len(), 1, "{}", told.text);
}

pub(crate) fn account(tour: &mut Tour) {
    let base = format!("/account-info/{}", tour.version);
    tour.get(&format!("{base}/details"));
    tour.get(&format!("{base}/api-usage/daily/private-apps"));
    let owners = tour.place("owners", "");
    if !tour.is_documented("GET", &owners) {
        return;
    }
    let told = tour.get(&format!("{owners}?limit=1"));
    assert!(told.body["paging"]["next"]["after"].is_string(), "{}", told.text);
    let (id, user) = (
        told.results()[0]["id"].clone(),
        told.results()[0]["userId"].clone(),
    );
    tour.get(&format!("{owners}?email=ada@example.com"));
    tour.get(&format!("{owners}?archived=true"));
    tour.get(&format!("{owners}/{}", id.as_str().unwrap_or_default()));
    tour.get(&format!("{owners}/{user}?idProperty=userId"));
    tour.ask(404, "GET", &format!("{owners}/1"), Value::Null);
}

/// The parts of a form as a browser sends them.
fn multipart(request: &Value, file: &str) -> Vec<u8> {
    format!(
        "--edge\r\nContent-Disposition: form-data; name=\"importRequest\"\r\nContent-Type: application/json\r\n\r\n\
         {request}\r\n--edge\r\nContent-Disposition: form-data; name=\"files\"; filename=\"cars.csv\"\r\n\
         Content-Type: text/csv\r\n\r\n{file}\r\n--edge--\r\n"
    )
    .into_bytes()
}

pub(crate) fn imports(tour: &mut Tour) {
    let of = tour.new_type("imports");
    let all = tour.place("imports", "");
    if !tour.is_documented("GET", &all) {
        return;
    }
    let column = |name: &str, property: &str, kind: Option<&str>| {
        let mut column = json!({ "columnObjectTypeId": of, "columnName": name, "propertyName": property });
        if let Some(kind) = kind {
            column["columnType"] = json!(kind);
        }
        column
    };
    let request = json!({
        "name": "Cars", "importOperations": { of.as_str(): "UPSERT" }, "dateFormat": "YEAR_MONTH_DAY",
        "files": [{
            "fileName": "cars.csv", "fileFormat": "CSV",
            "fileImportPage": { "hasHeader": true, "columnMappings": [
                column("Key", "key", Some("HUBSPOT_ALTERNATE_ID")), column("Stage", "stage", None),
                column("Price", "price", None),
            ]},
        }],
    });
    let form = multipart(
        &request,
        "Key,Stage,Price\r\na,open,1\r\nb,nowhere,2\r\nc,sold,dear\r\n",
    );
    let kind = "multipart/form-data; boundary=edge";
    let told = tour.send(200, "POST", &all, kind, &form);
    let id = told.body["id"].as_str().unwrap_or_default().to_owned();
    let other = tour.send(200, "POST", &all, kind, &form);
    let other = other.body["id"].as_str().unwrap_or_default().to_owned();
    tour.ask(200, "POST", &format!("{all}/{other}/cancel"), Value::Null);
    tour.desk.advance(60_000);
    let told = tour.get(&format!("{all}/{id}"));
    assert_eq!(told.body["state"], "DONE", "{}", told.text);
    let told = tour.get(&format!("{all}/{other}"));
    assert_eq!(told.body["state"], "CANCELED", "{}", told.text);
    tour.get(&format!("{all}?limit=1"));
    let errors = format!("{all}/{id}/errors");
    let told = tour.get(&format!(
        "{errors}?includeErrorMessage=true&includeRowData=true&limit=1"
    ));
    assert!(told.body["paging"]["next"]["after"].is_string(), "{}", told.text);
    tour.get(&errors);
    tour.ask(404, "GET", &format!("{all}/1"), Value::Null);
    tour.send(400, "POST", &all, kind, &multipart(&json!({}), "Key\r\na\r\n"));
}

pub(crate) fn sign_in(tour: &mut Tour) {
    let app = tour.desk.portal.credentials();
    let kind = "application/x-www-form-urlencoded";
    let client = format!("client_id={}&client_secret={}", app.client_id, app.client_secret);
    let renew = format!(
        "grant_type=refresh_token&{client}&refresh_token={}",
        app.refresh_token
    );
    let versions: &[&str] = if tour.version == "v3" {
        &["v1", "v3"]
    } else {
        &[tour.version]
    };
    for version in versions {
        let base = format!("/oauth/{version}");
        let told = tour.send(200, "POST", &format!("{base}/token"), kind, renew.as_bytes());
        let access = told.body["access_token"].as_str().unwrap_or_default().to_owned();
        let bad = format!("grant_type=refresh_token&{client}&refresh_token=none");
        tour.send(400, "POST", &format!("{base}/token"), kind, bad.as_bytes());
        if *version == "v1" {
            tour.get(&format!("{base}/access-tokens/{access}"));
            tour.get(&format!("{base}/refresh-tokens/{}", app.refresh_token));
            let second = install(tour, &app);
            tour.ask(
                204,
                "DELETE",
                &format!("{base}/refresh-tokens/{second}"),
                Value::Null,
            );
            continue;
        }
        for token in [&access, &app.refresh_token, &"none".to_owned()] {
            let body = format!("{client}&token={token}");
            tour.send(
                200,
                "POST",
                &format!("{base}/token/introspect"),
                kind,
                body.as_bytes(),
            );
        }
        let body = format!("{client}&token={access}");
        tour.send(
            200,
            "POST",
            &format!("{base}/token/revoke"),
            kind,
            body.as_bytes(),
        );
    }
}

/// Installs the app once more; gives the refresh token of that.
fn install(tour: &mut Tour, app: &PortalCredentials) -> String {
    let (back, kind) = ("https://app.example/back", "application/x-www-form-urlencoded");
    let page = format!(
        "/oauth/authorize?client_id={}&redirect_uri={back}&scope=oauth",
        app.client_id
    );
    let sent = tour.send(302, "POST", &page, kind, b"decision=allow");
    let sent = url::Url::parse(sent.header("location").unwrap_or_default()).expect("an address");
    let code = sent.query_pairs().find(|(name, _)| name == "code");
    let code = code.expect("a code").1.into_owned();
    let body = format!(
        "grant_type=authorization_code&client_id={}&client_secret={}&code={code}&redirect_uri={back}",
        app.client_id, app.client_secret
    );
    let told = tour.send(200, "POST", "/oauth/v1/token", kind, body.as_bytes());
    told.body["refresh_token"].as_str().unwrap_or_default().to_owned()
}

pub(crate) fn strangers(tour: &mut Tour) {
    let companies = tour.objects("/companies");
    let limited = tour
        .desk
        .post("/__sandbox/tokens", json!({ "scopes": ["oauth"] }));
    let ours = std::mem::replace(
        &mut tour.desk.token,
        limited.body["token"].as_str().unwrap_or_default().to_owned(),
    );
    tour.ask(403, "GET", &companies, Value::Null);
    tour.desk.token = "nobody".to_owned();
    tour.ask(401, "GET", &companies, Value::Null);
    tour.desk.token = ours;
}
