//! Questions about alerts: only control's worker can open their secrets, and only it sends.

use landbridge_model::ask::Question;
use serde::{Deserialize, Serialize};

use crate::alerts::settings::Channel;

/// Send a test message each way.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct TestAlerts {}
question!(TestAlerts, "test-alerts", Vec<TriedChannel>);

/// How one way went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TriedChannel {
    /// Which way.
    pub channel: Channel,
    /// Why the message did not arrive; none when it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}
