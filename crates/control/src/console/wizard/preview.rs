//! Step 7: the whole definition, each part with "Edit", and the dry run.

use landbridge_model::Problem;
use landbridge_model::sync::{DeleteRule, MaxDeletes, OnLeave, SyncDefinition, Unmatched};
use maud::{Markup, html};

use super::filter::operator_phrase;
use super::prediction::{self, DryRun};
use super::{Draft, Step, head};
use crate::console::parts::{self, Icon, icon};
use crate::console::{Content, Shell, fields, paths};

/// What the step shows.
#[derive(Clone, Debug)]
pub struct Preview {
    /// Around the step.
    pub draft: Draft,
    /// The definition.
    pub definition: SyncDefinition,
    /// The same as a file, as `sync export` writes it.
    pub yaml: String,
    /// What is to be put right, of every step.
    pub problems: Vec<Problem>,
    /// What people should know though nothing is wrong.
    pub notes: Vec<Problem>,
    /// The dry run.
    pub dry_run: DryRun,
}

/// The page.
pub fn page(shell: &Shell, content: &Content<Preview>) -> Markup {
    match content {
        Ok(view) => {
            let body = html! {
                (head(shell, &view.draft, Step::Preview, "Everything that this sync does, before it does anything."))
                @if let Some(trouble) = &view.draft.trouble { (parts::trouble(trouble)) }
                (parts::error_summary(&view.problems, |problem| {
                    Some(paths::step(&view.draft.tenant, &view.draft.sync, Step::of_problem(problem)))
                }))
                (definition(view))
                (prediction::section(shell, &view.draft.tenant, &view.draft.action(Step::Preview), &view.dry_run, view.problems.is_empty()))
                (shell.form(&view.draft.action(Step::Preview), "", html! {
                    input type="hidden" name=(fields::ETAG) value=(view.draft.etag);
                    (foot(view))
                }))
            };
            shell.document("Preview", &body)
        }
        Err(trouble) => shell.document("Preview", &parts::failed(trouble)),
    }
}

fn foot(view: &Preview) -> Markup {
    let blocked = !view.problems.is_empty();
    html! {
        div.wizard-foot {
            p #next-why.quiet { @if blocked { "“Next” opens when " a href="#problems" { "every error" } " is put right." } }
            div.actions {
                a.button.quiet href=(paths::step(&view.draft.tenant, &view.draft.sync, Step::Filter)) { "Back" }
                button.button name=(fields::ACTION) value="save" { "Save draft" }
                button.button.primary name=(fields::ACTION) value="next" disabled[blocked] aria-describedby=[blocked.then_some("next-why")] { "Next " (icon(Icon::Arrow)) }
            }
        }
    }
}

fn part(view: &Preview, step: Step, content: &Markup) -> Markup {
    html! {
        section.part aria-label=(step.title()) {
            div.card-head {
                h3 { (step.title()) }
                a href=(paths::step(&view.draft.tenant, &view.draft.sync, step)) { "Edit" span.hidden { " " (step.title()) } }
            }
            (content)
        }
    }
}

fn definition(view: &Preview) -> Markup {
    let spec = &view.definition.spec;
    html! {
        div.card {
            (part(view, Step::MapObjects, &html! {
                p.map-line { span.two-names { span { (view.draft.object.0) } code { (spec.salesforce.object) } } (icon(Icon::Arrow)) span.two-names { span { (view.draft.object_type.0) } code { (spec.hubspot.object_type) } } }
                p.quiet { "Records are found again by " code { (spec.hubspot.id_property) } "." }
            }))
            (part(view, Step::Rules, &rules(view)))
            (part(view, Step::Associations, &associations(view)))
            (part(view, Step::Mappings, &mappings(view)))
            (part(view, Step::Filter, &filter(view)))
            @if !view.notes.is_empty() {
                section.part aria-label="Good to know" {
                    h3 { "Good to know" }
                    ul.plain-list { @for note in &view.notes { li.map-line.note { (icon(Icon::Attention)) span { (note.what) } } } }
                }
            }
            details {
                summary { "As a file" }
                pre.yaml tabindex="0" role="region" aria-label="The definition as a file" { (view.yaml) }
            }
        }
    }
}

fn rules(view: &Preview) -> Markup {
    let rules = &view.definition.spec.rules;
    html! {
        p { "Created and changed records are carried, always." }
        p {
            @match rules.delete {
                DeleteRule::DoNothing => "When a record is deleted in Salesforce, HubSpot keeps it.",
                DeleteRule::DeleteRecord => {
                    "When a record is deleted in Salesforce, it is deleted in HubSpot"
                    @if let Some(grace) = &rules.grace { " after " (grace) }
                    "; more than "
                    @match rules.max_deletes.unwrap_or_default() { MaxDeletes::Count(count) => { (parts::count(count)) " records" }, MaxDeletes::Percent(share) => { (share) " % of the records" } }
                    " in one hour are held for approval."
                }
            }
        }
    }
}

fn associations(view: &Preview) -> Markup {
    let rules = &view.definition.spec.associations;
    html! {
        @if rules.is_empty() { p.quiet { "None." } } @else {
            ul.plain-list {
                @for rule in rules {
                    li.map-line {
                        code { (rule.lookup()) } (icon(Icon::Arrow)) (rule.to)
                        @if let Some(label) = &rule.label { " “" (label) "”" }
                        @if let Some(property) = &rule.match_property { span.quiet { "found by " code { (property) } } }
                    }
                }
            }
        }
    }
}

fn mappings(view: &Preview) -> Markup {
    html! {
        ul.plain-list {
            @for rule in &view.definition.spec.fields {
                li.map-line {
                    code { (rule.from) } (icon(Icon::Arrow)) code { (rule.to) }
                    @if !rule.values.is_empty() { span.quiet { (parts::one_or_many(rule.values.len() as u64, "value", "values")) " translated" } }
                    @match rule.unmatched {
                        Unmatched::Fail => {}
                        Unmatched::LeaveEmpty => { span.quiet { "others left empty" } }
                        Unmatched::AddOption => { span.quiet { "others added as options" } }
                    }
                }
            }
        }
    }
}

fn filter(view: &Preview) -> Markup {
    let Some(filter) = &view.definition.spec.filter else {
        return html! { p.quiet { "Every record travels." } };
    };
    html! {
        ul.plain-list {
            @for condition in &filter.all {
                li.map-line {
                    code { (condition.field) } (operator_phrase(condition.op))
                    @if let Some(values) = &condition.value { strong { (values.0.join(", ")) } }
                }
            }
        }
        p.quiet { @match filter.on_leave { OnLeave::Keep => "A record that stops matching is kept.", OnLeave::DeleteRule => "A record that stops matching follows the delete rule." } }
    }
}
