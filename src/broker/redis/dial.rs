//! Connections of our own: for publishing and subscribing, which a pool cannot lend. They are made from the
//! same URL as the pool's, with the same user, password, database and TLS. An attempt ends within its time
//! or fails; nobody hears the password from here.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use deadpool_redis::redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

use super::StartError;
use super::wire::{Batch, Broken, Reader, Value};
use crate::net::unpace;

/// To connect, and be let in.
const CONNECT: Duration = Duration::from_millis(2000);
/// To answer a command.
const ANSWER: Duration = Duration::from_millis(1500);

type ReadSide = Box<dyn AsyncRead + Send + Sync + Unpin>;
type WriteSide = Box<dyn AsyncWrite + Send + Sync + Unpin>;

/// A host and a port.
pub(super) type Address = (String, u16);

/// Where Redis is, and how one is let in.
pub(super) struct Door {
    info: ConnectionInfo,
    tls: Option<Arc<ClientConfig>>,
}

/// A connection that was let in.
pub(super) struct Link {
    pub(super) read: Reader<ReadSide>,
    pub(super) write: WriteSide,
}

impl Door {
    /// Reads the URL; connects to nothing.
    pub(super) fn new(url: &str) -> Result<Self, StartError> {
        let info = url.into_connection_info().map_err(|_| StartError::Url)?;
        let tls = match info.addr() {
            ConnectionAddr::TcpTls { insecure: true, .. } => return Err(StartError::Insecure),
            ConnectionAddr::TcpTls { .. } => Some(tls()?),
            _ => None,
        };
        Ok(Self { info, tls })
    }

    /// What the pool connects with.
    pub(super) fn info(&self) -> &ConnectionInfo {
        &self.info
    }

    /// Host and port of the URL; none of a socket in the file system.
    pub(super) fn address(&self) -> Option<Address> {
        match self.info.addr() {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                Some((host.clone(), *port))
            }
            _ => None,
        }
    }

    /// Connects to where the URL says, or to another node of the same cluster.
    pub(super) async fn open(&self, instead: Option<&Address>) -> Result<Link, Broken> {
        let opening = async {
            let mut link = self.connect(instead).await?;
            self.enter(&mut link).await?;
            Ok(link)
        };
        tokio::time::timeout(CONNECT, opening).await.unwrap_or(Err(Broken::Silent))
    }

    async fn connect(&self, instead: Option<&Address>) -> Result<Link, Broken> {
        if let ConnectionAddr::Unix(path) = self.info.addr() {
            let (read, write) = UnixStream::connect(path).await?.into_split();
            return Ok(Link::new(Box::new(read), Box::new(write)));
        }
        let own = self.address();
        let unsupported = || Broken::Io(io::ErrorKind::Unsupported.into());
        let (host, port) = instead.or(own.as_ref()).ok_or_else(unsupported)?;
        let stream = TcpStream::connect((host.as_str(), *port)).await?;
        stream.set_nodelay(true)?;
        unpace(&stream);
        let Some(tls) = &self.tls else {
            let (read, write) = stream.into_split();
            return Ok(Link::new(Box::new(read), Box::new(write)));
        };
        let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
        let stream = TlsConnector::from(tls.clone()).connect(name, stream).await?;
        let (read, write) = tokio::io::split(stream);
        Ok(Link::new(Box::new(read), Box::new(write)))
    }

    /// Says who we are, and hears whether Redis is ready.
    async fn enter(&self, link: &mut Link) -> Result<(), Broken> {
        let redis = self.info.redis_settings();
        if let Some(password) = redis.password() {
            let mut command: Vec<&[u8]> = vec![b"AUTH"];
            // Redis before 6 knows no users.
            command.extend(redis.username().map(str::as_bytes));
            command.push(password.as_bytes());
            link.call(&command).await?;
        }
        if redis.db() != 0 {
            link.call(&[b"SELECT", redis.db().to_string().as_bytes()]).await?;
        }
        link.call(&[b"PING"]).await.map(drop)
    }
}

impl Link {
    fn new(read: ReadSide, write: WriteSide) -> Self {
        Self { read: Reader::new(read), write }
    }

    /// One command, and its answer. An error that Redis answers with breaks the link too.
    pub(super) async fn call(&mut self, command: &[&[u8]]) -> Result<Value, Broken> {
        let calling = async {
            let mut batch = Batch::default();
            batch.command(command);
            batch.flush();
            self.write.write_all_buf(&mut batch).await?;
            self.write.flush().await?;
            self.read.value().await
        };
        match tokio::time::timeout(ANSWER, calling).await.unwrap_or(Err(Broken::Silent))? {
            Value::Error(error) => Err(Broken::Refused(error)),
            value => Ok(value),
        }
    }
}

/// TLS with the certificates that the system trusts, or those that `SSL_CERT_FILE` names.
fn tls() -> Result<Arc<ClientConfig>, StartError> {
    // The pool's own TLS takes the process's provider; it is no matter who was first to set one.
    let _ = crypto::ring::default_provider().install_default();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(StartError::NoCertificates);
    }
    Ok(Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()))
}
