//! The one bridge from async code to CPU work.

use std::num::NonZero;
use std::sync::LazyLock;

use rayon::iter::{IntoParallelIterator, ParallelIterator};

/// Gives the allocator as many heaps as there are cores. glibc makes eight times as many otherwise, and what is freed in
/// one is of no use to another: a run's peak is 430 MB instead of 270, and its system time half as much again. What is freed
/// stays with the process up to a limit: otherwise every batch would be of fresh pages, which costs a fifth of a run's
/// system time.
pub fn share_heaps() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        const LARGE: i32 = 32 << 20;
        let heaps = i32::try_from(parallelism()).unwrap_or(i32::MAX);
        #[expect(unsafe_code, reason = "calls into C that take two numbers")]
        // SAFETY: it may be called at any time; at worst the number is not taken.
        unsafe {
            libc::mallopt(libc::M_ARENA_MAX, heaps);
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
            libc::mallopt(libc::M_TRIM_THRESHOLD, 4 * LARGE);
        }
    }
}

/// Gives memory that was freed back to the system. Otherwise it counts for as long as the process lives, beside what is
/// allocated next and does not fit between what is still in use.
pub fn give_back_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        #[expect(unsafe_code, reason = "calls into C that takes a number")]
        // SAFETY: it may be called at any time, and moves nothing that is in use.
        unsafe {
            libc::malloc_trim(0);
        }
    }
}

/// Runs CPU work or blocking I/O on a thread of its own kind, so that the network is never kept waiting.
///
/// A panic in `work` goes on in the caller.
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

/// Runs CPU work on one of as many threads as there are cores, and returns at once.
pub fn in_background(work: impl FnOnce() + Send + 'static) {
    rayon::spawn(work);
}

/// What `work` makes of each item, on all cores, in the order of the items.
pub fn on_all_cores<T: Send, R: Send>(
    items: Vec<T>,
    work: impl Fn(T) -> R + Send + Sync,
) -> Vec<R> {
    items.into_par_iter().map(work).collect()
}

/// How many pieces of CPU work are worth having at once.
#[must_use]
pub fn parallelism() -> usize {
    // Asking the system reads a few files.
    static PARALLELISM: LazyLock<usize> =
        LazyLock::new(|| std::thread::available_parallelism().map_or(1, NonZero::get));
    *PARALLELISM
}
