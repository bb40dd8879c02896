//! What people should know of a tenant, with a kind by which programs judge: texts are for people alone.

use serde::{Deserialize, Serialize};

use super::StageStatus;

/// What a condition is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ConditionKind {
    /// A stage does not answer.
    Silent,
    /// A side refuses the credentials, or what they may do is not enough.
    Credentials,
    /// A side cannot be used.
    Unusable,
    /// A sync's definition cannot be worked with.
    Definition,
    /// The tenant was told to stand still; its own status says why.
    StandsStill,
    /// A limit of calls is reached; it goes on by itself.
    Limited,
    /// Records have as many associations as HubSpot lets them have, or nearly: further links are refused.
    Full,
    /// Something is under way; nothing is wrong.
    UnderWay,
    /// What this version knows no kind for.
    #[serde(other)]
    Other,
}

impl ConditionKind {
    /// Whether somebody should look. No wildcard: a new kind has to choose.
    pub fn needs_attention(self) -> bool {
        match self {
            Self::Silent | Self::Credentials | Self::Unusable | Self::Definition | Self::Full => true,
            Self::StandsStill | Self::Limited | Self::UnderWay | Self::Other => false,
        }
    }
}

/// Something that people should know.
// A filter has conditions too: documents tell types apart by their names alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = TenantCondition)]
pub struct Condition {
    /// What it is about.
    pub kind: ConditionKind,
    /// In words.
    pub text: String,
}

impl Condition {
    /// Of a kind, in words.
    pub fn new(kind: ConditionKind, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: text.into(),
        }
    }
}

impl StageStatus {
    /// With what people should know.
    pub fn told(conditions: impl IntoIterator<Item = Condition>) -> Self {
        let mut status = Self::default();
        for condition in conditions {
            status.tell(condition);
        }
        status
    }

    /// Adds what people should know.
    pub fn tell(&mut self, condition: Condition) {
        self.notes.push(condition.text.clone());
        self.conditions.push(condition);
    }

    /// All that people should know. A worker of an earlier version tells only texts: they have no kind.
    pub fn all_conditions(&self) -> Vec<Condition> {
        let told = |note: &&String| self.conditions.iter().all(|condition| condition.text != **note);
        let untold = self.notes.iter().filter(told);
        let others = untold.map(|note| Condition::new(ConditionKind::Other, note.as_str()));
        self.conditions.iter().cloned().chain(others).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_without_a_kind_and_kinds_of_later_versions_are_told_and_judged_by_nobody() {
        let earlier: StageStatus = serde_json::from_value(serde_json::json!({
            "calls": [], "in_hand": [], "live": [], "parked": 0, "notes": ["HubSpot cannot be used: 401"],
        }))
        .unwrap();
        let conditions = earlier.all_conditions();
        assert_eq!(
            conditions,
            [Condition::new(
                ConditionKind::Other,
                "HubSpot cannot be used: 401"
            )]
        );
        assert!(!conditions[0].kind.needs_attention());
        let later: Condition = serde_json::from_str(r#"{"kind": "of-later", "text": "?"}"#).unwrap();
        assert_eq!(later.kind, ConditionKind::Other);
        let mut both = StageStatus::told([Condition::new(ConditionKind::Unusable, "closed")]);
        both.notes.push("more".to_owned());
        let kinds: Vec<ConditionKind> = both.all_conditions().iter().map(|one| one.kind).collect();
        assert_eq!(kinds, [ConditionKind::Unusable, ConditionKind::Other]);
    }
}
