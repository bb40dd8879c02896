//! What a person entered into the form. Pure.

use landbridge_model::Problem;
use landbridge_model::config::OAuthApp;
use serde_json::{Value, json};

use crate::console::connections::{ConnectionForm, Flow};
use crate::console_routes::form::Form;
use crate::console_routes::visit;
use crate::service::check_address;

/// What was entered.
#[derive(Clone, PartialEq)]
pub(super) enum Entered {
    /// Nothing: those credentials that are stored shall stay.
    Nothing,
    /// Credentials.
    Credentials(Value),
    /// An app, with which credentials are to be had on the other side's own page.
    App(OAuthApp),
}

/// A field of the form, its key among credentials, and what people call it.
type Part = (&'static str, &'static str, &'static str);

const CLIENT_ID: Part = ("clientId", "client_id", "the consumer key");
const CLIENT_SECRET: Part = ("clientSecret", "client_secret", "the consumer secret");

/// What a way of signing in is called among credentials, and what belongs to it.
fn parts_of(flow: Flow) -> (&'static str, &'static [Part]) {
    match flow {
        Flow::ClientCredentials => ("client-credentials", &[CLIENT_ID, CLIENT_SECRET]),
        Flow::RefreshToken => (
            "refresh-token",
            &[
                CLIENT_ID,
                CLIENT_SECRET,
                ("refreshToken", "refresh_token", "the refresh token"),
            ],
        ),
        Flow::ServiceKey => ("token", &[("token", "token", "the service key")]),
        Flow::PrivateApp => ("token", &[("token", "token", "the access token")]),
        Flow::Jwt => (
            "jwt",
            &[
                CLIENT_ID,
                ("username", "username", "the user name"),
                ("privateKey", "private_key", "the private key"),
            ],
        ),
        // Never stored: what a code is asked for with.
        Flow::SalesforceOAuth | Flow::HubSpotOAuth => ("oauth-app", &[CLIENT_ID, CLIENT_SECRET]),
    }
}

/// Reads it, or says what is missing.
pub(super) fn entered_of(view: &ConnectionForm, form: &Form) -> Result<Entered, Vec<Problem>> {
    let mut problems = Vec::new();
    if let Err(problem) = check_address(&view.address) {
        problems.push(visit::address_problem("address", &problem));
    }
    let (flow, parts) = parts_of(view.flow);
    let is_empty = parts.iter().all(|(field, ..)| form.text(field).is_none());
    if is_empty && view.is_stored && !view.flow.is_in_browser() && problems.is_empty() {
        return Ok(Entered::Nothing);
    }
    let missing = parts.iter().filter(|(field, ..)| form.text(field).is_none());
    problems.extend(missing.map(|(field, _, words)| {
        let remedy = "what belongs together is sealed together: enter all of it";
        Problem::new(*field, format!("{words} is missing"), remedy)
    }));
    if !problems.is_empty() {
        return Err(problems);
    }
    let text = |field: &str| form.text(field).unwrap_or_default().to_owned();
    if view.flow.is_in_browser() {
        return Ok(Entered::App(OAuthApp {
            client_id: text("clientId"),
            client_secret: text("clientSecret"),
        }));
    }
    let mut credentials = json!({ "flow": flow });
    for (field, key, _) in parts {
        credentials[*key] = json!(text(field));
    }
    Ok(Entered::Credentials(credentials))
}

#[cfg(test)]
mod tests {
    use landbridge_model::TenantId;

    use super::*;
    use crate::console::connections::Side;

    fn view(flow: Flow, is_stored: bool) -> ConnectionForm {
        ConnectionForm {
            tenant: TenantId::new("acme").unwrap(),
            side: Side::Salesforce,
            flow,
            address: "https://acme.my.salesforce.com".to_owned(),
            client_id: String::new(),
            pinned: None,
            is_stored,
            continue_at: None,
            callback: None,
            problems: Vec::new(),
        }
    }

    #[test]
    fn what_is_entered_is_whole_or_refused() {
        for (flow, stored, body, expected) in [
            (
                Flow::ClientCredentials,
                false,
                "clientId=k&clientSecret=s",
                Ok(Entered::Credentials(
                    json!({"flow": "client-credentials", "client_id": "k", "client_secret": "s"}),
                )),
            ),
            (
                Flow::RefreshToken,
                true,
                "clientId=k&clientSecret=s&refreshToken=r",
                Ok(Entered::Credentials(
                    json!({"flow": "refresh-token", "client_id": "k", "client_secret": "s", "refresh_token": "r"}),
                )),
            ),
            (
                Flow::ServiceKey,
                false,
                "token=pat-1",
                Ok(Entered::Credentials(json!({"flow": "token", "token": "pat-1"}))),
            ),
            (Flow::PrivateApp, true, "token=", Ok(Entered::Nothing)),
            (Flow::ClientCredentials, true, "", Ok(Entered::Nothing)),
            (
                Flow::ClientCredentials,
                true,
                "clientId=k",
                Err(vec!["clientSecret"]),
            ),
            (
                Flow::ClientCredentials,
                false,
                "",
                Err(vec!["clientId", "clientSecret"]),
            ),
            (Flow::PrivateApp, false, "", Err(vec!["token"])),
            (Flow::Jwt, false, "clientId=k&username=u", Err(vec!["privateKey"])),
            (
                Flow::Jwt,
                true,
                "clientId=k&username=u&privateKey=pem",
                Ok(Entered::Credentials(
                    json!({"flow": "jwt", "client_id": "k", "username": "u", "private_key": "pem"}),
                )),
            ),
            (
                Flow::HubSpotOAuth,
                true,
                "clientId=k&clientSecret=s",
                Ok(Entered::App(OAuthApp {
                    client_id: "k".to_owned(),
                    client_secret: "s".to_owned(),
                })),
            ),
            (
                Flow::SalesforceOAuth,
                true,
                "",
                Err(vec!["clientId", "clientSecret"]),
            ),
        ] {
            let entered = entered_of(&view(flow, stored), &Form::parse(body.as_bytes()));
            let entered = entered.map_err(|problems| {
                let places = problems.into_iter().map(|problem| problem.place);
                places.collect::<Vec<_>>()
            });
            let expected =
                expected.map_err(|places| places.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert!(entered == expected, "{flow:?} {body}");
        }
    }

    #[test]
    fn an_address_is_checked_before_anything_is_stored() {
        let wrong = ConnectionForm {
            address: "http://acme.my.salesforce.com".to_owned(),
            ..view(Flow::ClientCredentials, true)
        };
        let problems = entered_of(&wrong, &Form::parse(b"clientId=k&clientSecret=s"))
            .err()
            .unwrap();
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].place, "address");
        assert!(!problems[0].remedy.is_empty());
    }
}
