//! Rate limit: at most so many requests in any minute.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

/// Delays requests to keep within a rate.
#[derive(Debug)]
pub(super) struct RateLimiter {
    requests_per_minute: usize,
    /// When the last requests were sent, as many as a minute may have.
    recent: Mutex<VecDeque<Instant>>,
}

impl RateLimiter {
    pub(super) fn new(requests_per_minute: usize) -> Self {
        Self { requests_per_minute, recent: Mutex::default() }
    }

    /// Waits until the next request may be sent.
    pub(super) async fn wait(&self) {
        let mut recent = self.recent.lock().await;
        let slot = next_slot(&mut recent, self.requests_per_minute, Instant::now());
        tokio::time::sleep_until(slot).await;
    }
}

/// When a request that is ready at `now` may be sent; `recent` remembers it.
fn next_slot(recent: &mut VecDeque<Instant>, requests_per_minute: usize, now: Instant) -> Instant {
    let mut slot = now;
    if recent.len() >= requests_per_minute
        && let Some(oldest) = recent.pop_front()
    {
        slot = slot.max(oldest + Duration::from_mins(1));
    }
    recent.push_back(slot);
    slot
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_kept_at_their_rate() {
        let mut recent = VecDeque::new();
        let began = Instant::now();
        let gone = [0, 0, 0, 61, 61].map(|ready| {
            let ready = began + Duration::from_secs(ready);
            (next_slot(&mut recent, 2, ready) - began).as_secs()
        });
        assert_eq!(gone, [0, 0, 60, 61, 120]);
    }
}
