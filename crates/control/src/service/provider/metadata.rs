//! What the provider says of itself, with its keys: asked for once in some minutes and not at every sign-in, which needs
//! nobody to be signed in.

use std::time::{Duration, Instant};

use openidconnect::IssuerUrl;
use openidconnect::core::CoreProviderMetadata;
use tokio::sync::Mutex;

use super::call;
use crate::service::error::ServiceError;

/// For so long it counts. A key that is newer is asked for when a token needs it.
const GOOD_FOR: Duration = Duration::from_secs(600);
/// For so long a provider that did not answer is not asked again.
const PAUSE: Duration = Duration::from_secs(5);

/// How old it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    /// As it was asked for last.
    SomeMinutes,
    /// As it is now, or was some seconds ago.
    Now,
}

/// What is known of the provider.
#[derive(Debug, Default)]
pub(in crate::service) struct KnownProvider {
    /// Held while it is asked for: those who come meanwhile wait for that answer.
    known: Mutex<Option<Known>>,
}

#[derive(Debug)]
struct Known {
    issuer: IssuerUrl,
    asked: Instant,
    answer: Result<CoreProviderMetadata, String>,
}

impl Known {
    fn counts(&self, issuer: &IssuerUrl, age: Age) -> bool {
        let most = match (&self.answer, age) {
            (Ok(_), Age::SomeMinutes) => GOOD_FOR,
            (Ok(_), Age::Now) | (Err(_), _) => PAUSE,
        };
        self.issuer == *issuer && self.asked.elapsed() < most
    }
}

impl KnownProvider {
    pub(super) async fn metadata(
        &self,
        issuer: IssuerUrl,
        age: Age,
    ) -> Result<CoreProviderMetadata, ServiceError> {
        let mut known = self.known.lock().await;
        let answer = match known.as_ref().filter(|known| known.counts(&issuer, age)) {
            Some(known) => known.answer.clone(),
            None => {
                let answer = CoreProviderMetadata::discover_async(issuer.clone(), &call).await;
                let answer = answer.map_err(|error| error.to_string());
                *known = Some(Known {
                    issuer,
                    asked: Instant::now(),
                    answer: answer.clone(),
                });
                answer
            }
        };
        answer.map_err(|error| {
            ServiceError::Unavailable(format!("the OpenID Connect provider cannot be asked: {error}"))
        })
    }
}
