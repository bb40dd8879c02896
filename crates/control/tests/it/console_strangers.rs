//! Every route of the console, tried by those who may not: without sign-in, as a stranger, with too small a role, with a
//! forged form. The routes are those that the router is built of.

use std::collections::BTreeSet;

use axum::http::Method;
use landbridge_control::console_routes::{Route, listing};
use landbridge_control::service::{Grant, Role};
use landbridge_model::TenantId;

use crate::api::Api;
use crate::console::Visitor;
use crate::rig::{VEHICLES, id, tenant};

/// What is on the pages of nobody but those who may see acme.
const SECRETS: [&str; 3] = ["vehicles", "Vehicle__c", "Tows__c"];

/// What is for whoever comes.
const PUBLIC: [&str; 3] = ["/sign-in", "/sign-in/oidc", "/theme"];

async fn with_things() -> Api {
    let api = Api::new().await;
    api.rig.apply(VEHICLES).await;
    api
}

fn routes() -> Vec<Route> {
    let routes = listing();
    let distinct: BTreeSet<(&str, &str)> = routes
        .iter()
        .map(|route| (route.method.as_str(), route.path.as_str()))
        .collect();
    assert_eq!(distinct.len(), routes.len(), "a route is listed twice");
    assert!(routes.len() > 60, "only {} routes were found", routes.len());
    routes
}

fn in_tenant(route: &Route) -> bool {
    route.path.contains("{tenant}")
}

fn is_public(route: &Route) -> bool {
    PUBLIC.contains(&route.path.as_str())
}

/// The path with its parameters filled in.
fn path(route: &Route, tenant: &str) -> String {
    let path = route
        .path
        .replace("{tenant}", tenant)
        .replace("{sync}", "vehicles")
        .replace("{side}", "salesforce")
        .replace("{step}", "rules")
        .replace("{import}", "imp-20260301-101500-k3f9")
        .replace("{revision}", "1")
        .replace("{record}", id(1).as_str());
    assert!(!path.contains('{'), "{path}: a parameter has no value here");
    match route.path.as_str() {
        "/tenants/{tenant}/syncs/new/object-type" => format!("{path}?object=Vehicle__c"),
        _ => path,
    }
}

