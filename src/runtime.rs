//! The one bridge from async code to CPU work.

use std::num::NonZero;
use std::sync::LazyLock;

use rayon::iter::{IntoParallelIterator, ParallelIterator};

/// Limits the allocator to one arena per core. By default glibc uses eight times as many, and memory freed in one is not
/// reused by another: the peak of a run is 430 MB instead of 270 MB, with 50 % more system time. Freed memory stays with the
/// process up to a limit; otherwise every batch would get new pages, which costs 20 % of a run's system time.
pub fn share_heaps() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        const LARGE: i32 = 32 << 20;
        let heaps = i32::try_from(parallelism()).unwrap_or(i32::MAX);
        #[expect(unsafe_code, reason = "calls into C that take two numbers")]
        // SAFETY: may be called at any time; at worst the value is ignored.
        unsafe {
            libc::mallopt(libc::M_ARENA_MAX, heaps);
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
            libc::mallopt(libc::M_TRIM_THRESHOLD, 4 * LARGE);
        }
    }
}

/// Returns freed memory to the system. Otherwise it adds to the peak, because later allocations do not fit into its gaps.
pub fn give_back_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        #[expect(unsafe_code, reason = "calls into C that takes a number")]
        // SAFETY: may be called at any time, and does not move memory in use.
        unsafe {
            libc::malloc_trim(0);
        }
    }
}

/// Runs CPU work or blocking I/O on a blocking thread, so that it never delays the network.
///
/// A panic in `work` continues in the caller.
pub async fn on_cpu<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    #[expect(clippy::disallowed_methods, reason = "this is the bridge")]
    let finished = tokio::task::spawn_blocking(work).await;
    match finished {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only a runtime that shuts down cancels blocking work, and then nobody waits for the result.
            Err(_) => std::future::pending().await,
        },
    }
}

/// Starts CPU work on a pool with one thread per core, and returns at once.
pub fn in_background(work: impl FnOnce() + Send + 'static) {
    rayon::spawn(work);
}

/// Maps items on all cores. Results are in the order of the items.
pub fn on_all_cores<T: Send, R: Send>(
    items: Vec<T>,
    work: impl Fn(T) -> R + Send + Sync,
) -> Vec<R> {
    items.into_par_iter().map(work).collect()
}

/// How many pieces of CPU work should run at once.
#[must_use]
pub fn parallelism() -> usize {
    // Asking the system reads a few files.
    static PARALLELISM: LazyLock<usize> =
        LazyLock::new(|| std::thread::available_parallelism().map_or(1, NonZero::get));
    *PARALLELISM
}
