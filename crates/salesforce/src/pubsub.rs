//! Change events by the Pub/Sub API (facts: Salesforce, 12 and 13).
//!
//! A [`PubSub`] is one org behind a shared connection; a [`Subscription`] is one channel of it, from a place on. Events
//! come as their headers alone: whoever hears of a change reads the record, so that the body, which holds only what
//! changed and only as the user may see it, is of no use here.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Status};

use crate::auth::Session;
use crate::calls::Family;
use crate::client::Client;
use crate::error::SalesforceError;

mod bitmap;
mod error;
mod event;
mod schema;
mod subscription;

/// The generated types of `proto/eventbus/v1/pubsub.proto`. They stay in here.
#[allow(missing_docs, clippy::all, unreachable_pub, dead_code)]
mod proto {
    tonic::include_proto!("eventbus.v1");
}

use proto::pub_sub_client::PubSubClient;
use proto::{SchemaRequest, TopicRequest};

pub use error::{PubSubError, StreamVerdict};
pub use event::{ChangeEvent, ChangeType, ReplayId, Told};
pub use schema::Schemas;
pub use subscription::{Delivery, From, SILENCE, Subscription};

/// Where the Pub/Sub API is, for all orgs whose data need not stay in the European Union.
pub const ENDPOINT: &str = "https://api.pubsub.salesforce.com:7443";

/// The largest answer: three megabytes by the documentation, and room.
const ANSWER_MAX: usize = 4 * 1024 * 1024;
/// A ping goes out so often, so that what lies between does not forget an idle connection.
const PING_EVERY: Duration = Duration::from_secs(30);
/// A ping that is not answered for so long ends the connection.
const PING_PATIENCE: Duration = Duration::from_secs(20);

/// The channel of an object's change events: `/data/Vehicle__ChangeEvent`, `/data/AccountChangeEvent`.
#[must_use]
pub fn channel_of(object: &str) -> String {
    match object.strip_suffix("__c") {
        Some(custom) => format!("/data/{custom}__ChangeEvent"),
        None => format!("/data/{object}ChangeEvent"),
    }
}

/// A connection to the service, for any number of orgs and subscriptions. It is made when first used and again when it
/// breaks. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Wire(Channel);

impl Wire {
    /// To an address with `https`, or `http` on this machine: tokens travel on it.
    pub fn new(address: &str) -> Result<Self, SalesforceError> {
        let unusable = |why: String| {
            SalesforceError::Setting(format!("the Pub/Sub address {address:?} cannot be used: {why}"))
        };
        let url = url::Url::parse(address).map_err(|error| unusable(error.to_string()))?;
        let is_here = match url.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        };
        let with_tls = match url.scheme() {
            "https" => true,
            "http" if is_here => false,
            "http" => {
                return Err(unusable(
                    "tokens would travel in the clear; write https".to_owned(),
                ));
            }
            other => return Err(unusable(format!("{other} is not spoken here; write https"))),
        };
        let mut endpoint = Endpoint::from_shared(address.trim_end_matches('/').to_owned())
            .map_err(|error| unusable(error.to_string()))?
            .connect_timeout(Duration::from_secs(10))
            .http2_keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_PATIENCE)
            .keep_alive_while_idle(true)
            .tcp_nodelay(true);
        if with_tls {
            let tls = ClientTlsConfig::new().with_native_roots();
            endpoint = endpoint
                .tls_config(tls)
                .map_err(|error| unusable(error.to_string()))?;
        }
        Ok(Self(endpoint.connect_lazy()))
    }
}

/// One org's change events. Cheap to clone.
#[derive(Debug, Clone)]
pub struct PubSub {
    client: Client,
    grpc: PubSubClient<Channel>,
    schemas: Arc<Schemas>,
    /// The session that was used last.
    session: Arc<Mutex<Option<Arc<Session>>>>,
}

impl PubSub {
    /// Over a connection, with the schemas that are known of the org. Nothing is sent yet.
    #[must_use]
    pub fn new(client: Client, wire: &Wire, schemas: Arc<Schemas>) -> Self {
        let grpc = PubSubClient::new(wire.0.clone()).max_decoding_message_size(ANSWER_MAX);
        Self {
            client,
            grpc,
            schemas,
            session: Arc::default(),
        }
    }

