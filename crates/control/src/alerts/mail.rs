//! Messages by SMTP.

use landbridge_model::TenantId;
use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters, TlsParametersBuilder};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use rustls_pki_types::CertificateDer;

use super::judge::{Told, Turn};
use super::settings::{MailSecurity, StoredMail};
use super::trust::distrust;
use super::way::Way;
use crate::reach;

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

/// Hands it to the server, within the time that the way gives.
pub(super) async fn send(
    stored: &StoredMail,
    password: Option<String>,
    message: Message,
    way: Way<'_>,
) -> Result<(), String> {
    let sent = tokio::time::timeout(way.patience, hand_over(stored, password, message, &way));
    sent.await
        .unwrap_or_else(|_| Err("the mail server does not answer in time".to_owned()))
}

async fn hand_over(
    stored: &StoredMail,
    password: Option<String>,
    message: Message,
    way: &Way<'_>,
) -> Result<(), String> {
    let tls = match stored.security {
        MailSecurity::Tls => Tls::Wrapper(parameters(stored, way)?),
        MailSecurity::Starttls => Tls::Required(parameters(stored, way)?),
        MailSecurity::None => Tls::None,
    };
    // Where a name leads can change: what is connected to is an address that was looked at. The certificate is still
    // held against the name.
    let server = match way.allow_private {
        true => stored.host.clone(),
        false => {
            let found = reach::public_server(&stored.host, stored.port).await;
            let address = found.map_err(|why| format!("nothing was sent to the mail server: {why}"))?;
            address.to_string()
        }
    };
    let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(server)
        .port(stored.port)
        .tls(tls)
        .timeout(Some(way.patience));
    if let (Some(user), Some(password)) = (&stored.user, password) {
        transport = transport.credentials(Credentials::new(user.clone(), password));
    }
    let sent = transport.build().send(message).await;
    sent.map(drop).map_err(|error| match distrust(&error) {
        Some(why) => format!("nothing was sent to the mail server: {why}"),
        None => format!("the mail server does not take it: {error}"),
    })
}

/// Whom the server's certificate is held against.
fn parameters(stored: &StoredMail, way: &Way<'_>) -> Result<TlsParameters, String> {
    let trust = |builder: TlsParametersBuilder, root: &CertificateDer<'static>| {
        Certificate::from_der(root.to_vec()).map(|root| builder.add_root_certificate(root))
    };
    way.roots
        .iter()
        .try_fold(TlsParameters::builder(stored.host.clone()), trust)
        .and_then(TlsParametersBuilder::build)
        .map_err(|error| format!("TLS to {} cannot be set up: {error}", stored.host))
}
