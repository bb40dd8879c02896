//! The wizard's steps but the field mappings.

use std::time::Duration;

use landbridge_control::console::wizard::associations::{self, Associations, Blocked, End, LookupRow};
use landbridge_control::console::wizard::filter::{self, Counts, FilterStep};
use landbridge_control::console::wizard::map_objects::{self, MapObjects, ObjectChoice, TypeChoice};
use landbridge_control::console::wizard::proposal::{self, ProposalReview};
use landbridge_control::console::wizard::rules::{self, SyncRules};
use landbridge_control::console::wizard::turn_on::{self, TurnOn, TurnedOn};
use landbridge_control::console::wizard::{Draft, Step};
use landbridge_control::console::{Place, Shell, Trouble};
use landbridge_model::ask::{LimitUse, ObjectSummary};
use landbridge_model::salesforce::FieldDescribe;
use landbridge_model::sync::{AssociationRule, DeleteRule, Rules};
use landbridge_model::{Problem, Revision, propose};

use super::{Gallery, world};

pub(crate) fn add(gallery: &mut Gallery) {
    let shell = world::shell(Place::Connected);
    map_objects_pages(gallery, &shell);
    rules_pages(gallery, &shell);
    association_pages(gallery, &shell);
    filter_pages(gallery, &shell);
    turn_on_pages(gallery, &shell);
}

fn map_objects_pages(gallery: &mut Gallery, shell: &Shell) {
    let object = |name: &str, label: &str, synced: Option<&str>, blocked: Option<&str>| ObjectChoice {
        object: ObjectSummary {
            name: name.to_owned(),
            label: label.to_owned(),
            custom: name.ends_with("__c"),
        },
        synced_by: synced.map(world::sync_name),
        blocked: blocked.map(str::to_owned),
    };
    let kind = |name: &str, label: &str, synced: Option<&str>| TypeChoice {
        name: name.to_owned(),
        label: label.to_owned(),
        synced_by: synced.map(world::sync_name),
    };
    let view = MapObjects {
        objects: vec![
            object("Vehicle__c", "Vehicle", Some("vehicles"), None),
            object("Depot__c", "Depot", Some("depots"), None),
            object("Insurer__c", "Insurer", None, None),
            object("Inspection__c", "Inspection", None, None),
            object("Asset", "Asset", None, None),
            object(
                "Vehicle__History",
                "History: Vehicle",
                None,
                Some("a history of another object"),
            ),
        ],
        object_types: vec![
            kind("vehicles", "Vehicle", Some("vehicles")),
            kind("inspections", "Inspection", None),
            kind("insurers", "Insurer", None),
        ],
        object: "Inspection__c".to_owned(),
        object_type: "inspections".to_owned(),
        name: String::new(),
        limit: Some(LimitUse { limit: 10, used: 3 }),
        problems: Vec::new(),
    };
    let tenant = world::tenant();
    gallery.add(
        "wizard-objects--filled",
        map_objects::page(shell, &tenant, &Ok(view.clone())),
    );
    let full = MapObjects {
        object: "Vehicle__c".to_owned(),
        object_type: "vehicles".to_owned(),
        limit: Some(LimitUse { limit: 10, used: 10 }),
        problems: vec![Problem::new(
            "metadata.name",
            "the sync vehicles already carries Vehicle__c to vehicles",
            "change that sync, or remove it first",
        )],
        ..view.clone()
    };
    gallery.add(
        "wizard-objects--wrong",
        map_objects::page(shell, &tenant, &Ok(full)),
    );
    let empty = MapObjects {
        objects: Vec::new(),
        ..view
    };
    gallery.add(
        "wizard-objects--empty",
        map_objects::page(shell, &tenant, &Ok(empty)),
    );
    gallery.add(
        "wizard-objects--error",
        map_objects::page(shell, &tenant, &Err(world::unavailable())),
    );

    let review = ProposalReview {
        object: ("Vehicle".to_owned(), "Vehicle__c".to_owned()),
        proposal: propose::object_type(&world::vehicle()),
        required: vec!["name".to_owned()],
        excluded: vec!["notes".to_owned()],
        associations: vec![
            (
                "Account__c".to_owned(),
                "Owner Account".to_owned(),
                "companies".to_owned(),
            ),
            ("Depot__c".to_owned(), "Depot".to_owned(), "depots".to_owned()),
        ],
        limit: Some(LimitUse { limit: 10, used: 3 }),
        problems: Vec::new(),
    };
    gallery.add(
        "wizard-proposal--filled",
        proposal::page(shell, &tenant, &Ok(review.clone())),
    );
    let wrong = ProposalReview {
        associations: Vec::new(),
        problems: vec![Problem::new(
            "name",
            "the portal already has an object named vehicles",
            "choose another name, or go back and select the one that is there",
        )],
        ..review
    };
    gallery.add(
        "wizard-proposal--wrong",
        proposal::page(shell, &tenant, &Ok(wrong)),
    );
    gallery.add(
        "wizard-proposal--error",
        proposal::page(shell, &tenant, &Err(world::unavailable())),
    );
}

