//! The pieces that pages are made of.

mod chart;
mod control;
mod show;
mod state;
mod table;
mod words;

pub use chart::{Band, Chart, Series, Tone, lines, stacked_bars};
pub use control::{
    Choice, Control, anchor, check, choice_list, choices, combobox, date_input, option_tags, radios, select,
    submit, text_area, text_input, toggle,
};
pub use show::{
    Health, Icon, Meter, Use, badge, health_badge, icon, meter, progress, status_badge, two_names, use_of,
};
pub use state::{empty, error_summary, failed, loaded, problems_at, problems_of, to_control, trouble};
pub use table::{Cell, Column, Paging, Table, cell, number, pager, search_form};
pub use words::{ago, bytes_as_text, count, decimal, duration, moment, of_limit, one_or_many, percent, who};
