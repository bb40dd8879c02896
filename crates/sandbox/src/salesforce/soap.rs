//! The SOAP calls that have no like in REST: undelete, emptying the recycle bin, merge, and what goes with a login.
//!
//! Real clients log in, log out and bring records back here, whatever else they do by REST.

use crate::salesforce::{
    clock::json_datetime,
    credentials::password_fits,
    handle::OrgHandle,
    ids::RecordId,
    rows::{self, bring_back, outcome_json},
    session,
};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use roxmltree::{Document, Node};
use serde_json::{Map, Value as Json};
use std::fmt::Write as _;

/// The most records of one call.
const MOST_IDS: usize = 200;

/// `POST /services/Soap/u/<version>`: one operation in an envelope.
pub(super) async fn serve(handle: &OrgHandle, version: &str, body: &str) -> Response {
    let Some((operation, call)) = Call::read(body) else {
        return fault(
            "soapenv:Client",
            "the body is not a SOAP envelope with one operation",
        );
    };
    if operation == "login" {
        handle.stats.call("login");
        return login(handle, version, &call);
    }
    handle.stats.call("soap");
    if !session::is_open(handle, &call.session) {
        handle.stats.refused("invalid_session");
        return fault(
            "sf:INVALID_SESSION_ID",
            "Invalid Session ID found in SessionHeader: Illegal Session. Session not found, missing session hash",
        );
    }
    match operation.as_str() {
        "logout" => {
            session::close(handle, &call.session);
            answer(&operation, "")
        }
        "getUserInfo" => answer(&operation, &format!("<result>{}</result>", user_info(handle))),
        "getServerTimestamp" => {
            let now = json_datetime(handle.clock.now_ms()).replace("+0000", "Z");
            answer(
                &operation,
                &format!("<result><timestamp>{now}</timestamp></result>"),
            )
        }
        "undelete" | "emptyRecycleBin" if call.ids.len() > MOST_IDS => fault(
            "sf:EXCEEDED_ID_LIMIT",
            "record limit reached. cannot submit more than 200 records in this operation",
        ),
        "undelete" => answer(&operation, &results(&bring_back(handle, &call.ids).await)),
        "merge" if call.merges.len() > MOST_IDS => fault(
            "sf:EXCEEDED_ID_LIMIT",
            "record limit reached. cannot submit more than 200 merges in this operation",
        ),
        "merge" => answer(&operation, &merged(handle, &call.merges).await),
        "emptyRecycleBin" => answer(&operation, &results(&empty(handle, &call.ids).await)),
        _ => fault(
            "soapenv:Client",
            &format!("No operation available for request {{urn:partner.soap.sforce.com}}{operation}"),
        ),
    }
}

/// What an envelope carries, of all that these operations take.
#[derive(Debug, Default)]
struct Call {
    session: String,
    username: String,
    password: String,
    ids: Vec<String>,
    merges: Vec<Merge>,
}

/// One request of a merge.
#[derive(Debug, Default)]
struct Merge {
    master: String,
    losers: Vec<String>,
    /// What the master's fields become.
    values: Map<String, Json>,
}

impl Merge {
    fn read(request: Node<'_, '_>) -> Merge {
        let text = |node: Node<'_, '_>| node.text().unwrap_or_default().trim().to_owned();
        let mut merge = Merge::default();
        for node in request.children().filter(Node::is_element) {
            match node.tag_name().name() {
                "recordToMergeIds" => merge.losers.push(text(node)),
                "masterRecord" => {
                    for field in node.children().filter(Node::is_element) {
                        match field.tag_name().name() {
                            "type" => {}
                            "Id" => merge.master = text(field),
                            name => {
                                merge.values.insert(name.to_owned(), Json::String(text(field)));
                            }
                        }
                    }
                }
                _ => {}
            }
        }
        merge
    }
}

impl Call {
    /// The operation's name and what it is given.
    fn read(body: &str) -> Option<(String, Call)> {
        let document = Document::parse(body).ok()?;
        let named = |name: &str| document.descendants().find(|node| node.tag_name().name() == name);
        let operation = named("Body")?.children().find(Node::is_element)?;
        let text = |node: Option<Node<'_, '_>>| {
            let text = node.and_then(|node| node.text());
            text.unwrap_or_default().trim().to_owned()
        };
        let within = |name: &str| operation.children().find(|node| node.tag_name().name() == name);
        let ids = operation
            .children()
            .filter(|node| node.tag_name().name().eq_ignore_ascii_case("ids"));
        let requests = operation
            .children()
            .filter(|node| node.tag_name().name() == "request");
        let call = Call {
            merges: requests.map(Merge::read).collect(),
            session: text(named("sessionId")),
            username: text(within("username")),
            password: text(within("password")),
            ids: ids.map(|node| text(Some(node))).collect(),
        };
        Some((operation.tag_name().name().to_owned(), call))
    }
}

fn login(handle: &OrgHandle, version: &str, call: &Call) -> Response {
    if !password_fits(handle, &call.username, &call.password) {
        return fault(
            "sf:INVALID_LOGIN",
            "Invalid username, password, security token; or user locked out.",
        );
    }
    let token = session::open(handle, None);
    let (org_id, user_id) = handle.identity();
    let (url, short) = (&handle.instance_url, org_id.short());
    let result = format!(
        "<result><metadataServerUrl>{url}/services/Soap/m/{version}/{short}</metadataServerUrl>\
         <passwordExpired>false</passwordExpired><sandbox>false</sandbox>\
         <serverUrl>{url}/services/Soap/u/{version}/{short}</serverUrl><sessionId>{token}</sessionId>\
         <userId>{user_id}</userId><userInfo>{}</userInfo></result>",
        user_info(handle)
    );
    answer("login", &result)
}

