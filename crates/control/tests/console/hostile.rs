//! Names that would be markup, script or another field if they were let.

use landbridge_control::console::wizard::mappings::{self, Mappings};
use landbridge_control::console::wizard::{Draft, Step};
use landbridge_control::console::{Notice, Place, Shell, Trouble, errors, paths};
use landbridge_model::Surroundings;

use crate::samples::world;

const HOSTILE: &str = "\"><script>alert(1)</script><img src=x onerror=alert(2)>'&";

fn assert_harmless(html: &str) {
    assert!(!html.contains("<script>alert"), "a script came through");
    assert!(!html.contains("<img"), "an element came through");
    assert!(html.contains("&lt;script&gt;alert(1)"), "the name is not shown");
}

#[test]
fn a_hostile_label_field_option_and_value_are_shown_as_text() {
    let (mut object, mut schema) = (world::vehicle(), world::vehicles());
    let mut definition = world::definition();
    for field in &mut object.fields {
        field.label = format!("{}{HOSTILE}", field.label);
        for value in &mut field.picklist_values {
            value.value = format!("{}{HOSTILE}", value.value);
        }
    }
    for property in &mut schema.properties {
        property.label = format!("{}{HOSTILE}", property.label);
        for option in &mut property.options {
            option.label = HOSTILE.to_owned();
        }
    }
    definition.spec.fields.push(world::rule(HOSTILE, HOSTILE));
    let around = Surroundings {
        object: Some(&object),
        object_type: Some(&schema),
        ..Surroundings::default()
    };
    let draft = Draft {
        object: (HOSTILE.to_owned(), HOSTILE.to_owned()),
        etag: HOSTILE.to_owned(),
        ..world::draft(Step::Mappings)
    };
    let view = Mappings::of(draft, &definition, &around);
    let html = mappings::page(&world::shell(Place::Connected), &Ok(view)).into_string();
    assert_harmless(&html);
}

#[test]
fn a_hostile_name_notice_and_address_are_shown_as_text() {
    let mut shell = Shell {
        notices: vec![Notice {
            good: true,
            text: HOSTILE.to_owned(),
        }],
        path: format!("/?q={HOSTILE}"),
        ..world::shell(Place::Elsewhere)
    };
    if let Some(person) = &mut shell.person {
        person.name = HOSTILE.to_owned();
    }
    assert_harmless(&errors::broken(&shell, HOSTILE).into_string());
    let trouble = Trouble {
        reference: Some(HOSTILE.to_owned()),
        ..Trouble::new(HOSTILE, HOSTILE)
    };
    assert_harmless(&mappings::page(&shell, &Err(trouble)).into_string());
}

#[test]
fn a_name_in_a_query_adds_no_other_field() {
    let path = paths::new_object_type(&world::tenant(), "a&admin=1#x y");
    assert_eq!(
        path,
        "/tenants/acme/syncs/new/object-type?object=a%26admin%3D1%23x%20y"
    );
}

#[test]
fn a_token_that_was_just_made_is_in_no_log() {
    let token = landbridge_control::console::people::NewToken {
        name: "deploy".to_owned(),
        secret: "s3cret".to_owned(),
    };
    assert!(!format!("{token:?}").contains("s3cret"));
}
