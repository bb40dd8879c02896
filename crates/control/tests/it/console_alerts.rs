//! The alerts of a tenant in the console: shown, changed, tried, and closed to those who may not.

use landbridge_control::service::{Grant, Role};
use landbridge_model::TenantId;

use crate::api::{Api, install_tls};
use crate::console::Visitor;
use crate::rig::tenant;

const ALERTS: &str = "/tenants/acme/alerts";

fn fields<'a>(tag: &'a str, url: &'a str, secret: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("etag", tag),
        ("webhook.url", url),
        ("webhook.secret", secret),
        ("mail.port", "465"),
        ("bounds.behindSeconds", "300"),
        ("bounds.failures", ""),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_are_set_in_a_form_that_shows_no_secret() {
    install_tls();
    let api = Api::new().await;
    let admin = Visitor::new(&api, "ann", vec![Grant::of(Role::Admin, tenant())]).await;
    admin
        .get(ALERTS)
        .await
        .expect(200)
        .says(&["Nothing is wrong", "value=\"900\"", "name=\"etag\" value=\"0\""])
        .without(&["Send a test"]);
    let secret = "a secret of some length";
    let again = admin
        .post(ALERTS, &fields("0", "hooks.acme", secret))
        .await
        .expect(422);
    again
        .says(&["hooks.acme", "1 thing to put right", "#c-webhook-url"])
        .without(&[secret]);
    // Nobody listens there.
    let url = "http://127.0.0.1:9/hook";
    let saved = admin.post_through(ALERTS, &fields("0", url, secret)).await;
    let page = saved
        .says(&[
            "The alerts are changed",
            url,
            "One is stored",
            "value=\"300\"",
            "Send a test",
        ])
        .without(&[secret]);
    let (_, tag) = page.text.split_once("name=\"etag\" value=\"").unwrap();
    let tag = tag.split('"').next().unwrap().to_owned();
    let stale = admin.post_through(ALERTS, &fields("0", url, secret)).await;
    stale.says(&["were changed since you looked"]);
    // The secret stays when the field is empty.
    admin
        .post_through(ALERTS, &fields(&tag, "http://127.0.0.1:9/other", ""))
        .await
        .says(&["The alerts are changed", "One is stored"]);
    admin
        .post_through("/tenants/acme/alerts/test", &[])
        .await
        .says(&["did not arrive everywhere", "cannot be reached"]);
    admin.get("/tenants/acme/health").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_are_closed_to_those_who_may_not() {
    let api = Api::new().await;
    let operator = Visitor::new(&api, "ben", vec![Grant::of(Role::Operator, tenant())]).await;
    operator
        .get(ALERTS)
        .await
        .expect(200)
        .says(&["Nowhere so far"])
        .without(&["name=\"webhook.url\""]);
    let globex = TenantId::new("globex").unwrap();
    let stranger = Visitor::new(&api, "eve", vec![Grant::of(Role::Admin, globex)]).await;
    stranger.get(ALERTS).await.expect(404);
    for path in [ALERTS, "/tenants/acme/alerts/test"] {
        operator.post(path, &[]).await.expect(403);
        stranger.post(path, &[]).await.expect(404);
    }
}
