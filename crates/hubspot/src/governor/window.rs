//! Counting sends over a rolling window.

use std::collections::VecDeque;
use std::time::Duration;

/// The sends of the last window, oldest first. Times are durations since the governor was made.
#[derive(Debug)]
pub(super) struct Window {
    span: Duration,
    sent: VecDeque<Duration>,
}

/// How long a send is remembered beyond the window, to compare our count with the server's.
const MEMORY: Duration = Duration::from_millis(500);

impl Window {
    pub(super) fn new(span: Duration) -> Self {
        Self {
            span,
            sent: VecDeque::new(),
        }
    }

    pub(super) fn record(&mut self, now: Duration) {
        self.sent.push_back(now);
    }

    /// Forgets what no question can be about any more.
    pub(super) fn trim(&mut self, now: Duration) {
        while self
            .sent
            .front()
            .is_some_and(|&sent| sent + self.span + MEMORY < now)
        {
            self.sent.pop_front();
        }
    }

    /// The earliest moment at which one more send keeps every window at or below `capacity`.
    pub(super) fn free_at(&self, capacity: usize) -> Duration {
        let capacity = capacity.max(1);
        match self.sent.len().checked_sub(capacity) {
            Some(blocking) => self.sent[blocking] + self.span,
            None => Duration::ZERO,
        }
    }

    /// Sends in `(from, to]`.
    pub(super) fn count(&self, from: Duration, to: Duration) -> usize {
        let upto = self.sent.partition_point(|&sent| sent <= to);
        let before = self.sent.partition_point(|&sent| sent <= from);
        upto.saturating_sub(before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_window_frees_a_place_when_its_oldest_send_leaves() {
        let mut window = Window::new(Duration::from_secs(10));
        for second in 0..3 {
            window.record(Duration::from_secs(second));
        }
        assert_eq!(window.free_at(4), Duration::ZERO);
        assert_eq!(window.free_at(3), Duration::from_secs(10));
        assert_eq!(
            window.free_at(2),
            Duration::from_secs(11),
            "a smaller limit waits for more to leave"
        );
        assert_eq!(window.count(Duration::ZERO, Duration::from_secs(2)), 2);
    }
}
