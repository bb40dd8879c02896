//! The review of an object type: what a person made of the proposal.

use landbridge_model::propose::Proposal;

use super::Posted;
use crate::service::Reviewed;

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
