//! The review of an object type: what a person made of the proposal.

use landbridge_model::Problem;
use landbridge_model::propose::Proposal;

use super::Posted;

/// The proposal with a person's changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reviewed {
    /// With every property, also those that are left out.
    pub proposal: Proposal,
    /// Names of properties that a new record must have.
    pub required: Vec<String>,
    /// Names of properties that are left out.
    pub excluded: Vec<String>,
}

impl Reviewed {
    /// The proposal as nobody has touched it. Fields that Salesforce never leaves empty are required.
    pub fn untouched(proposal: Proposal, never_empty: impl Fn(&str) -> bool) -> Self {
        let required = proposal.fields.iter().filter(|rule| never_empty(&rule.from));
        Self {
            required: required.map(|rule| rule.to.clone()).collect(),
            excluded: Vec::new(),
            proposal,
        }
    }

    /// The proposal without what is left out.
    pub fn included(&self) -> Proposal {
        let mut proposal = self.proposal.clone();
        proposal
            .properties
            .retain(|property| !self.excluded.contains(&property.name));
        proposal.fields.retain(|rule| !self.excluded.contains(&rule.to));
        proposal
    }

    /// What is to be put right before it can be created.
    pub fn problems(&self, taken: impl Fn(&str) -> bool) -> Vec<Problem> {
        let mut problems = Vec::new();
        let proposal = &self.proposal;
        let mut is_named = |place: &str, text: &str| {
            if text.is_empty() {
                problems.push(Problem::new(place, "it has no text", "enter one"));
            }
        };
        is_named("singular", &proposal.singular);
        is_named("plural", &proposal.plural);
        if !is_name(&proposal.name) {
            problems.push(Problem::new(
                "name",
                format!("{:?} is not a name that HubSpot takes", proposal.name),
                "use letters, digits, hyphens and underscores, beginning with a letter",
            ));
        } else if taken(&proposal.name) {
            problems.push(Problem::new(
                "name",
                format!("the portal already has an object named {}", proposal.name),
                "choose another name, or go back and select the one that is there",
            ));
        }
        self.properties(&mut problems);
        problems
    }

