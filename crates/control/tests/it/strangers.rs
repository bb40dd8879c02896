//! Every route, tried by those who may not: without sign-in, as a stranger, with too small a role, with a forged post.

use axum::http::Method;
use landbridge_bus::seal::{KeyPair, publish_key};
use landbridge_bus::{Bucket, KeyFilter};
use landbridge_control::service::{Caller, Grant, Role, UserName};
use landbridge_model::{StageKind, TenantId};
use serde_json::{Value, json};

use crate::api::{Api, Operation, Proof, operations};
use crate::rig::{VEHICLES, definition};

/// What is in the answers of nobody but those who may see acme.
const SECRETS: [&str; 4] = ["acme", "vehicles", "Vehicle__c", "a-draft-of"];

/// A body that the operation takes; a new operation needs one here.
fn body(operation: &Operation) -> Option<Value> {
    let vehicles = || serde_json::to_value(definition(VEHICLES)).unwrap();
    let open = json!({"open": {"flow": "token", "token": "hush"}});
    let body = match operation.id.as_str() {
        "sign_in" => json!({"user": "nobody", "password": "whatever that is"}),
        "put_tenant" => json!({"salesforce": {"login_url": "http://127.0.0.1:1"}, "hubspot": {}}),
        "put_salesforce_credentials" | "put_hubspot_credentials" => open,
        "put_sync" | "validate_sync" | "count_matching" => vehicles(),
        "apply_syncs" => json!({"definitions": [vehicles()]}),
        "put_draft" => json!({"a-draft-of": "vehicles"}),
        "start_imports" | "count_imports" => json!({"syncs": ["vehicles"]}),
        "start_dry_run" => json!({"definition": vehicles(), "scope": "all"}),
        "create_object_type" => json!({"object": "Vehicle__c"}),
        "create_property" => {
            json!({"name": "seats", "label": "Seats", "type": "number", "fieldType": "number"})
        }
        "put_alerts" => json!({"bounds": {}}),
        "retry_failures" => json!({}),
        "adopt_org" => json!({"org_id": "00D000000000007EAA"}),
        "disconnect" => json!({"side": "salesforce"}),
        "put_allocation" => json!({"daily_calls": 1000}),
        "decide_held" => json!({"sync": "vehicles", "decision": "discard"}),
        "repair_records" => json!({"ids": ["a00Hs000001ABCdIAO"]}),
        "put_user" => json!({"grants": [], "password": "correct horse battery"}),
        "change_password" => json!({"old": "x", "new": "correct horse battery"}),
        "create_token" => json!({"name": "t", "grants": [{"role": "viewer", "reach": "all"}], "days": 1}),
        other if operation.takes_body => panic!("{other} takes a body: give it one here"),
        _ => return None,
    };
    Some(body)
}

/// The path with its parameters filled in.
fn path(operation: &Operation, tenant: &str) -> String {
    let path = operation
        .path
        .replace("{tenant}", tenant)
        .replace("{sync}", "vehicles")
        .replace("{revision}", "1")
        .replace("{draft}", "d1")
        .replace("{import}", "imp-20260301-101500-k3f9")
        .replace("{record}", "a00Hs000001ABCdIAO")
        .replace("{run}", "verify-1")
        .replace("{object}", "Vehicle__c")
        .replace("{object_type}", "vehicles")
        .replace("{user}", "ann")
        .replace("{token}", "k3f9");
    assert!(!path.contains('{'), "{path}: a parameter has no value here");
    match operation.id.as_str() {
        "explain_record" => format!("{path}?record=a00Hs000001ABCdIAO"),
        "list_hubspot_labels" => format!("{path}?from=2-1&to=0-2"),
        _ => path,
    }
}

async fn with_things() -> Api {
    let api = Api::new().await;
    api.rig.apply(VEHICLES).await;
    let editor = api.in_acme(Role::Editor).await;
    api.put_seen(
        "/api/v1/tenants/acme/drafts/d1",
        &editor,
        &json!({"a-draft-of": "vehicles"}),
    )
    .await
    .expect(200);
    api
}

/// What stands for what an operation changes, as its admin has seen it; anything where it is not looked at before it is
/// decided who may.
async fn seen(api: &Api, operation: &str) -> Option<String> {
    let local = Caller::local("test");
    Some(match operation {
        "put_user" => {
            let ann = UserName::new("ann").unwrap();
            let found = api.service.user_with_tag(&local, &ann).await;
            found.map_or("nobody".to_owned(), |(_, tag)| tag)
        }
        "delete_draft" => {
            let acme = api.service.tenant(&local, &crate::rig::tenant()).unwrap();
            let found = acme.draft(&"d1".parse().unwrap()).await;
            found.map_or("nothing".to_owned(), |draft| draft.tag)
        }
        "put_draft" | "put_tenant" | "put_allocation" | "delete_sync" => "1".to_owned(),
        _ => return None,
    })
}

