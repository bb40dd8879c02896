//! The Pub/Sub API: change events over gRPC, on a listener of its own.
//!
//! Served: `GetTopic`, `GetSchema` and `Subscribe` for `/data/ChangeEvents` and the channel of every object. Every
//! commit leaves events of the selected objects in the order of the commits, as bare Avro data.
//!
//! Where it differs from the real one: nothing can be published, managed subscriptions and custom channels do not
//! exist, and a Contact's name is a text. What is wished of gaps, overflows, losses and retention is set through
//! `/__sandbox/pubsub` on the org's own listener.

mod avro;
pub mod bus;
mod event;
mod habits;
mod layout;
mod long_text;
pub(super) mod origin;
mod status;
mod subscribe;
mod telling;
mod topic;

/// The generated types.
#[allow(missing_docs, clippy::all, unreachable_pub)]
pub mod proto {
    tonic::include_proto!("eventbus.v1");
}

pub use bus::EventBus;
pub(super) use bus::{SavedBus, SavedCounters, SavedEvent};
pub use habits::PubSubHabits;

use crate::salesforce::{
    call::nothing,
    errors::{ApiError, json_ok},
    handle::OrgHandle,
    session,
};
use axum::{Router, response::Response as HttpResponse};
use proto::{
    FetchRequest, FetchResponse, ManagedFetchRequest, ManagedFetchResponse, PublishRequest, PublishResponse,
    SchemaInfo, SchemaRequest, TopicInfo, TopicRequest,
    pub_sub_server::{PubSub, PubSubServer},
};
use serde_json::{Value as Json, json};
use status::refusal;
use std::sync::Arc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Response, Status, Streaming, metadata::MetadataMap};
use topic::Topic;

/// The service's paths. Streams end with `stop`.
pub fn router(org: Arc<OrgHandle>, stop: CancellationToken) -> Router {
    let service = PubSubServer::new(Service { org, stop }).max_encoding_message_size(4 * 1024 * 1024);
    tonic::service::Routes::new(service).into_axum_router()
}

#[derive(Debug, Clone)]
struct Service {
    org: Arc<OrgHandle>,
    stop: CancellationToken,
}

impl Service {
    /// Who calls: a session's token, the org's URL and its id.
    fn admit(&self, metadata: &MetadataMap) -> Result<(), Status> {
        let text = |name: &str| {
            metadata
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
        };
        let (org_id, _) = self.org.identity();
        let url = text("instanceurl").trim_end_matches('/');
        let is_ours = url == self.org.instance_url && text("tenantid") == org_id.to_string();
        if text("accesstoken").is_empty() || !is_ours {
            let message = "The accesstoken, instanceurl and tenantid headers must name a session of this org";
            return Err(refusal(
                Code::Unauthenticated,
                "service.auth.headers.invalid",
                message,
            ));
        }
        if !session::is_open(&self.org, text("accesstoken")) {
            self.org.stats.refused("pubsub_session");
            let message = "Authentication exception occurred: the session is expired or invalid";
            return Err(refusal(Code::Unauthenticated, "service.auth.error", message));
        }
        Ok(())
    }

    /// A channel, if it is there and this user may hear of it. The channel of an object that is not selected for change
    /// data capture is not there (pozil/pub-sub-api-java-client#2 has the words).
    fn topic(&self, name: &str) -> Result<Topic, Status> {
        if name.is_empty() {
            let message = "The topic name must not be empty";
            return Err(refusal(Code::InvalidArgument, "topic.validation.empty", message));
        }
        let habits = self.org.bus.habits();
        if !habits.licensed {
            let message = "The org's licence does not include the Pub/Sub API.";
            return Err(refusal(Code::PermissionDenied, "service.tenant.license", message));
        }
        let org = self.org.org.read();
        let schema = org.schema();
        let found = Topic::find(schema, name).filter(|topic| match topic {
            Topic::All => true,
            Topic::One(object) => habits.selects(&schema.objects[*object].name),
        });
        let topic = found.ok_or_else(|| {
            let (org_id, _) = self.org.identity();
            let message = format!(
                "The topic information for org CORE/prod/{org_id} and topic {name} not found. Ensure the topic name is \
                 correct and that the topic exists."
            );
            refusal(Code::NotFound, "topic.not.found", &message)
        })?;
        match topic {
            Topic::One(object) if habits.forbids(&schema.objects[object].name) => {
                let message = format!("The user does not have permission to subscribe to the topic {name}");
                Err(refusal(Code::PermissionDenied, "topic.meta.permission", &message))
            }
            topic => Ok(topic),
        }
    }
}

/// What this sandbox does not do, said as a server of an older version would.
fn not_served(what: &str) -> Status {
    Status::unimplemented(format!("{what} is not served by this sandbox"))
}

