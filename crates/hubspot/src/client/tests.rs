//! The client against small servers that misbehave on purpose.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use landbridge_model::{HubSpotId, ObjectTypeId};

use super::*;
use crate::records::{UpsertBody, UpsertColumns};
use crate::settle::{ItemVerdict, settle};

type Answerer = fn(&Request, usize) -> Response;

#[derive(Clone)]
struct Server {
    calls: Arc<AtomicUsize>,
    answer: Answerer,
}

async fn handle(State(server): State<Server>, request: Request) -> Response {
    (server.answer)(&request, server.calls.fetch_add(1, Ordering::SeqCst))
}

async fn client(answer: Answerer, credentials: Credentials) -> (Client, Arc<AtomicUsize>) {
    client_with(answer, credentials, None).await
}

async fn client_with(
    answer: Answerer,
    credentials: Credentials,
    keeper: Option<Arc<dyn TokenKeeper>>,
) -> (Client, Arc<AtomicUsize>) {
    let _already = rustls::crypto::ring::default_provider().install_default();
    let calls = Arc::new(AtomicUsize::new(0));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    let server = Server {
        calls: calls.clone(),
        answer,
    };
    let router = Router::new().fallback(handle).with_state(server);
    tokio::spawn(async move { axum::serve(listener, router).await });
    let mut settings = Settings::new(url, credentials);
    settings.keeper = keeper;
    (Client::new(settings).unwrap(), calls)
}

fn token() -> Credentials {
    Credentials::Token(Secret::new("pat-na1-secret"))
}

fn cars() -> ObjectTypeId {
    ObjectTypeId::new("2-345")
}

#[tokio::test]
async fn a_batch_goes_out_as_documented_and_comes_back_settled() {
    let answer: Answerer = |request, _| {
        assert_eq!(request.uri().path(), "/crm/objects/2026-09/2-345/batch/upsert");
        assert_eq!(request.headers()["authorization"], "Bearer pat-na1-secret");
        assert_eq!(request.headers()["content-type"], "application/json");
        let body = r#"{"results":[{"id":"9","new":true,"properties":{"sf":"two"}},
            {"id":8,"new":false,"properties":{"sf":"one"}}]}"#;
        let headers = [
            ("x-hubspot-ratelimit-max", "250"),
            ("x-hubspot-ratelimit-daily", "1000000"),
        ];
        (StatusCode::MULTI_STATUS, headers, body).into_response()
    };
    let (client, _) = client(answer, token()).await;
    let columns = UpsertColumns::new("sf", ["name"]);
    let mut body = UpsertBody::new(&columns, "t");
    body.push("one", [(0, Some("x"))]);
    body.push("two", [(0, None)]);
    let reply = client
        .upsert_records(Share::Bulk, &cars(), body.finish())
        .await
        .unwrap();
    let verdicts = settle(&["one", "two"], "t", &reply.records(&["sf"]).unwrap());
    let written = |id, new| ItemVerdict::Written {
        id: HubSpotId(id),
        new,
    };
    assert_eq!(verdicts, [written(8, false), written(9, true)]);
    assert_eq!(client.usage().burst_limit, Some(250));
    assert_eq!(client.usage().calls_of(Family::Write), 1);
}