fn rules_pages(gallery: &mut Gallery, shell: &Shell) {
    let view = SyncRules {
        draft: world::draft(Step::Preview),
        rules: world::definition().spec.rules,
        max_deletes_text: None,
        problems: Vec::new(),
    };
    gallery.add("wizard-rules--filled", rules::page(shell, &Ok(view.clone())));
    let fresh = SyncRules {
        draft: world::draft(Step::Rules),
        rules: Rules::default(),
        ..view.clone()
    };
    gallery.add("wizard-rules--empty", rules::page(shell, &Ok(fresh)));
    let mut wrong = SyncRules {
        max_deletes_text: Some("many".to_owned()),
        problems: vec![
            Problem::new(
                "spec.rules.maxDeletes",
                "\"many\" is neither a count nor a share",
                "enter a whole number",
            ),
            Problem::new(
                "spec.rules.grace",
                "\"tomorrow\" is not a length of time",
                "write a duration such as 15m or 24h",
            ),
        ],
        ..view
    };
    wrong.rules.grace = Some("tomorrow".to_owned());
    wrong.draft.trouble = Some(Trouble::new(
        "Somebody else saved this sync meanwhile.",
        "Your changes are below and not saved. Load the page again to see theirs, then enter yours anew.",
    ));
    gallery.add("wizard-rules--wrong", rules::page(shell, &Ok(wrong)));
    gallery.add(
        "wizard-rules--error",
        rules::page(shell, &Err(world::unavailable())),
    );
}

fn lookups() -> Vec<LookupRow> {
    let object = world::vehicle();
    let field = |name: &str| -> FieldDescribe { object.field(name).expect("a field").clone() };
    let definition = world::definition();
    let rule =
        |place: usize| -> (usize, AssociationRule) { (place, definition.spec.associations[place].clone()) };
    let end = |name: &str, label: &str, kept_by: &str, matches: &[(&str, &str)], labels: &[&str]| End {
        name: name.to_owned(),
        label: label.to_owned(),
        kept_by: kept_by.to_owned(),
        matches: matches
            .iter()
            .map(|(name, label)| ((*name).to_owned(), (*label).to_owned()))
            .collect(),
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
    };
    let row = |name: &str, rule, ends, blocked| LookupRow {
        field: field(name),
        object: None,
        is_master_detail: false,
        rule,
        ends,
        blocked,
    };
    let of_several = |object: &str| LookupRow {
        object: Some(object.to_owned()),
        ..row(
            "Responsible__c",
            None,
            Vec::new(),
            Some(Blocked {
                reason: format!("It leads to {object}, whose records do not come to HubSpot."),
                cure: None,
            }),
        )
    };
    vec![
        row(
            "Account__c",
            Some(rule(0)),
            vec![end(
                "companies",
                "Companies",
                "kept by HubSpot's own integration",
                &[
                    ("salesforceaccountid", "Salesforce Account ID"),
                    ("erp_number", "ERP number"),
                ],
                &[],
            )],
            None,
        ),
        row(
            "Depot__c",
            Some(rule(1)),
            vec![end(
                "depots",
                "Depots",
                "synced by depots",
                &[("salesforce_id", "Salesforce id")],
                &["stationed at", "returned to"],
            )],
            None,
        ),
        row(
            "Insurer__c",
            None,
            Vec::new(),
            Some(Blocked {
                reason: "Insurer__c is not synced, so there is nothing in HubSpot to associate with."
                    .to_owned(),
                cure: Some((
                    "Sync Insurer".to_owned(),
                    "/tenants/acme/syncs/new?object=Insurer__c".to_owned(),
                )),
            }),
        ),
        of_several("User"),
        of_several("Group"),
    ]
}

