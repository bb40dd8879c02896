//! The wizard's field mappings.

use landbridge_control::console::Place;
use landbridge_control::console::wizard::Step;
use landbridge_control::console::wizard::mappings::{Mappings, Suggestion, page};
use landbridge_model::Surroundings;
use landbridge_model::sync::{SyncDefinition, Unmatched};

use super::{Gallery, world};

fn mappings(definition: &SyncDefinition, reached: Step) -> Mappings {
    let (object, schema) = (world::vehicle(), world::vehicles());
    let around = Surroundings {
        object: Some(&object),
        object_type: Some(&schema),
        ..Surroundings::default()
    };
    let mut view = Mappings::of(world::draft(reached), definition, &around);
    let suggestion = |from: &str, to: &str, why: &str| Suggestion {
        field: object.field(from).expect("a field").clone(),
        property: schema.property(to).expect("a property").clone(),
        why: why.to_owned(),
    };
    view.suggestions = vec![
        suggestion("Mileage__c", "mileage", "same name and type"),
        suggestion("Discount__c", "discount", "same name"),
        suggestion("Next_Service__c", "next_service", "same label and type"),
    ];
    view
}

pub(crate) fn add(gallery: &mut Gallery) {
    let shell = world::shell(Place::Connected);
    let good = world::definition();
    gallery.add(
        "wizard-mappings--filled",
        page(&shell, &Ok(mappings(&good, Step::Preview))),
    );

    let mut wrong = world::definition();
    wrong.spec.fields.retain(|rule| rule.to != "vin");
    wrong.spec.fields.push(world::rule("Electric__c", "next_service"));
    wrong.spec.fields.push(world::rule("Notes__c", "remarks"));
    for rule in &mut wrong.spec.fields {
        rule.unmatched = Unmatched::Fail;
    }
    gallery.add(
        "wizard-mappings--wrong",
        page(&shell, &Ok(mappings(&wrong, Step::Mappings))),
    );

    let mut none = world::definition();
    none.spec.fields.clear();
    gallery.add(
        "wizard-mappings--empty",
        page(&shell, &Ok(mappings(&none, Step::Mappings))),
    );
    gallery.add("wizard-mappings--error", page(&shell, &Err(world::unavailable())));
}
