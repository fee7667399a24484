//! What a load balancer asks: does this server live, and may it be sent new connections? It exists so that a
//! node that leaves, or that has lost the others, is spared while it still serves those it has; it refuses to
//! judge how well it does.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::broker::Broker;

/// What the answers depend on. Cheap to clone.
#[derive(Clone)]
pub struct Health {
    broker: Arc<dyn Broker>,
    leaving: CancellationToken,
}

/// What `/readyz` says.
#[derive(Debug, Serialize)]
struct Readiness {
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
}

/// Why it is not ready.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Reason {
    /// It was told to end.
    Leaving,
    /// Redis cannot be reached: what is local goes on, and other nodes are out of reach.
    RedisAway,
}

impl Health {
    /// Ready as long as `broker` can be reached and `leaving` is not cancelled.
    pub fn new(broker: Arc<dyn Broker>, leaving: CancellationToken) -> Self {
        Self { broker, leaving }
    }

    fn problem(&self) -> Option<Reason> {
        if self.leaving.is_cancelled() {
            return Some(Reason::Leaving);
        }
        (!self.broker.is_there()).then_some(Reason::RedisAway)
    }
}

/// `/healthz` and `/readyz`.
pub(super) fn routes<S: Clone + Send + Sync + 'static>(health: Health) -> Router<S> {
    Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz)).with_state(health)
}

/// Alive: the process answers.
async fn healthz() -> &'static str {
    "ok\n"
}

/// Ready: new connections are welcome.
async fn readyz(State(health): State<Health>) -> Response {
    let reason = health.problem();
    let status = if reason.is_none() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let readiness = Readiness { ready: reason.is_none(), reason };
    (status, [(CACHE_CONTROL, "no-store")], Json(readiness)).into_response()
}
