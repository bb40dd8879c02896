//! How whoever is told of alerts is reached, by post or by mail.

use std::time::Duration;

use rustls_pki_types::CertificateDer;

/// How a receiver is reached.
pub(super) struct Way<'a> {
    /// How long it may take.
    pub(super) patience: Duration,
    /// Certificates that are trusted besides the system's own.
    pub(super) roots: &'a [CertificateDer<'static>],
    /// Whether the receiver may be on this machine or in its networks.
    pub(super) allow_private: bool,
}
