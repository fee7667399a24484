//! Commands and scripts, over a pool. A call ends within its time, answered or [`Away`]; a connection that
//! failed one is not used again. While Redis is known to be away a call waits a moment for it, and no longer.

use std::sync::Arc;
use std::time::Duration;

use deadpool_redis::redis::{self, AsyncConnectionConfig, RedisError, RedisResult, ScriptInvocation, Value};
use deadpool_redis::{Manager, Runtime, cluster};

use super::StartError;
use super::health::Health;
use super::topology::Topology;
use crate::broker::Away;

/// A whole call.
const CALL: Duration = Duration::from_millis(2000);
/// An answer, and the making of a connection.
const ANSWER: Duration = Duration::from_millis(1500);
/// For a Redis that is away.
const MOMENT: Duration = Duration::from_millis(300);
/// Connections, at most. More calls wait for one.
const CONNECTIONS: usize = 8;

/// See the module.
pub(super) struct Pool {
    inner: Inner,
    health: Arc<Health>,
}

enum Inner {
    Single(deadpool_redis::Pool),
    Cluster(cluster::Pool),
}

impl Pool {
    /// Connects to nothing yet.
    pub(super) fn new(topology: &Topology, urls: &str, health: Arc<Health>) -> Result<Self, StartError> {
        let inner = if topology.is_cluster() {
            let urls = urls.split(',').map(|url| url.trim().to_owned()).collect();
            let manager = cluster::Manager::new(urls, false).map_err(|_| StartError::Url)?;
            let pool = cluster::Pool::builder(manager).max_size(CONNECTIONS / 2).runtime(Runtime::Tokio1);
            let pool =
                pool.wait_timeout(Some(ANSWER)).create_timeout(Some(ANSWER)).recycle_timeout(Some(ANSWER));
            Inner::Cluster(pool.build().map_err(|_| StartError::Pool)?)
        } else {
            let times = AsyncConnectionConfig::new()
                .set_connection_timeout(Some(ANSWER))
                .set_response_timeout(Some(ANSWER));
            let manager = Manager::new_with_config(topology.door().info().clone(), times);
            let pool = deadpool_redis::Pool::builder(manager.map_err(|_| StartError::Url)?);
            let pool = pool.max_size(CONNECTIONS).runtime(Runtime::Tokio1);
            let pool =
                pool.wait_timeout(Some(ANSWER)).create_timeout(Some(ANSWER)).recycle_timeout(Some(ANSWER));
            Inner::Single(pool.build().map_err(|_| StartError::Pool)?)
        };
        Ok(Self { inner, health })
    }

    /// Runs a script.
    pub(super) async fn script(&self, script: &ScriptInvocation<'_>) -> Result<Value, Away> {
        self.within(async {
            match &self.inner {
                Inner::Single(pool) => {
                    let mut connection = pool.get().await.map_err(|_| Away)?;
                    let answer = script.invoke_async(&mut connection).await;
                    checked(answer, || drop(deadpool_redis::Connection::take(connection)))
                }
                Inner::Cluster(pool) => {
                    let mut connection = pool.get().await.map_err(|_| Away)?;
                    let answer = script.invoke_async(&mut connection).await;
                    checked(answer, || drop(cluster::Connection::take(connection)))
                }
            }
        })
        .await
    }

    /// Runs a command.
    pub(super) async fn command(&self, command: &redis::Cmd) -> Result<Value, Away> {
        self.within(async {
            match &self.inner {
                Inner::Single(pool) => {
                    let mut connection = pool.get().await.map_err(|_| Away)?;
                    let answer = command.query_async(&mut connection).await;
                    checked(answer, || drop(deadpool_redis::Connection::take(connection)))
                }
                Inner::Cluster(pool) => {
                    let mut connection = pool.get().await.map_err(|_| Away)?;
                    let answer = command.query_async(&mut connection).await;
                    checked(answer, || drop(cluster::Connection::take(connection)))
                }
            }
        })
        .await
    }

    async fn within<T>(&self, call: impl Future<Output = Result<T, Away>>) -> Result<T, Away> {
        if !self.health.is_there() {
            let back = tokio::time::timeout(MOMENT, self.health.is_whole()).await;
            if back.is_err() && !self.health.has_heart() {
                return Err(Away);
            }
        }
        tokio::time::timeout(CALL, call).await.unwrap_or(Err(Away))
    }
}

/// What Redis itself refuses leaves the connection whole; anything else does not.
fn checked(answer: RedisResult<Value>, discard: impl FnOnce()) -> Result<Value, Away> {
    answer.map_err(|error: RedisError| {
        if error.code().is_some() {
            tracing::warn!(code = error.code(), detail = error.detail(), "Redis refused a call");
        } else {
            tracing::debug!(kind = ?error.kind(), "a call failed");
        }
        discard();
        Away
    })
}
