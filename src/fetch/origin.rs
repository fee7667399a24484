//! Asks an origin by HTTP: one request, its redirects followed one by one and each judged, connections made to
//! the very addresses that were judged. It decides nothing: what may be asked says the policy, what an answer
//! means the facts.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::header::{ACCEPT, ACCEPT_ENCODING, IF_RANGE, LOCATION, RANGE};
use reqwest::dns::{Name, Resolve, Resolving};
use reqwest::redirect;
use reqwest::{Client, Response};
use tokio::time::timeout;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};
use url::Url;

use super::facts::{Trouble, Validator};
use super::policy::{Policy, private};
use crate::protocol::{ErrorCode, Refusal};

/// Time for a connection, the look-up of the name and TLS included.
const CONNECT: Duration = Duration::from_secs(10);
/// Time from a request to the headers of its answer.
const HEADERS: Duration = Duration::from_secs(30);

/// Why no origin can be asked.
#[derive(Debug, thiserror::Error)]
pub enum NotStarted {
    /// The HTTP client, or its TLS, cannot be made.
    #[error("the HTTP client cannot be made: {0}")]
    Client(#[from] reqwest::Error),
    /// TLS of the versions that are wanted is not there.
    #[error("TLS cannot be had: {0}")]
    Tls(#[from] tokio_rustls::rustls::Error),
}

/// Where the addresses of a name come from.
#[async_trait]
pub trait Lookup: Send + Sync + 'static {
    /// All of them.
    ///
    /// # Errors
    /// The system's, when there are none.
    async fn lookup(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The system's own: its hosts file and its name servers.
pub struct SystemLookup;

#[async_trait]
impl Lookup for SystemLookup {
    async fn lookup(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// Whom to ask, and how. Cheap to clone.
#[derive(Clone)]
pub(super) struct Origin {
    client: Client,
    policy: Arc<Policy>,
}

/// An answer, and where it came from after all redirects.
pub(super) struct Opened {
    /// The answer; its body is read as it is pulled.
    pub response: Response,
    /// Where it came from.
    pub url: Url,
}

impl Origin {
    /// A client that asks whom `policy` lets it.
    ///
    /// # Errors
    /// See [`NotStarted`].
    pub(super) fn new(policy: Arc<Policy>, lookup: Arc<dyn Lookup>) -> Result<Self, NotStarted> {
        let client = Client::builder()
            .tls_backend_preconfigured(tls()?)
            .dns_resolver(Arc::new(Judged { policy: policy.clone(), lookup }))
            // A proxy would connect to addresses that nobody judged.
            .no_proxy()
            .redirect(redirect::Policy::none())
            .referer(false)
            // Bytes are passed on as they come, whatever this client could unpack.
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .connect_timeout(CONNECT)
            .pool_max_idle_per_host(0)
            .user_agent(concat!("roomdrop/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client, policy })
    }

    /// Asks for the bytes from `from` on, of the file that `validator` names.
    ///
    /// # Errors
    /// [`Trouble`]: the policy refuses a hop, or nobody answers in time. What the answer says is not looked at.
    pub(super) async fn open(
        &self,
        url: &Url,
        from: u64,
        validator: Option<&Validator>,
    ) -> Result<Opened, Trouble> {
        self.policy.judge_hop(url).map_err(Trouble::Final)?;
        let mut url = url.clone();
        let mut hops = 0;
        loop {
            let response = self.ask(&url, from, validator).await?;
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok(Opened { response, url });
            }
            let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
            url = self.policy.hop(&url, location, hops).map_err(Trouble::Final)?;
            hops += 1;
        }
    }

    async fn ask(&self, url: &Url, from: u64, validator: Option<&Validator>) -> Result<Response, Trouble> {
        let mut request = self
            .client
            .get(url.clone())
            .header(ACCEPT, "*/*")
            .header(ACCEPT_ENCODING, "identity")
            .header(RANGE, format!("bytes={from}-"));
        if let Some(validator) = validator.filter(|_| from > 0).and_then(Validator::header) {
            request = request.header(IF_RANGE, validator);
        }
        match timeout(HEADERS, request.send()).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(trouble(&error)),
            Err(_) => Err(passing("The origin does not answer; check the URL, or try again later.")),
        }
    }
}

fn trouble(error: &reqwest::Error) -> Trouble {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<NotPublic>() {
            return Trouble::Final(private());
        }
        cause = error.source();
    }
    passing("The origin cannot be reached; check the URL, or try again later.")
}

fn passing(sentence: &str) -> Trouble {
    Trouble::Passing(Refusal::new(ErrorCode::FetchFailed, sentence), None)
}

/// TLS with the certificates that the system trusts, or those that `SSL_CERT_FILE` names.
fn tls() -> Result<ClientConfig, tokio_rustls::rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        tracing::warn!("no certificates are trusted here, so no https URL can be fetched");
    }
    let provider = Arc::new(crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// The addresses of a name that may be connected to. The client connects to these and to no others.
struct Judged {
    policy: Arc<Policy>,
    lookup: Arc<dyn Lookup>,
}

/// A name has addresses, and none that may be reached.
#[derive(Debug, thiserror::Error)]
#[error("none of its addresses is public")]
struct NotPublic;

impl Resolve for Judged {
    fn resolve(&self, name: Name) -> Resolving {
        let (policy, lookup) = (self.policy.clone(), self.lookup.clone());
        Box::pin(async move {
            let mut found = lookup.lookup(name.as_str()).await?;
            found.retain(|address| policy.may_reach(*address, None));
            if found.is_empty() {
                return Err(NotPublic.into());
            }
            // Port 0 stands for the URL's.
            let addresses = found.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as reqwest::dns::Addrs)
        })
    }
}
