//! Signing in by an OpenID Connect provider: a small one, which does what it must and can be told to do it wrong.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use axum::extract::{Form, Query, State};
use axum::response::Redirect;
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use landbridge_control::Settings;
use landbridge_control::service::{
    Caller, Grant, GroupRole, OidcSettings, PageRequest, Role, Service, ServiceError,
};
use openidconnect::PrivateSigningKey as _;
use openidconnect::core::{CoreEdDsaPrivateSigningKey, CoreJwsSigningAlgorithm};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::api::{Answer, Api, Proof};
use crate::rig::{soon, tenant};

/// A private key of this run: an Ed25519 seed in its usual envelope.
static KEY: LazyLock<String> = LazyLock::new(|| {
    let envelope = hex::decode("302e020100300506032b657004220420").unwrap();
    let key = [envelope, rand::random::<[u8; 32]>().to_vec()].concat();
    let text = base64::engine::general_purpose::STANDARD.encode(key);
    format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----")
});

#[derive(Clone, Debug, Default)]
struct Told {
    /// The groups that the person is in.
    groups: Vec<String>,
    /// Another audience than the client.
    audience: Option<String>,
    /// Another nonce than was sent.
    nonce: Option<String>,
    /// Another person than 4711.
    subject: Option<String>,
    /// Another name than ann's.
    email: Option<String>,
}

impl Told {
    fn of(groups: &[&str]) -> Self {
        Self {
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            ..Self::default()
        }
    }
}

pub(crate) struct Provider {
    issuer: String,
    told: Mutex<Told>,
    /// What each code stands for: the challenge and the nonce.
    codes: Mutex<HashMap<String, (String, String)>>,
    /// How often it was asked what it is.
    asked: AtomicUsize,
}

impl Provider {
    async fn start() -> Arc<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let provider = Arc::new(Self {
            issuer: format!("http://{}", listener.local_addr().unwrap()),
            told: Mutex::default(),
            codes: Mutex::default(),
            asked: AtomicUsize::new(0),
        });
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(configuration))
            .route("/keys", get(keys))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        provider
    }

    /// The groups that the person is in from now on.
    pub(crate) fn tell_groups(&self, groups: &[&str]) {
        self.tell(Told {
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            ..Told::default()
        });
    }

    fn tell(&self, told: Told) {
        *self.told.lock().unwrap() = told;
    }

    fn settings(&self) -> OidcSettings {
        let role = |group: &str, role, all_tenants| GroupRole {
            group: group.to_owned(),
            role,
            tenants: if all_tenants { Vec::new() } else { vec![tenant()] },
            all_tenants,
        };
        OidcSettings {
            issuer: self.issuer.clone(),
            client_id: "landbridge".to_owned(),
            client_secret: None,
            scopes: vec!["email".to_owned()],
            name_claim: "email".to_owned(),
            groups_claim: "groups".to_owned(),
            roles: vec![
                role("fleet", Role::Editor, false),
                role("admins", Role::Admin, true),
            ],
            session_max: Duration::from_secs(3_600),
            token_max: Duration::from_secs(30 * 24 * 3_600),
        }
    }
}

fn signing_key() -> CoreEdDsaPrivateSigningKey {
    let kid = openidconnect::JsonWebKeyId::new("k1".to_owned());
    CoreEdDsaPrivateSigningKey::from_ed25519_pem(&KEY, Some(kid)).unwrap()
}

async fn configuration(State(provider): State<Arc<Provider>>) -> Json<Value> {
    provider.asked.fetch_add(1, Ordering::Relaxed);
    let issuer = &provider.issuer;
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA", "HS256", "none"],
    }))
}

async fn keys() -> Json<Value> {
    Json(json!({ "keys": [signing_key().as_verification_key()] }))
}

async fn authorize(
    State(provider): State<Arc<Provider>>,
    Query(query): Query<HashMap<String, String>>,
) -> Redirect {
    assert_eq!(
        (
            query["client_id"].as_str(),
            query["code_challenge_method"].as_str()
        ),
        ("landbridge", "S256")
    );
    let code = format!("code-{}", provider.codes.lock().unwrap().len());
    let begun = (query["code_challenge"].clone(), query["nonce"].clone());
    provider.codes.lock().unwrap().insert(code.clone(), begun);
    Redirect::to(&format!(
        "{}?state={}&code={code}",
        query["redirect_uri"], query["state"]
    ))
}

