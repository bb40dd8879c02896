//! Things that are only looked at: icons, badges, bars.

use landbridge_model::config::SyncStatus;
use maud::{Markup, html};

use super::words::{count, percent};

/// The small pictures. Each is decoration beside words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say what is drawn")]
pub enum Icon {
    Good,
    Attention,
    Bad,
    Stopped,
    Unknown,
    Plug,
    Import,
    Pulse,
    Bell,
    Search,
    Log,
    Sun,
    Moon,
    System,
    Arrow,
    Plus,
    Pause,
    Lock,
    Draft,
    Box,
}

/// Draws one.
pub fn icon(shape: Icon) -> Markup {
    let path = match shape {
        Icon::Good => "M4 10.5l4 4 8-9",
        Icon::Attention => "M10 3l8 14H2zM10 8v4M10 14.5v.01",
        Icon::Bad => "M10 2a8 8 0 100 16 8 8 0 000-16zM10 6v5M10 13.8v.01",
        Icon::Stopped => "M6.5 2.5h7l4 4v7l-4 4h-7l-4-4v-7zM7 10h6",
        Icon::Unknown => {
            "M10 2a8 8 0 100 16 8 8 0 000-16zM7.6 8a2.4 2.4 0 114 1.7c-1 .8-1.6 1.2-1.6 2.1M10 14.4v.01"
        }
        Icon::Plug => "M7 2v4M13 2v4M5 6h10v3a5 5 0 01-10 0zM10 14v4",
        Icon::Import => "M10 2v10M6 8.5l4 4 4-4M3 14v3h14v-3",
        Icon::Pulse => "M2 10h4l2-6 4 12 2-6h4",
        Icon::Bell => "M10 2v1.5M5 14V9a5 5 0 0110 0v5l1.5 1.5h-13zM8.5 18h3",
        Icon::Search => "M9 3a6 6 0 100 12A6 6 0 009 3zM13.5 13.5L18 18",
        Icon::Log => "M5 2h10v16H5zM8 6h4M8 10h4M8 14h2",
        Icon::Sun => {
            "M10 6a4 4 0 100 8 4 4 0 000-8zM10 1v2M10 17v2M1 10h2M17 10h2M3.6 3.6l1.4 1.4M15 15l1.4 1.4M3.6 16.4L5 15M15 5l1.4-1.4"
        }
        Icon::Moon => "M16.5 12.5A7 7 0 017.5 3.5a7 7 0 109 9z",
        Icon::System => "M2 3h16v11H2zM7 18h6M10 14v4",
        Icon::Arrow => "M3 10h13M11.5 5.5L16 10l-4.5 4.5",
        Icon::Plus => "M10 4v12M4 10h12",
        Icon::Pause => "M7 4v12M13 4v12",
        Icon::Lock => "M5 9h10v8H5zM7 9V6a3 3 0 016 0v3",
        Icon::Draft => "M3 17l1-4L14 3l3 3L7 16z",
        Icon::Box => "M3 6l7-4 7 4v8l-7 4-7-4zM3 6l7 4 7-4M10 10v8",
    };
    html! { svg.icon viewBox="0 0 20 20" aria-hidden="true" { path d=(path) {} } }
}

/// How something stands. Told by word and shape as well as by colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// Nothing to do.
    Good,
    /// Something should be looked at.
    Attention,
    /// Nothing moves until somebody does something.
    Stopped,
    /// It could not be asked.
    Unknown,
}

impl Health {
    /// Every state, in the order of filters.
    pub const ALL: [Self; 4] = [Self::Stopped, Self::Attention, Self::Unknown, Self::Good];

    /// The word in forms and class names.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Attention => "attention",
            Self::Stopped => "stopped",
            Self::Unknown => "unknown",
        }
    }

    /// The word on pages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "Healthy",
            Self::Attention => "Needs attention",
            Self::Stopped => "Stopped",
            Self::Unknown => "Unknown",
        }
    }

    fn icon(self) -> Icon {
        match self {
            Self::Good => Icon::Good,
            Self::Attention => Icon::Attention,
            Self::Stopped => Icon::Stopped,
            Self::Unknown => Icon::Unknown,
        }
    }
}

/// A word in a coloured field, with a shape.
pub fn badge(tone: &str, shape: Icon, word: &str) -> Markup {
    html! { span class={ "badge " (tone) } { (icon(shape)) (word) } }
}

/// How something stands.
pub fn health_badge(health: Health) -> Markup {
    badge(health.as_str(), health.icon(), health.word())
}

/// Whether a sync runs.
pub fn status_badge(status: SyncStatus) -> Markup {
    match status {
        SyncStatus::Active => badge("good", Icon::Good, "Active"),
        SyncStatus::Draft => badge("unknown", Icon::Draft, "Draft"),
        SyncStatus::Paused => badge("attention", Icon::Pause, "Paused"),
        SyncStatus::Suspended => badge("stopped", Icon::Stopped, "Suspended"),
    }
}

/// A label with the name that APIs use under it.
pub fn two_names(label: &str, name: &str) -> Markup {
    html! {
        span.two-names {
            span { (label) }
            @if label != name { code { (name) } }
        }
    }
}

/// A use of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    /// So much is used.
    pub used: u64,
    /// So much may be used.
    pub limit: u64,
}

/// A bar of a limit with its numbers in words.
#[derive(Clone, Copy, Debug)]
pub struct Meter<'a> {
    /// What is measured.
    pub label: &'a str,
    /// How much of it.
    pub amount: Use,
    /// What to say of it, such as when it starts anew.
    pub note: Option<&'a str>,
}

/// Draws one. From four fifths on it is said to be nearly used up, in words.
pub fn meter(meter: Meter<'_>) -> Markup {
    let share = percent(meter.amount.used, meter.amount.limit);
    let state = match share {
        100 => Some("Used up"),
        80.. => Some("Nearly used up"),
        _ => None,
    };
    html! {
        div.meter.warn[(80..100).contains(&share)].full[share == 100] {
            div.meter-head { span { (meter.label) } span.numeric { (use_of(meter.amount)) } }
            progress max=(meter.amount.limit.max(1)) value=(meter.amount.used.min(meter.amount.limit)) aria-label=(meter.label) { (share) " %" }
            @if let Some(state) = state { p.meter-note { strong { (state) } @if let Some(note) = meter.note { " · " (note) } } }
            @else if let Some(note) = meter.note { p.meter-note { (note) } }
        }
    }
}

/// `1 200 of 15 000`.
pub fn use_of(amount: Use) -> Markup {
    html! { (count(amount.used)) span.quiet { " of " (count(amount.limit)) } }
}

/// A bar of work done; without a total it is said to be still counting.
pub fn progress(label: &str, done: u64, total: Option<u64>) -> Markup {
    html! {
        @if let Some(total) = total {
            span.progress {
                progress aria-label=(label) max=(total.max(1)) value=(done.min(total)) {}
                span.numeric { (percent(done, total)) " %" }
            }
        } @else {
            span.progress { progress aria-label=(label) {} span.quiet { "counting" } }
        }
    }
}
