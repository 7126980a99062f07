//! What is told of flushes and compactions: their beginning, what came of them, and a span around
//! each. One that fails ends untold; whoever had it done tells of the failure.

use asofdb_format::ids::{FileNumber, Span};
use tracing::span::EnteredSpan;

use crate::files::table::Table;
use crate::metrics::since;
use crate::shape::output::Written;
use crate::state::live::Keeper;
use crate::state::memtable::Memtable;
use crate::sync::Shared;
use crate::types::events::{CompactionBegun, CompactionEnded, FlushBegun, FlushEnded, TableRef};

/// A flush under way.
pub(crate) struct Flush<'k> {
    keeper: &'k Keeper,
    log: FileNumber,
    begun: Span,
    _span: EnteredSpan,
}

impl<'k> Flush<'k> {
    pub(crate) fn begin(keeper: &'k Keeper, memtable: &Memtable) -> Self {
        let log = memtable.log;
        let span = tracing::info_span!(target: "asofdb", "flush", log = log.0).entered();
        keeper.monitor.flush_begun(&FlushBegun {
            log,
            records: memtable.revisions(),
            memory_bytes: memtable.bytes() as u64,
        });
        Self { keeper, log, begun: keeper.options.world.clock.running(), _span: span }
    }

    pub(crate) fn end(self, written: &Written) {
        self.keeper.monitor.flush_ended(&FlushEnded {
            log: self.log,
            tables: refs(&written.tables),
            records: written.tables.iter().map(|table| table.entry.revisions).sum(),
            bytes: bytes(&written.tables),
            dropped_records: written.dropped.revisions,
            dropped_values: written.dropped.values,
            took: since(&*self.keeper.options.world.clock, self.begun),
        });
    }
}

/// A compaction under way.
pub(crate) struct Compaction<'k> {
    keeper: &'k Keeper,
    begun: Span,
    _span: EnteredSpan,
}

impl<'k> Compaction<'k> {
    pub(crate) fn begin(keeper: &'k Keeper, inputs: &[Shared<Table>]) -> Self {
        let tables = inputs.len();
        let span = tracing::info_span!(target: "asofdb", "compaction", tables).entered();
        keeper
            .monitor
            .compaction_begun(&CompactionBegun { inputs: refs(inputs), bytes: bytes(inputs) });
        Self { keeper, begun: keeper.options.world.clock.running(), _span: span }
    }

    pub(crate) fn end(self, inputs: &[Shared<Table>], written: &Written) {
        self.keeper.monitor.compaction_ended(&CompactionEnded {
            inputs: refs(inputs),
            bytes_read: bytes(inputs),
            outputs: refs(&written.tables),
            bytes_written: bytes(&written.tables),
            dropped_records: written.dropped.revisions,
            dropped_values: written.dropped.values,
            took: since(&*self.keeper.options.world.clock, self.begun),
        });
    }
}

fn refs(tables: &[Shared<Table>]) -> Vec<TableRef> {
    let of = |table: &Shared<Table>| {
        TableRef::new(table.entry.number, table.entry.level.number(), table.entry.len)
    };
    tables.iter().map(of).collect()
}

fn bytes(tables: &[Shared<Table>]) -> u64 {
    tables.iter().map(|table| table.entry.len).sum()
}