async fn token(
    State(provider): State<Arc<Provider>>,
    Form(form): Form<HashMap<String, String>>,
) -> Result<Json<Value>, axum::http::StatusCode> {
    let (challenge, nonce) = provider
        .codes
        .lock()
        .unwrap()
        .remove(&form["code"])
        .ok_or(axum::http::StatusCode::BAD_REQUEST)?;
    let verifier = Sha256::digest(form["code_verifier"].as_bytes());
    assert_eq!(
        URL_SAFE_NO_PAD.encode(verifier),
        challenge,
        "the code is exchanged by whoever asked for it"
    );
    let told = provider.told.lock().unwrap().clone();
    let now = jiff::Timestamp::now().as_second();
    let claims = json!({
        "iss": provider.issuer,
        "aud": told.audience.unwrap_or_else(|| "landbridge".to_owned()),
        "sub": told.subject.unwrap_or_else(|| "4711".to_owned()),
        "exp": now + 60,
        "iat": now,
        "nonce": told.nonce.unwrap_or(nonce),
        "email": told.email.unwrap_or_else(|| "ann@acme.example".to_owned()),
        "groups": told.groups,
    });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!(
        "{}.{}",
        part(&json!({"alg": "EdDSA", "kid": "k1", "typ": "JWT"})),
        part(&claims)
    );
    let signature = signing_key()
        .sign(&CoreJwsSigningAlgorithm::EdDsa, signed.as_bytes())
        .unwrap();
    Ok(Json(json!({
        "access_token": "unused",
        "token_type": "bearer",
        "id_token": format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)),
    })))
}

pub(crate) async fn with_provider() -> (Api, Arc<Provider>) {
    crate::api::install_tls();
    let provider = Provider::start().await;
    let settings = Settings {
        oidc: Some(provider.settings()),
        public_url: Some("http://127.0.0.1:9".to_owned()),
        ..Settings::default()
    };
    (Api::with(settings).await, provider)
}

/// To the provider and back, as a browser goes. Gives the way back with the cookie that the browser kept.
pub(crate) async fn to_provider(api: &Api, return_to: &str) -> (String, String) {
    let start = api
        .get(
            &format!("/api/v1/oidc/start?return_to={return_to}"),
            &Proof::Nothing,
        )
        .await
        .expect(303);
    let cookie = start.header("set-cookie").split(';').next().unwrap().to_owned();
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(std::time::Duration::from_secs(20))
        .build()
        .unwrap();
    let at_provider = client.get(start.header("location")).send().await.unwrap();
    let back = at_provider.headers()["location"].to_str().unwrap();
    let path = back
        .strip_prefix("http://127.0.0.1:9")
        .expect("back to where control is");
    (path.to_owned(), cookie)
}

pub(crate) async fn back(api: &Api, path: &str, cookie: &str) -> Answer {
    api.get(path, &Proof::Cookie(cookie.to_owned(), None)).await
}

