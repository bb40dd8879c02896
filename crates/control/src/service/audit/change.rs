//! What a change says of itself for its entry.

use serde::Serialize;
use serde_json::Value;

use crate::service::error::ServiceError;

/// What an entry holds besides who, when and where.
#[derive(Clone, Debug, Default)]
pub(crate) struct Change {
    pub(super) detail: Option<String>,
    pub(super) before: Option<Value>,
    pub(super) after: Option<Value>,
}

impl Change {
    /// Nothing to add.
    pub(crate) fn done() -> Self {
        Self::default()
    }

    /// In words.
    pub(crate) fn told(detail: impl Into<String>) -> Self {
        Self {
            detail: Some(detail.into()),
            ..Self::default()
        }
    }

    /// The same, with words.
    pub(crate) fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Something that was one thing and is another.
    pub(crate) fn between<T: Serialize>(before: Option<&T>, after: Option<&T>) -> Result<Self, ServiceError> {
        Ok(Self {
            detail: None,
            before: before.map(serde_json::to_value).transpose()?,
            after: after.map(serde_json::to_value).transpose()?,
        })
    }
}

/// How a change went, for its entry.
pub(crate) struct Trace(pub(super) Vec<Line>);

pub(super) struct Line {
    /// What and to what, where it is other than was asked for.
    pub(super) named: Option<(String, String)>,
    pub(super) change: Change,
}

impl From<Change> for Trace {
    fn from(change: Change) -> Self {
        Self(vec![Line { named: None, change }])
    }
}

impl Trace {
    /// Nothing was changed.
    pub(crate) fn nothing() -> Self {
        Self(Vec::new())
    }

    /// Something was done that is called other than what was asked for, or more than one thing was.
    pub(crate) fn and(
        mut self,
        action: impl Into<String>,
        subject: impl Into<String>,
        change: Change,
    ) -> Self {
        self.0.push(Line {
            named: Some((action.into(), subject.into())),
            change,
        });
        self
    }
}
