//! Alerts: told once each way, over real HTTP and real SMTP, whatever happens to control meanwhile; their settings over
//! REST.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::{HeaderMap, Method, StatusCode};
use hmac::{Hmac, Mac as _};
use landbridge_control::Settings;
use landbridge_control::service::Role;
use landbridge_model::{Failure, FailureCategory, Source, StageKind};
use landbridge_wire::FailedRecord;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::api::{Answer, Api, Proof, install_tls};
use crate::rig::{VEHICLES, id, soon, sync_name, tenant, version};

pub(crate) const ALERTS: &str = "/api/v1/tenants/acme/alerts";
const SECRET: &str = "a secret that both sides know";

/// What arrived, and who waits for it.
#[derive(Clone, Default)]
pub(crate) struct Inbox {
    arrived: Arc<Mutex<Vec<(HeaderMap, String)>>>,
    bell: Arc<Notify>,
    refuses: Arc<Mutex<usize>>,
}

impl Inbox {
    fn put(&self, headers: HeaderMap, text: String) {
        self.arrived.lock().unwrap().push((headers, text));
        self.bell.notify_waiters();
    }

    pub(crate) fn texts(&self) -> Vec<String> {
        self.arrived
            .lock()
            .unwrap()
            .iter()
            .map(|(_, text)| text.clone())
            .collect()
    }

    pub(crate) async fn wait_for(&self, what: &str, count: usize) -> Vec<String> {
        soon(what, async {
            loop {
                let rings = self.bell.notified();
                let texts = self.texts();
                if texts.len() >= count {
                    return texts;
                }
                rings.await;
            }
        })
        .await
    }
}

/// A receiver of webhooks; it refuses as often as it is told to.
async fn receiver() -> (String, Inbox) {
    let inbox = Inbox::default();
    let kept = inbox.clone();
    let take = axum::routing::post(async move |headers: HeaderMap, body: String| {
        let refuses = {
            let mut left = kept.refuses.lock().unwrap();
            let refuses = *left > 0;
            *left = left.saturating_sub(1);
            refuses
        };
        if refuses {
            kept.bell.notify_waiters();
            return StatusCode::SERVICE_UNAVAILABLE;
        }
        kept.put(headers, body);
        StatusCode::NO_CONTENT
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let router = axum::Router::new().route("/hook", take);
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, inbox)
}

/// A mail server of a few words, which wants a password.
async fn mail_server() -> (u16, Inbox) {
    let inbox = Inbox::default();
    let kept = inbox.clone();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(converse(stream, kept.clone()));
        }
    });
    (port, inbox)
}

async fn converse(stream: TcpStream, inbox: Inbox) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 mail.test ESMTP\r\n").await?;
    talk(stream, inbox).await
}