#[tonic::async_trait]
impl PubSub for Service {
    type SubscribeStream = ReceiverStream<Result<FetchResponse, Status>>;
    type PublishStreamStream = ReceiverStream<Result<PublishResponse, Status>>;
    type ManagedSubscribeStream = ReceiverStream<Result<ManagedFetchResponse, Status>>;

    async fn subscribe(
        &self,
        request: Request<Streaming<FetchRequest>>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        self.org.stats.call("pubsub_subscribe");
        self.admit(request.metadata())?;
        let (answers, stream) = tokio::sync::mpsc::channel(4);
        tokio::spawn(subscribe::run(self.clone(), request.into_inner(), answers));
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn get_schema(&self, request: Request<SchemaRequest>) -> Result<Response<SchemaInfo>, Status> {
        self.org.stats.call("pubsub_schema");
        self.admit(request.metadata())?;
        let id = request.into_inner().schema_id;
        let schema = self.org.bus.schema(&id).ok_or_else(|| {
            let message = format!("The schema {id} does not exist or is not accessible");
            refusal(Code::InvalidArgument, "schema.validation.failed", &message)
        })?;
        Ok(Response::new(SchemaInfo {
            schema_json: schema.to_string(),
            schema_id: id,
            rpc_id: status::rpc_id(),
        }))
    }

    async fn get_topic(&self, request: Request<TopicRequest>) -> Result<Response<TopicInfo>, Status> {
        self.org.stats.call("pubsub_topic");
        self.admit(request.metadata())?;
        let topic_name = request.into_inner().topic_name;
        let schema_id = match self.topic(&topic_name)? {
            Topic::One(object) => self
                .org
                .bus
                .layout(&self.org.org.read(), object)
                .schema_id
                .clone(),
            // It is of no use for decoding: events name their own.
            Topic::All => "ChangeEvents".to_owned(),
        };
        let (org_id, _) = self.org.identity();
        Ok(Response::new(TopicInfo {
            topic_name,
            tenant_guid: format!("core/prod/{org_id}"),
            can_publish: false,
            can_subscribe: true,
            schema_id,
            rpc_id: status::rpc_id(),
        }))
    }

    async fn publish(&self, _: Request<PublishRequest>) -> Result<Response<PublishResponse>, Status> {
        Err(not_served("Publish"))
    }

    async fn publish_stream(
        &self,
        _: Request<Streaming<PublishRequest>>,
    ) -> Result<Response<Self::PublishStreamStream>, Status> {
        Err(not_served("PublishStream"))
    }

    async fn managed_subscribe(
        &self,
        _: Request<Streaming<ManagedFetchRequest>>,
    ) -> Result<Response<Self::ManagedSubscribeStream>, Status> {
        Err(not_served("ManagedSubscribe"))
    }
}

/// A schema as REST gives it: with its id inside.
pub(super) fn schema_by_rest(handle: &OrgHandle, id: &str) -> Result<HttpResponse, ApiError> {
    let mut schema = handle.bus.schema(id).ok_or_else(ApiError::not_found)?;
    schema["uuid"] = json!(id);
    Ok(json_ok(&schema))
}

/// The schema of a change event object, by its name.
pub(super) fn schema_of_event(handle: &OrgHandle, name: &str) -> Result<HttpResponse, ApiError> {
    let id = {
        let org = handle.org.read();
        match Topic::find(org.schema(), &format!("/data/{name}")) {
            Some(Topic::One(object)) => handle.bus.layout(&org, object).schema_id.clone(),
            _ => return Err(ApiError::not_found()),
        }
    };
    schema_by_rest(handle, &id)
}

/// `/__sandbox/pubsub`: `GET` shows habits and counts, `PATCH` changes habits, `POST cut` ends all streams, `POST void`
/// makes every replay id void.
pub(super) fn backdoor(
    handle: &OrgHandle,
    method: &str,
    rest: &[&str],
    body: &[u8],
) -> Result<HttpResponse, ApiError> {
    let bus = &handle.bus;
    match (method, rest) {
        ("GET", []) => Ok(json_ok(
            &json!({ "habits": bus.habits(), "counts": bus.counts() }),
        )),
        ("PATCH", []) => {
            let changes: Json =
                serde_json::from_slice(body).map_err(|error| ApiError::body(error.to_string()))?;
            let mut habits = json!(bus.habits());
            for (name, value) in changes.as_object().into_iter().flatten() {
                habits[name] = value.clone();
            }
            let habits: PubSubHabits =
                serde_json::from_value(habits).map_err(|error| ApiError::body(error.to_string()))?;
            bus.set_habits(habits)
                .map_err(|problem| ApiError::bad("LIMIT_EXCEEDED", problem))?;
            Ok(nothing())
        }
        ("POST", ["cut"]) => {
            bus.cut();
            Ok(nothing())
        }
        ("POST", ["void"]) => {
            bus.void_places();
            Ok(nothing())
        }
        _ => Err(ApiError::not_found()),
    }
}
