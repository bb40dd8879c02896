//! What an operator can tune about reading.

use std::time::Duration;

use landbridge_salesforce::{DailyBudget, RetryPolicy};

/// How the extractor reads.
#[derive(Clone, Debug, PartialEq)]
pub struct ExtractorSettings {
    /// Pause between two looks at a sync's increment. Stretched when the org's daily allocation runs low.
    pub poll_interval: Duration,
    /// How far behind the org's clock a window ends: a row's stamp is taken when its statement runs, the row is seen
    /// when its transaction commits.
    pub lag: Duration,
    /// How much of what was read already is read again, for transactions that took longer than the lag.
    pub overlap: Duration,
    /// How often Salesforce is asked for transactions that are still open, so that those are waited for which take longer
    /// than the overlap. It asks for five minutes at least (facts: Salesforce, 7).
    pub settle_interval: Duration,
    /// How often what HubSpot has is looked for in Salesforce, so that records are found that were purged or deleted for
    /// good: no window shows those. Zero is never.
    pub reconcile_interval: Duration,
    /// How often an object is described again, at most: a call each time, which costs little while nothing changed. Zero
    /// is never; a query that Salesforce refuses for its schema's sake is still looked into.
    pub describe_interval: Duration,
    /// How often parents are looked at for changes that formulas and mapped paths of their children show: two calls for each
    /// parent's object. All records are read again by each sync's own schedule. Zero is never.
    pub formula_interval: Duration,
    /// Most rows of one message.
    pub batch_rows: usize,
    /// Rows of one Bulk results page, where we may choose.
    pub page_rows: u32,
    /// Bulk results pages fetched at the same time for one import.
    pub parallel_pages: usize,
    /// More records than this are read by Bulk: by a compare, for formulas, or by a window of the increment that does not fit a page.
    pub bulk_from: u64,
    /// How often one call is let through although the org's day is spent: the answer tells whether calls are free again.
    pub probe_interval: Duration,
    /// Longest time for one call.
    pub call_timeout: Duration,
    /// API version in its path form.
    pub api_version: String,
    /// When a call is tried again.
    pub retry: RetryPolicy,
    /// Change events.
    pub stream: StreamSettings,
}

/// How change events are listened to.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamSettings {
    /// Whether they are at all.
    pub enabled: bool,
    /// Where the Pub/Sub API is, for connections that do not say otherwise.
    pub address: String,
    /// Pause between two looks at a sync's increment while its object's events come: it is only the safety net then.
    pub poll_interval: Duration,
    /// For how long the records that events name are collected before they are read together, while the budget of calls is
    /// ample.
    pub window: Duration,
    /// The same at the longest, when the budget is scarce.
    pub longest_window: Duration,
    /// A stream that says nothing for so long is given up. Salesforce shows a sign of life each 270 s.
    pub silence: Duration,
    /// For so long polls are as frequent as without a stream after the increment has found what it did not tell.
    pub distrust: Duration,
    /// Pause before a stream that broke is tried again; it doubles each time.
    pub first_pause: Duration,
    /// The same at the longest.
    pub longest_pause: Duration,
    /// Pause before a stream is tried again that Salesforce does not give: not selected, not permitted, no deliveries left. It
    /// doubles each time.
    pub first_probe: Duration,
    /// The same at the longest.
    pub longest_probe: Duration,
}

impl Default for StreamSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            address: landbridge_salesforce::pubsub::ENDPOINT.to_owned(),
            poll_interval: Duration::from_secs(120),
            window: Duration::from_millis(250),
            longest_window: Duration::from_secs(60),
            silence: landbridge_salesforce::pubsub::SILENCE,
            distrust: Duration::from_secs(600),
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(60),
            first_probe: Duration::from_secs(60),
            longest_probe: Duration::from_secs(1_800),
        }
    }
}

impl Default for ExtractorSettings {
    fn default() -> Self {
        Self {
            poll_interval: Duration::from_secs(15),
            lag: Duration::from_secs(10),
            overlap: Duration::from_secs(120),
            settle_interval: Duration::from_secs(300),
            reconcile_interval: Duration::from_secs(24 * 3_600),
            describe_interval: Duration::from_secs(300),
            formula_interval: Duration::from_secs(300),
            batch_rows: 200,
            page_rows: 20_000,
            parallel_pages: 3,
            bulk_from: 10_000,
            probe_interval: DailyBudget::PROBE_EVERY,
            call_timeout: Duration::from_secs(60),
            api_version: "v66.0".to_owned(),
            retry: RetryPolicy::default(),
            stream: StreamSettings::default(),
        }
    }
}