fn user_info(handle: &OrgHandle) -> String {
    let (org_id, user_id) = handle.identity();
    let username = escaped(&handle.credentials.username);
    format!(
        "<currencySymbol>$</currencySymbol><organizationId>{org_id}</organizationId>\
         <organizationMultiCurrency>false</organizationMultiCurrency><organizationName>Sandbox</organizationName>\
         <orgDefaultCurrencyIsoCode>USD</orgDefaultCurrencyIsoCode><sessionSecondsValid>7200</sessionSecondsValid>\
         <userEmail>{username}</userEmail><userFullName>Integration User</userFullName><userId>{user_id}</userId>\
         <userLanguage>en_US</userLanguage><userLocale>en_US</userLocale><userName>{username}</userName>\
         <userTimeZone>UTC</userTimeZone><userType>Standard</userType>"
    )
}

/// Purges records of the recycle bin.
async fn empty(handle: &OrgHandle, ids: &[String]) -> Json {
    let mut results = Vec::new();
    for text in ids {
        let outcome = match RecordId::parse(text) {
            Some(id) => handle.commit(|org, _| org.hard_delete(id).map(|()| id)).await,
            None => Err(crate::salesforce::dml::DmlError::new(
                "MALFORMED_ID",
                format!("malformed id {text}"),
            )),
        };
        results.push(outcome_json(&outcome, None));
    }
    Json::Array(results)
}

/// Merges one after the other; gives what came of each.
async fn merged(handle: &OrgHandle, merges: &[Merge]) -> String {
    let mut out = String::new();
    for merge in merges {
        let outcome = rows::merge(handle, &merge.master, &merge.losers, &merge.values).await;
        let all = |name: &str, ids: &[String]| -> String {
            ids.iter().map(|id| format!("<{name}>{id}</{name}>")).collect()
        };
        match outcome {
            Ok(moved) => {
                let moved: Vec<String> = moved.iter().map(ToString::to_string).collect();
                let _ = write!(
                    out,
                    "<result><id>{}</id>{}<success>true</success>{}</result>",
                    escaped(&merge.master),
                    all("mergedRecordIds", &merge.losers),
                    all("updatedRelatedIds", &moved)
                );
            }
            Err(error) => {
                let _ = write!(
                    out,
                    "<result><errors><message>{}</message><statusCode>{}</statusCode></errors><id xsi:nil=\"true\"/>\
                     <success>false</success></result>",
                    escaped(&error.message),
                    error.code
                );
            }
        }
    }
    out
}

/// Outcomes of records as SOAP shows them.
fn results(outcomes: &Json) -> String {
    let mut out = String::new();
    let text = |value: &Json| escaped(value.as_str().unwrap_or_default());
    for outcome in outcomes.as_array().into_iter().flatten() {
        out.push_str("<result>");
        for error in outcome["errors"].as_array().into_iter().flatten() {
            let _ = write!(
                out,
                "<errors><message>{}</message><statusCode>{}</statusCode></errors>",
                text(&error["message"]),
                text(&error["statusCode"])
            );
        }
        match outcome["id"].as_str() {
            Some(id) => {
                let _ = write!(out, "<id>{id}</id>");
            }
            None => out.push_str("<id xsi:nil=\"true\"/>"),
        }
        let _ = write!(out, "<success>{}</success></result>", outcome["success"]);
    }
    out
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn envelope(status: StatusCode, body: &str) -> Response {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope \
         xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns=\"urn:partner.soap.sforce.com\" \
         xmlns:sf=\"urn:fault.partner.soap.sforce.com\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\
         <soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>"
    );
    (status, [(header::CONTENT_TYPE, "text/xml;charset=utf-8")], text).into_response()
}

fn answer(operation: &str, inner: &str) -> Response {
    envelope(
        StatusCode::OK,
        &format!("<{operation}Response>{inner}</{operation}Response>"),
    )
}

/// A refusal: the code without its prefix stands in the text and in the detail.
fn fault(code: &str, message: &str) -> Response {
    let message = escaped(message);
    let body = match code.strip_prefix("sf:") {
        None => format!("<faultcode>{code}</faultcode><faultstring>{message}</faultstring>"),
        Some(exception) => {
            let kind = if exception == "INVALID_LOGIN" {
                "LoginFault"
            } else {
                "UnexpectedErrorFault"
            };
            format!(
                "<faultcode>{code}</faultcode><faultstring>{exception}: {message}</faultstring><detail>\
                 <sf:{kind} xsi:type=\"sf:{kind}\"><sf:exceptionCode>{exception}</sf:exceptionCode>\
                 <sf:exceptionMessage>{message}</sf:exceptionMessage></sf:{kind}></detail>"
            )
        }
    };
    envelope(
        StatusCode::INTERNAL_SERVER_ERROR,
        &format!("<soapenv:Fault>{body}</soapenv:Fault>"),
    )
}
