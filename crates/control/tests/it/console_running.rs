//! The console's pages of what runs: imports, sync health, refused records, records.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use futures::StreamExt as _;
use landbridge_control::console_routes;
use landbridge_control::service::{Grant, Role};
use landbridge_model::{
    Failure, FailureCategory, HubSpotId, Outcome, RecordOutcome, RunId, Source, StageKind,
};
use landbridge_wire::{FailedRecord, ReportBody, RunPhase, RunProgress, VersionedId};
use serde_json::json;
use tower::ServiceExt as _;

use crate::api::{Api, Proof};
use crate::rig::{VEHICLES, id, soon, tenant, version};

const PASSWORD: &str = "correct horse battery";

/// Somebody who is signed in, with a browser.
struct Browser {
    router: Router,
    cookie: String,
    csrf: String,
}

/// What a browser gets.
#[derive(Debug)]
struct Got {
    status: StatusCode,
    location: String,
    notice: String,
    html: String,
}

impl Got {
    #[track_caller]
    fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.html);
        self
    }

    #[track_caller]
    fn shows(&self, texts: &[&str]) {
        for text in texts {
            assert!(self.html.contains(text), "{text:?} is not shown: {}", self.html);
        }
    }

    #[track_caller]
    fn hides(&self, text: &str) {
        assert!(!self.html.contains(text), "{text:?} is shown: {}", self.html);
    }
}

impl Browser {
    async fn of(api: &Api, name: &str, grant: Grant) -> Self {
        api.add_user(name, PASSWORD, vec![grant]).await;
        let body = json!({"user": name, "password": PASSWORD});
        let signed_in = api
            .post("/api/v1/sessions", &Proof::Nothing, &body)
            .await
            .expect(201);
        Self {
            router: console_routes::router(api.service.clone()),
            cookie: signed_in
                .header("set-cookie")
                .split(';')
                .next()
                .unwrap()
                .to_owned(),
            csrf: signed_in.json()["csrf_token"].as_str().unwrap().to_owned(),
        }
    }

    async fn operator(api: &Api) -> Self {
        Self::of(api, "olga", Grant::of(Role::Operator, tenant())).await
    }

