//! Controls of forms. Each has a label tied to it, and what is wrong with it beneath it.

use landbridge_model::Problem;
use maud::{Markup, html};

use super::state::problems_at;

/// What every control has.
#[derive(Clone, Copy, Debug, Default)]
pub struct Control<'a> {
    /// The field's name in the form: the definition's key where it edits one.
    pub name: &'a str,
    /// The label.
    pub label: &'a str,
    /// What to know before filling it in.
    pub hint: &'a str,
    /// What is in it.
    pub value: &'a str,
    /// Whether the label is for screen readers only, because a table's head says it.
    pub is_label_hidden: bool,
    /// Whether it must be filled in.
    pub required: bool,
    /// Whether the form is sent for checking when it changes.
    pub rechecks: bool,
    /// Why it cannot be changed now; empty when it can.
    pub locked: &'a str,
    /// What is wrong with it.
    pub problems: &'a [&'a Problem],
}

/// The `id` of a control: its name with nothing in it that a selector would stumble over.
pub fn anchor(name: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    };
    let id: String = name.chars().map(plain).collect();
    format!("c-{}", id.trim_matches('-'))
}

impl Control<'_> {
    /// The `id` of the control, for links to it.
    pub fn id(&self) -> String {
        anchor(self.name)
    }

    fn described_by(&self) -> Option<String> {
        let id = self.id();
        let mut ids = Vec::new();
        if !self.hint.is_empty() || !self.locked.is_empty() {
            ids.push(format!("{id}-hint"));
        }
        if !self.problems.is_empty() {
            ids.push(format!("{id}-errors"));
        }
        (!ids.is_empty()).then(|| ids.join(" "))
    }

    fn invalid(&self) -> Option<&'static str> {
        (!self.problems.is_empty()).then_some("true")
    }

    fn around(&self, control: &Markup) -> Markup {
        let id = self.id();
        html! {
            div.control {
                label for=(id) class=[self.is_label_hidden.then_some("hidden")] {
                    (self.label)
                    @if !self.required && !self.is_label_hidden && self.locked.is_empty() && self.hint.starts_with("Optional") { span.quiet { " (optional)" } }
                }
                @let hint = self.hint.trim_start_matches("Optional.").trim_start();
                @if !hint.is_empty() || !self.locked.is_empty() || !self.hint.is_empty() {
                    p.hint id={ (id) "-hint" } { (hint) @if !self.locked.is_empty() { " " (self.locked) } }
                }
                (control)
                (problems_at(self.problems.iter().copied(), &format!("{id}-errors")))
            }
        }
    }
}

/// A line of text. `kind` is the input's type.
pub fn text_input(control: Control<'_>, kind: &str, autocomplete: &str) -> Markup {
    control.around(&html! {
        input id=(control.id()) type=(kind) name=(control.name) value=(control.value) required[control.required]
            autocomplete=[(!autocomplete.is_empty()).then_some(autocomplete)] readonly[!control.locked.is_empty()]
            spellcheck="false" data-recheck[control.rechecks]
            aria-describedby=[control.described_by()] aria-invalid=[control.invalid()];
    })
}

/// Some lines of text, which are not shown again.
pub fn text_area(control: Control<'_>) -> Markup {
    control.around(&html! {
        textarea id=(control.id()) name=(control.name) required[control.required] autocomplete="off" spellcheck="false"
            aria-describedby=[control.described_by()] aria-invalid=[control.invalid()] {}
    })
}

/// A day.
pub fn date_input(control: Control<'_>) -> Markup {
    text_input(control, "date", "off")
}

/// Something to choose.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// What the form sends.
    pub value: String,
    /// What people read.
    pub label: String,
    /// A word about it, such as its type, or that it is synced already.
    pub note: String,
    /// The group it is listed in; empty for none.
    pub group: String,
    /// Whether it cannot be chosen; the note says why.
    pub disabled: bool,
}

