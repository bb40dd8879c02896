//! Users, API tokens and the audit log in the console.

use landbridge_control::service::{Grant, Role};

use crate::api::{Api, Proof};
use crate::console::{PASSWORD, Visitor};
use crate::rig::tenant;

async fn admin(api: &Api) -> Visitor {
    Visitor::new(api, "ann", vec![Grant::everywhere(Role::Admin)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_added_given_roles_and_removed() {
    let api = Api::new().await;
    let ann = admin(&api).await;
    let new = |name, password| {
        [
            ("user.name", name),
            ("user.password", password),
            ("user.role", "editor"),
            ("user.tenant", "acme"),
        ]
    };
    ann.post("/people/users", &new("b b", PASSWORD))
        .await
        .expect(422)
        .says(&["b b"]);
    ann.post("/people/users", &new("bob", "pa55word"))
        .await
        .expect(422)
        .says(&["12 characters"])
        .without(&["pa55word"]);
    ann.post("/people/users", &new("ann", PASSWORD))
        .await
        .expect(422)
        .says(&["There is a user ann already"]);
    ann.post_through("/people/users", &new("bob", PASSWORD))
        .await
        .says(&["bob is added", "<strong>editor</strong> of acme"])
        .without(&[PASSWORD]);
    let bob = Visitor::sign_in(&api, "bob", PASSWORD).await;
    bob.get("/tenants/acme").await.expect(200);
    bob.get("/tenants/globex").await.expect(404);
    let viewer = [
        ("grant.user", "bob"),
        ("grant.role", "viewer"),
        ("grant.tenant", "globex"),
    ];
    ann.post_through("/people/grant", &viewer)
        .await
        .says(&["<strong>viewer</strong> of globex"]);
    bob.get("/tenants/globex").await.expect(200);
    let gone = [("user", "bob"), ("role", "editor"), ("tenant", "acme")];
    ann.post_through("/people/revoke", &gone)
        .await
        .without(&["<strong>editor</strong> of acme"]);
    bob.get("/tenants/acme").await.expect(404);
    let password = [("password.user", "bob"), ("password.new", "another one, longer")];
    ann.post_through("/people/password", &password)
        .await
        .says(&["bob has a new password"]);
    assert_eq!(
        bob.get("/people").await.leads_to(),
        "/sign-in?return=%2Fpeople",
        "sessions end with their password"
    );
    Visitor::sign_in(&api, "bob", "another one, longer").await;
    ann.post_through("/people/remove", &[("user", "bob")])
        .await
        .says(&["bob is removed"]);
    assert!(
        api.service
            .sign_in("bob", "another one, longer", "127.0.0.1")
            .await
            .is_err()
    );
    ann.post("/people/remove", &[("user", "bob")]).await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_no_admin_has_their_own_password_and_tokens() {
    let api = Api::new().await;
    let bob = Visitor::new(&api, "bob", vec![Grant::of(Role::Editor, tenant())]).await;
    admin(&api).await;
    bob.get("/people")
        .await
        .expect(200)
        .says(&["Change your password", "Make a token"])
        .without(&["Add a user", "ann", "globex", "All tenants<"]);
    for (form, fields) in [
        (
            "users",
            vec![
                ("user.name", "x"),
                ("user.password", PASSWORD),
                ("user.role", "viewer"),
            ],
        ),
        ("grant", vec![("grant.user", "bob"), ("grant.role", "admin")]),
        ("revoke", vec![("user", "ann"), ("role", "admin")]),
        ("remove", vec![("user", "ann")]),
        (
            "password",
            vec![("password.user", "ann"), ("password.new", PASSWORD)],
        ),
        (
            "tokens",
            vec![
                ("token.name", "t"),
                ("token.role", "admin"),
                ("token.expires", &tomorrow()),
            ],
        ),
    ] {
        bob.post(&format!("/people/{form}"), &fields).await.expect(403);
    }
    let wrong = [("own.old", "wrong"), ("own.new", "another one, longer")];
    bob.post("/people/own-password", &wrong)
        .await
        .expect(422)
        .says(&["That is not your password"]);
    let right = [("own.old", PASSWORD), ("own.new", "another one, longer")];
    assert_eq!(
        bob.post("/people/own-password", &right).await.leads_to(),
        "/sign-in"
    );
    Visitor::sign_in(&api, "bob", "another one, longer").await;
}

fn tomorrow() -> String {
    let now = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24);
    jiff::tz::TimeZone::UTC.to_datetime(now).date().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_shown_once_and_revoked() {
    let api = Api::new().await;
    let ann = admin(&api).await;
    let tomorrow = tomorrow();
    let wanted = |expires| {
        [
            ("token.name", "deploy"),
            ("token.role", "viewer"),
            ("token.tenant", "acme"),
            ("token.expires", expires),
        ]
    };
    ann.post("/people/tokens", &wanted("2020-01-01"))
        .await
        .expect(422)
        .says(&["The day is not in the future", "value=\"deploy\""]);
    let made = ann.post("/people/tokens", &wanted(&tomorrow)).await.expect(200);
    assert_eq!(made.headers["cache-control"], "no-store");
    let start = made.text.find("lbt_").expect("the token is shown");
    let token: String = made.text[start..].chars().take_while(|c| *c != '"').collect();
    let bearer = Proof::Token(token.clone());
    api.get("/api/v1/tenants/acme", &bearer).await.expect(200);
    api.get("/api/v1/tenants/globex", &bearer).await.expect(404);
    let page = ann
        .get("/people")
        .await
        .expect(200)
        .says(&["deploy"])
        .without(&[&token]);
    let place =
        page.text.find("name=\"id\" value=\"").expect("it can be revoked") + "name=\"id\" value=\"".len();
    let id: String = page.text[place..].chars().take_while(|c| *c != '"').collect();
    ann.post_through("/people/tokens/revoke", &[("id", &id)])
        .await
        .says(&["There is no API token"]);
    api.get("/api/v1/tenants/acme", &bearer).await.expect(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_is_searched_and_read_page_by_page() {
    let api = Api::new().await;
    let ann = admin(&api).await;
    let editor = api.in_acme(Role::Editor).await;
    for number in 0..60 {
        let path = format!("/api/v1/tenants/acme/drafts/d{number:02}");
        api.put_seen(&path, &editor, &serde_json::json!({}))
            .await
            .expect(200);
        api.delete_seen(&path, &editor).await.expect(204);
    }
    let first = ann
        .get("/tenants/acme/audit")
        .await
        .expect(200)
        .says(&["Discarded the draft d59.", "1–50"]);
    let first = first.without(&["Discarded the draft d09.", "Added the user"]);
    let next = link(&first.text, "next");
    let second = ann
        .get(&next)
        .await
        .expect(200)
        .says(&["Discarded the draft d09.", "51–"]);
    let second = second.without(&["Discarded the draft d59."]);
    let back = link(&second.text, "prev");
    ann.get(&back)
        .await
        .expect(200)
        .says(&["Discarded the draft d59."]);
    ann.get("/tenants/acme/audit?q=d07")
        .await
        .expect(200)
        .says(&["draft d07."])
        .without(&["draft d08."]);
    ann.get("/tenants/acme/audit?kind=token")
        .await
        .expect(200)
        .says(&["No entry matches"]);
    ann.get("/audit?kind=user")
        .await
        .expect(200)
        .says(&["Added the user ann."])
        .without(&["draft d59."]);
    ann.get("/audit?cursor=nonsense")
        .await
        .expect(200)
        .says(&["the cursor is not one"]);
}

/// The path of a link by its relation.
fn link(page: &str, relation: &str) -> String {
    let end = page
        .find(&format!("\" rel=\"{relation}\""))
        .expect("the link is there");
    let start = page[..end].rfind("href=\"").unwrap() + "href=\"".len();
    page[start..end].replace("&amp;", "&")
}
