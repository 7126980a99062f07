//! How much memory a decoder may take: a stated multiple of its input.
//!
//! What Rust code allocates is counted here and held against the bound at its peak. What C code
//! allocates (zstd) is not seen; libFuzzer's own limits are set for that by `fuzz/run`.

use peak_alloc::PeakAlloc;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// What any call may take, however short its input.
pub const FREE: usize = 4 << 10;

/// Runs something that may take `FREE` bytes and `times` bytes for each byte of its input.
pub fn bounded<T>(input: usize, times: usize, run: impl FnOnce() -> T) -> T {
    at_most(FREE.saturating_add(input.saturating_mul(times)), run)
}

/// Runs something that may take so many bytes beyond what is already taken.
pub fn at_most<T>(bound: usize, run: impl FnOnce() -> T) -> T {
    HEAP.reset_peak_usage();
    let before = HEAP.current_usage();
    let result = run();
    let taken = HEAP.peak_usage().saturating_sub(before);
    assert!(taken <= bound, "it took {taken} bytes of memory, and {bound} are allowed");
    result
}