    /// Whether a channel is there and may be subscribed to by this user. Salesforce does not know the channel of an object
    /// that is not selected for change data capture.
    pub async fn may_subscribe(&self, channel: &str) -> Result<bool, PubSubError> {
        const WHAT: &str = "a channel's description";
        let topic_name = channel.to_owned();
        let ask = |mut grpc: PubSubClient<Channel>, request| async move { grpc.get_topic(request).await };
        let info = self.unary(WHAT, TopicRequest { topic_name }, ask).await?;
        Ok(info.can_subscribe)
    }

    /// Gives up the session that was used last: the next call signs in, unless somebody else has done so.
    pub async fn sign_in_again(&self) -> Result<(), PubSubError> {
        let stale = self.session.lock().take();
        let fresh = self.client.session_other_than(stale.as_ref()).await?;
        *self.session.lock() = Some(fresh);
        Ok(())
    }

    async fn schema_json(&self, id: &str) -> Result<String, PubSubError> {
        const WHAT: &str = "a schema of change events";
        let schema_id = id.to_owned();
        let ask = |mut grpc: PubSubClient<Channel>, request| async move { grpc.get_schema(request).await };
        let info = self.unary(WHAT, SchemaRequest { schema_id }, ask).await?;
        Ok(info.schema_json)
    }

    /// A call with one answer; signs in once more if the session has ended.
    async fn unary<T: Clone, A, F>(
        &self,
        what: &'static str,
        body: T,
        ask: impl Fn(PubSubClient<Channel>, Request<T>) -> F,
    ) -> Result<A, PubSubError>
    where
        F: Future<Output = Result<tonic::Response<A>, Status>>,
    {
        let mut renewed = false;
        loop {
            let request = self.request(body.clone()).await?;
            self.client.calls().count(Family::PubSub);
            let asked =
                tokio::time::timeout(self.client.config().call_timeout, ask(self.grpc.clone(), request));
            let error = match asked.await {
                Ok(Ok(answer)) => return Ok(answer.into_inner()),
                Ok(Err(status)) => PubSubError::refused(what, &status),
                Err(_) => PubSubError::Silent { what },
            };
            if renewed || error.verdict() != StreamVerdict::SignInAgain {
                return Err(error);
            }
            renewed = true;
            self.sign_in_again().await?;
        }
    }

    /// A request with who asks: the bare token, the org's address, and its id.
    async fn request<T>(&self, body: T) -> Result<Request<T>, PubSubError> {
        let session = self.client.session().await?;
        let mut request = Request::new(body);
        let plain = |text: &str| {
            MetadataValue::try_from(text).map_err(|_| {
                SalesforceError::Setting(
                    "the sign-in gave a token or an address that no header can hold".to_owned(),
                )
            })
        };
        let mut token = plain(session.token.expose())?;
        token.set_sensitive(true);
        let address = session.instance_url.as_str().trim_end_matches('/').to_owned();
        let metadata = request.metadata_mut();
        metadata.insert("accesstoken", token);
        metadata.insert("instanceurl", plain(&address)?);
        metadata.insert("tenantid", plain(session.org_id.as_str())?);
        *self.session.lock() = Some(session);
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_named_after_their_objects() {
        for (object, channel) in [
            ("Vehicle__c", "/data/Vehicle__ChangeEvent"),
            ("acme__Vehicle__c", "/data/acme__Vehicle__ChangeEvent"),
            ("Account", "/data/AccountChangeEvent"),
        ] {
            assert_eq!(channel_of(object), channel);
        }
    }

    #[tokio::test]
    async fn tokens_travel_in_the_clear_on_this_machine_only() {
        for (address, taken) in [
            (ENDPOINT, true),
            ("https://api.deu.pubsub.salesforce.com/", true),
            ("http://127.0.0.1:7011", true),
            ("http://[::1]:7011", true),
            ("http://localhost:7011", true),
            ("http://api.pubsub.salesforce.com:7443", false),
            ("ftp://127.0.0.1", false),
            ("api.pubsub.salesforce.com:7443", false),
        ] {
            let made = Wire::new(address);
            assert_eq!(made.is_ok(), taken, "{address}: {made:?}");
        }
    }
}
