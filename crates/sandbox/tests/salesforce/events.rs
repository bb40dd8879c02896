//! Change events over gRPC, decoded by another implementation of Avro than the one that wrote them.

use crate::{
    state::{kept, killed},
    support::{Org, VERSION, config},
};
use apache_avro::{Schema, reader::datum::GenericDatumReader};
use landbridge_sandbox::salesforce::pubsub::proto::{
    ConsumerEvent, FetchRequest, FetchResponse, ReplayPreset, SchemaRequest, TopicRequest,
    pub_sub_client::PubSubClient,
};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Status, Streaming, transport::Channel};

const TOPIC: &str = "/data/Depot__ChangeEvent";
const ALL: &str = "/data/ChangeEvents";

/// A subscriber with the headers of an org's session.
struct Subscriber<'o> {
    org: &'o Org,
    client: PubSubClient<Channel>,
}

/// One stream and the way to ask it for more.
struct Stream {
    asks: mpsc::Sender<FetchRequest>,
    answers: Streaming<FetchResponse>,
}

fn ask(topic: &str, preset: ReplayPreset, replay_id: &[u8], count: i32) -> FetchRequest {
    FetchRequest {
        topic_name: topic.to_owned(),
        replay_preset: preset.into(),
        replay_id: replay_id.to_vec(),
        num_requested: count,
        auth_refresh: String::new(),
    }
}

fn error_code(status: &Status) -> &str {
    let code = status
        .metadata()
        .get("error-code")
        .and_then(|code| code.to_str().ok());
    code.and_then(|code| code.strip_prefix("sfdc.platform.eventbus.grpc."))
        .unwrap_or_default()
}

impl<'o> Subscriber<'o> {
    async fn connect(org: &'o Org) -> Subscriber<'o> {
        let url = org
            .sandbox
            .announcement()
            .salesforce
            .pubsub
            .clone()
            .expect("an endpoint");
        let channel = Channel::from_shared(url)
            .expect("a URL")
            .connect()
            .await
            .expect("a connection");
        Subscriber {
            org,
            client: PubSubClient::new(channel),
        }
    }

    fn request<T>(&self, body: T) -> Request<T> {
        let mut request = Request::new(body);
        let org_id = self
            .org
            .token
            .split('!')
            .next()
            .expect("the token begins with the org's id");
        let headers = [
            ("accesstoken", self.org.token.clone()),
            ("instanceurl", self.org.base.clone()),
            ("tenantid", format!("{org_id}{}", check(org_id))),
        ];
        for (name, value) in headers {
            request.metadata_mut().insert(name, value.parse().expect("ASCII"));
        }
        request
    }

    async fn try_subscribe(&self, first: FetchRequest) -> Result<Stream, Status> {
        let (asks, stream) = mpsc::channel(8);
        asks.send(first).await.expect("room");
        let mut client = self.client.clone();
        let answers = client
            .subscribe(self.request(ReceiverStream::new(stream)))
            .await?
            .into_inner();
        Ok(Stream { asks, answers })
    }

    async fn subscribe(&self, first: FetchRequest) -> Stream {
        self.try_subscribe(first).await.expect("a stream")
    }

    /// An event's content, with its replay id.
    async fn read(&self, event: &ConsumerEvent) -> Value {
        let event = event.event.as_ref().expect("an event");
        let request = SchemaRequest {
            schema_id: event.schema_id.clone(),
        };
        let info = self
            .client
            .clone()
            .get_schema(self.request(request))
            .await
            .expect("a schema")
            .into_inner();
        let schema = Schema::parse_str(&info.schema_json).expect("an Avro schema");
        let reader = GenericDatumReader::builder(&schema).build().expect("a reader");
        let mut bytes = event.payload.as_slice();
        let value = reader.read_value(&mut bytes).expect("a datum of this schema");
        assert!(bytes.is_empty(), "nothing is left over");
        Value::try_from(value).expect("JSON")
    }
}

/// The last three characters of an id.
fn check(short: &str) -> String {
    let id = landbridge_sandbox::salesforce::ids::RecordId::parse(short).expect("an id");
    id.to_string()[15..].to_owned()
}

impl Stream {
    async fn next(&mut self) -> Result<FetchResponse, Status> {
        let answer = tokio::time::timeout(Duration::from_secs(60), self.answers.message()).await;
        answer
            .expect("an answer in time")?
            .ok_or_else(|| Status::ok("the stream ended"))
    }