/// What follows the greeting.
pub(crate) async fn talk(
    mut stream: impl AsyncBufRead + AsyncWrite + Unpin,
    inbox: Inbox,
) -> std::io::Result<()> {
    let (mut is_known, mut mail) = (false, String::new());
    while let Some(line) = next_line(&mut stream).await? {
        let answer = match line.split(' ').next().unwrap_or_default() {
            "EHLO" => "250-mail.test\r\n250 AUTH PLAIN",
            // ops, hush
            "AUTH" => {
                is_known = line == "AUTH PLAIN AG9wcwBodXNo";
                if is_known {
                    "235 welcome"
                } else {
                    "535 who are you"
                }
            }
            "MAIL" if !is_known => "530 sign in first",
            "MAIL" | "RCPT" => {
                mail.push_str(&format!("{line}\n"));
                "250 ok"
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                stream.flush().await?;
                while let Some(line) = next_line(&mut stream).await? {
                    if line == "." {
                        break;
                    }
                    mail.push_str(&format!("{line}\n"));
                }
                inbox.put(HeaderMap::new(), std::mem::take(&mut mail));
                "250 taken"
            }
            "QUIT" => "221 bye",
            _ => "250 ok",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
        stream.flush().await?;
    }
    Ok(())
}

pub(crate) async fn next_line(stream: &mut (impl AsyncBufRead + Unpin)) -> std::io::Result<Option<String>> {
    let mut line = String::new();
    let read = stream.read_line(&mut line).await?;
    Ok((read > 0).then(|| line.trim_end().to_owned()))
}

fn eager() -> Settings {
    Settings {
        alert_every: Duration::from_millis(50),
        alert_settle: Duration::ZERO,
        alert_timeout: Duration::from_secs(1),
        ..Settings::default()
    }
}

fn webhook(url: &str) -> Value {
    json!({"webhook": {"url": url, "secret": SECRET}, "bounds": {"failures": 0}})
}

pub(crate) async fn put(api: &Api, proof: &Proof, tag: &str, wanted: &Value) -> Answer {
    let tag = format!("\"{tag}\"");
    api.send(Method::PUT, ALERTS, proof, &[("if-match", &tag)], Some(wanted))
        .await
}

async fn refuse_a_record(api: &Api) {
    let failed = FailedRecord {
        envelope: api.rig.envelope(Source::Increment, None),
        id: id(1),
        version: version(1),
        stage: StageKind::Mapper,
        failure: Failure::new(FailureCategory::PicklistOption, "there is no such option"),
        at_ms: 1,
        attempts: 1,
        link_field: None,
        write: None,
        retry: false,
    };
    api.rig.hub.remember_failure(&failed).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_once_and_its_end_once_across_a_restart() {
    install_tls();
    let mut api = Api::with(eager()).await;
    api.rig.apply(VEHICLES).await;
    let admin = api.in_acme(Role::Admin).await;
    let (url, hook) = receiver().await;
    let (port, mails) = mail_server().await;
    let mut wanted = webhook(&url);
    wanted["mail"] = json!({
        "host": "127.0.0.1", "port": port, "security": "none", "user": "ops", "password": "hush",
        "from": "Landbridge <landbridge@acme.example>", "to": ["ann@acme.example", "bob@acme.example"],
    });
    let answer = put(&api, &admin, "0", &wanted).await.expect(200);
    for secret in [SECRET, "hush"] {
        assert!(!answer.text.contains(secret), "{}", answer.text);
    }
    refuse_a_record(&api).await;
    let told = hook.wait_for("the alert", 1).await.remove(0);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(
        (&told["alert"], &told["state"], &told["tenant"]),
        (&json!("failures"), &json!("raised"), &json!("acme"))
    );
    assert_eq!(told["text"], "1 record or link is refused; the bound is 0.");
    check_signature(&hook);
    let mail = mails.wait_for("the mail", 1).await.remove(0);
    for part in [
        "MAIL FROM:<landbridge@acme.example>",
        "RCPT TO:<ann@acme.example>",
        "RCPT TO:<bob@acme.example>",
        "Subject: [Landbridge] acme: failures",
        "1 record or link is refused; the bound is 0.",
    ] {
        assert!(mail.contains(part), "{part} is missing: {mail}");
    }

    // Another control, with nothing in its cache, has heard of it.
    api.restart_control(eager()).await;
    api.rig
        .hub
        .forget_failure(&tenant(), &sync_name(), id(1), None)
        .await
        .unwrap();
    let told = hook.wait_for("the end", 2).await;
    mails.wait_for("the mail of the end", 2).await;
    let states: Vec<Value> = told
        .iter()
        .map(|told| serde_json::from_str::<Value>(told).unwrap()["state"].clone())
        .collect();
    assert_eq!(states, ["raised", "recovered"]);
    let view = api.get(ALERTS, &admin).await.expect(200).json();
    assert_eq!((&view["standing"], &view["unsent"]), (&json!([]), &json!([])));
}

fn check_signature(hook: &Inbox) {
    let arrived = hook.arrived.lock().unwrap();
    let (headers, body) = &arrived[0];
    let signature = headers["landbridge-signature"].to_str().unwrap();
    let (time, signed) = signature.split_once(",v1=").unwrap();
    let time = time.strip_prefix("t=").unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("{time}.{body}").as_bytes());
    mac.verify_slice(&hex::decode(signed).unwrap()).unwrap();
    let id = serde_json::from_str::<Value>(body).unwrap()["id"].clone();
    assert_eq!(headers["landbridge-message-id"].to_str().unwrap(), id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_does_not_arrive_is_kept_with_its_reason() {
    install_tls();
    let mut api = Api::with(eager()).await;
    api.rig.apply(VEHICLES).await;
    let admin = api.in_acme(Role::Admin).await;
    let (url, hook) = receiver().await;
    *hook.refuses.lock().unwrap() = 1;
    put(&api, &admin, "0", &webhook(&url)).await.expect(200);
    api.rig.hub.hold(&api.rig.held(3, None)).await.unwrap();
    let unsent = soon("the first try", async {
        loop {
            let view = api.get(ALERTS, &admin).await.expect(200).json();
            if view["unsent"][0]["attempts"] == 1 {
                return view["unsent"][0].clone();
            }
        }
    })
    .await;
    assert_eq!(unsent["trouble"], "the receiver answers 503 Service Unavailable");
    assert_eq!(
        unsent["text"],
        "A delete of the sync vehicles waits for approval."
    );
    assert!(hook.texts().is_empty());
    // It outlives the control that could not send it.
    api.restart_control(eager()).await;
    let told = hook.wait_for("the second try", 1).await;
    let told: Value = serde_json::from_str(&told[0]).unwrap();
    assert_eq!(
        (&told["alert"], &told["subject"]),
        (&json!("held-deletes"), &json!(sync_name().as_str()))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_checked_kept_and_never_shown() {
    install_tls();
    let api = Api::new().await;
    let admin = api.in_acme(Role::Admin).await;
    let none = api.get(ALERTS, &admin).await.expect(200);
    assert_eq!(none.header("etag"), "\"0\"");
    assert_eq!(
        none.json()["settings"]["bounds"],
        json!({"behind_seconds": 900, "failures": 100, "credential_days": null})
    );
    let nowhere = api
        .send(Method::POST, &format!("{ALERTS}/test"), &admin, &[], None)
        .await;
    nowhere.expect(422);
    let mail = json!({
        "host": "smtp.acme.example", "port": 465, "user": "ops", "password": "hush",
        "from": "landbridge@acme.example", "to": ["ann@acme.example"],
    });
    for (wanted, place) in [
        (
            json!({"webhook": {"url": "http://hooks.acme.example", "secret": SECRET}}),
            "webhook.url",
        ),
        (
            json!({"webhook": {"url": "hooks", "secret": SECRET}}),
            "webhook.url",
        ),
        (
            json!({"webhook": {"url": "https://hooks.acme.example"}}),
            "webhook.secret",
        ),
        (
            json!({"webhook": {"url": "https://hooks.acme.example", "secret": "short"}}),
            "webhook.secret",
        ),
        (changed(&mail, "host", json!("smtp://acme")), "mail.host"),
        (changed(&mail, "port", json!(0)), "mail.port"),
        (changed(&mail, "security", json!("none")), "mail.security"),
        (changed(&mail, "user", Value::Null), "mail.password"),
        (changed(&mail, "password", Value::Null), "mail.password"),
        (
            changed(&mail, "from", json!("nobody\r\nBcc: all@acme.example")),
            "mail.from",
        ),
        (changed(&mail, "to", json!([])), "mail.to"),
        (json!({"bounds": {"behind_seconds": 0}}), "bounds"),
    ] {
        let refused = put(&api, &admin, "0", &wanted).await.expect(422);
        assert_eq!(refused.json()["problems"][0]["place"], place, "{wanted}");
        for secret in [SECRET, "hush"] {
            assert!(!refused.text.contains(secret), "{}", refused.text);
        }
    }
    let unknown = put(&api, &admin, "0", &json!({"pager": {}})).await;
    unknown.expect(422);
    api.put(ALERTS, &admin, &json!({})).await.expect(428);
    let url = "https://hooks.acme.example/T0/who-knows-it-can-post";
    let wanted = json!({"webhook": {"url": url, "secret": SECRET}, "mail": mail});
    let stored = put(&api, &admin, "0", &wanted).await.expect(200);
    put(&api, &admin, "0", &wanted).await.expect(412);
    let tag = stored.json()["tag"].as_str().unwrap().to_owned();
    assert_eq!(stored.json()["settings"]["mail"]["has_password"], true);
    // Who may change the address sees it; to others it is a secret.
    assert_eq!(stored.json()["settings"]["webhook"]["url"], url);
    for role in [Role::Viewer, Role::Editor, Role::Operator] {
        let proof = api.in_acme(role).await;
        let seen = api.get(ALERTS, &proof).await.expect(200);
        assert_eq!(
            seen.json()["settings"]["webhook"]["url"],
            "https://hooks.acme.example/…"
        );
        assert!(!seen.text.contains("who-knows"), "{}", seen.text);
    }

    // What is secret stays as long as it goes to the same place.
    let mut again = wanted.clone();
    again["webhook"].as_object_mut().unwrap().remove("secret");
    again["mail"].as_object_mut().unwrap().remove("password");
    let kept = put(&api, &admin, &tag, &again).await.expect(200).json();
    assert_eq!(kept["settings"]["mail"]["has_password"], true);
    again["mail"]["host"] = json!("smtp.evil.example");
    let tag = kept["tag"].as_str().unwrap().to_owned();
    let refused = put(&api, &admin, &tag, &again).await.expect(422);
    assert_eq!(refused.json()["problems"][0]["place"], "mail.password");
    let log = api
        .get("/api/v1/tenants/acme/audit", &admin)
        .await
        .expect(200)
        .text;
    assert!(
        log.contains("alerts.changed") && log.contains("hooks.acme.example"),
        "{log}"
    );
    for secret in [SECRET, "hush", "who-knows"] {
        assert!(!log.contains(secret));
    }
}

fn changed(mail: &Value, key: &str, value: Value) -> Value {
    let mut mail = mail.clone();
    mail[key] = value;
    json!({ "mail": mail })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_says_how_each_way_went() {
    install_tls();
    let api = Api::new().await;
    let admin = api.in_acme(Role::Admin).await;
    let (url, hook) = receiver().await;
    let (port, mails) = mail_server().await;
    let mut wanted = webhook(&url);
    wanted["mail"] = json!({
        "host": "127.0.0.1", "port": port, "security": "none", "user": "ops", "password": "wrong",
        "from": "landbridge@acme.example", "to": ["ann@acme.example"],
    });
    put(&api, &admin, "0", &wanted).await.expect(200);
    let path = format!("{ALERTS}/test");
    let tried = api
        .send(Method::POST, &path, &admin, &[], None)
        .await
        .expect(200)
        .json();
    assert_eq!(tried[0], json!({"channel": "webhook"}));
    assert_eq!(tried[1]["channel"], "mail");
    let trouble = tried[1]["trouble"].as_str().unwrap();
    assert!(trouble.contains("535") && !trouble.contains("wrong"), "{trouble}");
    let told: Value = serde_json::from_str(&hook.texts()[0]).unwrap();
    assert_eq!((&told["state"], &told["alert"]), (&json!("test"), &Value::Null));
    assert!(mails.texts().is_empty());
}