async fn call(api: &Api, operation: &Operation, tenant: &str, proof: &Proof) -> crate::api::Answer {
    let path = path(operation, tenant);
    // Whoever knows how, sends what is wanted: they are refused for who they are, not for how they ask.
    let tag = seen(api, &operation.id).await;
    let tag = tag.map(|tag| format!("\"{tag}\""));
    let headers: &[(&str, &str)] = match (operation.id.as_str(), &tag) {
        ("undo_revision", _) => &[("if-match", "\"0123\"")],
        ("put_sync" | "put_alerts", _) => &[("if-none-match", "*")],
        (_, Some(tag)) => &[("if-match", tag.as_str())],
        (_, None) => &[],
    };
    api.send(
        operation.method.clone(),
        &path,
        proof,
        headers,
        body(operation).as_ref(),
    )
    .await
}

/// What answers without a trace in the audit log: it changes nothing, or nothing that counts until it is applied.
const UNTRACED: [&str; 13] = [
    "begin_sign_in",
    "cancel_dry_run",
    "count_imports",
    "count_matching",
    "end_sign_in",
    "propose_object_type",
    "put_draft",
    "review_object_type",
    "start_dry_run",
    "sync_estimate",
    "validate_sync",
    "sign_out",
    "change_password",
];

/// All that is stored in these buckets, but drafts.
async fn stored(api: &Api) -> Vec<(String, Vec<u8>)> {
    let mut stored = Vec::new();
    for bucket in [Bucket::Config, Bucket::Secrets, Bucket::Access] {
        let kv = api.rig.hub.bus().kv(bucket);
        for entry in kv.list(&KeyFilter::All).await.unwrap() {
            let tokens = entry.key.tokens();
            if !["drafts", "attempts", "idempotency"].contains(&tokens[0].as_str()) {
                stored.push((entry.key.to_string(), entry.value.to_vec()));
            }
        }
    }
    stored.sort();
    stored
}