    fn properties(&self, problems: &mut Vec<Problem>) {
        let all = &self.proposal.properties;
        for (place, property) in all.iter().enumerate() {
            if self.excluded.contains(&property.name) {
                continue;
            }
            let at = |what: &str| format!("properties[{place}].{what}");
            if property.label.is_empty() {
                problems.push(Problem::new(at("label"), "it has no label", "enter one"));
            }
            if !is_property_name(&property.name) {
                problems.push(Problem::new(
                    at("name"),
                    format!("{:?} is not a name that HubSpot gives to a property", property.name),
                    "use lower-case letters, digits and underscores, beginning with a letter and not with hs_",
                ));
            }
            if all[..place].iter().any(|other| other.name == property.name) {
                problems.push(Problem::new(
                    at("name"),
                    format!("{} is the name of two properties", property.name),
                    "give each its own",
                ));
            }
        }
        if self.excluded.contains(&self.proposal.primary_display) {
            problems.push(Problem::new(
                "primaryDisplay",
                format!(
                    "{} is left out, and cannot be shown first",
                    self.proposal.primary_display
                ),
                "show another property first, or create it too",
            ));
        }
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

fn is_property_name(text: &str) -> bool {
    text.starts_with(|letter: char| letter.is_ascii_lowercase())
        && !text.starts_with("hs_")
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Reads the review.
pub fn proposal(posted: &Posted, mut proposal: Proposal) -> Reviewed {
    posted.text("singular").clone_into(&mut proposal.singular);
    posted.text("plural").clone_into(&mut proposal.plural);
    posted.text("name").clone_into(&mut proposal.name);
    let display = posted.text("primaryDisplay").to_owned();
    let (mut required, mut excluded) = (Vec::new(), Vec::new());
    for (place, property) in proposal.properties.iter_mut().enumerate() {
        let name = |what: &str| format!("properties[{place}].{what}");
        let old = property.name.clone();
        if posted.exactly(&name("label")).is_some() {
            posted.text(&name("label")).clone_into(&mut property.label);
        }
        // The unique property is Landbridge's own.
        if posted.exactly(&name("name")).is_some() && !property.has_unique_value {
            posted.text(&name("name")).clone_into(&mut property.name);
        }
        for rule in proposal.fields.iter_mut().filter(|rule| rule.to == old) {
            rule.to.clone_from(&property.name);
        }
        if display == old {
            proposal.primary_display.clone_from(&property.name);
        }
        if posted.text(&name("include")) != "on" && !property.has_unique_value {
            excluded.push(property.name.clone());
        } else if posted.text(&name("required")) == "on" {
            required.push(property.name.clone());
        }
    }
    Reviewed {
        proposal,
        required,
        excluded,
    }
}

#[cfg(test)]
mod tests {
    use landbridge_model::propose;
    use landbridge_model::salesforce::ObjectDescribe;
    use serde_json::json;

    use super::*;

    fn proposed() -> Proposal {
        let object: ObjectDescribe = serde_json::from_value(json!({
            "name": "Part__c", "label": "Part", "custom": true, "queryable": true,
            "fields": [
                { "name": "Name", "label": "Part Name", "type": "string" },
                { "name": "Weight__c", "label": "Weight", "type": "double", "nillable": true },
            ],
        }))
        .unwrap();
        propose::object_type(&object)
    }

    fn post(changes: &[(&str, &str)]) -> Reviewed {
        let always = [
            ("singular", "Part"),
            ("plural", "Parts"),
            ("name", "parts"),
            ("primaryDisplay", "name"),
            ("properties[0].include", "on"),
            ("properties[1].include", "on"),
            ("properties[1].required", "on"),
            ("properties[1].name", "name"),
            ("properties[1].label", "Part Name"),
            ("properties[2].name", "weight"),
            ("properties[2].label", "Weight"),
        ];
        let kept = always
            .iter()
            .filter(|(name, _)| changes.iter().all(|(other, _)| other != name));
        proposal(&kept.chain(changes).copied().collect(), proposed())
    }

    #[test]
    fn what_is_not_ticked_is_left_out_and_names_are_taken_along() {
        let read = post(&[("properties[1].name", "title")]);
        assert_eq!(
            (read.required.clone(), read.excluded.clone()),
            (vec!["title".to_owned()], vec!["weight".to_owned()])
        );
        let made = read.included();
        assert_eq!(made.primary_display, "title");
        assert_eq!(
            made.fields
                .iter()
                .map(|rule| rule.to.as_str())
                .collect::<Vec<_>>(),
            ["title"]
        );
        assert!(
            read.problems(|_| false).is_empty(),
            "{:?}",
            read.problems(|_| false)
        );
    }

    #[test]
    fn every_mistake_is_told_at_its_place() {
        for (change, place) in [
            (("singular", ""), "singular"),
            (("name", "2parts"), "name"),
            (("name", "taken"), "name"),
            (("properties[1].name", "Title"), "properties[1].name"),
            (("properties[1].name", "salesforce_id"), "properties[1].name"),
            (("properties[1].label", " "), "properties[1].label"),
            (("primaryDisplay", "weight"), "primaryDisplay"),
        ] {
            let problems = post(&[change]).problems(|name| name == "taken");
            assert_eq!(
                problems.iter().map(|one| one.place.as_str()).collect::<Vec<_>>(),
                [place],
                "{change:?}"
            );
        }
    }

    #[test]
    fn fields_that_are_never_empty_are_required() {
        let reviewed = Reviewed::untouched(proposed(), |field| field == "Name");
        assert_eq!(reviewed.required, ["name"]);
    }
}