fn association_pages(gallery: &mut Gallery, shell: &Shell) {
    let view = Associations {
        draft: world::draft(Step::Preview),
        lookups: lookups(),
        problems: Vec::new(),
    };
    gallery.add(
        "wizard-associations--filled",
        associations::page(shell, &Ok(view.clone())),
    );
    let wrong = Associations {
        draft: Draft {
            reached: Step::Associations,
            ..world::draft(Step::Associations)
        },
        problems: vec![Problem::new(
            "spec.associations[1].label",
            "Depot__c and Return_Depot__c (spec.associations[2]) both lead to depots and could not be told apart",
            "give each of them a label of its own",
        )],
        ..view.clone()
    };
    gallery.add(
        "wizard-associations--wrong",
        associations::page(shell, &Ok(wrong)),
    );
    let empty = Associations {
        lookups: Vec::new(),
        ..view
    };
    gallery.add(
        "wizard-associations--empty",
        associations::page(shell, &Ok(empty)),
    );
    gallery.add(
        "wizard-associations--error",
        associations::page(shell, &Err(world::unavailable())),
    );
}

fn filter_pages(gallery: &mut Gallery, shell: &Shell) {
    let definition = world::definition();
    let view = FilterStep {
        draft: world::draft(Step::Preview),
        fields: world::vehicle().fields,
        filter: definition.spec.filter,
        delete: DeleteRule::DeleteRecord,
        counts: Counts::Counted {
            matching: 48_212,
            others: 3_120,
        },
        problems: Vec::new(),
    };
    gallery.add("wizard-filter--filled", filter::page(shell, &Ok(view.clone())));
    let empty = FilterStep {
        filter: None,
        counts: Counts::Counted {
            matching: 51_332,
            others: 0,
        },
        ..view.clone()
    };
    gallery.add("wizard-filter--empty", filter::page(shell, &Ok(empty)));
    let mut wrong = view.clone();
    if let Some(filter) = &mut wrong.filter {
        let mut second = filter.all[0].clone();
        second.field = "Colour__c".to_owned();
        filter.all.push(second);
    }
    wrong.counts = Counts::NotYet;
    wrong.problems = vec![Problem::new(
        "spec.filter.all[1]",
        "Vehicle__c has no field Colour__c",
        "choose another field, or let the Salesforce user see it",
    )];
    gallery.add("wizard-filter--wrong", filter::page(shell, &Ok(wrong)));
    let uncounted = FilterStep {
        counts: Counts::AtMost {
            matching: 50_000,
            all: 51_332,
            why: "Notes__c is a long text, which Salesforce cannot filter on".to_owned(),
        },
        ..view
    };
    gallery.add("wizard-filter--uncounted", filter::page(shell, &Ok(uncounted)));
    gallery.add(
        "wizard-filter--error",
        filter::page(shell, &Err(world::unavailable())),
    );
}

fn turn_on_pages(gallery: &mut Gallery, shell: &Shell) {
    let view = TurnOn {
        draft: world::draft(Step::TurnOn),
        existing: Some(48_212),
        problems: 0,
        creates: vec![
            "The property salesforce_id (unique) of Vehicle.".to_owned(),
            "The association label “stationed at” between Vehicle and Depot.".to_owned(),
        ],
    };
    gallery.add("wizard-turn-on--filled", turn_on::page(shell, &Ok(view.clone())));
    let edited = TurnOn {
        draft: Draft {
            editing: Some(Revision(3)),
            ..view.draft.clone()
        },
        ..view.clone()
    };
    gallery.add("wizard-turn-on--editing", turn_on::page(shell, &Ok(edited)));
    let blocked = TurnOn {
        problems: 2,
        draft: Draft {
            wrong: vec![Step::Mappings],
            ..view.draft.clone()
        },
        ..view
    };
    gallery.add(
        "wizard-turn-on--wrong",
        turn_on::page(&world::viewer(shell.clone()), &Ok(blocked)),
    );
    gallery.add(
        "wizard-turn-on--error",
        turn_on::page(shell, &Err(world::unavailable())),
    );
    let on = TurnedOn {
        draft: world::draft(Step::TurnOn),
        existing: Some(48_212),
        import_takes: Some(Duration::from_secs(258)),
    };
    gallery.add("wizard-turned-on--filled", turn_on::turned_on(shell, &on));
    let empty = TurnedOn {
        existing: Some(0),
        import_takes: None,
        ..on
    };
    gallery.add("wizard-turned-on--empty", turn_on::turned_on(shell, &empty));
}
