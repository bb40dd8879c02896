//! Live numbers: server-sent events whose data is HTML, each element to take the place of the one with its id.

use std::convert::Infallible;
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive};
use axum::response::{IntoResponse, Response, Sse};
use maud::Markup;
use tokio::time::{Interval, MissedTickBehavior};

use super::visit::Visit;
use crate::service::ServiceError;

/// How often a page is told what moved.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// The id of the last event of a stream: a browser that comes back with it is told that there will be no more.
const OVER: &str = "over";

/// What a page is told.
pub(super) struct Told {
    /// The parts that move.
    pub(super) parts: Markup,
    /// Whether anything may still move.
    pub(super) goes_on: bool,
}

/// Answers with events until nothing moves any more, or the visitor may not look any more. What has not changed is not
/// told again.
pub(super) fn follow<F, L>(visit: Visit, headers: &HeaderMap, look: F) -> Response
where
    F: Fn(Visit) -> L + Send + 'static,
    L: Future<Output = Result<Told, ServiceError>> + Send + 'static,
{
    if headers.get("last-event-id").is_some_and(|id| id == OVER) {
        return StatusCode::NO_CONTENT.into_response();
    }
    let mut tick = tokio::time::interval(TELL_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let follower = Follower {
        visit,
        look,
        tick,
        told: String::new(),
    };
    let events = futures::stream::unfold(Some(follower), |follower| async {
        let mut follower = follower?;
        let (event, goes_on) = follower.next().await;
        Some((Ok::<_, Infallible>(event), goes_on.then_some(follower)))
    });
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

struct Follower<F> {
    visit: Visit,
    look: F,
    tick: Interval,
    told: String,
}

impl<F, L> Follower<F>
where
    F: Fn(Visit) -> L,
    L: Future<Output = Result<Told, ServiceError>>,
{
    /// The next event, and whether there will be more.
    async fn next(&mut self) -> (Event, bool) {
        loop {
            self.tick.tick().await;
            match self.once().await {
                Ok(told) => {
                    // A carriage return would end a line of the event; in HTML it is a space like any other.
                    let html = told.parts.into_string().replace('\r', " ");
                    if !told.goes_on {
                        return (Event::default().id(OVER).data(html), false);
                    }
                    if html != self.told {
                        self.told.clone_from(&html);
                        return (Event::default().data(html), true);
                    }
                }
                Err(error) if is_final(&error) => {
                    return (
                        Event::default().event("end").id(OVER).data(error.to_string()),
                        false,
                    );
                }
                // The page stays as it is until the next look.
                Err(error) => tracing::debug!(%error, "a page's live numbers cannot be read just now"),
            }
        }
    }

    async fn once(&mut self) -> Result<Told, ServiceError> {
        self.visit = self.visit.again().await?;
        (self.look)(self.visit.clone()).await
    }
}

/// Whether the visitor may look no longer.
fn is_final(error: &ServiceError) -> bool {
    matches!(
        error,
        ServiceError::Unauthenticated(_) | ServiceError::NotFound(_) | ServiceError::Forbidden(_)
    )
}
