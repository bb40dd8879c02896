//! Each step's page, filled from the work and from both systems.

use axum::http::StatusCode;
use axum::response::Response;
use landbridge_model::validate::notes;
use landbridge_model::{ObjectTypeId, Problem, yaml};
use maud::Markup;

use super::edit::{of_step, told};
use super::trying::{self, ShownQuery};
use super::turning_on;
use super::work::Opened;
use crate::ask::MatchingCount;
use crate::console::wizard::associations::{self, Associations, Labels, lookup_rows};
use crate::console::wizard::filter::{self, Counts, FilterStep};
use crate::console::wizard::map_objects::{self, Chosen};
use crate::console::wizard::mappings::{self, Mappings, suggestions};
use crate::console::wizard::prediction::DryRun;
use crate::console::wizard::preview::{self, Preview};
use crate::console::wizard::rules::{self, SyncRules};
use crate::console::wizard::{Draft, Step, turn_on};
use crate::console::{Place, Shell, Trouble};
use crate::console_routes::visit::{self, Visit};
use crate::service::{Look, ServiceError, TenantService};

/// One step's page to show.
pub(super) struct Page<'a> {
    pub(super) visit: &'a Visit,
    pub(super) tenant: &'a TenantService,
    pub(super) opened: &'a Opened,
    pub(super) step: Step,
    /// Told at the top.
    pub(super) trouble: Option<Trouble>,
}

/// What the preview shows of its dry run.
#[derive(Clone, Debug)]
pub(super) struct Shown(pub(super) DryRun);

impl Default for Shown {
    fn default() -> Self {
        Self(DryRun::None { records: None })
    }
}

impl Page<'_> {
    /// Looks into both systems, and shows the page; when they cannot be looked into, it says why.
    pub(super) async fn look_and_show(&self, status: StatusCode, query: &ShownQuery) -> Response {
        let look = match self.opened.work.look(self.tenant).await {
            Ok(look) => look,
            Err(error) => return self.failed(&error),
        };
        let shown = match self.step {
            Step::Preview => Shown(trying::dry_run(self.tenant, self.opened, query).await),
            _ => Shown::default(),
        };
        self.show(status, &look, &shown).await
    }

    fn shell(&self) -> Shell {
        self.visit.shell_in(self.tenant, Place::Connected)
    }

    fn failed(&self, error: &ServiceError) -> Response {
        let (shell, trouble) = (self.shell(), visit::trouble(error));
        let page = match self.step {
            Step::MapObjects => map_objects::chosen(&shell, &Err(trouble)),
            Step::Rules => rules::page(&shell, &Err(trouble)),
            Step::Associations => associations::page(&shell, &Err(trouble)),
            Step::Mappings => mappings::page(&shell, &Err(trouble)),
            Step::Filter => filter::page(&shell, &Err(trouble)),
            Step::Preview => preview::page(&shell, &Err(trouble)),
            Step::TurnOn => turn_on::page(&shell, &Err(trouble)),
        };
        self.visit.page_with(visit::status_of(error), page)
    }

    /// Shows the page.
    pub(super) async fn show(&self, status: StatusCode, look: &Look, shown: &Shown) -> Response {
        let problems = self.opened.work.problems(look);
        let draft = told(
            self.opened.draft(self.tenant, look, &problems),
            self.trouble.clone(),
        );
        let page = match self.step {
            Step::Associations => match self.associations(draft, look, &problems).await {
                Ok(page) => page,
                Err(error) => return self.failed(&error),
            },
            Step::Filter => self.filter(draft, look, &problems).await,
            Step::TurnOn => {
                let view = turning_on::view(self.tenant, self.opened, look, draft, problems.len()).await;
                turn_on::page(&self.shell(), &Ok(view))
            }
            Step::MapObjects | Step::Rules | Step::Mappings | Step::Preview => {
                self.plain(draft, look, problems, shown)
            }
        };
        self.visit.page_with(status, page)
    }

    /// The steps that need nothing but what is there already.
    fn plain(&self, draft: Draft, look: &Look, problems: Vec<Problem>, shown: &Shown) -> Markup {
        let (shell, work) = (self.shell(), &self.opened.work);
        let own = of_step(&problems, self.step);
        match self.step {
            Step::MapObjects => {
                let has_run = self.opened.stored.as_ref().is_some_and(|sync| sync.has_run);
                let locked = if has_run {
                    "Records were written with it: it stays."
                } else {
                    ""
                };
                let view = Chosen {
                    draft,
                    id_property: work.definition.spec.hubspot.id_property.clone(),
                    locked: locked.to_owned(),
                    problems: own,
                };
                map_objects::chosen(&shell, &Ok(view))
            }
            Step::Mappings => {
                let mut view = Mappings::of(draft, &work.definition, &look.around());
                view.problems = own;
                if let (Some(object), Some(schema)) = (&look.object, &look.object_type) {
                    view.suggestions = suggestions(&work.definition, object, schema);
                }
                mappings::page(&shell, &Ok(view))
            }
            Step::Preview => {
                let definition = work.definition.clone();
                let view = Preview {
                    draft,
                    yaml: yaml::export(std::slice::from_ref(&definition)),
                    notes: if problems.is_empty() {
                        notes(&definition, &look.around())
                    } else {
                        Vec::new()
                    },
                    definition,
                    problems,
                    dry_run: shown.0.clone(),
                };
                preview::page(&shell, &Ok(view))
            }
            Step::Rules | Step::Associations | Step::Filter | Step::TurnOn => {
                let view = SyncRules {
                    draft,
                    rules: work.definition.spec.rules.clone(),
                    max_deletes_text: work.max_deletes_text.clone(),
                    problems: own,
                };
                rules::page(&shell, &Ok(view))
            }
        }
    }

    async fn associations(
        &self,
        draft: Draft,
        look: &Look,
        problems: &[Problem],
    ) -> Result<Markup, ServiceError> {
        let labels = labels(self.tenant, self.opened, look).await?;
        let view = Associations {
            draft,
            lookups: lookup_rows(&self.opened.work.definition, &look.around(), &labels),
            problems: of_step(problems, Step::Associations),
        };
        Ok(associations::page(&self.shell(), &Ok(view)))
    }

    async fn filter(&self, draft: Draft, look: &Look, problems: &[Problem]) -> Markup {
        let own = of_step(problems, Step::Filter);
        let definition = &self.opened.work.definition;
        let counts = if !own.is_empty() || look.object.is_none() {
            Counts::NotYet
        } else {
            match self.tenant.count_matching(definition).await {
                Ok(counted) => in_and_out(counted),
                Err(error) => Counts::Failed(visit::trouble(&error)),
            }
        };
        let view = FilterStep {
            draft,
            fields: look
                .object
                .iter()
                .flat_map(|object| object.fields.clone())
                .collect(),
            filter: definition.spec.filter.clone(),
            delete: definition.spec.rules.delete,
            counts,
            problems: own,
        };
        filter::page(&self.shell(), &Ok(view))
    }
}

