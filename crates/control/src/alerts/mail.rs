//! Messages by SMTP.

use std::time::Duration;

use landbridge_model::TenantId;
use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters, TlsParametersBuilder};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use rustls_pki_types::CertificateDer;

use super::judge::{Told, Turn};
use super::settings::{MailSecurity, StoredMail};
use super::trust::distrust;

/// An address, or what is wrong with it.
pub(crate) fn mailbox(text: &str) -> Result<Mailbox, String> {
    text.parse()
        .map_err(|_| format!("{text:?} is no mail address; write one such as ops@acme.example"))
}

/// What is sent.
pub(super) fn message(
    stored: &StoredMail,
    tenant: &TenantId,
    told: &Told,
    link: Option<&str>,
    is_test: bool,
) -> Result<Message, String> {
    let what = match (is_test, told.turn) {
        (true, _) => "a test",
        (false, Turn::Raised) => told.alert.as_str(),
        (false, Turn::Recovered) => "recovered",
    };
    let mut text = format!("{}\n\nTenant: {tenant}\n", told.text);
    if let Some(subject) = &told.subject {
        text.push_str(&format!("About: {subject}\n"));
    }
    if let Some(link) = link {
        text.push_str(&format!("\n{link}\n"));
    }
    let mut message = Message::builder()
        .from(mailbox(&stored.from)?)
        .subject(format!("[Landbridge] {tenant}: {what}: {}", told.text))
        .message_id(Some(format!("<{}.{tenant}@landbridge>", told.id)));
    for to in &stored.to {
        message = message.to(mailbox(to)?);
    }
    message
        .body(text)
        .map_err(|error| format!("the message cannot be written: {error}"))
}

/// Hands it to the server.
pub(super) async fn send(
    stored: &StoredMail,
    password: Option<String>,
    message: Message,
    patience: Duration,
    roots: &[CertificateDer<'static>],
) -> Result<(), String> {
    let parameters = || {
        let trust = |builder: TlsParametersBuilder, root: &CertificateDer<'static>| {
            Certificate::from_der(root.to_vec()).map(|root| builder.add_root_certificate(root))
        };
        roots
            .iter()
            .try_fold(TlsParameters::builder(stored.host.clone()), trust)
            .and_then(TlsParametersBuilder::build)
            .map_err(|error| format!("TLS to {} cannot be set up: {error}", stored.host))
    };
    let tls = match stored.security {
        MailSecurity::Tls => Tls::Wrapper(parameters()?),
        MailSecurity::Starttls => Tls::Required(parameters()?),
        MailSecurity::None => Tls::None,
    };
    let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&stored.host)
        .port(stored.port)
        .tls(tls)
        .timeout(Some(patience));
    if let (Some(user), Some(password)) = (&stored.user, password) {
        transport = transport.credentials(Credentials::new(user.clone(), password));
    }
    let sent = tokio::time::timeout(patience, transport.build().send(message)).await;
    match sent {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(match distrust(&error) {
            Some(why) => format!("nothing was sent to the mail server: {why}"),
            None => format!("the mail server does not take it: {error}"),
        }),
        Err(_) => Err("the mail server does not answer in time".to_owned()),
    }
}
