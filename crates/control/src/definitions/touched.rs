//! What an edit touches of records that were written before: pure.

use landbridge_model::sync::SyncDefinition;

/// Properties and lookups that are mapped anew or otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Touched {
    /// HubSpot properties, in the order of the newer definition.
    pub(crate) properties: Vec<String>,
    /// Salesforce lookup fields.
    pub(crate) lookups: Vec<String>,
}

impl Touched {
    /// What records that were written by `before` lack by `after`. What is no longer mapped is left as it is.
    pub(crate) fn between(before: &SyncDefinition, after: &SyncDefinition) -> Self {
        let (before, after) = (&before.spec, &after.spec);
        let same_ends = before.hubspot == after.hubspot && before.salesforce == after.salesforce;
        let fields = after.fields.iter();
        let properties = fields.filter(|rule| !(same_ends && before.fields.contains(rule)));
        let associations = after.associations.iter();
        let lookups = associations.filter(|rule| !(same_ends && before.associations.contains(rule)));
        Self {
            properties: properties.map(|rule| rule.to.clone()).collect(),
            lookups: lookups.map(|rule| rule.field.clone()).collect(),
        }
    }

    /// Whether nothing is to be filled.
    pub(crate) fn is_empty(&self) -> bool {
        self.properties.is_empty() && self.lookups.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(object_type: &str, rules: &str, fields: &str) -> SyncDefinition {
        let text = format!(
            "apiVersion: landbridge/v1\nkind: Sync\nmetadata: {{ tenant: acme, name: vehicles }}\nspec:\n  salesforce: \
             {{ object: Vehicle__c }}\n  hubspot: {{ objectType: {object_type} }}\n{rules}  fields: [ {fields} ]\n"
        );
        landbridge_model::yaml::load("test.yaml", &text)
            .unwrap()
            .remove(0)
    }

    #[test]
    fn only_what_is_mapped_anew_or_otherwise_is_touched() {
        let lookup = "  associations: [ { field: Depot__c, to: depots } ]\n";
        let labelled = "  associations: [ { field: Depot__c, to: depots, label: parked at } ]\n";
        let rules = "  rules: { delete: delete-record }\n";
        let (name, price) = ("{ from: Name, to: name }", "{ from: Price__c, to: price }");
        let both = format!("{name}, {price}");
        let turned = format!("{price}, {name}");
        let valued = "{ from: Name, to: name, values: { A: a } }";
        for (before, after, properties, lookups) in [
            (("vehicles", "", name), ("vehicles", "", name), vec![], vec![]),
            (
                ("vehicles", "", name),
                ("vehicles", "", both.as_str()),
                vec!["price"],
                vec![],
            ),
            (
                ("vehicles", "", both.as_str()),
                ("vehicles", "", name),
                vec![],
                vec![],
            ),
            (
                ("vehicles", "", both.as_str()),
                ("vehicles", "", turned.as_str()),
                vec![],
                vec![],
            ),
            (
                ("vehicles", "", name),
                ("vehicles", "", valued),
                vec!["name"],
                vec![],
            ),
            (("vehicles", "", name), ("vehicles", rules, name), vec![], vec![]),
            (
                ("vehicles", "", name),
                ("vehicles", lookup, name),
                vec![],
                vec!["Depot__c"],
            ),
            (
                ("vehicles", lookup, name),
                ("vehicles", labelled, name),
                vec![],
                vec!["Depot__c"],
            ),
            (("vehicles", lookup, name), ("vehicles", "", name), vec![], vec![]),
            (
                ("vehicles", lookup, name),
                ("trucks", lookup, name),
                vec!["name"],
                vec!["Depot__c"],
            ),
        ] {
            let definition = |(object_type, rules, fields)| definition(object_type, rules, fields);
            let touched = Touched::between(&definition(before), &definition(after));
            assert_eq!(touched.properties, properties, "{before:?} {after:?}");
            assert_eq!(touched.lookups, lookups, "{before:?} {after:?}");
        }
    }
}
