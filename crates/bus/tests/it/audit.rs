//! The audit log, and what else of the buckets is for who may do what.

use std::time::Duration;

use landbridge_bus::{
    AuditLog, Bucket, BusConfig, Key, KeyFilter, KvError, KvEvent, LocalServer, LocalServerOptions,
};

use crate::{Bench, soon, tenant};

#[tokio::test]
async fn entries_are_read_newest_first_page_by_page() {
    let bench = Bench::new(BusConfig::default()).await;
    let log = AuditLog::new(&bench.bus);
    let empty = log.newest(None, None, 10).await.unwrap();
    assert!(empty.records.is_empty() && empty.before.is_none());
    // More than the window that is looked through first, most of it of another tenant.
    let acme = tenant("acme");
    for number in 0..700u32 {
        let whose = if number % 100 == 7 {
            Some(acme.clone())
        } else {
            Some(tenant("globex"))
        };
        log.append(whose.as_ref(), number.to_string()).await.unwrap();
    }
    log.append(None, "of nobody").await.unwrap();
    let read = async |whose, limit| {
        let mut pages = Vec::new();
        let mut before = None;
        loop {
            let page = log.newest(whose, before, limit).await.unwrap();
            assert!(page.records.len() <= limit);
            pages.extend(page.records);
            before = page.before;
            if before.is_none() {
                return pages;
            }
        }
    };
    let texts: Vec<String> = read(Some(&acme), 3)
        .await
        .iter()
        .map(|record| String::from_utf8_lossy(&record.payload).into_owned())
        .collect();
    assert_eq!(texts, ["607", "507", "407", "307", "207", "107", "7"]);
    let all = read(None, 100).await;
    assert_eq!(all.len(), 701);
    assert!(
        all.is_sorted_by(|a, b| a.sequence > b.sequence),
        "an entry is out of order or came twice"
    );
    assert_eq!(
        (all[0].tenant.clone(), all[1].tenant.clone()),
        (None, Some(tenant("globex")))
    );
}

/// Asks the server to take entries out, as whoever holds the bus could; gives what it answers.
async fn take_out(bench: &Bench, call: &str, body: &str) -> serde_json::Value {
    let client = async_nats::connect(&bench.url).await.unwrap();
    let subject = format!("$JS.API.STREAM.{call}.LB_AUDIT");
    let answer = soon(client.request(subject, body.to_owned().into()))
        .await
        .unwrap();
    serde_json::from_slice(&answer.payload).unwrap()
}

#[tokio::test]
async fn no_entry_is_taken_out() {
    let bench = Bench::new(BusConfig::default()).await;
    let log = AuditLog::new(&bench.bus);
    let sequence = log.append(None, "what was done").await.unwrap();
    let one = format!("{{\"seq\": {sequence}}}");
    for (call, body) in [("PURGE", "{}"), ("MSG.DELETE", one.as_str())] {
        let answer = take_out(&bench, call, body).await;
        assert!(answer["error"].is_object(), "{call}: {answer}");
    }
    assert_eq!(log.newest(None, None, 10).await.unwrap().records.len(), 1);
}

/// A log that an earlier version made is protected when it is next opened, and keeps its entries.
#[tokio::test]
async fn a_log_of_before_is_protected_too() {
    let server = LocalServer::start(LocalServerOptions::default()).await.unwrap();
    let client = async_nats::connect(server.url()).await.unwrap();
    let before = serde_json::json!({
        "name": "LB_AUDIT", "subjects": ["lb.audit.*"], "storage": "file", "retention": "limits", "discard": "old",
        "num_replicas": 1, "max_msgs_per_subject": -1, "max_msgs": -1, "max_bytes": -1, "max_msg_size": -1,
        "max_age": 31_557_600_000_000_000_u64, "max_consumers": 4_096, "allow_direct": true,
        "duplicate_window": 120_000_000_000_u64,
    });
    let subject = "$JS.API.STREAM.CREATE.LB_AUDIT";
    let made = soon(client.request(subject, before.to_string().into()))
        .await
        .unwrap();
    let made: serde_json::Value = serde_json::from_slice(&made.payload).unwrap();
    assert!(made["error"].is_null(), "{made}");
    soon(client.request("lb.audit.=", "of before".into()))
        .await
        .unwrap();
    let bench = Bench::on(server, BusConfig::default()).await;
    let answer = take_out(&bench, "PURGE", "{}").await;
    assert!(answer["error"].is_object(), "{answer}");
    let kept = AuditLog::new(&bench.bus).newest(None, None, 10).await.unwrap();
    assert_eq!(kept.records[0].payload, "of before");
}

#[tokio::test]
async fn a_value_with_an_end_is_made_once_and_changed_by_one() {
    let bench = Bench::new(BusConfig::default()).await;
    let access = bench.bus.kv(Bucket::Access);
    let (key, long, brief) = (
        Key::new(["session", "x"]),
        Duration::from_secs(600),
        Duration::from_secs(1),
    );
    let first = access.create_for(&key, "1", long).await.unwrap();
    assert!(matches!(
        access.create_for(&key, "2", long).await,
        Err(KvError::Exists)
    ));
    assert!(matches!(
        access.update_for(&key, "2", first + 7, long).await,
        Err(KvError::Conflict)
    ));
    access.update_for(&key, "3", first, brief).await.unwrap();
    soon(async { while access.get(&key).await.unwrap().is_some() {} }).await;
    access
        .create_for(&key, "4", long)
        .await
        .expect("what has ended is made anew");
}

#[tokio::test]
async fn several_prefixes_are_watched_as_one_and_nothing_else_is() {
    let bench = Bench::new(BusConfig::default()).await;
    let config = bench.bus.kv(Bucket::Config);
    let put = async |kind: &str, name: &str| {
        config
            .put(&Key::new([kind, name]), name.to_owned())
            .await
            .unwrap();
    };
    put("tenant", "a").await;
    put("draft", "b").await;
    put("sync", "c").await;
    let wanted = KeyFilter::UnderAny(["tenant", "sync"].map(|kind| Key::new([kind])).to_vec());
    let listed = config.list(&wanted).await.unwrap();
    assert_eq!(
        listed.iter().map(|entry| &entry.value[..]).collect::<Vec<_>>(),
        [b"a", b"c"]
    );
    let mut watch = config.watch(&wanted).await.unwrap();
    let mut seen = Vec::new();
    let mut next = async || {
        seen.push(match soon(watch.next()).await {
            KvEvent::Put(entry) => String::from_utf8_lossy(&entry.value).into_owned(),
            KvEvent::Ready => "ready".to_owned(),
            KvEvent::Gone { key, .. } => format!("gone {key}"),
        });
    };
    for _ in 0..3 {
        next().await;
    }
    put("draft", "d").await;
    put("sync", "e").await;
    next().await;
    assert_eq!(seen, ["a", "c", "ready", "e"]);
}
