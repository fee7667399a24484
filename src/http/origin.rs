//! Which pages of other sites may talk to this server (the Fetch standard's CORS protocol). Browsers do
//! not ask before they open a WebSocket, so a request that names an origin that may not is refused here.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::error::Refused;
use super::tus;
use super::visit::PASSPHRASE;
use crate::protocol::{ErrorCode, Refusal};

/// The origins that may connect, beside the server's own page.
#[derive(Debug, Clone)]
pub struct Origins(Arc<[String]>);

impl Origins {
    /// Those in `list`, in lower case and without a slash at the end; `*` is any.
    pub fn new(list: &[String]) -> Self {
        Self(list.into())
    }

    /// Answers what browsers ask before they let a page of another site in.
    pub fn layer(&self) -> CorsLayer {
        let origins = self.clone();
        let allowed = AllowOrigin::predicate(move |origin: &HeaderValue, _| origins.allow(origin));
        let sent = [header::CONTENT_TYPE, header::AUTHORIZATION, header::RANGE, PASSPHRASE];
        let answered =
            [header::CONTENT_RANGE, header::CONTENT_DISPOSITION, header::ACCEPT_RANGES, header::ETAG];
        CorsLayer::new()
            .allow_origin(allowed)
            .allow_methods([
                Method::GET,
                Method::HEAD,
                Method::POST,
                Method::PUT,
                Method::PATCH,
                Method::DELETE,
            ])
            .allow_headers(sent.into_iter().chain(tus::SENT).collect::<Vec<_>>())
            .expose_headers(answered.into_iter().chain(tus::ANSWERED).collect::<Vec<_>>())
    }

    fn allow(&self, origin: &HeaderValue) -> bool {
        let Ok(origin) = origin.to_str() else { return false };
        self.0.iter().any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(origin))
    }
}

/// Refuses requests from pages that may not talk to this server.
pub async fn check(State(origins): State<Origins>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let stranger =
        headers.get(ORIGIN).filter(|origin| !is_own(origin, headers.get(HOST)) && !origins.allow(origin));
    if stranger.is_some() {
        let why = Refusal::new(
            ErrorCode::NotAllowed,
            "Pages of this origin may not connect; the operator lists those that may under socketio.origins.",
        );
        return Refused::from(why).into_response();
    }
    next.run(request).await
}

/// Whether the page came from this server: its origin's host is the one that was asked.
fn is_own(origin: &HeaderValue, host: Option<&HeaderValue>) -> bool {
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    let host = host.and_then(|host| host.to_str().ok());
    matches!((origin, host), (Some((_, authority)), Some(host)) if authority.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_origins_and_the_own_page_may_connect() {
        let value = HeaderValue::from_static;
        let origins = Origins::new(&["https://app.example".into()]);
        assert!(origins.allow(&value("https://APP.example")));
        assert!(!origins.allow(&value("https://app.example.evil")));
        assert!(!origins.allow(&value("null")));
        assert!(Origins::new(&["*".into()]).allow(&value("null")));
        assert!(is_own(&value("http://here:3000"), Some(&value("here:3000"))));
        assert!(!is_own(&value("http://there:3000"), Some(&value("here:3000"))));
        assert!(!is_own(&value("null"), Some(&value("here:3000"))));
    }
}
