//! The frames of the partner's sync.

use crate::replication::bucket_set::BucketSet;
use crate::replication::link::{Link, LinkError, LinkEvent};
use crate::replication::wire::{Ack, Digests, List};
use crate::store::Store;

impl Link {
    pub(in crate::replication::link) fn on_digests(
        &mut self,
        digests: &Digests<'_>,
        store: &Store,
    ) -> Result<(), LinkError> {
        let receiver = &mut self.session.sync.receiver;
        receiver
            .digests(digests, store)
            .map_err(LinkError::Protocol)?;
        self.push_ack(Ack::Chunk)
    }

    pub(in crate::replication::link) fn on_list(
        &mut self,
        list: &List<'_>,
    ) -> Result<(), LinkError> {
        let sender = &mut self.session.sync.sender;
        sender.received(list).map_err(LinkError::Protocol)?;
        self.push_ack(Ack::Chunk)
    }

    pub(in crate::replication::link) fn on_list_done(
        &mut self,
        store: &Store,
    ) -> Result<(), LinkError> {
        let receiver = &mut self.session.sync.receiver;
        receiver.list_done(store).map_err(LinkError::Protocol)
    }

    pub(in crate::replication::link) fn on_unsynced(&mut self, map: &[u8], store: &Store) {
        let words = map.as_chunks().0.iter().copied();
        let buckets = BucketSet::of_words(words.map(u64::from_le_bytes));
        store.buckets_are_unknown(buckets.words());
        self.session.sync.receiver.unsynced(&buckets);
    }

    pub(in crate::replication::link) fn on_sync_end(
        &mut self,
        store: &Store,
    ) -> Result<(), LinkError> {
        let receiver = &mut self.session.sync.receiver;
        receiver.ended().map_err(LinkError::Protocol)?;
        if receiver.unknown().is_empty() {
            store.all_is_known();
        }
        store.complete();
        self.counters.pass_received += 1;
        self.session.space_notice.sync_ended();
        self.event(LinkEvent::PartnerSyncDone);
        Ok(())
    }
}
