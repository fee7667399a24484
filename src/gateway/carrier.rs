//! The Socket.IO adapter of this gateway: the library's own, and one more way out. An ordinary emit copies
//! a binary for every receiver; a chunk leaves by here instead, so that all its receivers share the bytes
//! as the source sent them. It keeps no state of its own and decides nothing.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use bytes::Bytes;
use socketioxide::SocketError;
use socketioxide::adapter::Emitter;
use socketioxide_core::adapter::{
    BroadcastOptions, CoreAdapter, CoreLocalAdapter, DefinedAdapter, SocketEmitter,
};
use socketioxide_core::packet::Packet;
use socketioxide_core::{Sid, Str, Value};

use crate::hub::Full;
use crate::protocol::transfers::{Chunk, NAMESPACE, event};

/// A socket of this gateway.
pub(super) type SocketRef = socketioxide::extract::SocketRef<Carrier>;

/// The library's local adapter.
pub struct Carrier(CoreLocalAdapter<Emitter>, Chunks);

/// The way out for chunks, once the namespace is there. Cheap to clone.
#[derive(Clone, Default)]
pub struct Chunks(Arc<RwLock<Weak<Carrier>>>);

impl Chunks {
    /// Sends a chunk to one socket.
    ///
    /// # Errors
    /// [`Full`] when its queue is; nothing was sent. A socket that is gone takes anything.
    pub(super) fn try_send(&self, to: Sid, head: &Chunk, bytes: Bytes) -> Result<(), Full> {
        let carrier = self.0.read().unwrap_or_else(PoisonError::into_inner).upgrade();
        let (Some(carrier), Ok(head)) = (carrier, serde_json::to_string(head)) else { return Ok(()) };
        let text = format!(r#"["{}",{head},{{"_placeholder":true,"num":0}}]"#, event::CHUNK);
        let data = Value::Str(Str::from(text), Some(VecDeque::from([bytes])));
        let packet = Packet::event(carrier.0.path().clone(), data);
        match carrier.0.broadcast(packet, BroadcastOptions::new(to)) {
            Err(errors) if errors.iter().any(|error| matches!(error, SocketError::InternalChannelFull)) => {
                Err(Full)
            }
            _ => Ok(()),
        }
    }
}

impl CoreAdapter<Emitter> for Carrier {
    type Error = Infallible;
    type State = Chunks;
    type AckStream = <Emitter as SocketEmitter>::AckStream;
    type InitRes = ();

    fn new(chunks: &Chunks, local: CoreLocalAdapter<Emitter>) -> Self {
        Self(local, chunks.clone())
    }

    fn init(self: Arc<Self>, on_success: impl FnOnce() + Send + 'static) {
        if self.0.path().as_str() == NAMESPACE {
            *self.1.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&self);
        }
        on_success();
    }

    async fn broadcast_with_ack(
        &self,
        packet: Packet,
        to: BroadcastOptions,
        timeout: Option<Duration>,
    ) -> Result<Self::AckStream, Infallible> {
        Ok(self.0.broadcast_with_ack(packet, to, timeout).0)
    }

    fn get_local(&self) -> &CoreLocalAdapter<Emitter> {
        &self.0
    }
}

impl DefinedAdapter for Carrier {}
