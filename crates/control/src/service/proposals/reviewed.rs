//! What a person made of a proposal, and what is to be put right in it. Pure.

use landbridge_model::Problem;
use landbridge_model::propose::Proposal;

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
        self.named(&mut problems);
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
        if !all.iter().any(|property| property.has_unique_value) {
            problems.push(Problem::new(
                "properties",
                "no property has unique values",
                "keep the one that holds the Salesforce id: records are found by it",
            ));
        }
    }

    /// What is named must be among what is created.
    fn named(&self, problems: &mut Vec<Problem>) {
        let all = &self.proposal.properties;
        let is_there = |name: &String| all.iter().any(|property| property.name == *name);
        for name in self.required.iter().filter(|name| !is_there(name)) {
            problems.push(Problem::new(
                "required",
                format!("{name} is required, and is none of the properties"),
                "create it too, or do not require it",
            ));
        }
        if !is_there(&self.proposal.primary_display) {
            problems.push(Problem::new(
                "primaryDisplay",
                format!(
                    "{} is none of the properties, and cannot be shown first",
                    self.proposal.primary_display
                ),
                "name one of them",
            ));
        } else if self.excluded.contains(&self.proposal.primary_display) {
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