/// That something is about to be done is stored before it is done: where it cannot be stored, nothing is done.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_audit_log_nothing_is_changed() {
    let api = with_things().await;
    for stage in [StageKind::Extractor, StageKind::Loader] {
        let key = KeyPair::generate().public();
        publish_key(api.rig.hub.bus(), stage, &key).await.unwrap();
    }
    let grants = vec![Grant::of(Role::Viewer, TenantId::new("acme").unwrap())];
    api.add_user("ann", "correct horse battery", grants).await;
    let admin = api.admin().await;
    let before = stored(&api).await;
    api.rig.remove_stream("LB_AUDIT").await;
    let changing = operations()
        .into_iter()
        .filter(|operation| operation.method != Method::GET && !UNTRACED.contains(&operation.id.as_str()));
    let tried = changing.map(async |operation| {
        let answer = match operation.id.as_str() {
            "sign_in" => {
                let right = json!({"user": "ann", "password": "correct horse battery"});
                api.send(Method::POST, &operation.path, &Proof::Nothing, &[], Some(&right))
                    .await
            }
            _ => call(&api, &operation, "acme", &admin).await,
        };
        (operation.id, answer)
    });
    let mut refused = Vec::new();
    for (id, answer) in futures::future::join_all(tried).await {
        if answer.status == 503 && answer.text.contains("nothing is done") {
            refused.push(id);
        } else {
            assert!(
                [404, 422].contains(&answer.status.as_u16()),
                "{id}: {} {}",
                answer.status,
                answer.text
            );
        }
    }
    for must in [
        "delete_sync",
        "put_user",
        "create_token",
        "sign_in",
        "delete_tenant",
        "put_alerts",
    ] {
        assert!(
            refused.contains(&must.to_owned()),
            "{must} is not among {refused:?}"
        );
    }
    let names = |stored: Vec<(String, Vec<u8>)>| stored.into_iter().map(|(key, _)| key).collect::<Vec<_>>();
    let after = stored(&api).await;
    if before != after {
        panic!("{:?} became {:?}", names(before), names(after));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_passes_without_signing_in() {
    let api = with_things().await;
    let wrong = [
        Proof::Nothing,
        Proof::Token("lbt_wrong".to_owned()),
        Proof::Cookie("landbridge_session=wrong".to_owned(), Some("wrong".to_owned())),
    ];
    for operation in operations() {
        for proof in &wrong {
            let answer = call(&api, &operation, "acme", proof).await;
            if operation.id == "begin_sign_in" {
                assert_eq!(answer.kind(), "not-found", "there is no provider here");
                continue;
            }
            assert_eq!(answer.status, 401, "{} {proof:?}: {}", operation.id, answer.text);
            assert_eq!(answer.kind(), "unauthenticated");
            for secret in SECRETS {
                assert!(
                    !answer.text.contains(secret),
                    "{} leaks {secret}: {}",
                    operation.id,
                    answer.text
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_cannot_tell_a_tenant_from_none() {
    let api = with_things().await;
    let stranger = api.stranger().await;
    let before = api.audit().await.len();
    for operation in operations() {
        let answer = call(&api, &operation, "acme", &stranger).await;
        if operation.path.contains("{tenant}") {
            assert_eq!(answer.status, 404, "{}: {}", operation.id, answer.text);
            let of_none = call(&api, &operation, "nowhere", &stranger).await;
            assert_eq!(of_none.status, 404, "{}", operation.id);
            assert_eq!(
                answer.text,
                of_none.text.replace("nowhere", "acme"),
                "{} tells a tenant that is there from one that is not",
                operation.id
            );
            continue;
        }
        for secret in SECRETS {
            assert!(
                !answer.text.contains(secret),
                "{} leaks {secret}: {}",
                operation.id,
                answer.text
            );
        }
        let status = answer.status.as_u16();
        assert!(
            matches!(status, 200 | 401 | 403 | 404 | 409),
            "{}: {status} {}",
            operation.id,
            answer.text
        );
    }
    let after = api.audit().await;
    assert_eq!(after.len(), before, "a stranger changed something: {after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_role_changes_nothing() {
    let api = with_things().await;
    let viewer = api.in_acme(Role::Viewer).await;
    let before = api.audit().await.len();
    // What is a POST because it takes a body, and changes nothing.
    let reads = ["validate_sync", "count_imports", "count_matching"];
    let changes = operations().into_iter().filter(|operation| {
        operation.method != Method::GET
            && operation.path.contains("{tenant}")
            && !reads.contains(&operation.id.as_str())
    });
    for operation in changes {
        let answer = call(&api, &operation, "acme", &viewer).await;
        assert_eq!(answer.status, 403, "{}: {}", operation.id, answer.text);
        assert_eq!(answer.kind(), "forbidden");
    }
    assert_eq!(api.audit().await.len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_alone_changes_nothing() {
    let api = with_things().await;
    api.add_user(
        "ann",
        "correct horse battery",
        vec![Grant::everywhere(Role::Admin)],
    )
    .await;
    let signed_in = api
        .post(
            "/api/v1/sessions",
            &Proof::Nothing,
            &json!({"user": "ann", "password": "correct horse battery"}),
        )
        .await
        .expect(201);
    let cookie = signed_in
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let before = api.audit().await.len();
    let changes = operations()
        .into_iter()
        .filter(|operation| operation.method != Method::GET && operation.id != "sign_in");
    for operation in changes {
        for csrf in [None, Some("forged".to_owned())] {
            let answer = call(&api, &operation, "acme", &Proof::Cookie(cookie.clone(), csrf)).await;
            assert_eq!(answer.status, 403, "{}: {}", operation.id, answer.text);
        }
    }
    assert_eq!(api.audit().await.len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_hold_what_their_reader_may_see() {
    let api = with_things().await;
    let both = vec![
        Grant::of(Role::Viewer, crate::rig::tenant()),
        Grant::of(Role::Viewer, TenantId::new("globex").unwrap()),
    ];
    for (proof, names) in [
        (api.stranger().await, vec!["globex"]),
        (api.in_acme(Role::Viewer).await, vec!["acme"]),
        (api.token(both).await, vec!["acme", "globex"]),
        (
            api.token(vec![Grant::of(Role::Admin, TenantId::new("other").unwrap())])
                .await,
            vec![],
        ),
    ] {
        for list in ["/api/v1/tenants", "/api/v1/status"] {
            let page = api.get(list, &proof).await.expect(200).json();
            let items = page["items"].as_array().unwrap();
            let seen: Vec<&str> = items
                .iter()
                .map(|item| item.get("id").or(item.get("tenant")).unwrap().as_str().unwrap())
                .collect();
            assert_eq!(seen, names, "{list}");
        }
        let exported = api.get("/api/v1/export", &proof).await.expect(200).text;
        assert_eq!(exported.contains("Vehicle__c"), names.contains(&"acme"));
    }
}