    async fn send(&self, request: Request<Body>) -> Got {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let text = |name| {
            let value = parts.headers.get(name).map(|value| value.to_str().unwrap());
            value.unwrap_or_default().to_owned()
        };
        let (location, notice) = (text(header::LOCATION), text(header::SET_COOKIE));
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        Got {
            status: parts.status,
            location,
            notice: percent_encoding::percent_decode_str(&notice)
                .decode_utf8_lossy()
                .into_owned(),
            html: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    async fn get(&self, path: &str) -> Got {
        let request = Request::get(path).header(header::COOKIE, &self.cookie);
        self.send(request.body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Got {
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        body.append_pair("csrf", &self.csrf);
        body.extend_pairs(fields);
        let request = Request::post(path)
            .header(header::COOKIE, &self.cookie)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(body.finish())).unwrap()).await
    }

    /// The parts that one stream of events replaces, until it ends or `enough` is among them.
    async fn live(&self, path: &str, enough: &str) -> String {
        let request = Request::get(path).header(header::COOKIE, &self.cookie);
        let response = self
            .router
            .clone()
            .oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        let mut stream = response.into_body().into_data_stream();
        let mut text = String::new();
        soon(enough, async {
            while !text.contains(enough) {
                let Some(bytes) = stream.next().await else { break };
                text.push_str(std::str::from_utf8(&bytes.unwrap()).unwrap());
            }
        })
        .await;
        text
    }
}

async fn settle(api: &Api, run: &RunId, number: u32, outcome: Outcome) {
    let told = VersionedId {
        id: id(number),
        version: version(1),
    };
    let read = ReportBody::Extracted(vec![told]);
    api.rig
        .report(StageKind::Extractor, Source::Import, Some(run), read)
        .await;
    let record = RecordOutcome {
        id: id(number),
        version: version(1),
        outcome,
        hubspot_id: Some(HubSpotId(9_000 + u64::from(number))),
        failure: None,
    };
    let body = ReportBody::Records(vec![record]);
    api.rig
        .report(StageKind::Loader, Source::Import, Some(run), body)
        .await;
}

async fn progress(api: &Api, run: &RunId, phase: RunPhase) {
    let progress = RunProgress {
        phase,
        salesforce_total: Some(2),
        rows: 2,
        reason: None,
    };
    let body = ReportBody::Progress(progress);
    api.rig
        .report(StageKind::Extractor, Source::Import, Some(run), body)
        .await;
}

async fn refuse(api: &Api, number: u32, run: Option<&RunId>) {
    let failure = Failure::new(FailureCategory::PicklistOption, "there is no such option")
        .property("fuel")
        .value("<b>Steam</b>");
    let failed = FailedRecord {
        envelope: api.rig.envelope(Source::Import, run),
        id: id(number),
        version: version(1),
        stage: StageKind::Mapper,
        failure,
        at_ms: i64::from(number),
        attempts: 2,
        link_field: None,
        write: None,
        retry: false,
    };
    api.rig.hub.remember_failure(&failed).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_is_started_watched_paused_and_gone_on_with() {
    let api = Api::new().await;
    api.rig.apply(VEHICLES).await;
    let browser = Browser::operator(&api).await;
    browser
        .get("/tenants/acme/imports")
        .await
        .expect(200)
        .shows(&["Nothing has been imported"]);
    let form = browser.get("/tenants/acme/imports/new").await.expect(200);
    form.shows(&["Vehicle__c", ">40<", "filtered", "Choose an object to see"]);
    let reckoned = browser
        .post(
            "/tenants/acme/imports/new",
            &[("sync", "vehicles"), ("action", "check")],
        )
        .await
        .expect(200);
    reckoned.shows(&["Records in total"]);
    let nothing = browser
        .post("/tenants/acme/imports/new", &[("action", "start")])
        .await
        .expect(422);
    nothing.shows(&["No object is chosen"]);

    let started = browser
        .post(
            "/tenants/acme/imports/new",
            &[("sync", "vehicles"), ("action", "start")],
        )
        .await
        .expect(303);
    assert!(
        started.location.starts_with("/tenants/acme/imports/imp-"),
        "{started:?}"
    );
    let page = browser.get(&started.location).await.expect(200);
    page.shows(&["Queued", "Pause", "user:olga", "/events"]);
    let run = RunId::new(started.location.rsplit('/').next().unwrap()).unwrap();
    let running = browser.get("/tenants/acme/imports/new").await.expect(200);
    running.shows(&["of it has not ended yet"]);

    progress(&api, &run, RunPhase::Reading).await;
    settle(&api, &run, 1, Outcome::Created).await;
    let events = format!("{}/events", started.location);
    let told = browser.live(&events, "import-progress").await;
    assert!(told.contains("Running") && told.contains("1 of 2"), "{told}");
    let table = browser
        .live("/tenants/acme/imports/events", &format!("import-{run}"))
        .await;
    assert!(table.contains("<tr"), "{table}");

    let pause = format!("{}/pause", started.location);
    browser.post(&pause, &[]).await.expect(303);
    browser.get(&started.location).await.shows(&["Paused", "Resume"]);
    browser
        .post(&format!("{}/resume", started.location), &[])
        .await
        .expect(303);
    browser
        .post(&format!("{}/cancel", started.location), &[])
        .await
        .expect(303);
    browser
        .get(&started.location)
        .await
        .shows(&["Canceled", "Resume where it was"]);
    let next = browser
        .post(&format!("{}/resume", started.location), &[])
        .await
        .expect(303);
    assert_ne!(next.location, started.location);
    browser
        .get(&next.location)
        .await
        .shows(&["Goes on where", run.as_str()]);
    let old = browser.get(&started.location).await;
    old.shows(&["goes on where it was"]);
    old.hides("Resume where it was");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_end_with_their_import_and_are_not_asked_for_again() {
    let api = Api::new().await;
    api.rig.apply(VEHICLES).await;
    let browser = Browser::operator(&api).await;
    let started = browser
        .post(
            "/tenants/acme/imports/new",
            &[("sync", "vehicles"), ("action", "start")],
        )
        .await
        .expect(303);
    let run = RunId::new(started.location.rsplit('/').next().unwrap()).unwrap();
    settle(&api, &run, 1, Outcome::Created).await;
    settle(&api, &run, 2, Outcome::Updated).await;
    progress(&api, &run, RunPhase::Ended).await;
    let events = format!("{}/events", started.location);
    // The stream ends by itself: what is waited for never comes.
    let told = browser.live(&events, "never comes").await;
    assert!(told.contains("Completed") && told.contains("id: over"), "{told}");
    let again = Request::get(&events)
        .header(header::COOKIE, &browser.cookie)
        .header("last-event-id", "over");
    browser.send(again.body(Body::empty()).unwrap()).await.expect(204);
    browser.get(&started.location).await.hides("/events");
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_records_are_shown_downloaded_retried_and_dismissed() {
    let api = Api::new().await;
    api.rig.apply(VEHICLES).await;
    let browser = Browser::operator(&api).await;
    let started = browser
        .post(
            "/tenants/acme/imports/new",
            &[("sync", "vehicles"), ("action", "start")],
        )
        .await
        .expect(303);
    let run = RunId::new(started.location.rsplit('/').next().unwrap()).unwrap();
    refuse(&api, 1, Some(&run)).await;
    refuse(&api, 2, None).await;
    let file = browser
        .get(&format!("{}/errors.csv", started.location))
        .await
        .expect(200);
    assert!(
        file.html.contains(id(1).as_str()) && !file.html.contains(id(2).as_str()),
        "{file:?}"
    );

    let failures = "/tenants/acme/failures";
    let list = browser.get(failures).await.expect(200);
    list.shows(&[id(1).as_str(), id(2).as_str(), "No such option", "Steam"]);
    list.hides("<b>Steam");
    let one = format!("{failures}?q={}&category=picklist-option", id(1));
    browser.get(&one).await.hides(&format!("{}<", id(2)));
    browser
        .get(&format!("{failures}?q=nonsense"))
        .await
        .shows(&["No refused record matches"]);

    let path = format!("{failures}/vehicles/{}", id(1));
    browser.get(&path).await.expect(200).shows(&[
        "Steam",
        "there is no such option",
        "is among the failures after 2 attempts",
    ]);
    let retried = browser.post(&format!("{path}/retry"), &[]).await.expect(303);
    assert!(retried.notice.contains("1 record is read again"), "{retried:?}");
    let all = browser
        .post(&format!("{failures}/retry"), &[("category", "picklist-option")])
        .await;
    assert!(all.expect(303).notice.contains("2 records are read again"));
    let typo = browser
        .post(&format!("{failures}/retry"), &[("category", "weather")])
        .await;
    assert!(typo.expect(303).notice.contains("nothing was tried again"));
    browser.post(&format!("{path}/dismiss"), &[]).await.expect(303);
    browser
        .get(&path)
        .await
        .expect(200)
        .shows(&["is not refused any more"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn health_tells_what_waits_and_takes_decisions() {
    let api = Api::new().await;
    api.rig.apply(VEHICLES).await;
    let browser = Browser::operator(&api).await;
    let path = "/tenants/acme/health";
    browser
        .get(path)
        .await
        .expect(200)
        .shows(&["Nothing has happened yet"]);
    refuse(&api, 1, None).await;
    api.rig.hub.hold(&api.rig.held(5, None)).await.unwrap();
    api.rig.hub.park(&[api.rig.parked(6, 7)]).await.unwrap();
    settle(&api, &RunId::new("imp-0").unwrap(), 3, Outcome::Created).await;
    let page = browser.get(path).await.expect(200);
    page.shows(&[
        "1 delete of vehicles waits for your word",
        "10 % of the records in one hour",
        "No such option",
        "Tows__c",
        id(7).as_str(),
        "14\u{202f}250",
        "1 created",
        "/tenants/acme/health/events",
    ]);
    let told = browser
        .live("/tenants/acme/health/events", "health-figures")
        .await;
    assert!(told.contains("records refused"), "{told}");

    let discarded = browser
        .post(&format!("{path}/held/discard"), &[("sync", "vehicles")])
        .await;
    assert!(discarded.expect(303).notice.contains("HubSpot keeps the records"));
    assert_eq!(api.rig.world.lock().unwrap().decided.len(), 1);
    let nameless = browser.post(&format!("{path}/held/approve"), &[]).await;
    assert!(nameless.expect(303).notice.contains("nothing was decided"));
    for wrong in ["many", "0", "-1"] {
        let again = browser
            .post(&format!("{path}/allocation"), &[("dailyCalls", wrong)])
            .await;
        again.expect(422).shows(&["a whole number from 1"]);
    }
    let page = browser.get(path).await.expect(200);
    let (_, etag) = page.html.split_once("name=\"etag\" value=\"").unwrap();
    let etag = etag.split('"').next().unwrap();
    let fields = [("dailyCalls", "1000"), ("etag", etag)];
    browser
        .post(&format!("{path}/allocation"), &fields)
        .await
        .expect(303);
    browser.get(path).await.shows(&["value=\"1000\""]);
    let late = [("dailyCalls", "5"), ("etag", etag)];
    let late = browser
        .post(&format!("{path}/allocation"), &late)
        .await
        .expect(303);
    assert!(!late.notice.contains("is changed"), "{}", late.notice);
    browser.get(path).await.shows(&["value=\"1000\""]);

    let admin = Browser::of(&api, "adam", Grant::everywhere(Role::Admin)).await;
    let all = admin.get("/health").await.expect(200);
    all.shows(&["acme", "globex", "the mapper cannot be asked"]);
    browser.get("/health").await.expect(200).hides("globex");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_found_by_either_id_or_its_address() {
    let api = Api::new().await;
    api.rig.apply(VEHICLES).await;
    let browser = Browser::operator(&api).await;
    settle(&api, &RunId::new("imp-0").unwrap(), 3, Outcome::Created).await;
    let find = "/tenants/acme/records";
    browser.get(find).await.expect(200).shows(&["Which record?"]);
    for query in [
        id(3).to_string(),
        "9003".to_owned(),
        format!("https%3A%2F%2Facme.my.salesforce.com%2F{}", id(3)),
    ] {
        let page = browser.get(&format!("{find}?q={query}")).await.expect(200);
        page.shows(&[id(3).as_str(), "In HubSpot", "9003", "Created in HubSpot"]);
    }
    browser
        .get(&format!("{find}?q={}", id(8)))
        .await
        .expect(200)
        .shows(&["Never seen"]);
    browser
        .get(&format!("{find}?q=vehicles"))
        .await
        .expect(200)
        .shows(&["this is no Salesforce id"]);
    browser
        .post(&format!("{find}/{}/read-again", id(3)), &[])
        .await
        .expect(303);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_looks_at_what_runs() {
    let api = Api::new().await;
    api.rig.apply(VEHICLES).await;
    refuse(&api, 1, None).await;
    let viewer = Browser::of(&api, "vera", Grant::of(Role::Viewer, tenant())).await;
    let failure = format!("failures/vehicles/{}", id(1));
    for part in ["imports", "health", "failures", &failure, "records"] {
        viewer.get(&format!("/tenants/acme/{part}")).await.expect(200);
    }
    viewer.get("/tenants/acme/imports/new").await.expect(403);
}
