//! What the demo shows: lines, and a progress bar for each import.

use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use landbridge_model::ask::ImportStatus;

use super::arrivals::Arrival;

/// Standard output. Bars only on a terminal; elsewhere a line now and then.
pub struct Screen {
    bars: MultiProgress,
    is_terminal: bool,
    waiting: ProgressBar,
    shown: Mutex<Vec<Arrival>>,
}

impl Screen {
    /// Over this process's standard output.
    pub fn new() -> Self {
        let is_terminal = std::io::stdout().is_terminal();
        let target = if is_terminal {
            ProgressDrawTarget::stdout()
        } else {
            ProgressDrawTarget::hidden()
        };
        Self {
            bars: MultiProgress::with_draw_target(target),
            is_terminal,
            waiting: ProgressBar::hidden(),
            shown: Mutex::default(),
        }
    }

    /// Prints a line above the bars.
    pub fn line(&self, text: &str) {
        self.bars.suspend(|| {
            // Nobody reads: nothing to do about it.
            let _closed = writeln!(std::io::stdout().lock(), "{text}");
        });
    }

    /// A bar for one import.
    pub fn bar(&self, name: &str) -> ImportBar {
        let bar = self.bars.add(ProgressBar::new(0));
        let style = ProgressStyle::with_template("{prefix:16} {bar:28.cyan/blue} {pos:>7}/{len:<7} {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_prefix(name.to_owned());
        ImportBar {
            bar,
            name: name.to_owned(),
            is_terminal: self.is_terminal,
            last_state: Mutex::default(),
        }
    }

    /// Shows that a live edit has arrived, and keeps it for the summary.
    pub fn keep(&self, arrival: Arrival) {
        self.arrival(&arrival);
        self.shown
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(arrival);
    }

    /// What was kept so far.
    pub fn shown(&self) -> Vec<Arrival> {
        std::mem::take(&mut self.shown.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Shows that a live edit has arrived.
    pub fn arrival(&self, arrival: &Arrival) {
        self.line(&format!(
            "  live  {:<42} {:<9} after {:.1} s",
            arrival.what,
            arrival.outcome.as_str(),
            arrival.took.as_secs_f32()
        ));
    }

    /// Says what is still awaited.
    pub fn waiting(&self, edits: usize, queued: u64, parked: u64) {
        self.waiting
            .set_message(format!("{edits} edits, {queued} messages, {parked} parked links"));
    }
}

/// One import's bar.
pub struct ImportBar {
    bar: ProgressBar,
    name: String,
    is_terminal: bool,
    last_state: Mutex<String>,
}

impl ImportBar {
    /// Shows how the import stands.
    pub fn show(&self, screen: &Screen, status: &ImportStatus) {
        let total = status
            .salesforce_total
            .unwrap_or(status.extracted)
            .max(status.extracted);
        let settled: u64 = status.outcomes.iter().map(|(_, count)| count).sum();
        let outcomes: Vec<String> = status
            .outcomes
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(outcome, count)| format!("{count} {outcome}"))
            .collect();
        let remaining = total.saturating_sub(settled);
        let message = format!(
            "{:>5.0}/s  {remaining} remaining  in flight {}  {}",
            status.rate,
            status.in_flight,
            outcomes.join(", ")
        );
        self.bar.set_length(total);
        self.bar.set_position(settled);
        self.bar.set_message(message.clone());
        let mut last = self.last_state.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.is_terminal && *last != status.state {
            screen.line(&format!(
                "  {:<16} {:<10} {settled}/{total}  {message}",
                self.name, status.state
            ));
        }
        last.clone_from(&status.state);
    }

    /// The import has ended.
    pub fn finish(&self) {
        self.bar.abandon();
    }
}
