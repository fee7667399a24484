//! A transfer's chunks on their way out: to the sinks of this node and to other nodes, and again to whoever had no
//! room. The rest of the task lives in `transfer_task`.

use bytes::Bytes;

use super::port::Chunk;
use super::session::Input;
use super::transfer_task::Task;
use crate::protocol::Digest;
use crate::protocol::node::{Body, NodeId};
use crate::relay::SinkId;

impl Task {
    pub(super) fn send_chunk_to_node(
        &mut self,
        node: NodeId,
        sink: SinkId,
        lane: u64,
        offset: u64,
        bytes: Bytes,
        digest: Option<Digest>,
    ) {
        if self.post(node, Body::Chunk { lane, offset, digest, bytes }).is_err() {
            self.hub.wait_for_room(&self.id, &self.handle);
            self.on_busy(sink, offset);
        }
    }

    fn on_busy(&mut self, sink: SinkId, offset: u64) {
        self.busy.push(sink);
        let _ = self.session.handle(self.hub.clock().now(), Input::SinkBusy { sink, offset });
    }

    pub(super) fn send_chunk(&mut self, sink: SinkId, chunk: Chunk) {
        let offset = chunk.offset;
        let Some(open) = self.sinks.get_mut(&sink) else { return };
        if open.port.try_chunk(chunk).is_err() {
            self.on_busy(sink, offset);
        }
    }

    pub(super) fn retry_busy_sinks(&mut self) {
        for sink in std::mem::take(&mut self.busy) {
            let _ = self.give(Input::SinkReady(sink));
        }
    }
}
