//! What is still to be sent, and when it is tried again: pure.

use serde::{Deserialize, Serialize};

use super::judge::Told;
use super::settings::Channel;

/// Before the first repetition, in milliseconds; it doubles from there on.
const FIRST_PAUSE_MS: i64 = 10_000;
/// Between two tries at most, in milliseconds.
const LONGEST_PAUSE_MS: i64 = 30 * 60_000;
/// After that a message is news no more, in milliseconds.
const GIVEN_UP_AFTER_MS: i64 = 24 * 3_600_000;

/// A message for one channel that has not arrived yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pending {
    pub(crate) channel: Channel,
    pub(crate) told: Told,
    /// Tries so far.
    pub(crate) attempts: u32,
    /// When it is tried next, in milliseconds since 1970.
    pub(crate) next_ms: i64,
    /// Why the last try failed.
    pub(crate) trouble: Option<String>,
}

impl Pending {
    /// To be sent at once.
    pub(crate) fn new(channel: Channel, told: Told) -> Self {
        Self {
            channel,
            next_ms: told.at_ms,
            told,
            attempts: 0,
            trouble: None,
        }
    }

    /// After a try that failed; none when it has been tried for long enough.
    pub(crate) fn again(self, trouble: String, now_ms: i64) -> Option<Self> {
        if now_ms - self.told.at_ms >= GIVEN_UP_AFTER_MS {
            return None;
        }
        let doubled = FIRST_PAUSE_MS.saturating_mul(1 << self.attempts.min(20));
        Some(Self {
            attempts: self.attempts + 1,
            next_ms: now_ms + doubled.min(LONGEST_PAUSE_MS),
            trouble: Some(trouble),
            ..self
        })
    }
}

/// Where the message is that is due first. Messages of one channel keep their order: an end is never told before its
/// beginning.
pub(crate) fn due(outbox: &[Pending], now_ms: i64) -> Option<usize> {
    let is_first = |place: usize| {
        let channel = outbox[place].channel;
        outbox[..place].iter().all(|before| before.channel != channel)
    };
    (0..outbox.len()).find(|place| outbox[*place].next_ms <= now_ms && is_first(*place))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::judge::{AlertKind, Turn};

    fn told(at_ms: i64) -> Told {
        Told {
            id: at_ms.to_string(),
            alert: AlertKind::Failures,
            subject: None,
            turn: Turn::Raised,
            text: "5 records are refused".to_owned(),
            since_ms: at_ms,
            at_ms,
        }
    }

    #[test]
    fn tries_grow_apart_and_end_after_a_day() {
        let mut pending = Pending::new(Channel::Webhook, told(0));
        let (mut now, mut tries, mut pauses) = (0, 0, Vec::new());
        loop {
            tries += 1;
            match pending.clone().again("503".to_owned(), now) {
                Some(next) => {
                    pauses.push(next.next_ms - now);
                    now = next.next_ms;
                    pending = next;
                }
                None => break,
            }
        }
        assert_eq!(pauses[..4], [10_000, 20_000, 40_000, 80_000]);
        assert_eq!(pauses.iter().max(), Some(&LONGEST_PAUSE_MS));
        assert!(now >= GIVEN_UP_AFTER_MS && tries < 70, "{now} {tries}");
    }

    #[test]
    fn an_end_is_not_told_before_its_beginning_and_channels_do_not_wait_for_each_other() {
        let first = Pending::new(Channel::Webhook, told(1)).again("503".to_owned(), 1);
        let outbox = vec![
            first.unwrap(),
            Pending::new(Channel::Webhook, told(2)),
            Pending::new(Channel::Mail, told(2)),
        ];
        assert_eq!(due(&outbox, 5), Some(2));
        assert_eq!(due(&outbox[..2], 5), None);
        assert_eq!(due(&outbox, 10_001), Some(0));
        assert_eq!(due(&[], 0), None);
    }
}
