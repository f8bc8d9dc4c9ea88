//! The one bridge from async code to CPU work.

use std::num::NonZero;
use std::sync::LazyLock;

use rayon::iter::{IntoParallelIterator, ParallelIterator};

/// Limits the allocator to one heap per core, and lets it keep freed memory up to a limit.
///
/// glibc creates eight heaps per core by default, and none can use what another has freed: the peak of a run is 430 MB
/// instead of 270, and its system time half as much again. Without freed memory to reuse, every batch would need fresh
/// pages, which costs a fifth of the system time.
pub fn share_heaps() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // What is as large goes back to the system at once. With 32 MB, an export of records of 16 MB takes 120 MB more, as
        // freed records stay between others; runs of small records have few such blocks and are as fast.
        const LARGE: i32 = 4 << 20;
        const FREED: i32 = 128 << 20;
        let heaps = i32::try_from(parallelism()).unwrap_or(i32::MAX);
        #[expect(unsafe_code, reason = "calls into C that take two numbers")]
        // SAFETY: it may be called at any time; at worst it ignores the number.
        unsafe {
            libc::mallopt(libc::M_ARENA_MAX, heaps);
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
            libc::mallopt(libc::M_TRIM_THRESHOLD, FREED);
        }
    }
}

/// Returns freed memory to the system. Otherwise it still counts for the process, in addition to later allocations that
/// do not fit into the gaps.
pub fn give_back_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        #[expect(unsafe_code, reason = "calls into C that takes a number")]
        // SAFETY: it may be called at any time, and moves no memory in use.
        unsafe {
            libc::malloc_trim(0);
        }
    }
}

/// The C library of this process, as `glibc 2.36`.
#[must_use]
pub fn c_library() -> String {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        #[expect(unsafe_code, reason = "a call into C that gives back a text")]
        // SAFETY: the text ends with a zero, and is there as long as the process.
        let version = unsafe { std::ffi::CStr::from_ptr(libc::gnu_get_libc_version()) };
        format!("glibc {}", version.to_string_lossy())
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    {
        let name = if cfg!(target_env = "musl") { "musl" } else { "the C library of the system" };
        name.to_owned()
    }
}

/// Runs CPU work or blocking I/O on a blocking thread, so that the network never waits for it.
///
/// A panic in `work` resumes in the caller.
pub async fn on_cpu<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    #[expect(clippy::disallowed_methods, reason = "this is the bridge")]
    let finished = tokio::task::spawn_blocking(work).await;
    match finished {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only a runtime that shuts down cancels blocking work, and then nothing needs the result.
            Err(_) => std::future::pending().await,
        },
    }
}

/// Starts CPU work on the thread pool, which has one thread per core, and returns at once.
pub fn in_background(work: impl FnOnce() + Send + 'static) {
    rayon::spawn(work);
}

/// Maps each item on all cores, and returns the results in order.
pub fn on_all_cores<T: Send, R: Send>(
    items: Vec<T>,
    work: impl Fn(T) -> R + Send + Sync,
) -> Vec<R> {
    items.into_par_iter().map(work).collect()
}

/// How many pieces of CPU work are worth running at once.
#[must_use]
pub fn parallelism() -> usize {
    // Asking the system reads a few files.
    static PARALLELISM: LazyLock<usize> =
        LazyLock::new(|| std::thread::available_parallelism().map_or(1, NonZero::get));
    *PARALLELISM
}
