//! What is had by plain HTTP: the page, downloads, uploads, the served folder, health. One mapping from an error to a response, and
//! no rules: what may be had is decided below.

mod conditions;
mod content;
pub mod disposition;
mod download;
mod error;
mod file;
mod folder;
mod health;
mod origin;
pub mod page;
mod parting;
mod put;
pub mod range;
mod stored;
mod take;
mod tus;
mod upload;
mod visit;
mod zip;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, put};

pub use self::folder::Folder;
pub use self::health::Health;
pub use self::origin::{Origins, check as check_origin};
pub use self::tus::discover as discover_tus;

use crate::hub::Hub;
use crate::net::UnderWay;
use crate::tus::Tus;
use crate::upload::Uploads;

/// What is served where anything is kept.
#[derive(Clone)]
pub struct Kept {
    /// `/api/upload` and `/upload/`; without it they say that nothing is kept.
    pub uploads: Option<Uploads>,
    /// `/tus/`.
    pub tus: Option<Tus>,
}

/// Every route of the server but Socket.IO's; `/download/` where there is a `folder` to serve. What is `under_way` and
/// the hub knows nothing of is counted.
pub fn routes(hub: Hub, health: Health, folder: Option<Folder>, kept: Kept, under_way: UnderWay) -> Router {
    let unknown_to_hub = Router::new()
        .merge(folder::routes(folder))
        .merge(upload::routes(hub.clone(), kept.uploads))
        .merge(tus::routes(kept.tus, hub.clone()))
        .layer(from_fn_with_state(under_way, count));
    Router::new()
        .route("/transfers/{id}/content", get(content::serve).head(content::serve))
        .route("/drops/{id}/content", get(zip::serve).head(zip::serve))
        .route("/rooms/{room}", put(put::nameless))
        .route("/rooms/{room}/", put(put::nameless))
        .route("/rooms/{room}/{*filename}", get(take::serve).head(take::serve).put(put::serve))
        .merge(health::routes(health))
        .merge(page::routes())
        .merge(unknown_to_hub)
        .method_not_allowed_fallback(error::method_not_allowed)
        .fallback(error::not_found)
        .with_state(hub)
}

async fn count(State(under_way): State<UnderWay>, request: Request, next: Next) -> Response {
    let one = under_way.one();
    one.lasts(next.run(request).await)
}
