//! How much memory a store may take, told from its options alone.

use asofdb_format::wire::wide;

use crate::shape::output;
use crate::state::room;
use crate::types::options::Options;

impl Options {
    /// How much memory a store with these options takes at the most, in bytes, however much is
    /// written to it: what the bounds below come to, 32 MiB for all else, and to it a quarter for
    /// what the allocator does not give back at once.
    ///
    /// | what | how much |
    /// | --- | --- |
    /// | memtables | `memtable_bytes`, and a sixteenth, for each of `max_sealed_memtables` + 1 |
    /// | a flush | one and a half `table_bytes` |
    /// | a merge beside it | the same for each core, and 32 MiB that were read ahead |
    /// | decompressed blocks | `block_cache_bytes` |
    ///
    /// Not in it are what rests on the data alone: a thousandth of the bytes of the tables for their
    /// checksums; for each feature its definition, and 128 KiB in a table that is being written; the
    /// batches under way; of the entity that is flushed or merged all its revisions, with 72 bytes
    /// each; for each thread that reads older texts, bytes or vectors 100 KiB to decompress them, and for
    /// each that flushes or merges them 530 KiB to compress them; and what readers hold: old memtables
    /// while a join or a scan goes on, values, and with
    /// [`ReadMode::Pread`](crate::ReadMode::Pread) what they read. Maps of files are no memory of the process: the system
    /// takes their pages away when it needs them.
    ///
    /// ```
    /// use asofdb::Options;
    /// let options = Options::new().memtable_bytes(8 << 20).table_bytes(16 << 20);
    /// println!("{} MiB", options.memory_budget() >> 20);
    /// ```
    #[must_use]
    pub fn memory_budget(&self) -> u64 {
        let rest = 32 << 20;
        let held = room::memory(self).saturating_add(output::memory(self)).saturating_add(rest);
        let held = held.saturating_add(wide(self.block_cache_bytes));
        held.saturating_add(held / 4)
    }
}