/// Choices from value and label.
pub fn choices(pairs: &[(&str, &str)]) -> Vec<Choice> {
    let choice = |(value, label): &(&str, &str)| Choice {
        value: (*value).to_owned(),
        label: (*label).to_owned(),
        ..Choice::default()
    };
    pairs.iter().map(choice).collect()
}

/// The options of a select.
pub fn option_tags(choices: &[Choice], chosen: &str) -> Markup {
    html! {
        @for choice in choices {
            option value=(choice.value) selected[choice.value == chosen] disabled[choice.disabled] {
                (choice.label) @if !choice.note.is_empty() { " · " (choice.note) }
            }
        }
    }
}

/// One of a few.
pub fn select(control: Control<'_>, choices: &[Choice]) -> Markup {
    control.around(&html! {
        select id=(control.id()) name=(control.name) required[control.required] disabled[!control.locked.is_empty()]
            data-recheck[control.rechecks] aria-describedby=[control.described_by()] aria-invalid=[control.invalid()] {
            (option_tags(choices, control.value))
        }
    })
}

/// One of many, searched by typing. `list` is the id of a [`choice_list`]; many controls may share one. Without the
/// script it is the browser's own list of suggestions.
pub fn combobox(control: Control<'_>, list: &str, placeholder: &str) -> Markup {
    control.around(&html! {
        span.combo {
            input id=(control.id()) type="text" name=(control.name) value=(control.value) list=(list)
                required[control.required] autocomplete="off" spellcheck="false" placeholder=(placeholder)
                readonly[!control.locked.is_empty()] data-combo data-recheck[control.rechecks]
                aria-describedby=[control.described_by()] aria-invalid=[control.invalid()];
        }
    })
}

/// What comboboxes choose from.
pub fn choice_list(id: &str, choices: &[Choice]) -> Markup {
    html! {
        datalist id=(id) {
            @for choice in choices {
                option value=(choice.value) data-note=[(!choice.note.is_empty()).then_some(&choice.note)]
                    data-group=[(!choice.group.is_empty()).then_some(&choice.group)]
                    data-off=[choice.disabled.then_some("true")] { (choice.label) }
            }
        }
    }
}

/// A box to tick.
pub fn check(name: &str, value: &str, label: &Markup, checked: bool, locked: bool) -> Markup {
    let id = anchor(&format!("{name}-{value}"));
    html! {
        span.check {
            input id=(id) type="checkbox" name=(name) value=(value) checked[checked] disabled[locked] data-recheck;
            label for=(id) { (label) }
        }
    }
}

/// A switch; `why` says why it cannot be moved, when it cannot.
pub fn toggle(name: &str, label: &str, on: bool, why: Option<&str>) -> Markup {
    let id = anchor(name);
    html! {
        span.switch {
            input id=(id) type="checkbox" role="switch" name=(name) value="on" checked[on] disabled[why.is_some()]
                data-recheck aria-describedby=[why.map(|_| format!("{id}-why"))];
            label for=(id) { span.hidden { (label) } }
            @if let Some(why) = why { span.hidden id={ (id) "-why" } { (why) } }
        }
    }
}

/// One of a few, all in sight: value, label, and what it means.
pub fn radios(name: &str, legend: &str, chosen: &str, options: &[(&str, &str, &str)]) -> Markup {
    html! {
        fieldset.radios {
            legend { (legend) }
            @for (value, label, meaning) in options {
                @let id = anchor(&format!("{name}-{value}"));
                div.radio {
                    input id=(id) type="radio" name=(name) value=(value) checked[*value == chosen] data-recheck;
                    label for=(id) { strong { (label) } @if !meaning.is_empty() { span.quiet { (meaning) } } }
                }
            }
        }
    }
}

/// The button that sends a form.
pub fn submit(label: &str, action: &str, class: &str) -> Markup {
    html! {
        button class={ "button " (class) } name=[(!action.is_empty()).then_some(super::super::fields::ACTION)]
            value=[(!action.is_empty()).then_some(action)] { (label) }
    }
}