    /// So many events, in as many answers as they take.
    async fn events(&mut self, count: usize) -> Vec<ConsumerEvent> {
        let mut events = Vec::new();
        while events.len() < count {
            events.extend(self.next().await.expect("events").events);
        }
        assert_eq!(events.len(), count);
        events
    }
}

/// The names of the fields that bitmaps name, in a schema.
async fn named(org: &Org, bitmaps: &Value) -> Vec<String> {
    let (_, schema) = org
        .get("sobjects/Depot__ChangeEvent/eventSchema?payloadFormat=COMPACT")
        .await;
    let fields = schema["fields"].as_array().expect("fields");
    let mut names = Vec::new();
    for bitmap in bitmaps
        .as_array()
        .expect("bitmaps")
        .iter()
        .filter_map(Value::as_str)
    {
        let (parent, bits) = bitmap.split_once("-0x").unwrap_or(("", &bitmap[2..]));
        let bits = u128::from_str_radix(bits, 16).expect("hexadecimal");
        for bit in (0..128).filter(|bit| bits >> bit & 1 == 1) {
            names.push(match parent.parse::<usize>() {
                Ok(parent) => format!("{}.{bit}", fields[parent]["name"].as_str().expect("a name")),
                Err(_) => fields[bit]["name"].as_str().expect("a name").to_owned(),
            });
        }
    }
    names
}

#[tokio::test]
async fn every_change_of_a_record_is_told() {
    let org = Org::start(config()).await;
    let subscriber = Subscriber::connect(&org).await;
    let mut stream = subscriber
        .subscribe(ask(TOPIC, ReplayPreset::Latest, &[], 100))
        .await;
    // A first sign shows that the subscription stands before anything changes.
    org.send(
        org.request(Method::PATCH, "/__sandbox/pubsub")
            .json(&json!({"keep_alive_ms": 20})),
    )
    .await;
    let sign = ready(&org, &subscriber, &mut stream).await;
    assert_eq!(sign.len(), 10);

    let create = org
        .request(Method::POST, "sobjects/Depot__c")
        .header("Sforce-Call-Options", "client=acme");
    let (_, made) = org
        .send(create.json(&json!({"Name": "told", "Code__c": "EV-1", "Capacity__c": 3})))
        .await;
    let id = made["id"].as_str().expect("an id").to_owned();
    let path = format!("sobjects/Depot__c/{id}");
    org.patch(&path, json!({"Capacity__c": null, "Name": "renamed"}))
        .await;
    org.delete(&path).await;
    org.post("/__sandbox/undelete", json!({"ids": [id]})).await;

    let events = stream.events(4).await;
    let mut told = Vec::new();
    for event in &events {
        told.push(subscriber.read(event).await);
    }
    let headers: Vec<&Value> = told.iter().map(|event| &event["ChangeEventHeader"]).collect();
    let kinds: Vec<&str> = headers
        .iter()
        .filter_map(|header| header["changeType"].as_str())
        .collect();
    assert_eq!(kinds, ["CREATE", "UPDATE", "DELETE", "UNDELETE"]);
    assert!(
        headers
            .iter()
            .all(|header| header["recordIds"] == json!([id]) && header["entityName"] == "Depot__c")
    );
    assert_eq!(
        headers[0]["changeOrigin"],
        format!("com/salesforce/api/rest/{};client=acme", &VERSION[1..])
    );
    assert_eq!(
        (&told[0]["Name"], &told[0]["Capacity__c"]),
        (&json!("told"), &json!(3.0))
    );
    assert!(told[0]["CreatedDate"].as_i64().is_some_and(|ms| ms % 1000 == 0));
    assert_eq!(
        (&told[1]["Name"], &told[1]["Code__c"]),
        (&json!("renamed"), &Value::Null),
        "what is unchanged is null"
    );
    let mut changed = named(&org, &headers[1]["changedFields"]).await;
    changed.sort();
    assert!(
        changed.starts_with(&[
            "Capacity__c".to_owned(),
            "LastModifiedDate".to_owned(),
            "Name".to_owned()
        ]),
        "{changed:?}"
    );
    assert!(
        named(&org, &headers[1]["nulledFields"])
            .await
            .contains(&"Capacity__c".to_owned())
    );
    assert_eq!(
        (&told[2]["Name"], &told[3]["Name"]),
        (&Value::Null, &json!("renamed"))
    );
    let keys: std::collections::BTreeSet<&str> = headers
        .iter()
        .filter_map(|header| header["transactionKey"].as_str())
        .collect();
    assert_eq!(keys.len(), 4, "each call is a transaction");
    let places: Vec<&Vec<u8>> = events.iter().map(|event| &event.replay_id).collect();
    assert!(places.is_sorted() && places.iter().all(|place| place.len() == 10));
}

/// Waits until a stream shows a sign of life; gives the place in it.
async fn ready(_org: &Org, _subscriber: &Subscriber<'_>, stream: &mut Stream) -> Vec<u8> {
    let sign = stream.asks.send(ask("", ReplayPreset::Latest, &[], 1)).await;
    assert!(sign.is_ok());
    let answer = stream.next().await.expect("a sign");
    assert!(answer.events.is_empty(), "nothing has changed yet");
    answer.latest_replay_id
}

#[tokio::test]
async fn credit_is_kept_and_places_are_returned_to() {
    let org = Org::start(config()).await;
    let subscriber = Subscriber::connect(&org).await;
    let rows: Vec<Value> = (0..150)
        .map(|n| json!({"attributes": {"type": "Depot__c"}, "Name": format!("many {n}")}))
        .collect();
    org.post("composite/sobjects", json!({ "records": rows })).await;
    let mut stream = subscriber
        .subscribe(ask(TOPIC, ReplayPreset::Earliest, &[], 1_000))
        .await;
    let first = stream.next().await.expect("events");
    assert_eq!(
        (first.events.len(), first.pending_num_requested),
        (100, 0),
        "no more than a hundred are owed"
    );
    stream
        .asks
        .send(ask(TOPIC, ReplayPreset::Latest, &[], 20))
        .await
        .expect("room");
    assert_eq!(stream.next().await.expect("events").events.len(), 20);
    let place = first.events[149 - 50].replay_id.clone();
    let mut again = subscriber
        .subscribe(ask(TOPIC, ReplayPreset::Custom, &place, 100))
        .await;
    let rest = again.events(50).await;
    let last = subscriber.read(&rest[49]).await;
    assert_eq!(
        (&last["Name"], &last["ChangeEventHeader"]["sequenceNumber"]),
        (&json!("many 149"), &json!(150))
    );

    let refused = async |stream: &mut Stream, request: FetchRequest| {
        stream.asks.send(request).await.expect("room");
        let mut answer = stream.next().await;
        while answer.is_ok() {
            answer = stream.next().await;
        }
        answer.expect_err("a refusal")
    };
    let status = refused(&mut again, ask(ALL, ReplayPreset::Latest, &[], 1)).await;
    assert_eq!(
        (status.code(), error_code(&status)),
        (Code::InvalidArgument, "subscription.fetch.topic.mismatch")
    );
    let status = refused(&mut stream, ask(TOPIC, ReplayPreset::Latest, &[], 0)).await;
    assert_eq!(error_code(&status), "subscription.fetch.requested.events.invalid");
}

#[tokio::test]
async fn places_are_lost_by_time_by_nonsense_and_by_a_move() {
    let mut org = Org::start(config()).await;
    org.create("Depot__c", json!({"Name": "old"})).await;
    let (place, lost) = {
        let subscriber = Subscriber::connect(&org).await;
        let mut stream = subscriber
            .subscribe(ask(TOPIC, ReplayPreset::Earliest, &[], 1))
            .await;
        let place = stream.events(1).await[0].replay_id.clone();
        let mut lost = Vec::new();
        for (wrong, code) in [
            (&b"nonsense!!"[..], "subscription.fetch.replayid.corrupted"),
            (&b"x"[..], "subscription.fetch.replayid.corrupted"),
            (&b""[..], "subscription.fetch.replayid.validation.failed"),
        ] {
            let mut stream = subscriber
                .subscribe(ask(TOPIC, ReplayPreset::Custom, wrong, 1))
                .await;
            let status = stream.next().await.expect_err("a refusal");
            assert_eq!(
                (status.code(), error_code(&status)),
                (Code::InvalidArgument, code)
            );
            lost.push(status);
        }
        (place, lost)
    };
    assert_eq!(lost.len(), 3);
    let is_lost = async |org: &Org, place: &[u8]| {
        let subscriber = Subscriber::connect(org).await;
        let mut stream = subscriber
            .subscribe(ask(TOPIC, ReplayPreset::Custom, place, 1))
            .await;
        org.create("Depot__c", json!({"Name": "new"})).await;
        matches!(stream.next().await, Err(status) if error_code(&status) == "subscription.fetch.replayid.corrupted")
    };
    assert!(!is_lost(&org, &place).await);
    // Three days and an hour.
    org.post("/__sandbox/advance", json!({"ms": 73 * 3_600_000}))
        .await;
    org.login().await;
    assert!(is_lost(&org, &place).await);
    let fresh = {
        let subscriber = Subscriber::connect(&org).await;
        let mut stream = subscriber
            .subscribe(ask(TOPIC, ReplayPreset::Earliest, &[], 1))
            .await;
        stream.events(1).await[0].replay_id.clone()
    };
    assert!(!is_lost(&org, &fresh).await);
    org.post("/__sandbox/pubsub/void", json!({})).await;
    assert!(is_lost(&org, &fresh).await);
}

#[tokio::test]
async fn a_cascade_is_one_event_an_overflow_none_and_gaps_say_little() {
    let org = Org::start(config()).await;
    let subscriber = Subscriber::connect(&org).await;
    let parents = org
        .records("SELECT Vehicle__c FROM Service_Visit__c WHERE Vehicle__c != null LIMIT 1")
        .await;
    let vehicle = parents[0]["Vehicle__c"].as_str().expect("an id").to_owned();
    let (_, children) = org
        .query(&format!(
            "SELECT COUNT() FROM Service_Visit__c WHERE Vehicle__c = '{vehicle}'"
        ))
        .await;
    org.delete(&format!("sobjects/Vehicle__c/{vehicle}")).await;
    let mut stream = subscriber
        .subscribe(ask(
            "/data/Service_Visit__ChangeEvent",
            ReplayPreset::Earliest,
            &[],
            1,
        ))
        .await;
    let event = subscriber.read(&stream.events(1).await[0]).await;
    let header = &event["ChangeEventHeader"];
    assert_eq!(header["changeType"], "DELETE");
    assert_eq!(
        json!(header["recordIds"].as_array().map(Vec::len)),
        children["totalSize"]
    );

    let turn = async |habits: Value| {
        org.send(org.request(Method::PATCH, "/__sandbox/pubsub").json(&habits))
            .await
            .0
    };
    let rows = |count: usize| {
        let rows: Vec<Value> = (0..count)
            .map(|n| json!({"attributes": {"type": "Depot__c"}, "Name": format!("row {n}")}))
            .collect();
        json!({ "records": rows })
    };
    assert_eq!(turn(json!({"overflow_after": 3})).await, 204);
    org.post("composite/sobjects", rows(5)).await;
    let mut stream = subscriber
        .subscribe(ask(TOPIC, ReplayPreset::Earliest, &[], 100))
        .await;
    let events = stream.events(4).await;
    let overflow = subscriber.read(&events[3]).await;
    assert_eq!(overflow["ChangeEventHeader"]["changeType"], "GAP_OVERFLOW");
    assert_eq!(
        overflow["ChangeEventHeader"]["recordIds"],
        json!(["000000000000000AAA"])
    );
    assert_eq!(
        turn(json!({"overflow_after": 100_000, "gap_one_in": 1})).await,
        204
    );
    let id = org.create("Depot__c", json!({"Name": "gap"})).await;
    let gap = subscriber.read(&stream.events(1).await[0]).await;
    assert_eq!(
        (
            &gap["ChangeEventHeader"]["changeType"],
            &gap["ChangeEventHeader"]["recordIds"]
        ),
        (&json!("GAP_CREATE"), &json!([id]))
    );
    assert_eq!(
        (&gap["Name"], &gap["ChangeEventHeader"]["changeOrigin"]),
        (&Value::Null, &json!(""))
    );
    assert_eq!(turn(json!({"gap_one_in": 0, "drop_one_in": 1})).await, 204);
    org.create("Depot__c", json!({"Name": "never told"})).await;
    assert_eq!(turn(json!({"drop_one_in": 0})).await, 204);
    org.create("Depot__c", json!({"Name": "told"})).await;
    assert_eq!(subscriber.read(&stream.events(1).await[0]).await["Name"], "told");
    let (_, told) = org.get("/__sandbox/pubsub").await;
    assert_eq!(
        (
            &told["counts"]["gaps"],
            &told["counts"]["dropped"],
            &told["counts"]["overflows"]
        ),
        (&json!(1), &json!(1), &json!(1))
    );
    assert_eq!(turn(json!({"entities": ["Account", "Contact", "Depot__c", "Vehicle__c", "Inspection__c", "Service_Visit__c"]})).await, 400);

    assert_eq!(turn(json!({"daily_deliveries": 7})).await, 204);
    let mut stream = subscriber
        .subscribe(ask(TOPIC, ReplayPreset::Earliest, &[], 100))
        .await;
    let status = stream.next().await.expect_err("no more deliveries today");
    assert_eq!(
        (status.code(), error_code(&status)),
        (Code::ResourceExhausted, "subscription.limit.exceeded")
    );
}

#[tokio::test]
async fn sessions_topics_schemas_and_ends() {
    let org = Org::start(config()).await;
    let subscriber = Subscriber::connect(&org).await;
    let topic = |name: &str| {
        let request = subscriber.request(TopicRequest {
            topic_name: name.to_owned(),
        });
        let mut client = subscriber.client.clone();
        async move { client.get_topic(request).await.map(tonic::Response::into_inner) }
    };
    let before = topic(TOPIC).await.expect("a topic");
    assert!(before.can_subscribe && before.schema_id.len() == 22);
    assert_eq!(
        error_code(&topic("/data/NopeChangeEvent").await.expect_err("none")),
        "topic.not.found"
    );
    assert_eq!(
        error_code(&topic("").await.expect_err("none")),
        "topic.validation.empty"
    );
    let added = json!({"object": "Depot__c", "add": [{"name": "Color__c", "type": "string", "length": 40}]});
    org.post("/__sandbox/schema", added).await;
    let after = topic(TOPIC).await.expect("a topic");
    assert_ne!(
        before.schema_id, after.schema_id,
        "a new field makes a new schema"
    );
    let (status, old) = org
        .get(&format!(
            "event/eventSchema/{}?payloadFormat=COMPACT",
            before.schema_id
        ))
        .await;
    assert_eq!(
        (status, &old["uuid"]),
        (200, &json!(before.schema_id)),
        "the old one stays known"
    );

    let mut stream = subscriber
        .subscribe(ask(ALL, ReplayPreset::Latest, &[], 10))
        .await;
    org.send(
        org.request(Method::PATCH, "/__sandbox/pubsub")
            .json(&json!({"keep_alive_ms": 20, "credit_ms": 20})),
    )
    .await;
    ready(&org, &subscriber, &mut stream).await;
    org.post("/__sandbox/expire-sessions", json!({})).await;
    assert_eq!(
        error_code(&topic(TOPIC).await.expect_err("no session")),
        "service.auth.error"
    );
    let Err(status) = subscriber
        .try_subscribe(ask(ALL, ReplayPreset::Latest, &[], 1))
        .await
    else {
        panic!("a dead session subscribes");
    };
    assert_eq!(
        (status.code(), error_code(&status)),
        (Code::Unauthenticated, "service.auth.error")
    );
    assert!(
        stream.next().await.is_ok(),
        "a running stream outlives its session"
    );
    org.post("/__sandbox/pubsub/cut", json!({})).await;
    let mut answer = stream.next().await;
    while answer.is_ok() {
        answer = stream.next().await;
    }
    assert_eq!(error_code(&answer.expect_err("the end")), "service.unavailable");
    let mut nobody = Request::new(TopicRequest {
        topic_name: TOPIC.to_owned(),
    });
    nobody
        .metadata_mut()
        .insert("accesstoken", "x".parse().expect("ASCII"));
    let status = subscriber
        .client
        .clone()
        .get_topic(nobody)
        .await
        .expect_err("no headers");
    assert_eq!(error_code(&status), "service.auth.headers.invalid");
}

#[tokio::test]
async fn a_stream_without_credit_is_closed() {
    let org = Org::start(config()).await;
    org.send(
        org.request(Method::PATCH, "/__sandbox/pubsub")
            .json(&json!({"credit_ms": 20})),
    )
    .await;
    let subscriber = Subscriber::connect(&org).await;
    org.create("Depot__c", json!({"Name": "one"})).await;
    let mut stream = subscriber
        .subscribe(ask(TOPIC, ReplayPreset::Earliest, &[], 1))
        .await;
    assert_eq!(stream.next().await.expect("an event").pending_num_requested, 0);
    assert_eq!(stream.next().await.expect_err("the end").code(), Code::Ok);
}

#[tokio::test]
async fn a_return_may_repeat_a_mute_stream_says_nothing_and_a_lossy_type_asks_for_all() {
    let org = Org::start(config()).await;
    let subscriber = Subscriber::connect(&org).await;
    let turn = async |habits: Value| {
        let request = org.request(Method::PATCH, "/__sandbox/pubsub");
        assert_eq!(org.send(request.json(&habits)).await.0, 204);
    };
    for n in 0..5 {
        org.create("Depot__c", json!({ "Name": format!("row {n}") }))
            .await;
    }
    let mut stream = subscriber
        .subscribe(ask(TOPIC, ReplayPreset::Earliest, &[], 5))
        .await;
    let first = stream.events(5).await;
    turn(json!({"repeats": 2})).await;
    let mut again = subscriber
        .subscribe(ask(TOPIC, ReplayPreset::Custom, &first[3].replay_id, 3))
        .await;
    let ids = |events: &[ConsumerEvent]| -> Vec<String> {
        events
            .iter()
            .filter_map(|one| one.event.as_ref())
            .map(|one| one.id.clone())
            .collect()
    };
    assert_eq!(
        ids(&again.events(3).await),
        ids(&first[2..]),
        "two once more, one that is new"
    );

    turn(json!({"mute": true, "keep_alive_ms": 5})).await;
    let mut mute = subscriber
        .subscribe(ask(TOPIC, ReplayPreset::Earliest, &[], 5))
        .await;
    let silence = tokio::time::timeout(Duration::from_millis(100), mute.answers.message()).await;
    assert!(silence.is_err(), "nothing comes, not even a sign of life");
    turn(json!({"mute": false, "repeats": 0})).await;
    assert_eq!(mute.events(5).await.len(), 5);

    let edit = json!({"object": "Depot__c", "retype": {"Name": "double"}});
    assert_eq!(org.post("/__sandbox/schema", edit).await.0, 204);
    mute.asks
        .send(ask(TOPIC, ReplayPreset::Latest, &[], 1))
        .await
        .expect("room");
    let event = subscriber.read(&mute.events(1).await[0]).await;
    let prefix = &org.records("SELECT Id FROM Depot__c LIMIT 1").await[0]["Id"]
        .as_str()
        .expect("an id")[..3]
        .to_owned();
    assert_eq!(
        event["ChangeEventHeader"]["recordIds"],
        json!([format!("{prefix}*")])
    );
    let (_, described) = org.get("sobjects/Depot__c/describe").await;
    let fields = described["fields"].as_array().expect("fields");
    assert!(
        fields
            .iter()
            .any(|field| field["name"] == "Name" && field["type"] == "double")
    );
}

#[tokio::test]
async fn a_channel_is_there_for_who_selected_it_pays_for_it_and_may_hear_of_it() {
    let org = Org::start(config()).await;
    let subscriber = Subscriber::connect(&org).await;
    let turn = async |habits: Value| {
        let patch = org.request(Method::PATCH, "/__sandbox/pubsub").json(&habits);
        assert_eq!(org.send(patch).await.0, 204);
    };
    let refusal = async |topic: &str| {
        let mut stream = subscriber
            .subscribe(ask(topic, ReplayPreset::Latest, &[], 1))
            .await;
        let status = stream.next().await.expect_err("a refusal");
        (status.code(), error_code(&status).to_owned())
    };
    turn(json!({"entities": ["Vehicle__c"]})).await;
    assert_eq!(
        refusal(TOPIC).await,
        (Code::NotFound, "topic.not.found".to_owned())
    );
    turn(json!({"entities": ["Vehicle__c", "Depot__c"], "licensed": false})).await;
    assert_eq!(
        refusal(TOPIC).await,
        (Code::PermissionDenied, "service.tenant.license".to_owned())
    );
    turn(json!({"licensed": true, "forbidden": ["Depot__c"]})).await;
    let forbidden = (Code::PermissionDenied, "topic.meta.permission".to_owned());
    assert_eq!(refusal(TOPIC).await, forbidden);

    // The channel of all says nothing of what it leaves out.
    let mut all = subscriber
        .subscribe(ask(ALL, ReplayPreset::Earliest, &[], 10))
        .await;
    org.create("Depot__c", json!({"Name": "left out"})).await;
    turn(json!({"forbidden": []})).await;
    org.create("Depot__c", json!({"Name": "told"})).await;
    assert_eq!(subscriber.read(&all.events(1).await[0]).await["Name"], "told");

    // A stream that runs ends with the permission.
    let mut stream = subscriber
        .subscribe(ask(TOPIC, ReplayPreset::Earliest, &[], 10))
        .await;
    stream.events(2).await;
    turn(json!({"forbidden": ["Depot__c"]})).await;
    let status = stream.next().await.expect_err("an end");
    assert_eq!((status.code(), error_code(&status).to_owned()), forbidden);
}

#[tokio::test]
async fn places_and_what_was_told_after_them_outlast_a_kill() {
    let folder = tempfile::tempdir().expect("a folder");
    let org = Org::start(kept(folder.path(), 1)).await;
    let quick = json!({"keep_alive_ms": 20});
    org.send(org.request(Method::PATCH, "/__sandbox/pubsub").json(&quick))
        .await;
    let subscriber = Subscriber::connect(&org).await;
    let mut stream = subscriber
        .subscribe(ask(TOPIC, ReplayPreset::Latest, &[], 100))
        .await;
    ready(&org, &subscriber, &mut stream).await;
    org.create("Depot__c", json!({"Name": "heard"})).await;
    let heard = stream.events(1).await.remove(0).replay_id;
    org.create("Depot__c", json!({"Name": "missed"})).await;

    let (again, left) = killed(&org, folder.path(), 9).await;
    let subscriber = Subscriber::connect(&again).await;
    let mut stream = subscriber
        .subscribe(ask(TOPIC, ReplayPreset::Custom, &heard, 100))
        .await;
    let missed = stream.events(1).await.remove(0);
    assert_eq!(subscriber.read(&missed).await["Name"], "missed");
    let place = loop {
        let answer = stream.next().await.expect("a sign of life");
        if answer.latest_replay_id > missed.replay_id {
            break answer.latest_replay_id;
        }
    };

    let (third, _left) = killed(&again, left.path(), 3).await;
    let subscriber = Subscriber::connect(&third).await;
    let mut stream = subscriber
        .subscribe(ask(TOPIC, ReplayPreset::Custom, &place, 100))
        .await;
    third.create("Depot__c", json!({"Name": "new"})).await;
    let new = stream.events(1).await.remove(0);
    assert_eq!(subscriber.read(&new).await["Name"], "new");
    assert!(new.replay_id > place, "places rise");
}
