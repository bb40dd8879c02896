use std::time::Duration;

use landbridge_bus::{Ask, AskError, BusConfig, Refusal, RefusalKind};
use landbridge_model::{Shard, StageKind};

use crate::{Bench, soon};

fn ask(service: &str, deadline: Duration) -> Ask {
    Ask {
        stage: StageKind::Loader,
        shard: Shard(3),
        service: service.into(),
        payload: "question".into(),
        deadline,
        patient: false,
    }
}

const LONG: Duration = Duration::from_secs(10);

#[tokio::test]
async fn the_owner_answers_briefly_at_length_and_not_at_all() {
    let bench = Bench::new(BusConfig::default()).await;
    let mut responder = bench.bus.respond(StageKind::Loader, Shard(3)).await.unwrap();
    let served = tokio::spawn(async move {
        while let Some(question) = responder.next().await {
            match question.service.as_str() {
                "echo" => {
                    let payload = question.payload.clone();
                    question.answer(payload).await.unwrap();
                }
                "large" => question.answer(vec![7u8; 2_500_000]).await.unwrap(),
                "many" => {
                    for n in 0..3u8 {
                        question.answer_one(vec![n; 1_000_000]).await.unwrap();
                    }
                    question.end().await.unwrap();
                }
                "silence" => {}
                _ => question
                    .refuse(&Refusal::new(RefusalKind::Unknown, "no such thing"))
                    .await
                    .unwrap(),
            }
        }
    });
    let other = bench.another().await;
    assert_eq!(soon(other.ask(ask("echo", LONG))).await.unwrap(), "question");
    assert_eq!(
        soon(other.ask(ask("large", LONG))).await.unwrap(),
        vec![7u8; 2_500_000]
    );
    let mut many = soon(other.ask_for_many(ask("many", LONG))).await.unwrap();
    for n in 0..3u8 {
        assert_eq!(soon(many.next()).await.unwrap().unwrap(), vec![n; 1_000_000]);
    }
    assert!(soon(many.next()).await.unwrap().is_none());
    let refused = soon(other.ask(ask("a.b", LONG))).await.unwrap_err();
    assert!(
        matches!(&refused, AskError::Refused(refusal) if refusal.kind == RefusalKind::Unknown),
        "{refused}"
    );
    let late = soon(other.ask(ask("silence", Duration::from_millis(50))))
        .await
        .unwrap_err();
    assert!(matches!(late, AskError::Deadline(StageKind::Loader)), "{late}");
    served.abort();
}

#[tokio::test]
async fn a_shard_without_an_owner_says_so_at_once_or_is_waited_for() {
    let bench = Bench::new(BusConfig::default()).await;
    let nobody = soon(bench.bus.ask(ask("echo", LONG))).await.unwrap_err();
    assert!(
        matches!(nobody, AskError::NoOwner { shard: Shard(3), .. }),
        "{nobody}"
    );

    let waiting = tokio::spawn({
        let bus = bench.bus.clone();
        async move {
            bus.ask(Ask {
                patient: true,
                ..ask("echo", LONG)
            })
            .await
        }
    });
    tokio::task::yield_now().await;
    let mut responder = bench.bus.respond(StageKind::Loader, Shard(3)).await.unwrap();
    let question = soon(responder.next()).await.unwrap();
    question.answer("at last").await.unwrap();
    assert_eq!(soon(waiting).await.unwrap().unwrap(), "at last");
}
