//! Control over HTTP. So far only the status; the REST API and the console move in here.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use landbridge_model::StageKind;
use landbridge_stage::{ConfigView, Hub};
use landbridge_wire::{AskError, AskErrorCode};

use crate::ask::{AskTenant, TenantStatus};

/// How long one tenant's status may take.
const STATUS: Duration = Duration::from_secs(15);

#[derive(Clone)]
struct Api {
    hub: Hub,
    config: ConfigView,
}

/// The routes of `/api/v1`. Any control may serve them: it asks the owner of each tenant's shard.
pub fn router(hub: Hub, config: ConfigView) -> Router {
    Router::new()
        .route("/api/v1/status", get(status))
        .with_state(Api { hub, config })
}

/// How all tenants stand.
async fn status(State(api): State<Api>) -> Result<Json<Vec<TenantStatus>>, Problem> {
    let tenants = api.config.tenants();
    let asked = tenants
        .iter()
        .map(|tenant| api.hub.ask(StageKind::Control, &tenant.id, &AskTenant {}, STATUS));
    let answers = futures::future::try_join_all(asked).await.map_err(Problem)?;
    Ok(Json(answers))
}

/// An error as a problem document (RFC 9457).
struct Problem(AskError);

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = match self.0.code {
            AskErrorCode::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            AskErrorCode::NotFound => StatusCode::NOT_FOUND,
            AskErrorCode::Unauthorized => StatusCode::UNAUTHORIZED,
            AskErrorCode::Forbidden => StatusCode::FORBIDDEN,
            AskErrorCode::Limited => StatusCode::TOO_MANY_REQUESTS,
            AskErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            AskErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let body = serde_json::json!({
            "type": "about:blank",
            "title": self.0.code.as_str(),
            "status": status.as_u16(),
            "detail": self.0.message,
        });
        let content_type = [("content-type", "application/problem+json")];
        (status, content_type, body.to_string()).into_response()
    }
}
