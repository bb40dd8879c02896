//! Imports, and what is told while they run.

use axum::http::Method;
use landbridge_bus::{Bucket, Key, KeyFilter};
use landbridge_control::service::{Caller, Grant, PutUser, Role, UserName};
use landbridge_model::{Failure, FailureCategory, RunId, Source, StageKind};
use landbridge_wire::FailedRecord;
use serde_json::{Value, json};

use super::ACME;
use crate::api::{Api, Proof};
use crate::rig::{VEHICLES, id, soon, sync_name, tenant, version};

#[tokio::test(flavor = "multi_thread")]
async fn imports_are_counted_started_once_and_canceled() {
    let api = Api::new().await;
    let operator = api.in_acme(Role::Operator).await;
    api.rig.apply(VEHICLES).await;
    let body = json!({"syncs": ["vehicles"]});
    let counted = api
        .post(&format!("{ACME}/imports/count"), &operator, &body)
        .await
        .expect(200)
        .json();
    assert_eq!(
        counted,
        json!({
            "syncs": [{
                "sync": "vehicles", "records": 40, "filtered": true,
                "salesforce_calls": 1, "hubspot_calls": 1, "before_calls": 0, "seconds": 2.5, "notes": [],
            }],
            "total": 40,
        })
    );

    let path = format!("{ACME}/imports");
    let start = async |key: &str, body: &Value| {
        api.send(
            Method::POST,
            &path,
            &operator,
            &[("idempotency-key", key)],
            Some(body),
        )
        .await
    };
    let first = start("k1", &body).await.expect(201);
    let again = start("k1", &body).await.expect(201);
    assert_eq!(first.text, again.text, "the same request got another answer");
    assert_eq!(again.header("idempotency-replayed"), "true");
    // The answer is lost with the control that did it: the import is found all the same.
    let access = api.rig.hub.bus().kv(Bucket::Access);
    for answer in access
        .list(&KeyFilter::Under(Key::new(["answer"])))
        .await
        .unwrap()
    {
        access.delete(&answer.key).await.unwrap();
    }
    let found = start("k1", &body).await.expect(201);
    assert_eq!(first.text, found.text, "the same request started another import");
    assert!(found.headers.get("idempotency-replayed").is_none());
    let other = json!({"syncs": ["vehicles"], "overwrite": true});
    assert_eq!(start("k1", &other).await.expect(422).kind(), "invalid");
    let list = api.get(&path, &operator).await.expect(200).json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1, "it was started once");
    start("k2", &body).await.expect(201);
    start(&"k".repeat(200), &body).await.expect(422);
    for wrong in [
        json!({"syncs": ["vehicles"], "overwrite": true, "back_fill": true}),
        // No edit touched anything.
        json!({"syncs": ["vehicles"], "back_fill": true}),
    ] {
        let key = wrong.to_string().len().to_string();
        assert_eq!(start(&key, &wrong).await.expect(422).kind(), "invalid");
    }

    let import = first.json()[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        api.get(&format!("{path}/{import}"), &operator)
            .await
            .expect(200)
            .json()["state"],
        "Queued"
    );
    let act = async |verb: &str| {
        let path = format!("{path}/{import}/{verb}");
        api.send(Method::POST, &path, &operator, &[], None).await
    };
    assert_eq!(act("pause").await.expect(200).json()["state"], "Paused");
    assert_eq!(act("resume").await.expect(200).json()["state"], "Queued");
    let canceled = api
        .send(
            Method::POST,
            &format!("{path}/{import}/cancel"),
            &operator,
            &[],
            None,
        )
        .await;
    canceled.expect(200);
    let goes_on = act("resume").await.expect(200).json();
    assert_ne!(
        goes_on["id"], import,
        "one that was cancelled is over: another goes on with it"
    );
    api.get(&format!("{path}/imp-none"), &operator).await.expect(404);
    api.post(&path, &operator, &json!({"syncs": []}))
        .await
        .expect(422);
    api.post(&path, &operator, &json!({"syncs": ["nope"]}))
        .await
        .expect(404);
    let page = api
        .get(&format!("{path}?limit=1"), &operator)
        .await
        .expect(200)
        .json();
    let next = page["next"].as_str().unwrap();
    let rest = api
        .get(&format!("{path}?limit=2&cursor={next}"), &operator)
        .await
        .expect(200)
        .json();
    assert_eq!(
        (rest["items"].as_array().unwrap().len(), rest["next"].as_str()),
        (2, None)
    );
    assert_ne!(page["items"][0]["id"], rest["items"][0]["id"]);
    api.get(&format!("{path}?cursor=made-up"), &operator)
        .await
        .expect(422);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_told_until_the_session_is_over() {
    let api = Api::new().await;
    api.add_user(
        "ann",
        "correct horse battery",
        vec![Grant::everywhere(Role::Admin)],
    )
    .await;
    api.rig.apply(VEHICLES).await;
    let mut events = api
        .events(&format!("{ACME}/events"), &api.in_acme(Role::Viewer).await)
        .await;
    let first = soon("the status", events.next()).await;
    assert!(
        first.contains("event: status") && first.contains("acme"),
        "{first}"
    );
    let operator = api.in_acme(Role::Operator).await;
    api.post(
        &format!("{ACME}/imports"),
        &operator,
        &json!({"syncs": ["vehicles"]}),
    )
    .await
    .expect(201);
    soon("the import", async {
        while !events.next().await.contains("event: import") {}
    })
    .await;
    let admin = api.admin().await;
    for token in api.get("/api/v1/tokens", &admin).await.expect(200).json()["items"]
        .as_array()
        .unwrap()
    {
        if token["grants"][0]["role"] == "viewer" {
            let path = format!("/api/v1/tokens/{}", token["id"].as_str().unwrap());
            api.delete(&path, &admin).await.expect(204);
        }
    }
    soon("the end", async {
        while !events.next().await.contains("event: end") {}
    })
    .await;
    api.get(&format!("{ACME}/status"), &operator).await.expect(200);
}

