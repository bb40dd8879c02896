//! Whom messages are handed to: certificates beside the system's own, and what is wrong with one that is not trusted.

use std::error::Error;
use std::path::Path;

use rustls::CertificateError;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

/// The certificates that are trusted besides the system's own, read anew for each message: a replaced file counts at
/// once.
pub(super) async fn extra_roots(path: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, String> {
    let Some(path) = path else {
        return Ok(Vec::new());
    };
    let wrong = |why: String| {
        let path = path.display();
        format!("control.alert_ca names {path}, which cannot be used: {why}")
    };
    let pem = tokio::fs::read(path)
        .await
        .map_err(|error| wrong(error.to_string()))?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match read {
        Ok(roots) if roots.is_empty() => Err(wrong("it holds no certificate in PEM".to_owned())),
        Ok(roots) => Ok(roots),
        Err(error) => Err(wrong(error.to_string())),
    }
}

/// Why a server's certificate is not trusted, and what to do; none when an error is about something else.
pub(super) fn distrust(error: &(dyn Error + 'static)) -> Option<String> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(rustls::Error::InvalidCertificate(wrong)) = of_tls(error) {
            return Some(words(wrong));
        }
        cause = error.source();
    }
    None
}

/// An I/O error does not count what it wraps among its causes.
fn of_tls<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let wrapped = error
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref)
        .and_then(|inner| inner.downcast_ref());
    wrapped.or_else(|| error.downcast_ref())
}

fn words(wrong: &CertificateError) -> String {
    match wrong {
        // The latter of an issuer that is called as one who is trusted.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "its certificate is signed by nobody whom this machine trusts: name a file with the issuer's certificate in \
             control.alert_ca"
                .to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is for another host: enter the name that stands in it".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired: whoever runs the server must renew it".to_owned()
        }
        other => format!("its certificate is not accepted: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_certificate_is_found_under_what_wraps_it() {
        let tls = rustls::Error::InvalidCertificate(CertificateError::Expired);
        let io = std::io::Error::new(std::io::ErrorKind::InvalidData, tls);
        assert!(distrust(&io).unwrap().contains("expired"));
        assert_eq!(distrust(&std::io::Error::other("no route")), None);
        let unknown = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        assert!(distrust(&unknown).unwrap().contains("control.alert_ca"));
    }

    #[tokio::test]
    async fn a_file_without_a_certificate_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let trouble = extra_roots(Some(file.path())).await.unwrap_err();
        assert!(
            trouble.contains("control.alert_ca") && trouble.contains("no certificate"),
            "{trouble}"
        );
        assert!(extra_roots(Some(Path::new("/nowhere/ca.pem"))).await.is_err());
        assert_eq!(extra_roots(None).await.unwrap(), Vec::new());
    }
}
