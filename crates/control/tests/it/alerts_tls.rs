//! Mail over TLS, against a server with a certificate that the test makes.

use std::path::Path;
use std::sync::Arc;

use axum::http::Method;
use landbridge_control::Settings;
use landbridge_control::service::Role;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::alerts::{ALERTS, Inbox, next_line, put, talk};
use crate::api::{Api, install_tls};

/// Who signs certificates in a test.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self {
            pem: params.self_signed(&key).unwrap().pem(),
            issuer: Issuer::new(params, key),
        }
    }

    /// What a server of this name shows.
    fn server(&self, name: &str) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let chain = vec![CertificateDer::from(certificate)];
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(chain, key);
        TlsAcceptor::from(Arc::new(config.unwrap()))
    }
}

/// A mail server with TLS, from the start or after STARTTLS.
async fn server(acceptor: TlsAcceptor, from_the_start: bool) -> (u16, Inbox) {
    let inbox = Inbox::default();
    let kept = inbox.clone();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (acceptor, inbox) = (acceptor.clone(), kept.clone());
            tokio::spawn(async move {
                if from_the_start {
                    let mut stream = BufReader::new(acceptor.accept(stream).await?);
                    stream.write_all(b"220 mail.test ESMTP\r\n").await?;
                    stream.flush().await?;
                    talk(stream, inbox).await
                } else {
                    let stream = until_tls(stream).await?;
                    talk(BufReader::new(acceptor.accept(stream).await?), inbox).await
                }
            });
        }
    });
    (port, inbox)
}

/// In the clear it takes nothing but STARTTLS.
async fn until_tls(stream: TcpStream) -> std::io::Result<TcpStream> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 mail.test ESMTP\r\n").await?;
    while let Some(line) = next_line(&mut stream).await? {
        let answer = match line.split(' ').next().unwrap_or_default() {
            "EHLO" => "250-mail.test\r\n250 STARTTLS",
            "STARTTLS" => {
                stream.write_all(b"220 go on\r\n").await?;
                break;
            }
            "QUIT" => "221 bye",
            _ => "530 STARTTLS first",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
    Ok(stream.into_inner())
}

fn settings(ca: &Path) -> Settings {
    Settings {
        alert_ca: Some(ca.to_owned()),
        ..Settings::default()
    }
}

/// What a test message to a server says: none when it arrived.
async fn trouble(api: &Api, port: u16, security: &str) -> Option<String> {
    let admin = api.in_acme(Role::Admin).await;
    let tag = api.get(ALERTS, &admin).await.expect(200).json()["tag"]
        .as_str()
        .unwrap()
        .to_owned();
    let wanted = json!({ "mail": {
        "host": "127.0.0.1", "port": port, "security": security, "user": "ops", "password": "hush",
        "from": "landbridge@acme.example", "to": ["ann@acme.example"],
    }});
    put(api, &admin, &tag, &wanted).await.expect(200);
    let path = format!("{ALERTS}/test");
    let tried = api.send(Method::POST, &path, &admin, &[], None).await;
    let tried: Value = tried.expect(200).json();
    tried[0]["trouble"].as_str().map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_travels_over_tls_to_a_server_that_is_trusted_and_to_no_other() {
    install_tls();
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    let (ours, others) = (Authority::new("ours"), Authority::new("others"));
    let of_the_same_name = Authority::new("ours");
    std::fs::write(&ca, &ours.pem).unwrap();
    let api = Api::with(settings(&ca)).await;
    for (security, from_the_start) in [("tls", true), ("starttls", false)] {
        let (port, mails) = server(ours.server("127.0.0.1"), from_the_start).await;
        assert_eq!(trouble(&api, port, security).await, None, "{security}");
        let mail = mails.wait_for("the mail", 1).await.remove(0);
        assert!(mail.contains("Subject: [Landbridge] acme: a test"), "{mail}");

        for (acceptor, told) in [
            (others.server("127.0.0.1"), "control.alert_ca"),
            (of_the_same_name.server("127.0.0.1"), "control.alert_ca"),
            (ours.server("mail.elsewhere.example"), "for another host"),
        ] {
            let (port, mails) = server(acceptor, from_the_start).await;
            let trouble = trouble(&api, port, security).await.unwrap();
            assert!(
                trouble.starts_with("nothing was sent to the mail server"),
                "{trouble}"
            );
            assert!(trouble.contains(told), "{security}: {trouble}");
            assert!(mails.texts().is_empty());
        }
    }

    // Who is trusted is read anew: the others are from now on, and ours are no more.
    std::fs::write(&ca, &others.pem).unwrap();
    let (port, _) = server(others.server("127.0.0.1"), true).await;
    assert_eq!(trouble(&api, port, "tls").await, None);
    std::fs::write(&ca, "nothing").unwrap();
    let told = trouble(&api, port, "tls").await.unwrap();
    assert!(
        told.contains("control.alert_ca") && told.contains("no certificate"),
        "{told}"
    );
}

/// STARTTLS is wanted, and a server that does not offer it gets neither password nor message.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_starttls_is_told_nothing() {
    install_tls();
    let api = Api::new().await;
    let inbox = Inbox::default();
    let kept = inbox.clone();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await?;
        let mut stream = BufReader::new(stream);
        stream.write_all(b"220 mail.test ESMTP\r\n").await?;
        talk(stream, kept).await
    });
    let told = trouble(&api, port, "starttls").await.unwrap();
    assert!(told.contains("STARTTLS"), "{told}");
    assert!(inbox.texts().is_empty());
}
