//! Which object becomes which.

use landbridge_model::{Problem, SyncName};

use super::Posted;

/// What was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objects {
    /// API name of the Salesforce object; empty for none.
    pub object: String,
    /// The HubSpot object type; empty for none.
    pub object_type: String,
    /// The name as it was entered; empty to derive it.
    pub name: String,
}

impl Objects {
    /// The sync's name: as entered, or that of the HubSpot object.
    pub fn sync_name(&self) -> Result<SyncName, Problem> {
        let text = if self.name.is_empty() {
            derived(&self.object_type)
        } else {
            self.name.clone()
        };
        SyncName::new(&text).map_err(|error| {
            Problem::new(
                "metadata.name",
                error.to_string(),
                "use up to 64 lower-case letters, digits, hyphens and underscores",
            )
        })
    }
}

/// `p123_service_visits` becomes `service-visits`.
fn derived(object_type: &str) -> String {
    let short = match object_type.split_once('_') {
        Some((portal, rest)) if is_portal(portal) => rest,
        _ => object_type,
    };
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    };
    let name: String = short.chars().map(plain).take(64).collect();
    name.trim_matches('-').to_owned()
}

fn is_portal(text: &str) -> bool {
    text.strip_prefix('p')
        .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Reads the step.
pub fn objects(posted: &Posted) -> Objects {
    Objects {
        object: posted.text("spec.salesforce.object").to_owned(),
        object_type: posted.text("spec.hubspot.objectType").to_owned(),
        name: posted.text("metadata.name").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sync_is_named_after_its_object_type() {
        for (object_type, name, expected) in [
            ("service_visits", "", "service-visits"),
            ("p123_Service_Visits", "", "service-visits"),
            ("parts", "", "parts"),
            ("parts", "spare-parts", "spare-parts"),
        ] {
            let chosen = Objects {
                object: "X__c".to_owned(),
                object_type: object_type.to_owned(),
                name: name.to_owned(),
            };
            assert_eq!(chosen.sync_name().unwrap().as_str(), expected);
        }
        let wrong = Objects {
            object: String::new(),
            object_type: String::new(),
            name: "Fleet!".to_owned(),
        };
        assert_eq!(wrong.sync_name().unwrap_err().place, "metadata.name");
    }
}
