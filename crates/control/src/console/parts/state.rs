//! What a page shows when there is nothing, or when something is wrong.

use landbridge_model::Problem;
use maud::{Markup, html};

use super::control::anchor;
use super::show::{Icon, icon};
use crate::console::{Content, Trouble};

/// Nothing here yet: what this is, and what to do next.
pub fn empty(shape: Icon, title: &str, text: &str, action: &Markup) -> Markup {
    html! {
        div.empty {
            (icon(shape))
            h2 { (title) }
            p { (text) }
            div.actions { (action) }
        }
    }
}

/// Something cannot be shown: what happened, and what to do.
pub fn failed(trouble: &Trouble) -> Markup {
    html! {
        div.empty.bad role="alert" {
            (icon(Icon::Bad))
            h2 { (trouble.what) }
            p { (trouble.remedy) }
            @if let Some(reference) = &trouble.reference {
                p.quiet { "For the logs: " code { (reference) } }
            }
        }
    }
}

/// The same within a page, as a strip.
pub fn trouble(trouble: &Trouble) -> Markup {
    html! {
        div.banner.bad role="alert" {
            (icon(Icon::Bad))
            p {
                strong { (trouble.what) } " " (trouble.remedy)
                @if let Some(reference) = &trouble.reference { " " span.quiet { "For the logs: " code { (reference) } } }
            }
        }
    }
}

/// The content, or why there is none.
pub fn loaded<T>(content: &Content<T>, show: impl FnOnce(&T) -> Markup) -> Markup {
    match content {
        Ok(view) => show(view),
        Err(trouble) => failed(trouble),
    }
}

/// All problems of a form, each with its cure and a link to its control.
pub fn error_summary(problems: &[Problem], address: impl Fn(&Problem) -> Option<String>) -> Markup {
    html! {
        div #problems data-refresh="problems" {
            @if !problems.is_empty() {
                div.problems role="group" aria-labelledby="problems-title" {
                    h2 #problems-title {
                        (icon(Icon::Bad))
                        @if problems.len() == 1 { "1 thing to put right" } @else { (problems.len()) " things to put right" }
                    }
                    ol {
                        @for problem in problems {
                            li {
                                @match address(problem) {
                                    Some(target) => a href=(target) { (sentence(&problem.what)) },
                                    None => span.problem-what { (sentence(&problem.what)) },
                                }
                                @if !problem.remedy.is_empty() { span.cure { (sentence(&problem.remedy)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The problems of one control, by its name.
pub fn problems_of<'a>(problems: &'a [Problem], place: &str) -> Vec<&'a Problem> {
    problems.iter().filter(|problem| problem.place == place).collect()
}

/// A link to the control that a problem is about, if it is about one.
pub fn to_control(problem: &Problem) -> Option<String> {
    (!problem.place.is_empty()).then(|| format!("#{}", anchor(&problem.place)))
}

/// The problems whose place begins with `place`, as lines beneath a control.
pub fn problems_at<'a>(problems: impl IntoIterator<Item = &'a Problem>, id: &str) -> Markup {
    let problems: Vec<&Problem> = problems.into_iter().collect();
    html! {
        @if !problems.is_empty() {
            div.field-errors id=(id) {
                @for problem in problems {
                    p.field-error {
                        (icon(Icon::Bad))
                        span { strong { (sentence(&problem.what)) } @if !problem.remedy.is_empty() { " " (sentence(&problem.remedy)) } }
                    }
                }
            }
        }
    }
}

/// The words of a problem as a sentence of its own: they are written as parts of one. A name at the beginning, such
/// as `Price__c`, is left as it is.
fn sentence(words: &str) -> String {
    let first = words.split(' ').next().unwrap_or_default();
    let is_name = first.contains(|c: char| !c.is_ascii_lowercase());
    let mut letters = words.chars();
    let Some(letter) = letters.next().filter(|_| !is_name) else {
        return ended(words);
    };
    ended(&format!("{}{}", letter.to_uppercase(), letters.as_str()))
}

fn ended(words: &str) -> String {
    if words.ends_with(['.', '?', '!', ':']) {
        words.to_owned()
    } else {
        format!("{words}.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_reads_as_a_sentence_and_names_keep_their_case() {
        for (words, expected) in [
            ("map a field to it", "Map a field to it."),
            ("fuel_type has no option", "fuel_type has no option."),
            ("Price__c is a lookup", "Price__c is a lookup."),
            ("did you mean price?", "Did you mean price?"),
        ] {
            assert_eq!(sentence(words), expected);
        }
    }
}
