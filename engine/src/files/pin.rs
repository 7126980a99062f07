//! What is held of a table: by the table while it is open, and by every value that borrows its
//! map. When the table leaves the store its bytes are counted as pinned until the last of them
//! lets go.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::metrics::Gauge;

/// The bytes of one table, as long as anybody holds them.
#[derive(Debug)]
pub(crate) struct Pin {
    bytes: u64,
    pinned: OnceLock<Arc<Gauge>>,
}

impl Pin {
    pub(crate) fn new(bytes: u64) -> Arc<Self> {
        Arc::new(Self { bytes, pinned: OnceLock::new() })
    }

    /// The store has the table no more: what is still held is counted here.
    pub(crate) fn count_in(&self, pinned: &Arc<Gauge>) {
        if self.pinned.set(Arc::clone(pinned)).is_ok() {
            pinned.raise(self.bytes);
        }
    }

    /// A map that holds this, and with it all that borrow of the map.
    pub(crate) fn around(self: &Arc<Self>, map: Bytes) -> Bytes {
        Bytes::from_owner(Held { map, _pin: Arc::clone(self) })
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        if let Some(pinned) = self.pinned.get() {
            pinned.lower(self.bytes);
        }
    }
}

struct Held {
    map: Bytes,
    _pin: Arc<Pin>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.map
    }
}