#[tokio::test]
async fn trap_6_any_success_is_a_success_whatever_its_number() {
    let answer: Answerer = |_, call| {
        let status = [
            StatusCode::OK,
            StatusCode::CREATED,
            StatusCode::ACCEPTED,
            StatusCode::MULTI_STATUS,
        ][call];
        let body = r#"{"results":[{"fromObjectTypeId":"2-1","fromObjectId":1,"toObjectTypeId":"2-2","toObjectId":2}]}"#;
        (status, body).into_response()
    };
    let (client, calls) = client(answer, token()).await;
    let pair = crate::associations::Pair {
        from: HubSpotId(1),
        to: HubSpotId(2),
    };
    for _ in 0..4 {
        let answer = client
            .associate_plainly(Share::Links, &cars(), &cars(), &[pair])
            .await;
        assert_eq!(answer.unwrap().done, [pair]);
    }
    assert_eq!(calls.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn trap_22_a_search_by_several_values_sends_them_as_a_list() {
    let echo = Router::new().fallback(|body: String| async move {
        let filter =
            &serde_json::from_str::<serde_json::Value>(&body).unwrap()["filterGroups"][0]["filters"][0];
        assert_eq!(filter["operator"], "IN");
        assert_eq!(filter["values"], serde_json::json!(["a", "b"]));
        assert_eq!(filter.get("value"), None);
        (StatusCode::OK, r#"{"total":0,"results":[]}"#)
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, echo).await });
    let _already = rustls::crypto::ring::default_provider().install_default();
    let client = Client::new(Settings::new(url.parse().unwrap(), token())).unwrap();
    client
        .search_in(Share::Lookups, &cars(), "sf", &["a", "b"], &["sf"])
        .await
        .unwrap();
}

#[tokio::test]
async fn pages_of_html_and_empty_bodies_survive() {
    let answer: Answerer = |request, _| match request.uri().path() {
        "/crm/objects/2026-09/2-345/batch/archive" => StatusCode::NO_CONTENT.into_response(),
        "/crm/objects/2026-09/2-345/batch/read" => StatusCode::OK.into_response(),
        _ => (StatusCode::NOT_FOUND, "<html><body>Not found</body></html>").into_response(),
    };
    let (client, _) = client(answer, token()).await;
    client
        .archive_records(Share::Live, &cars(), &[HubSpotId(1)])
        .await
        .unwrap();
    let reply = client
        .read_records(Share::Live, &cars(), Some("sf"), &["a"], &["sf"])
        .await
        .unwrap();
    assert!(reply.records(&["sf"]).unwrap().results.is_empty());
    let error = client.schemas().await.unwrap_err();
    assert_eq!((error.verdict, error.status), (Verdict::NotFound, Some(404)));
}

#[tokio::test]
async fn a_write_without_an_answer_is_ambiguous_and_a_read_is_not() {
    let answer: Answerer = |_, _| StatusCode::BAD_GATEWAY.into_response();
    let (client, _) = client(answer, token()).await;
    let write = client
        .upsert_records(Share::Live, &cars(), Bytes::from_static(b"{}"))
        .await
        .unwrap_err();
    assert_eq!(write.verdict, Verdict::Ambiguous);
    let read = client.account().await.unwrap_err();
    assert_eq!(read.verdict, Verdict::Transient);
}

#[tokio::test]
async fn nobody_listening_means_nothing_was_written() {
    let _already = rustls::crypto::ring::default_provider().install_default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    drop(listener);
    let client = Client::new(Settings::new(url, token())).unwrap();
    let error = client
        .upsert_records(Share::Live, &cars(), Bytes::from_static(b"{}"))
        .await
        .unwrap_err();
    assert_eq!(error.verdict, Verdict::Transient);
    assert!(
        !format!("{error:?} {client:?}").contains("pat-na1-secret"),
        "a secret was shown"
    );
}

#[tokio::test]
async fn a_refusal_is_counted_and_names_the_call() {
    let answer: Answerer = |_, _| {
        let body = r#"{"message":"You have reached your secondly limit.","category":"RATE_LIMITS"}"#;
        (
            StatusCode::TOO_MANY_REQUESTS,
            [("x-hubspot-correlation-id", "c-1")],
            body,
        )
            .into_response()
    };
    let (client, _) = client(answer, token()).await;
    let error = client
        .search_in(Share::Lookups, &cars(), "sf", &["A"], &["sf"])
        .await
        .unwrap_err();
    let (policy, wait) = (crate::verdict::LimitPolicy::Secondly, Duration::from_secs(1));
    assert_eq!(error.verdict, Verdict::RateLimited { policy, wait });
    assert_eq!(error.correlation_id.as_deref(), Some("c-1"));
    assert_eq!(&*error.call, "POST /crm/objects/2026-09/2-345/search");
    assert_eq!(client.usage().total_refused(), 1);
}

#[tokio::test]
async fn a_stale_token_is_refreshed_once() {
    let answer: Answerer = |request, _| match request.uri().path() {
        "/oauth/2026-09/token" => {
            let body = r#"{"access_token":"fresh","refresh_token":"next","expires_in":1800}"#;
            (StatusCode::OK, body).into_response()
        }
        _ => StatusCode::UNAUTHORIZED.into_response(),
    };
    let credentials = Credentials::OAuth {
        client_id: "id".into(),
        client_secret: Secret::new("s"),
        refresh_token: Secret::new("first"),
    };
    let (client, calls) = client(answer, credentials).await;
    let error = client.account().await.unwrap_err();
    assert_eq!(error.verdict, Verdict::Auth);
    assert_eq!(calls.load(Ordering::SeqCst), 4, "token, call, token, call");
    assert_eq!(client.refresh_token().await, Some(Secret::new("next")));
}

#[derive(Debug, Default)]
struct Shelf {
    kept: std::sync::Mutex<Vec<String>>,
    failures: AtomicUsize,
}

impl TokenKeeper for Shelf {
    fn keep(&self, token: Secret) -> crate::token::Keeping<'_> {
        Box::pin(async move {
            let failures = self.failures.load(Ordering::SeqCst);
            if failures > 0 {
                self.failures.store(failures - 1, Ordering::SeqCst);
                return Err("the store does not answer".to_owned());
            }
            self.kept.lock().unwrap().push(token.expose().to_owned());
            Ok(())
        })
    }
}

#[tokio::test]
async fn a_code_becomes_a_refresh_token_that_is_kept_before_it_is_used() {
    let answer: Answerer = |request, _| match request.uri().path() {
        "/oauth/2026-09/token" => {
            let body = r#"{"access_token":"fresh","refresh_token":"first","expires_in":1800}"#;
            (StatusCode::OK, body).into_response()
        }
        _ => {
            assert_eq!(request.headers()["authorization"], "Bearer fresh");
            (StatusCode::OK, r#"{"results":[]}"#).into_response()
        }
    };
    let credentials = Credentials::AuthorizationCode {
        client_id: "id".into(),
        client_secret: Secret::new("s"),
        code: Secret::new("c0de"),
        redirect_uri: "https://landbridge.example/back".into(),
    };
    let shelf = Arc::new(Shelf::default());
    shelf.failures.store(1, Ordering::SeqCst);
    let (client, calls) = client_with(answer, credentials, Some(shelf.clone())).await;
    let error = client.schemas().await.unwrap_err();
    assert_eq!(error.verdict, Verdict::Transient, "what is not kept is not used");
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert_eq!(
        client.refresh_token().await,
        Some(Secret::new("first")),
        "but not lost"
    );
    client.schemas().await.unwrap();
    assert_eq!(*shelf.kept.lock().unwrap(), ["first"]);
}

#[tokio::test]
async fn trap_7_associations_are_read_page_by_page() {
    let answer: Answerer = |_, call| {
        let body = match call {
            0 => {
                r#"{"results":[
                {"from":{"id":"1"},"to":[{"toObjectId":5,"associationTypes":[{"category":"USER_DEFINED","typeId":7,"label":null}]}],
                 "paging":{"next":{"after":"5"}}},
                {"from":{"id":"2"},"to":[{"toObjectId":"6","associationTypes":[]}]}]}"#
            }
            _ => r#"{"results":[{"from":{"id":"1"},"to":[{"toObjectId":9,"associationTypes":[]}]}]}"#,
        };
        body.into_response()
    };
    let (client, calls) = client(answer, token()).await;
    let ids = [HubSpotId(1), HubSpotId(2), HubSpotId(3)];
    let to = ObjectTypeId::new("0-2");
    let found = client
        .read_associations(Share::Check, &cars(), &to, &ids)
        .await
        .unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    let ends: Vec<Vec<u64>> = found
        .values()
        .map(|others| others.iter().map(|other| other.to.0).collect())
        .collect();
    assert_eq!(ends, [vec![5, 9], vec![6]]);
    assert_eq!(found[&HubSpotId(1)][0].types[0].kind.type_id, 7);
}
