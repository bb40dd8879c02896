//! Another key pair takes over what was sealed to the one before.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Output;

use landbridge_bus::{Bucket, KeyFilter};
use serde_json::Value;

use crate::harness::{Installation, Sandbox, text};

/// Takes webhooks for as long as the test runs.
fn receiver() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            let mut part = [0; 4_096];
            // The body is JSON, and so ends the request.
            while !request.ends_with(b"}") {
                match stream.read(&mut part) {
                    Ok(0) | Err(_) => break,
                    Ok(read) => request.extend_from_slice(&part[..read]),
                }
            }
            let answer = "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    url
}

/// The process again, with these folders of keys.
fn restart(installation: &mut Installation, name: &str, keys: &str, earlier: &[&str]) {
    for running in ["first", "both", "second", "third"] {
        if installation.runs(running) {
            assert_eq!(installation.take(running).terminate(), Some(0));
        }
    }
    let folder = |name: &str| installation.folder().join(name).to_str().unwrap().to_owned();
    let earlier: Vec<String> = earlier.iter().map(|name| folder(name)).collect();
    let (keys, earlier) = (folder(keys), serde_json::to_string(&earlier).unwrap());
    installation.set("LANDBRIDGE_KEYS_DIR", &keys);
    installation.set("LANDBRIDGE_EARLIER_KEYS_DIRS", &earlier);
    installation.start(name, "up");
    installation.wait_until_ready();
}

fn keys_list(installation: &Installation) -> (Output, BTreeMap<String, Value>) {
    let output = installation.try_cli(&["--output", "json", "keys", "list"]);
    let stages: Vec<Value> = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", text(&output.stdout), text(&output.stderr)));
    let by_stage = stages
        .into_iter()
        .map(|stage| (stage["stage"].as_str().unwrap().to_owned(), stage));
    let by_stage = by_stage.collect();
    (output, by_stage)
}

/// All is sealed to the current keys; gives these.
#[track_caller]
fn current_keys(installation: &Installation) -> Vec<String> {
    let (output, stages) = keys_list(installation);
    assert_eq!(output.status.code(), Some(0), "{stages:?}");
    let keys = stages.values().map(|stage| {
        assert_eq!(stage["sealed"], 1, "{stage}");
        assert_eq!(stage["others"], serde_json::json!([]));
        stage["current"].as_str().unwrap().to_owned()
    });
    keys.collect()
}

/// Both connections sign in, and an alert is signed and sent.
#[track_caller]
fn everything_works(installation: &Installation) {
    installation.cli(&["connection", "test"]);
    let tried = installation.cli(&["alerts", "test"]);
    assert_eq!(tried[0]["trouble"], Value::Null, "{tried}");
}

fn stored(installation: &Installation) -> Vec<(String, Value)> {
    installation.on_the_bus(async |bus| {
        let entries = bus.kv(Bucket::Secrets).list(&KeyFilter::All).await.unwrap();
        let stored = entries
            .iter()
            .map(|entry| (entry.key.to_string(), entry.json().unwrap()));
        stored.collect()
    })
}

#[test]
fn another_key_pair_takes_over_and_the_one_before_can_be_thrown_away() {
    let mut installation = Installation::new();
    let sandbox = Sandbox::start(installation.folder(), &["--records", "50"]);
    restart(&mut installation, "first", "keys-1", &[]);
    installation.add_tenant("acme", &sandbox);
    let secret = installation.folder().join("webhook-secret");
    std::fs::write(&secret, "a secret that both sides know").unwrap();
    let url = receiver();
    installation.cli(&[
        "alerts",
        "set",
        "--webhook",
        &url,
        "--webhook-secret-file",
        secret.to_str().unwrap(),
    ]);
    everything_works(&installation);
    let first = current_keys(&installation);

    restart(&mut installation, "both", "keys-2", &["keys-1"]);
    everything_works(&installation);
    let second = current_keys(&installation);
    for (before, now) in first.iter().zip(&second) {
        assert_ne!(before, now, "the new keys are announced, and no others");
    }
    for (key, stored) in stored(&installation) {
        assert!(
            second.contains(&stored["to"].as_str().unwrap().to_owned()),
            "{key}"
        );
        assert!(stored["entered_ms"].is_i64(), "{key} forgot when it was entered");
    }

    // Nothing needs the first keys any more.
    std::fs::remove_dir_all(installation.folder().join("keys-1")).unwrap();
    restart(&mut installation, "second", "keys-2", &[]);
    everything_works(&installation);
    assert_eq!(current_keys(&installation), second);

    // Keys that take over from nothing: whose what is, and what to do.
    restart(&mut installation, "third", "keys-3", &[]);
    let (output, stages) = keys_list(&installation);
    assert_eq!(output.status.code(), Some(6));
    for (stage, what) in [
        ("extractor", "the Salesforce credentials of acme"),
        ("loader", "the HubSpot credentials of acme"),
        ("control", "the webhook's secret of the alerts of acme"),
    ] {
        let other = &stages[stage]["others"][0];
        assert_eq!(other["is_lost"], true, "{other}");
        let told = other["text"].as_str().unwrap();
        assert!(
            told.starts_with(what) && told.contains("enter it again"),
            "{told}"
        );
    }
    let test = installation.try_cli(&["connection", "test"]);
    let told = text(&test.stdout);
    assert!(!test.status.success());
    for side in ["Salesforce", "HubSpot"] {
        assert!(
            told.contains(&format!("the {side} credentials of acme cannot be read")),
            "{told}"
        );
    }
    installation.add_tenant("acme", &sandbox);
    let (_, stages) = keys_list(&installation);
    assert_eq!(
        (&stages["extractor"]["sealed"], &stages["loader"]["sealed"]),
        (&1.into(), &1.into())
    );
}
