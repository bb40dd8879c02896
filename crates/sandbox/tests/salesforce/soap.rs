//! SOAP as older clients speak it: logins, logouts, and the calls that REST lacks.

use crate::support::{Org, config};
use serde_json::json;

/// One operation in an envelope, with a session's header. Gives status and text.
async fn soap(org: &Org, session: &str, operation: &str) -> (u16, String) {
    let envelope = format!(
        "<se:Envelope xmlns:se=\"http://schemas.xmlsoap.org/soap/envelope/\"><se:Header>\
         <SessionHeader xmlns=\"urn:partner.soap.sforce.com\"><sessionId>{session}</sessionId></SessionHeader>\
         </se:Header><se:Body>{operation}</se:Body></se:Envelope>"
    );
    let request = org
        .client
        .post(format!("{}/services/Soap/u/59.0", org.base))
        .body(envelope);
    let (status, answer) = org.send(request).await;
    (status, answer.as_str().expect("XML").to_owned())
}

/// The first element of a name.
fn text<'t>(xml: &'t str, name: &str) -> Option<&'t str> {
    let rest = xml.split_once(&format!("<{name}>"))?.1;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
}

fn login(username: &str, password: &str) -> String {
    format!(
        "<login xmlns=\"urn:partner.soap.sforce.com\"><username>{username}</username>\
         <password>{password}</password></login>"
    )
}

#[tokio::test]
async fn a_login_gives_a_session_and_a_logout_ends_it() {
    let org = Org::start(config()).await;
    let access = org.sandbox.announcement().salesforce.clone();
    let right = format!("{}{}", access.password, access.security_token);
    let (status, answer) = soap(&org, "", &login(&access.username, &right)).await;
    let session = text(&answer, "sessionId").expect("a session");
    assert_eq!(status, 200);
    assert!(text(&answer, "serverUrl").is_some_and(|url| url.starts_with(&org.base)));
    let limits = || {
        org.client
            .get(format!("{}/services/data/v59.0/limits", org.base))
            .bearer_auth(session)
    };
    assert_eq!(org.send(limits()).await.0, 200);
    let (status, answer) = soap(&org, session, "<getUserInfo/>").await;
    assert_eq!(
        (status, text(&answer, "userName")),
        (200, Some(access.username.as_str()))
    );
    assert_eq!(soap(&org, session, "<logout/>").await.0, 200);
    assert_eq!(org.send(limits()).await.0, 401);

    let (status, fault) = soap(&org, session, "<getUserInfo/>").await;
    assert_eq!(
        (status, text(&fault, "faultcode")),
        (500, Some("sf:INVALID_SESSION_ID"))
    );
    let (status, fault) = soap(&org, "", &login(&access.username, "wrong")).await;
    assert_eq!(
        (status, text(&fault, "sf:exceptionCode")),
        (500, Some("INVALID_LOGIN"))
    );
    assert!(text(&fault, "faultstring").is_some_and(|told| told.starts_with("INVALID_LOGIN: ")));
}

/// Undelete exists in SOAP alone.
#[tokio::test]
async fn the_recycle_bin_gives_back_and_is_emptied() {
    let org = Org::start(config()).await;
    let id = org.create("Depot__c", json!({"Name": "Hub"})).await;
    let bin = format!("<ids>{id}</ids>");
    let undelete = format!("<undelete>{bin}</undelete>");
    let (_, answer) = soap(&org, &org.token, &undelete).await;
    assert_eq!(
        text(&answer, "success"),
        Some("false"),
        "it is not in the bin: {answer}"
    );
    assert_eq!(text(&answer, "statusCode"), Some("UNDELETE_FAILED"));
    assert_eq!(org.delete(&format!("sobjects/Depot__c/{id}")).await.0, 204);
    let (status, answer) = soap(&org, &org.token, &undelete).await;
    assert_eq!(
        (status, text(&answer, "id"), text(&answer, "success")),
        (200, Some(id.as_str()), Some("true"))
    );
    assert_eq!(org.get(&format!("sobjects/Depot__c/{id}")).await.0, 200);

    org.delete(&format!("sobjects/Depot__c/{id}")).await;
    let (_, answer) = soap(
        &org,
        &org.token,
        &format!("<emptyRecycleBin>{bin}</emptyRecycleBin>"),
    )
    .await;
    assert_eq!(text(&answer, "success"), Some("true"), "{answer}");
    let gone = format!("SELECT Id FROM Depot__c WHERE Id = '{id}'");
    assert_eq!(org.query_all(&gone).await.1["totalSize"], 0);
}

#[tokio::test]
async fn other_operations_and_other_bodies_are_faults() {
    let org = Org::start(config()).await;
    let (status, fault) = soap(&org, &org.token, "<convertLead/>").await;
    assert_eq!(status, 500);
    assert!(text(&fault, "faultstring").is_some_and(|told| told.contains("convertLead")));
    let request = org
        .client
        .post(format!("{}/services/Soap/u/59.0", org.base))
        .body("no XML");
    assert_eq!(org.send(request).await.0, 500);
}
