//! Object types, as they show in the portal.

use landbridge_model::ask::{GetSchema, ListSchemas};
use landbridge_sandbox::hubspot::{Behaviour, Habits, Lags};

use crate::rig::Rig;

/// HubSpot's list lags behind a type's creation; the type itself can be asked for at once, by its full name.
#[tokio::test(flavor = "multi_thread")]
async fn a_type_is_found_by_its_short_name_before_the_list_shows_it() {
    let mut rig = Rig::new(Behaviour::default()).await;
    rig.start().await;
    rig.portal.change_habits(|habits: &mut Habits| {
        habits.lags = Lags {
            schema_reads: 3_600_000,
            ..Lags::NONE
        };
    });
    let created = rig.create_cars().await;
    assert_eq!(rig.ask(&ListSchemas {}).await, []);
    let asked = GetSchema {
        object_type: "cars".to_owned(),
    };
    let found = rig.ask(&asked).await;
    assert_eq!(found.object_type_id, created.object_type_id);
    assert!(found.property("price").is_some(), "{found:?}");
}