fn session(answer: &Answer) -> Proof {
    let cookies = answer.headers.get_all("set-cookie").iter();
    let cookie = cookies
        .map(|value| value.to_str().unwrap().split(';').next().unwrap())
        .find(|cookie| cookie.starts_with("landbridge_session="))
        .expect("a session");
    Proof::Cookie(cookie.to_owned(), None)
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_at_the_provider_are_roles_here() {
    let (api, provider) = with_provider().await;
    for (groups, role) in [(vec!["fleet"], "editor"), (vec!["others", "admins"], "admin")] {
        provider.tell(Told {
            groups: groups.into_iter().map(str::to_owned).collect(),
            ..Told::default()
        });
        let (path, cookie) = to_provider(&api, "/tenants/acme").await;
        let signed_in = back(&api, &path, &cookie).await.expect(303);
        assert_eq!(signed_in.header("location"), "/tenants/acme");
        let current = api
            .get("/api/v1/sessions/current", &session(&signed_in))
            .await
            .expect(200)
            .json();
        let who = current["who"].as_str().unwrap();
        assert!(
            who.starts_with("oidc:") && who.ends_with(" ann@acme.example"),
            "{who}"
        );
        assert_eq!(current["grants"][0]["role"], json!(role));
        assert!(current["csrf_token"].is_string());
    }
    let begun = api
        .service
        .audit_log(&Caller::local("test"), &PageRequest::default())
        .await
        .unwrap();
    let begun = &begun.items[0];
    assert_eq!(begun.action, "session.begun");
    assert!(begun.who.ends_with(" ann@acme.example"), "{}", begun.who);
    assert_eq!(
        begun.detail,
        Some(format!("as the subject \"4711\" of {}", provider.issuer))
    );
}

/// What a session's groups may do is looked up at every request: the roles as of sign-in count for nothing.
#[tokio::test(flavor = "multi_thread")]
async fn what_groups_may_do_counts_as_it_stands() {
    let (api, provider) = with_provider().await;
    provider.tell(Told {
        groups: vec!["fleet".to_owned()],
        ..Told::default()
    });
    let (path, cookie) = to_provider(&api, "/").await;
    let Proof::Cookie(cookie, _) = session(&back(&api, &path, &cookie).await.expect(303)) else {
        panic!("a session is a cookie");
    };
    let id = cookie.split_once('=').unwrap().1;
    let with = |oidc: Option<OidcSettings>| {
        let settings = Settings {
            oidc,
            ..Settings::default()
        };
        Service::new(api.rig.hub.clone(), api.rig.config.clone(), settings)
    };
    let role = async |service: Service| match service.caller_of_session(id).await {
        Ok((caller, _)) => caller.role_in(&tenant()),
        Err(ServiceError::Unauthenticated(_)) => None,
        Err(error) => panic!("{error}"),
    };
    let mut settings = provider.settings();
    assert_eq!(role(with(Some(settings.clone()))).await, Some(Role::Editor));
    settings.roles[0].role = Role::Viewer;
    assert_eq!(role(with(Some(settings.clone()))).await, Some(Role::Viewer));
    settings.roles.remove(0);
    assert_eq!(role(with(Some(settings))).await, None);
    assert_eq!(role(with(None)).await, None);
}

/// A session with its token against forged posts, of somebody the provider tells of.
async fn signed_in(api: &Api, provider: &Provider, told: Told) -> Proof {
    provider.tell(told);
    let (path, cookie) = to_provider(api, "/").await;
    let Proof::Cookie(cookie, _) = session(&back(api, &path, &cookie).await.expect(303)) else {
        panic!("a session is a cookie");
    };
    let current = api
        .get("/api/v1/sessions/current", &Proof::Cookie(cookie.clone(), None))
        .await
        .expect(200)
        .json();
    let csrf_token = current["csrf_token"].as_str().unwrap().to_owned();
    Proof::Cookie(cookie, Some(csrf_token))
}

fn token_of_editor(days: u32) -> Value {
    let grants = json!([{ "role": "editor", "reach": { "tenants": [tenant()] } }]);
    json!({ "name": "ci", "grants": grants, "days": days })
}

/// A token holds no rights of its own: it can do what its owner's groups can now, by the mapping as it stands.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_outlives_no_right_of_its_owner() {
    let (api, provider) = with_provider().await;
    let ann = signed_in(&api, &provider, Told::of(&["fleet"])).await;
    let too_long = api.post("/api/v1/tokens", &ann, &token_of_editor(31)).await;
    assert!(too_long.expect(422).text.contains("1 to 30 days"));
    let made = api.post("/api/v1/tokens", &ann, &token_of_editor(30)).await;
    let token = made.expect(201).json()["token"].as_str().unwrap().to_owned();
    let with = |oidc: Option<OidcSettings>| {
        let settings = Settings {
            oidc,
            ..Settings::default()
        };
        Service::new(api.rig.hub.clone(), api.rig.config.clone(), settings)
    };
    let role = async |oidc: Option<OidcSettings>| match with(oidc).caller_of_token(&token).await {
        Ok(caller) => caller.role_in(&tenant()),
        Err(ServiceError::Unauthenticated(_)) => None,
        Err(error) => panic!("{error}"),
    };
    let settings = provider.settings();
    assert_eq!(role(Some(settings.clone())).await, Some(Role::Editor));
    let mut smaller = settings.clone();
    smaller.roles[0].role = Role::Viewer;
    assert_eq!(role(Some(smaller)).await, Some(Role::Viewer));
    assert_eq!(role(None).await, None, "the provider is gone");
    let mut other = settings.clone();
    other.issuer = "https://login.globex.example".to_owned();
    assert_eq!(role(Some(other)).await, None, "another provider");
    // The next sign-in tells that ann left the group: it is refused, and takes the token and the session with it.
    provider.tell(Told::of(&["others"]));
    let (path, cookie) = to_provider(&api, "/").await;
    back(&api, &path, &cookie).await.expect(403);
    assert_eq!(role(Some(settings)).await, None);
    api.get("/api/v1/tenants/acme", &Proof::Token(token))
        .await
        .expect(401);
    api.get("/api/v1/sessions/current", &ann).await.expect(401);
}

