use landbridge_bus::subject::RecordSubject;
use landbridge_bus::{
    Bucket, BusConfig, Filter, FollowFrom, Followed, Headers, Key, KeyFilter, KvError, KvEvent, Message,
    StreamName, Subject, seal,
};
use landbridge_model::{Shard, StageKind};

use crate::{Bench, soon, tenant};

fn failed(record: usize) -> Subject {
    Subject::Failed(RecordSubject {
        shard: Shard(3),
        tenant: tenant("acme"),
        sync: "vehicles".into(),
        record: format!("a{record:05}"),
    })
}

fn outcomes(name: &str) -> Subject {
    Subject::Outcomes {
        shard: Shard(3),
        tenant: tenant(name),
    }
}

#[tokio::test]
async fn a_memory_keeps_the_newest_and_lists_more_than_a_page() {
    let bench = Bench::new(BusConfig::default()).await;
    let bus = &bench.bus;
    for round in ["old", "new"] {
        for record in 0..300 {
            bus.publish(&failed(record), &Message::new(round, format!("{round} {record}")))
                .await
                .unwrap();
        }
    }
    let all = bus
        .list(&Filter::shard(StreamName::Failed, Shard(3)))
        .await
        .unwrap();
    assert_eq!(all.len(), 300);
    assert!(all.iter().all(|stored| stored.payload.starts_with(b"new")));
    assert!(all.is_sorted_by_key(|stored| stored.sequence));
    assert!(
        bus.list(&Filter::shard(StreamName::Failed, Shard(4)))
            .await
            .unwrap()
            .is_empty()
    );

    let newest = bus.last(&failed(7)).await.unwrap().unwrap();
    assert_eq!(newest.payload, "new 7");
    // A removal of what was read leaves what came since.
    bus.publish(&failed(7), &Message::new("newer", "newer"))
        .await
        .unwrap();
    assert_eq!(bus.forget(&failed(7), newest.sequence).await.unwrap(), 0);
    let newest = bus.last(&failed(7)).await.unwrap().unwrap();
    assert_eq!(bus.forget(&failed(7), newest.sequence).await.unwrap(), 1);
    assert!(bus.last(&failed(7)).await.unwrap().is_none());
    // What was forgotten and is told again in the same words is remembered again.
    bus.publish(&failed(7), &Message::new("newer", "newer"))
        .await
        .unwrap();
    let newest = bus.last(&failed(7)).await.unwrap().expect("it is there again");
    assert_eq!(bus.forget(&failed(7), newest.sequence).await.unwrap(), 1);
    assert_eq!(
        bus.counts(&Filter::shard(StreamName::Failed, Shard(3)))
            .await
            .unwrap()
            .len(),
        299
    );
    let whole = Filter::tenant(StreamName::Failed, Shard(3), &tenant("acme"));
    assert_eq!(bus.purge(&whole).await.unwrap(), 299);
}

#[tokio::test]
async fn following_gives_what_was_and_what_comes_and_names_gaps() {
    let bench = Bench::new(BusConfig::default()).await;
    let bus = &bench.bus;
    let publish = async |name: &str, text: &str| {
        let mut message = Message::new("test", text.to_owned());
        message.headers = Headers::new().with("Who", name);
        bus.publish(&outcomes(name), &message).await.unwrap().sequence
    };
    let first = publish("acme", "1").await;
    publish("globex", "2").await;
    publish("acme", "3").await;

    let mut follow = bus
        .follow(&Filter::whole(StreamName::Outcomes), FollowFrom::Start)
        .await
        .unwrap();
    let mut seen = Vec::new();
    loop {
        match soon(follow.next()).await {
            Followed::Message(stored) => {
                assert_eq!(stored.headers.get("Who"), Some(stored.subject.tenant().as_str()));
                seen.push(String::from_utf8_lossy(&stored.payload).into_owned());
            }
            Followed::CaughtUp => break,
            Followed::Gap { .. } => panic!("there is no gap"),
        }
    }
    assert_eq!(seen, ["1", "2", "3"]);
    publish("acme", "4").await;
    assert!(matches!(soon(follow.next()).await, Followed::Message(stored) if stored.payload == "4"));

    bus.purge(&Filter::exact(&outcomes("globex"))).await.unwrap();
    let mut late = bus
        .follow(&Filter::whole(StreamName::Outcomes), FollowFrom::After(first))
        .await
        .unwrap();
    assert!(matches!(
        soon(late.next()).await,
        Followed::Gap { after: 1, before: 3 }
    ));
    assert!(matches!(soon(late.next()).await, Followed::Message(stored) if stored.payload == "3"));

    let empty = Filter::tenant(StreamName::Outcomes, Shard(5), &tenant("nobody"));
    let mut empty = bus.follow(&empty, FollowFrom::Start).await.unwrap();
    assert!(matches!(soon(empty.next()).await, Followed::CaughtUp));
}

#[tokio::test]
async fn buckets_compare_and_set_list_and_watch() {
    let bench = Bench::new(BusConfig::default()).await;
    let config = bench.bus.kv(Bucket::Config);
    let key = |name: &str| Key::new(["syncs", "acme", name]);

    let created = config.create_json(&key("vehicles"), &1).await.unwrap();
    assert!(matches!(
        config.create_json(&key("vehicles"), &2).await,
        Err(KvError::Exists)
    ));
    let updated = config.update_json(&key("vehicles"), &2, created).await.unwrap();
    assert!(matches!(
        config.update_json(&key("vehicles"), &3, created).await,
        Err(KvError::Conflict)
    ));
    assert_eq!(
        config.get_json::<u32>(&key("vehicles")).await.unwrap(),
        Some((2, updated))
    );
    config.put_json(&key("depots"), &7).await.unwrap();

    let under = KeyFilter::Under(Key::new(["syncs", "acme"]));
    let mut watch = config.watch(&under).await.unwrap();
    let names = [soon(watch.next()).await, soon(watch.next()).await].map(|event| match event {
        KvEvent::Put(entry) => entry.key.tokens().pop().unwrap(),
        other => panic!("{other:?} instead of a value"),
    });
    assert_eq!(names, ["vehicles", "depots"]);
    assert_eq!(soon(watch.next()).await, KvEvent::Ready);

    config.delete(&key("vehicles")).await.unwrap();
    assert!(matches!(soon(watch.next()).await, KvEvent::Gone { key: gone, .. } if gone == key("vehicles")));
    assert_eq!(config.get(&key("vehicles")).await.unwrap(), None);
    assert_eq!(config.list(&under).await.unwrap().len(), 1);
    config
        .create_json(&key("vehicles"), &4)
        .await
        .expect("a removed key can be created again");
    assert!(matches!(soon(watch.next()).await, KvEvent::Put(entry) if entry.json::<u32>().unwrap() == 4));
}

#[tokio::test]
async fn a_stages_public_key_is_found_and_seals_to_it() {
    let bench = Bench::new(BusConfig::default()).await;
    let missing = seal::public_key(&bench.bus, StageKind::Loader)
        .await
        .unwrap_err()
        .to_string();
    assert!(missing.contains("loader"), "{missing}");
    let pair = seal::KeyPair::generate();
    seal::publish_key(&bench.bus, StageKind::Loader, &pair.public())
        .await
        .unwrap();
    let key = seal::public_key(&bench.bus, StageKind::Loader).await.unwrap();
    assert_eq!(pair.open(&key.seal(b"token").unwrap()).unwrap(), b"token");
}
