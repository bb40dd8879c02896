//! In which order the imports of one request run: parents first, so that most links find the record at their other end.

use landbridge_model::SyncName;
use landbridge_model::sync::SyncDefinition;

/// Whether a lookup of the child becomes an association with what the parent's sync writes.
pub(crate) fn is_parent(parent: &SyncDefinition, child: &SyncDefinition) -> bool {
    let ends = &child.spec.associations;
    ends.iter()
        .any(|rule| rule.to.eq_ignore_ascii_case(&parent.spec.hubspot.object_type))
}

/// Parents before their children, otherwise in the order given. Where syncs are each other's parents, the one named
/// first goes first: links that come early wait.
pub(crate) fn parents_first(definitions: &[SyncDefinition]) -> Vec<SyncName> {
    let mut waiting: Vec<&SyncDefinition> = definitions.iter().collect();
    let mut order = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let is_free = |child: &SyncDefinition| {
            waiting
                .iter()
                .all(|other| other.key() == child.key() || !is_parent(other, child))
        };
        let at = waiting.iter().position(|child| is_free(child)).unwrap_or(0);
        order.push(waiting.remove(at).metadata.name.clone());
    }
    order
}

/// Of definitions that run in this order, which run before each because their records are looked up by its own. Only
/// earlier ones are named, so that syncs which are each other's parents never wait in a circle.
pub(crate) fn parents_before(order: &[&SyncDefinition]) -> Vec<Vec<usize>> {
    let earlier = |at: usize| (0..at).filter(move |parent| is_parent(order[*parent], order[at]));
    (0..order.len()).map(|at| earlier(at).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sync(name: &str, parents: &[&str]) -> SyncDefinition {
        let rules = parents
            .iter()
            .map(|to| format!("{{ field: F{to}__c, to: {to} }}"));
        let text = format!(
            "apiVersion: landbridge/v1\nkind: Sync\nmetadata: {{ tenant: acme, name: {name} }}\nspec:\n  salesforce: \
             {{ object: O__c }}\n  hubspot: {{ objectType: {name} }}\n  associations: [{}]\n  fields: []\n",
            rules.collect::<Vec<_>>().join(", ")
        );
        landbridge_model::yaml::load("test", &text).unwrap().remove(0)
    }

    fn order(definitions: &[SyncDefinition]) -> String {
        let names = parents_first(definitions);
        names.iter().map(SyncName::as_str).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn parents_go_first() {
        let (visits, vehicles, depots) = (
            sync("visits", &["vehicles"]),
            sync("vehicles", &["Depots", "companies"]),
            sync("depots", &[]),
        );
        assert_eq!(
            order(&[visits.clone(), vehicles.clone(), depots.clone()]),
            "depots vehicles visits"
        );
        assert_eq!(order(&[depots, visits]), "depots visits");
        assert_eq!(
            order(std::slice::from_ref(&vehicles)),
            "vehicles",
            "a parent that is not imported is not waited for"
        );
        let (own, circle) = (sync("own", &["own"]), [sync("a", &["b"]), sync("b", &["a"])]);
        assert_eq!(order(&[own]), "own");
        assert_eq!(order(&circle), "a b");
    }

    #[test]
    fn only_earlier_parents_are_waited_for() {
        let all = [
            sync("a", &["b", "a"]),
            sync("b", &["a"]),
            sync("c", &["b", "A"]),
            sync("d", &["c", "elsewhere"]),
            sync("e", &[]),
        ];
        let before = parents_before(&all.iter().collect::<Vec<_>>());
        assert_eq!(before, [vec![], vec![0], vec![0, 1], vec![2], vec![]]);
    }
}