/// Whoever can choose their name at the provider is nobody else by it.
#[tokio::test(flavor = "multi_thread")]
async fn people_of_one_name_are_not_one_person() {
    let (api, provider) = with_provider().await;
    let grants = vec![Grant::everywhere(Role::Admin)];
    api.add_user("ann", "a long password, this", grants).await;
    let ann = signed_in(&api, &provider, Told::of(&["fleet"])).await;
    let made = api.post("/api/v1/tokens", &ann, &token_of_editor(1)).await;
    let id = made.expect(201).json()["id"].as_str().unwrap().to_owned();
    let another = |email: &str| Told {
        subject: Some("4712".to_owned()),
        email: Some(email.to_owned()),
        ..Told::of(&["fleet"])
    };
    for name in ["ann@acme.example", "x of user:ann"] {
        let other = signed_in(&api, &provider, another(name)).await;
        let seen = api.get("/api/v1/tokens", &other).await.expect(200).json();
        assert_eq!(seen["items"], json!([]), "{name}");
        api.delete(&format!("/api/v1/tokens/{id}"), &other)
            .await
            .expect(404);
    }
    // A token of somebody with such a name is bound by their groups, and not by the user's grants.
    let mallory = signed_in(&api, &provider, another("x of user:ann")).await;
    let made = api
        .post("/api/v1/tokens", &mallory, &token_of_editor(1))
        .await
        .expect(201)
        .json();
    let owner = made["owner"].as_str().unwrap();
    assert!(
        owner.starts_with("oidc:") && owner.ends_with(" x of user:ann"),
        "{owner}"
    );
    let token = Proof::Token(made["token"].as_str().unwrap().to_owned());
    api.get("/api/v1/tenants/acme", &token).await.expect(200);
    provider.tell(Told {
        groups: vec!["others".to_owned()],
        ..another("x of user:ann")
    });
    let (path, cookie) = to_provider(&api, "/").await;
    back(&api, &path, &cookie).await.expect(403);
    api.get("/api/v1/tenants/acme", &token).await.expect(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_the_provider_ends_in_time_however_much_it_is_used() {
    crate::api::install_tls();
    let provider = Provider::start().await;
    let mut oidc = provider.settings();
    oidc.session_max = Duration::from_secs(2);
    let settings = Settings {
        oidc: Some(oidc),
        public_url: Some("http://127.0.0.1:9".to_owned()),
        ..Settings::default()
    };
    let api = Api::with(settings).await;
    provider.tell(Told {
        groups: vec!["fleet".to_owned()],
        ..Told::default()
    });
    let (path, cookie) = to_provider(&api, "/").await;
    let proof = session(&back(&api, &path, &cookie).await.expect(303));
    soon("the end of the session", async {
        while api.get("/api/v1/sessions/current", &proof).await.status != 401 {}
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_in_no_group_is_refused() {
    let (api, provider) = with_provider().await;
    provider.tell(Told {
        groups: vec!["others".to_owned()],
        ..Told::default()
    });
    let (path, cookie) = to_provider(&api, "/").await;
    assert_eq!(back(&api, &path, &cookie).await.expect(403).kind(), "forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_good_once_and_in_its_own_browser() {
    let (api, provider) = with_provider().await;
    provider.tell(Told {
        groups: vec!["fleet".to_owned()],
        ..Told::default()
    });
    let (path, cookie) = to_provider(&api, "/").await;
    let (_, other_browser) = to_provider(&api, "/").await;
    api.get(&path, &Proof::Nothing).await.expect(401);
    back(&api, &path, &other_browser).await.expect(401);
    back(&api, &path, &cookie).await.expect(303);
    assert_eq!(
        back(&api, &path, &cookie).await.expect(401).kind(),
        "unauthenticated"
    );
    back(&api, "/api/v1/oidc/callback?error=access_denied", &cookie)
        .await
        .expect(401);
    for elsewhere in [
        "https://evil.example",
        "//evil.example",
        "/%5Cevil.example",
        "/%09/evil.example",
        "/%0A/evil.example",
    ] {
        api.get(
            &format!("/api/v1/oidc/start?return_to={elsewhere}"),
            &Proof::Nothing,
        )
        .await
        .expect(422);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_another_or_from_another_time_is_refused() {
    let (api, provider) = with_provider().await;
    let groups = vec!["fleet".to_owned()];
    let wrong = [
        Told {
            groups: groups.clone(),
            audience: Some("somebody-else".to_owned()),
            ..Told::default()
        },
        Told {
            groups,
            nonce: Some("of-another-time".to_owned()),
            ..Told::default()
        },
    ];
    for told in wrong {
        provider.tell(told);
        let (path, cookie) = to_provider(&api, "/").await;
        let refused = back(&api, &path, &cookie).await.expect(401);
        assert!(refused.headers.get("set-cookie").is_none(), "{}", refused.text);
    }
}

/// Whoever begins and never ends is limited, and the provider is not asked each time what it is.
#[tokio::test(flavor = "multi_thread")]
async fn beginnings_are_limited_and_cost_the_provider_little() {
    let (api, provider) = with_provider().await;
    // More than are free for an address: what is ended does not count.
    for _ in 0..35 {
        signed_in(&api, &provider, Told::of(&["fleet"])).await;
    }
    assert_eq!(provider.asked.load(Ordering::Relaxed), 1);
    let mut begun = 0;
    let refused = loop {
        let answer = api.get("/api/v1/oidc/start", &Proof::Nothing).await;
        if answer.status != 303 {
            break answer;
        }
        begun += 1;
        // After those that are free each costs a pause that doubles.
        assert!(begun <= 40, "{begun} beginnings from one address");
    };
    assert!(refused.expect(429).headers.contains_key("retry-after"));
}
