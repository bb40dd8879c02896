//! How often the increment polls beside a stream. Pure.

use std::time::Duration;

use jiff::Timestamp;

/// What the increment knows of the stream beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// Whether events come.
    pub streaming: bool,
    /// How long ago the increment found what the stream had not told; none if it never did.
    pub since_unheard: Option<Duration>,
    /// The org's time that the increment was asked to pass.
    pub asked_until: Option<Timestamp>,
}

/// The pause between two polls, before the budget stretches it: the usual one, or the long one while the stream can be
/// relied on and nothing is asked for.
#[must_use]
pub fn poll_interval(
    usual: Duration,
    relaxed: Duration,
    distrust: Duration,
    beside: Beside,
    covered: Option<Timestamp>,
) -> Duration {
    let is_trusted = beside.since_unheard.is_none_or(|since| since >= distrust);
    let is_passed = match (beside.asked_until, covered) {
        (None, Some(_)) => true,
        (Some(asked), Some(covered)) => covered >= asked,
        // It has read nothing yet.
        (_, None) => false,
    };
    if beside.streaming && is_trusted && is_passed {
        relaxed.max(usual)
    } else {
        usual
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Duration = Duration::from_secs(15);
    const RELAXED: Duration = Duration::from_secs(120);
    const DISTRUST: Duration = Duration::from_secs(600);

    #[test]
    fn polls_are_rare_only_beside_a_stream_that_can_be_relied_on() {
        let at = |second| Some(Timestamp::from_second(second).unwrap());
        let streaming = Beside {
            streaming: true,
            ..Beside::default()
        };
        let missed = |seconds| Beside {
            since_unheard: Some(Duration::from_secs(seconds)),
            ..streaming
        };
        let asked = |second| Beside {
            asked_until: at(second),
            ..streaming
        };
        for (beside, covered, wanted) in [
            (Beside::default(), at(10), USUAL),
            (streaming, at(10), RELAXED),
            (streaming, None, USUAL),
            (missed(599), at(10), USUAL),
            (missed(600), at(10), RELAXED),
            (asked(11), at(10), USUAL),
            (asked(11), at(11), RELAXED),
            (asked(11), None, USUAL),
        ] {
            let interval = poll_interval(USUAL, RELAXED, DISTRUST, beside, covered);
            assert_eq!(interval, wanted, "{beside:?} {covered:?}");
        }
    }

    #[test]
    fn a_relaxed_interval_is_never_the_shorter_one() {
        let beside = Beside {
            streaming: true,
            ..Beside::default()
        };
        let covered = Some(Timestamp::UNIX_EPOCH);
        assert_eq!(poll_interval(RELAXED, USUAL, DISTRUST, beside, covered), RELAXED);
    }
}