/// What forms are sent with: whoever is refused is refused for who they are, not for what they left out.
const FIELDS: [(&str, &str); 9] = [
    ("confirm", "vehicles"),
    ("token", "hush"),
    ("flow", "token"),
    ("sync", "vehicles"),
    ("action", "start"),
    ("dailyCalls", "5"),
    ("org_id", "00D000000000001EAA"),
    ("side", "salesforce"),
    ("name", "copy"),
];

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_not_signed_in_is_sent_to_sign_in() {
    let api = with_things().await;
    let nobody = Visitor::nobody(&api);
    for route in routes().iter().filter(|route| !is_public(route)) {
        let path = path(route, "acme");
        let shown = match route.method {
            Method::GET => nobody.get(&path).await,
            _ => nobody.post(&path, &FIELDS).await,
        };
        let led = shown.leads_to();
        assert!(led.starts_with("/sign-in?"), "{path} leads to {led}");
        shown.without(&SECRETS[1..]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_cannot_tell_a_tenant_from_none_on_any_page() {
    let api = with_things().await;
    let globex = TenantId::new("globex").unwrap();
    let stranger = Visitor::new(&api, "eve", vec![Grant::of(Role::Admin, globex)]).await;
    let before = api.audit().await.len();
    for route in routes().iter().filter(|route| in_tenant(route)) {
        let send = async |tenant: &str| {
            let path = path(route, tenant);
            match route.method {
                Method::GET => stranger.get(&path).await,
                _ => stranger.post(&path, &FIELDS).await,
            }
        };
        let refused = send("acme").await;
        assert_eq!(refused.status, 404, "{route:?}: {}", refused.text);
        let of_none = send("nowhere").await.expect(404);
        // The address is in the frame of the page, and nothing else of the tenant is.
        let said = refused.text.replace("acme", "nowhere");
        assert_eq!(
            said, of_none.text,
            "{route:?} tells a tenant that is there from one that is not"
        );
        // An address that the stranger typed is in the frame as well.
        let address = path(route, "acme");
        let secrets = SECRETS[1..].iter().filter(|secret| !address.contains(**secret));
        refused.without(&secrets.copied().collect::<Vec<_>>());
    }
    assert_eq!(api.audit().await.len(), before, "a stranger changed something");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_to_no_tenant_shows_a_stranger_nothing_of_one() {
    let api = with_things().await;
    for route in routes().iter().filter(|route| !in_tenant(route)) {
        let expected: &[u16] = match (route.method.as_str(), route.path.as_str()) {
            // A signed-in visitor has no need of it.
            ("GET", "/sign-in") => &[200, 303],
            ("GET", "/" | "/health" | "/people") => &[200],
            ("GET" | "POST", "/tenants/new") | ("GET", "/audit") => &[403],
            // What is wrong with a form may be told before who may send it.
            (
                "POST",
                "/people/users" | "/people/grant" | "/people/revoke" | "/people/remove" | "/people/password",
            ) => &[403, 422],
            // What is everybody's own, sent with fields that it does not take.
            ("POST", "/people/own-password" | "/people/tokens") => &[422],
            ("POST", "/people/tokens/revoke") => &[303, 404],
            // There is no sign-in by OAuth under way.
            ("GET", "/oauth/callback") => &[303, 400, 404, 422],
            ("POST", "/sign-out" | "/theme" | "/sign-in/oidc") => &[303],
            ("POST", "/sign-in") => &[401, 422],
            (method, path) => panic!("{method} {path}: say here what a stranger is answered"),
        };
        let name = format!(
            "eve-{}-{}",
            route.method.as_str().to_lowercase(),
            route.path.replace('/', "-")
        );
        let name: String = name.chars().take(30).collect();
        let globex = TenantId::new("globex").unwrap();
        let stranger = Visitor::new(
            &api,
            name.trim_end_matches('-'),
            vec![Grant::of(Role::Admin, globex)],
        )
        .await;
        let path = path(route, "acme");
        let shown = match route.method {
            Method::GET => stranger.get(&path).await,
            _ => stranger.post(&path, &FIELDS[2..]).await,
        };
        assert!(
            expected.contains(&shown.status.as_u16()),
            "{route:?}: {} {}",
            shown.status,
            shown.text
        );
        shown.without(&SECRETS[1..]).without(&["acme"]);
    }
    let done = api.audit().await;
    let by_stranger = done
        .iter()
        .find(|(who, action, _)| who.starts_with("user:eve") && !action.starts_with("session."));
    assert_eq!(by_stranger, None, "a stranger changed something");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_changes_nothing_by_any_form() {
    let api = with_things().await;
    let viewer = Visitor::new(&api, "vic", vec![Grant::of(Role::Viewer, tenant())]).await;
    let before = api.audit().await.len();
    let forms = routes();
    let forms = forms
        .iter()
        .filter(|route| in_tenant(route) && route.method == Method::POST);
    for route in forms {
        let refused = viewer.post(&path(route, "acme"), &FIELDS).await;
        assert_eq!(refused.status, 403, "{route:?}: {}", refused.text);
    }
    assert_eq!(api.audit().await.len(), before, "a viewer changed something");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_another_session_changes_nothing_anywhere() {
    let api = with_things().await;
    let admin = Visitor::new(&api, "ann", vec![Grant::everywhere(Role::Admin)]).await;
    let before = api.audit().await.len();
    let forms = routes();
    let forms = forms
        .iter()
        .filter(|route| !is_public(route) && route.method == Method::POST);
    for route in forms {
        for csrf in ["", "forged"] {
            let refused = admin.post_with(&path(route, "acme"), csrf, &FIELDS).await;
            assert_eq!(refused.status, 403, "{route:?}: {}", refused.text);
            refused.says(&["This form is too old"]);
        }
    }
    assert_eq!(api.audit().await.len(), before);
}
