//! Counting calls over a rolling window.

use std::collections::VecDeque;
use std::time::Duration;

/// The calls of the last window. HubSpot counts a call when it arrives, which is some time between its sending and its answer:
/// to be sure, it counts here from its sending until a whole window after its answer. Times are durations since the governor
/// was made.
#[derive(Debug)]
pub(super) struct Window {
    span: Duration,
    /// Calls that have no answer yet.
    open: usize,
    /// When calls were answered, oldest first.
    answered: VecDeque<Duration>,
    /// When calls were sent whose answer is there, in the order of their answers.
    sent: VecDeque<Duration>,
    shortest: Shortest,
}

/// The shortest of the last round trips.
#[derive(Debug, Default)]
struct Shortest {
    trips: usize,
    lately: Duration,
    before: Duration,
}

/// Round trips that must be known before the shortest counts, and after which it is looked for anew.
const TRIPS: usize = 50;

impl Shortest {
    fn note(&mut self, trip: Duration) {
        self.lately = if self.trips.is_multiple_of(TRIPS) {
            trip
        } else {
            self.lately.min(trip)
        };
        self.trips += 1;
        if self.trips.is_multiple_of(TRIPS) {
            self.before = self.lately;
        }
    }

    /// What the way there of a new call, the server's work and the way back of an old one take at least.
    fn get(&self) -> Duration {
        if self.trips < TRIPS {
            Duration::ZERO
        } else {
            self.before.min(self.lately)
        }
    }
}

impl Window {
    pub(super) fn new(span: Duration) -> Self {
        Self {
            span,
            open: 0,
            answered: VecDeque::new(),
            sent: VecDeque::new(),
            shortest: Shortest::default(),
        }
    }

    /// A call is sent.
    pub(super) fn open(&mut self) {
        self.open += 1;
    }

    /// A call that was sent at `sent` is answered, or given up, now.
    pub(super) fn close(&mut self, sent: Duration, now: Duration) {
        self.open = self.open.saturating_sub(1);
        self.answered.push_back(now);
        self.sent.push_back(sent);
        self.shortest.note(now.saturating_sub(sent));
        // One more window for the comparison with the server's count.
        let old = now.saturating_sub(self.span * 2);
        while self.answered.front().is_some_and(|&answered| answered < old) {
            self.answered.pop_front();
            self.sent.pop_front();
        }
    }

    /// The earliest moment at which one more call keeps every window of the server's at or below `capacity`; perhaps later, as
    /// long as calls are without answer.
    pub(super) fn free_at(&self, capacity: usize, now: Duration) -> Duration {
        let Some(free) = capacity.max(1).checked_sub(self.open + 1) else {
            return now + self.span;
        };
        // So many answered calls may still count.
        match self.answered.len().checked_sub(free + 1) {
            Some(blocking) => (self.answered[blocking] + self.span).saturating_sub(self.shortest.get()),
            None => Duration::ZERO,
        }
    }

    /// How many of our calls the server can have counted, at the fewest and at the most, when it answered a call that was sent
    /// at `sent` and is answered now.
    pub(super) fn counted(&self, sent: Duration, now: Duration) -> (usize, usize) {
        let (surely_from, perhaps_from) = (now.saturating_sub(self.span), sent.saturating_sub(self.span));
        let both = || self.sent.iter().zip(&self.answered);
        let surely = both()
            .filter(|&(&from, &to)| from >= surely_from && to <= sent)
            .count();
        let perhaps = self.open + both().filter(|&(_, &to)| to >= perhaps_from).count();
        (surely, perhaps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_full_window_frees_a_place_when_its_oldest_answer_leaves() {
        let mut window = Window::new(at(10_000));
        for second in 0..3 {
            window.open();
            window.close(at(second * 1_000), at(second * 1_000 + 300));
        }
        let now = at(2_300);
        assert_eq!(window.free_at(4, now), Duration::ZERO);
        assert_eq!(window.free_at(3, now), at(10_300));
        assert_eq!(
            window.free_at(2, now),
            at(11_300),
            "a smaller limit waits for more to leave"
        );
        window.open();
        assert_eq!(window.free_at(3, now), at(11_300), "what is on its way counts");
        window.open();
        window.open();
        assert_eq!(
            window.free_at(3, now),
            at(12_300),
            "nothing is sure before an answer"
        );
    }

    #[test]
    fn the_shortest_way_is_taken_off_once_it_is_known() {
        let mut window = Window::new(at(10_000));
        for call in 0..TRIPS as u64 {
            window.open();
            window.close(at(call), at(call + 80 + call % 7));
            if call == 0 {
                assert_eq!(window.free_at(1, at(80)), at(10_080), "one is too few to know");
            }
        }
        let last = TRIPS as u64 - 1;
        assert_eq!(
            window.free_at(1, at(last)),
            at(last + 80 + last % 7 + 10_000 - 80)
        );
    }

    #[test]
    fn what_the_server_can_have_counted_lies_between_two_numbers() {
        let mut window = Window::new(at(10_000));
        for (sent, answered) in [(0, 100), (500, 900), (4_000, 4_200), (10_000, 10_400)] {
            window.open();
            window.close(at(sent), at(answered));
        }
        window.open();
        // Of an answer to a call of 10.3 s that comes at 10.6 s: the window began between 0.3 and 0.6 s.
        assert_eq!(window.counted(at(10_300), at(10_600)), (1, 4));
    }
}