fn in_and_out(counted: MatchingCount) -> Counts {
    if counted.exact {
        Counts::Counted {
            matching: counted.matching,
            others: counted.total.saturating_sub(counted.matching),
        }
    } else {
        Counts::AtMost {
            matching: counted.matching,
            all: counted.total,
            why: "one of the conditions is of a kind that it cannot put into a query".to_owned(),
        }
    }
}

/// The labels that the portal has between the sync's type and those that its associations lead to.
pub(super) async fn labels(
    tenant: &TenantService,
    opened: &Opened,
    look: &Look,
) -> Result<Labels, ServiceError> {
    let Some(from) = &look.object_type else {
        return Ok(Labels::new());
    };
    let mut labels = Labels::new();
    for rule in &opened.work.definition.spec.associations {
        let Some(to) = type_id(&rule.to, look) else {
            continue;
        };
        if labels.iter().any(|(known, _)| *known == to) {
            continue;
        }
        let found = match tenant
            .hubspot_labels(from.object_type_id.as_str(), to.as_str())
            .await
        {
            Ok(found) => found.into_iter().filter_map(|label| label.label).collect(),
            // A type that was created a moment ago may not show here yet: it has no labels of its own.
            Err(ServiceError::NotFound(_) | ServiceError::Invalid { .. }) => Vec::new(),
            Err(error) => return Err(error),
        };
        labels.push((to, found));
    }
    Ok(labels)
}

fn type_id(name: &str, look: &Look) -> Option<ObjectTypeId> {
    if let Some(standard) = landbridge_model::standard::standard_type(name) {
        return Some(ObjectTypeId::new(standard.object_type_id));
    }
    let mut all = look.object_types.iter().chain(&look.object_type);
    all.find(|schema| schema.is_called(name))
        .map(|schema| schema.object_type_id.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_counted_in_and_out_or_at_most() {
        let counted = |exact| MatchingCount {
            matching: 40,
            total: 100,
            exact,
        };
        assert!(matches!(
            in_and_out(counted(true)),
            Counts::Counted {
                matching: 40,
                others: 60
            }
        ));
        assert!(matches!(
            in_and_out(counted(false)),
            Counts::AtMost {
                matching: 40,
                all: 100,
                ..
            }
        ));
    }
}