/// An answer is given again to whoever may do what was done, and to nobody else; what was refused is not kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_repetition_is_answered_by_todays_rights() {
    let api = Api::new().await;
    let acme = |role| vec![Grant::of(role, tenant())];
    api.add_user("ann", "correct horse battery", acme(Role::Operator))
        .await;
    let ann = api.token_of("ann", acme(Role::Operator)).await;
    let path = format!("{ACME}/imports");
    let start = async |proof: &Proof| {
        let (body, headers) = (json!({"syncs": ["vehicles"]}), [("idempotency-key", "k1")]);
        api.send(Method::POST, &path, proof, &headers, Some(&body)).await
    };
    start(&ann).await.expect(404);
    api.rig.apply(VEHICLES).await;
    let first = start(&ann).await.expect(201);
    assert_eq!(start(&ann).await.expect(201).text, first.text);
    let regrant = async |grants| {
        let (name, password) = (UserName::new("ann").unwrap(), None);
        let wanted = PutUser { grants, password };
        api.service
            .put_user(&Caller::local("test"), &name, wanted)
            .await
            .unwrap();
    };
    regrant(acme(Role::Viewer)).await;
    let refused = start(&ann).await.expect(403);
    assert!(!refused.text.contains("imp-"), "{}", refused.text);
    regrant(Vec::new()).await;
    start(&ann).await.expect(404);
    regrant(acme(Role::Admin)).await;
    assert_eq!(start(&ann).await.expect(201).text, first.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_import_brought_stays_its_error_until_it_succeeds() {
    let api = Api::new().await;
    let operator = api.in_acme(Role::Operator).await;
    api.rig.apply(VEHICLES).await;
    let body = json!({"syncs": ["vehicles"]});
    let started = api.post(&format!("{ACME}/imports"), &operator, &body).await;
    let import = started.expect(201).json()[0]["id"].as_str().unwrap().to_owned();
    let run: RunId = import.parse().unwrap();
    let refuse = async |run: Option<&RunId>, source: Source, message: &str| {
        let failed = FailedRecord {
            envelope: api.rig.envelope(source, run),
            id: id(1),
            version: version(1),
            stage: StageKind::Loader,
            failure: Failure::new(FailureCategory::PicklistOption, message),
            at_ms: 1,
            attempts: 1,
            link_field: None,
            write: None,
            retry: false,
        };
        api.rig.hub.remember_failure(&failed).await.unwrap();
    };
    let errors = async || {
        let path = format!("{ACME}/imports/{import}/errors.csv");
        let file = api.get(&path, &operator).await.expect(200).text;
        file.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    refuse(Some(&run), Source::Import, "there is no such option").await;
    assert_eq!(errors().await.len(), 1);
    let retry = json!({"ids": [id(1)]});
    let path = format!("{ACME}/failures/retry");
    assert_eq!(
        api.post(&path, &operator, &retry).await.expect(200).json()["records"],
        1
    );
    // It was read again, also for a new revision or because it changed, and refused again.
    for (source, message) in [
        (Source::Reread, "there is still no such option"),
        (Source::Increment, "nor is there now"),
    ] {
        refuse(None, source, message).await;
        let rows = errors().await;
        assert!(rows.len() == 1 && rows[0].contains(message), "{rows:?}");
    }
    // What had succeeded fails later on its own account.
    let (tenant, sync) = (tenant(), sync_name());
    let forgotten = api.rig.hub.forget_failure(&tenant, &sync, id(1), None);
    forgotten.await.unwrap();
    refuse(None, Source::Increment, "and later once more").await;
    assert_eq!(errors().await, [""; 0]);
}
