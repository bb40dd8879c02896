//! What a sandbox is asked to be.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

/// Everything that shapes a sandbox. [`Default`] gives the built-in org on free loopback ports with
/// HubSpot's real limits.
#[derive(Debug, Clone)]
pub struct SandboxConfig {
    /// Where the Salesforce side listens; port 0 takes a free one.
    pub salesforce: SocketAddr,
    /// Where the HubSpot side listens; port 0 takes a free one.
    pub hubspot: SocketAddr,
    /// Where the Pub/Sub API listens; port 0 takes a free one.
    pub pubsub: SocketAddr,
    /// Where the org's objects, fields and sample data come from.
    pub org: OrgSource,
    /// How many records of custom objects to hold in total; `None` leaves the source's own number.
    pub records: Option<usize>,
    /// Makes ids, stamps and sample values repeatable.
    pub seed: u64,
    /// HubSpot's calls per ten seconds.
    pub hubspot_limits: Limits,
    /// Serve TLS everywhere with this certificate; plain HTTP without.
    pub tls: Option<TlsFiles>,
    /// The stand-in for HubSpot's own Salesforce integration.
    pub companies: NativeIntegration,
    /// How far the org's clock is ahead of this machine's, in milliseconds (negative: behind).
    pub clock_skew_ms: i64,
    /// The longest time between a change's SystemModstamp and the moment when others can see it. Each
    /// change waits a share of it, so that commits come out of order.
    pub commit_delay: Duration,
    /// How long a Bulk API job waits in the queue before it runs.
    pub bulk_queue_delay: Duration,
    /// The most rows one Bulk API result page holds, whatever the client asks for.
    pub bulk_page_rows: usize,
    /// The org's daily API allowance (rolling 24 hours).
    pub daily_api_requests: u64,
    /// A folder in which both sides keep what they hold, over restarts; without it a stop forgets everything. What it
    /// holds goes before `org`, `records`, `seed` and `clock_skew_ms`.
    pub state: Option<PathBuf>,
}

impl Default for SandboxConfig {
    fn default() -> Self {
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        SandboxConfig {
            salesforce: loopback,
            hubspot: loopback,
            pubsub: loopback,
            org: OrgSource::BuiltIn,
            records: None,
            seed: 1,
            hubspot_limits: Limits::Real,
            tls: None,
            companies: NativeIntegration::default(),
            clock_skew_ms: 0,
            commit_delay: Duration::ZERO,
            bulk_queue_delay: Duration::from_millis(300),
            bulk_page_rows: 25_000,
            daily_api_requests: 1_000_000,
            state: None,
        }
    }
}

/// Where the org's definitions come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrgSource {
    /// Accounts, depots, vehicles, service visits and inspections.
    BuiltIn,
    /// A Salesforce DX source folder: the one that holds `sfdx-project.json`, or a package folder in it.
    Folder(PathBuf),
}

/// HubSpot's calls per ten seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limits {
    /// What HubSpot grants: the numbers of its documentation.
    Real,
    /// None at all, for benchmarks.
    Off,
    /// This many calls in each ten seconds.
    Calls(u32),
}

/// A limits setting that is neither `real`, `off` nor a number.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no limit: say `real`, `off` or a number of calls per ten seconds, such as 190")]
pub struct InvalidLimits(String);

impl FromStr for Limits {
    type Err = InvalidLimits;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.to_ascii_lowercase().as_str() {
            "real" => Ok(Limits::Real),
            "off" => Ok(Limits::Off),
            number => match number.parse() {
                Ok(0) | Err(_) => Err(InvalidLimits(text.to_owned())),
                Ok(calls) => Ok(Limits::Calls(calls)),
            },
        }
    }
}

/// The stand-in for HubSpot's own Salesforce integration: it keeps a company for each Account, with the
/// Account's name and its 18-character id in `salesforceaccountid`, a property that is not unique.
#[derive(Debug, Clone, PartialEq)]
pub struct NativeIntegration {
    /// Off leaves the portal without companies.
    pub enabled: bool,
    /// The share of the Accounts that are companies before anybody can call, 0 to 1.
    pub initial_share: f64,
    /// How long after the start, or after its creation, an Account that is not a company yet becomes one.
    pub delay: Duration,
}

impl Default for NativeIntegration {
    fn default() -> Self {
        NativeIntegration {
            enabled: true,
            initial_share: 0.8,
            delay: Duration::from_secs(20),
        }
    }
}

/// A certificate chain and its private key, both PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, the server's own certificate first.
    pub certificate: PathBuf,
    /// The private key (PKCS#8, PKCS#1 or SEC1).
    pub key: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_from_text() {
        assert_eq!("real".parse(), Ok(Limits::Real));
        assert_eq!("OFF".parse(), Ok(Limits::Off));
        assert_eq!("190".parse(), Ok(Limits::Calls(190)));
        for wrong in ["", "0", "-1", "many"] {
            assert!(wrong.parse::<Limits>().is_err(), "{wrong:?}");
        }
    }
}
