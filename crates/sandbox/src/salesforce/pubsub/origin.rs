//! What a change came through, for the header of its event.

use http::HeaderMap;
use std::future::Future;

tokio::task_local! {
    static ORIGIN: String;
}

/// Runs a call whose changes come through `api` in `version`, such as `rest` and `66.0`.
pub(in crate::salesforce) async fn within<F: Future>(
    api: &str,
    version: &str,
    headers: &HeaderMap,
    call: F,
) -> F::Output {
    ORIGIN.scope(text(api, version, headers), call).await
}

/// Keeps the origin of the running call for work that goes on after it.
pub(in crate::salesforce) fn carried<F: Future>(work: F) -> impl Future<Output = F::Output> {
    ORIGIN.scope(current(), work)
}

/// The origin of the running call; empty for the org's own doings.
pub(in crate::salesforce) fn current() -> String {
    ORIGIN.try_with(Clone::clone).unwrap_or_default()
}

/// `com/salesforce/api/rest/66.0;client=X`, with the client that `Sforce-Call-Options` names.
fn text(api: &str, version: &str, headers: &HeaderMap) -> String {
    let options = headers
        .get("Sforce-Call-Options")
        .and_then(|value| value.to_str().ok());
    let client = options.and_then(|options| {
        options
            .split([',', ';'])
            .find_map(|option| option.trim().strip_prefix("client="))
    });
    let version = version.trim_start_matches('v');
    match client {
        Some(client) => format!("com/salesforce/api/{api}/{version};client={client}"),
        None => format!("com/salesforce/api/{api}/{version}"),
    }
}
