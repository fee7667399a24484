//! Telling a hook by HTTP: one POST, signed, without redirects and without a proxy. It reads no more of the answer
//! than a sentence needs, and never says where it went: URLs of hooks hold secrets.

use std::time::SystemTime;

use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

use super::verdict::{ANSWER, Failure, Verdict, of_status};
use super::{Event, Key, StartError};

/// A hook behind a URL.
pub(super) struct Post {
    client: Client,
    url: Url,
    key: Option<Key>,
}

/// What all of them are called with: TLS with the system's certificates, or those that `SSL_CERT_FILE` names.
pub(super) fn client() -> Result<Client, StartError> {
    let tls = |error: &dyn std::fmt::Display| StartError::Tls(error.to_string());
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = crypto::ring::default_provider().into();
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| tls(&error))?.with_root_certificates(roots).with_no_client_auth();
    Client::builder()
        .tls_backend_preconfigured(config)
        .redirect(Policy::none())
        .no_proxy()
        .user_agent(concat!("roomdrop/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| tls(&error))
}

impl Post {
    /// `None` when the URL is none.
    pub(super) fn new(client: Client, url: &str, key: Option<Key>) -> Option<Self> {
        let url = Url::parse(url).ok().filter(|url| url.has_host())?;
        Some(Self { client, url, key })
    }

    /// Tells it once. Dropped, it is broken off.
    pub(super) async fn tell(&self, event: &Event) -> Verdict {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let (id, seconds) = (event.id(), now.as_secs());
        let mut request = self
            .client
            .post(self.url.clone())
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", seconds);
        if let Some(signature) = self.key.as_ref().and_then(|key| key.sign(id, seconds, event.body())) {
            request = request.header("webhook-signature", signature);
        }
        match request.body(event.body().clone()).send().await {
            Ok(mut response) => {
                let body = beginning(&mut response).await;
                of_status(response.status().as_u16(), &body)
            }
            Err(error) => Verdict::Failed(Failure::Unreachable(root_of(&error.without_url()).to_string())),
        }
    }
}

/// What an error comes from in the end; the rest says only that there was one.
fn root_of(error: &reqwest::Error) -> &(dyn std::error::Error + 'static) {
    let mut root: &(dyn std::error::Error + 'static) = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root
}

/// The first bytes of an answer; fewer when it breaks off.
async fn beginning(response: &mut Response) -> Vec<u8> {
    let mut body = Vec::new();
    while body.len() < ANSWER
        && let Ok(Some(chunk)) = response.chunk().await
    {
        let room = ANSWER - body.len();
        body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
    }
    body
}
