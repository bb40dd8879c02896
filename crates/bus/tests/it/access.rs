use std::path::{Path, PathBuf};
use std::time::Duration;

use landbridge_bus::{Bus, BusConfig, LocalServer, LocalServerOptions, OpenError, Secret, TlsConfig};

async fn server(more_config: &str) -> LocalServer {
    let options = LocalServerOptions {
        more_config: more_config.to_owned(),
        ..LocalServerOptions::default()
    };
    LocalServer::start(options).await.expect("a server starts")
}

fn brief() -> BusConfig {
    BusConfig {
        connect_timeout: Duration::from_millis(500),
        ..BusConfig::default()
    }
}

fn data(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(file)
}

#[tokio::test]
async fn a_user_needs_the_right_password_and_no_error_shows_it() {
    let server = server("authorization { user: landbridge, password: correct }").await;
    let with = |password: &str| BusConfig {
        user: Some("landbridge".into()),
        password: Some(Secret::new(password)),
        ..brief()
    };
    Bus::open(&with("correct"), server.url(), "test").await.unwrap();
    let wrong = Bus::open(&with("mistaken"), server.url(), "test")
        .await
        .unwrap_err();
    assert!(matches!(wrong, OpenError::Connect { .. }));
    assert!(!format!("{wrong} {wrong:?}").contains("mistaken"));
    assert!(
        Bus::open(&brief(), server.url(), "test").await.is_err(),
        "and not without any"
    );
}

#[tokio::test]
async fn a_token_opens_too() {
    let server = server("authorization { token: opensesame }").await;
    let config = BusConfig {
        token: Some(Secret::new("opensesame")),
        ..brief()
    };
    Bus::open(&config, server.url(), "test").await.unwrap();
}

#[tokio::test]
async fn tls_is_checked_on_both_sides() {
    let server = server(&format!(
        "tls {{ cert_file: {:?}, key_file: {:?}, ca_file: {:?}, verify: true }}",
        data("server.pem"),
        data("server.key"),
        data("ca.pem"),
    ))
    .await;
    let with = |tls: TlsConfig| BusConfig { tls, ..brief() };
    let complete = TlsConfig {
        ca: Some(data("ca.pem")),
        cert: Some(data("client.pem")),
        key: Some(data("client.key")),
        required: true,
    };
    Bus::open(&with(complete.clone()), server.url(), "test")
        .await
        .unwrap();
    let no_certificate = TlsConfig {
        cert: None,
        key: None,
        ..complete.clone()
    };
    assert!(
        Bus::open(&with(no_certificate), server.url(), "test")
            .await
            .is_err(),
        "the server wants a certificate"
    );
    let other_authority = TlsConfig { ca: None, ..complete };
    assert!(
        Bus::open(&with(other_authority), server.url(), "test")
            .await
            .is_err(),
        "its authority is not public"
    );
}

#[tokio::test]
async fn tls_that_is_required_is_not_done_without() {
    let server = server("").await;
    let config = BusConfig {
        tls: TlsConfig {
            required: true,
            ..TlsConfig::default()
        },
        ..brief()
    };
    assert!(Bus::open(&config, server.url(), "test").await.is_err());
}
