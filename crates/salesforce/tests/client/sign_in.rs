//! Sign-ins that live on refresh tokens: what replaces a token is kept before it is used.

use std::sync::{Arc, Mutex};

use landbridge_salesforce::{Flow, Keeping, SalesforceError, Scope, Secret, TokenKeeper};

use crate::fake::{Fake, answer};

const COUNT: &str = "query?q=SELECT+COUNT%28%29+FROM+Car__c";

/// Keeps tokens, but fails as often as it is told.
#[derive(Debug, Default)]
struct Shelf {
    kept: Mutex<Vec<String>>,
    failures: Mutex<u32>,
}

impl TokenKeeper for Shelf {
    fn keep(&self, token: Secret) -> Keeping<'_> {
        Box::pin(async move {
            let mut failures = self.failures.lock().unwrap();
            if *failures > 0 {
                *failures -= 1;
                return Err("the store does not answer".to_owned());
            }
            self.kept.lock().unwrap().push(token.expose().to_owned());
            Ok(())
        })
    }
}

fn code() -> Flow {
    Flow::AuthorizationCode {
        client_id: "key".into(),
        client_secret: Some(Secret::new("hush")),
        code: Secret::new("c0de"),
        code_verifier: Secret::new("verifier"),
        redirect_uri: "https://landbridge.example/back".into(),
    }
}

fn grant(form: &str) -> (&str, Option<&str>) {
    let value = |name: &str| {
        form.split('&')
            .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    };
    (value("grant_type").unwrap(), value("refresh_token"))
}

#[tokio::test]
async fn trap_19_a_token_that_replaces_another_is_kept_before_the_other_is_given_up() {
    let fake = Fake::start().await;
    fake.rotates();
    fake.on(
        COUNT,
        answer(401, r#"[{"message":"x","errorCode":"INVALID_SESSION_ID"}]"#),
    );
    fake.on(COUNT, answer(200, r#"{"totalSize":3,"done":true,"records":[]}"#));
    let shelf = Arc::new(Shelf::default());
    let client = fake.client_of(code(), Some(shelf.clone()));
    client.session().await.unwrap();
    assert_eq!(*shelf.kept.lock().unwrap(), ["refresh-1"]);
    // The session ends; the store is away for a moment while the next one is fetched.
    *shelf.failures.lock().unwrap() = 1;
    assert_eq!(client.count(Scope::Live, "Car__c", None).await.unwrap(), 3);
    assert_eq!(
        *shelf.kept.lock().unwrap(),
        ["refresh-1", "refresh-2", "refresh-3"],
        "none is skipped: each might be the last that is seen"
    );
    let forms = fake.sign_in_forms();
    let grants: Vec<_> = forms.iter().map(|form| grant(form)).collect();
    assert_eq!(
        grants,
        [
            ("authorization_code", None),
            ("refresh_token", Some("refresh-1")),
            ("refresh_token", Some("refresh-2")),
        ]
    );
}

#[tokio::test]
async fn a_code_that_brings_no_refresh_token_is_a_fault_of_the_app() {
    let fake = Fake::start().await;
    let error = fake.client_of(code(), None).session().await.unwrap_err();
    assert!(matches!(error, SalesforceError::Setting(_)), "{error:?}");
    assert!(error.to_string().contains("scope refresh_token"), "{error}");
}

#[tokio::test]
async fn a_client_never_goes_over_to_another_org() {
    let fake = Fake::start().await;
    let three = || answer(200, r#"{"totalSize":3,"done":true,"records":[]}"#);
    let over = answer(401, r#"[{"message":"x","errorCode":"INVALID_SESSION_ID"}]"#);
    fake.on(COUNT, three()).on(COUNT, over).on(COUNT, three());
    let client = fake.client();
    let count = || client.count(Scope::Live, "Car__c", None);
    assert_eq!(count().await.unwrap(), 3);
    assert_eq!(client.moved_to(), None);
    let before = client.org_id().await.unwrap();
    fake.becomes("00D000000000007");
    for _ in 0..2 {
        let error = count().await.unwrap_err();
        let SalesforceError::OtherOrg { expected, found } = error else {
            panic!("{error:?}")
        };
        assert_eq!(expected, before);
        assert_eq!(Some(found), client.moved_to());
    }
    assert!(client.session().await.is_err());
    assert_eq!(fake.asked().len(), 2, "the other org was asked nothing");
    assert_eq!(fake.sign_ins(), 2, "it was found out once");
    // Whoever means the other org says so with a client of its own.
    let other = fake.client();
    assert_eq!(Some(other.org_id().await.unwrap()), client.moved_to());
    assert_eq!(other.count(Scope::Live, "Car__c", None).await.unwrap(), 3);
}
