//! What a step's form does to the work: read it, do what the button says, keep it, go on.

use axum::http::StatusCode;
use landbridge_model::Problem;
use landbridge_model::hubspot::ObjectSchema;
use landbridge_model::salesforce::ObjectDescribe;
use landbridge_model::sync::{Condition, Filter, OnLeave, Operator, SyncDefinition};

use super::steps::{self, Page};
use super::turning_on;
use super::work::Opened;
use crate::console::wizard::associations::lookup_rows;
use crate::console::wizard::mappings::{Mappings, suggested_property, suggested_rule, suggestions};
use crate::console::wizard::read::{self, Action, Fields, Posted};
use crate::console::wizard::{Draft, Step};
use crate::console::{Trouble, paths};
use crate::console_routes::visit::{self, Answer, Visit};
use crate::service::{Look, ServiceError, TenantService};

/// A step's form as it came.
pub(super) struct Sent<'a> {
    pub(super) visit: &'a Visit,
    pub(super) tenant: &'a TenantService,
    pub(super) step: Step,
    pub(super) action: &'a Action,
    pub(super) posted: Posted,
}

impl Sent<'_> {
    fn page<'p>(&'p self, opened: &'p Opened, trouble: Option<Trouble>) -> Page<'p> {
        Page {
            visit: self.visit,
            tenant: self.tenant,
            opened,
            step: self.step,
            trouble,
        }
    }

    /// Does what the form says.
    pub(super) async fn take(&self, opened: &mut Opened) -> Answer {
        match self.step {
            Step::Preview => return self.go_on(opened).await,
            Step::TurnOn => return turning_on::take(self, opened).await,
            _ => {}
        }
        let look = match self.read(opened).await {
            Ok(look) => look,
            Err(error) => return self.not_now(opened, error).await,
        };
        if *self.action == Action::Check || *self.action == Action::Unknown {
            return Ok(self
                .page(opened, None)
                .show(StatusCode::OK, &look, &steps::Shown::default())
                .await);
        }
        if *self.action == Action::Next {
            let problems = opened.work.problems(&look);
            if problems
                .iter()
                .any(|problem| Step::of_problem(problem) == self.step)
            {
                let page = self.page(opened, None);
                return Ok(page
                    .show(StatusCode::UNPROCESSABLE_ENTITY, &look, &steps::Shown::default())
                    .await);
            }
        }
        self.go_on(opened).await
    }

    /// Keeps the work and shows the next page, or this one again.
    async fn go_on(&self, opened: &mut Opened) -> Answer {
        let next = if *self.action == Action::Next {
            self.step.after()
        } else {
            self.step
        };
        opened.work.reached = opened.work.reached.max(next);
        if let Err(error) = opened.save(self.tenant).await {
            return self.not_now(opened, error).await;
        }
        let path = paths::step(self.tenant.id(), &opened.name, next);
        Ok(match self.action {
            Action::Save => self
                .visit
                .done(&path, "The draft is saved. You can go on at any time."),
            _ => axum::response::IntoResponse::into_response(axum::response::Redirect::to(&path)),
        })
    }

    /// Something was not done: what was entered is shown again, with the reason.
    pub(super) async fn not_now(&self, opened: &Opened, error: ServiceError) -> Answer {
        if let ServiceError::Forbidden(_) | ServiceError::NotFound(_) | ServiceError::Internal(_) = error {
            return self.visit.not_done(&paths::tenant(self.tenant.id()), error);
        }
        let page = self.page(opened, Some(visit::trouble(&error)));
        Ok(page
            .look_and_show(visit::status_of(&error), &super::trying::ShownQuery::default())
            .await)
    }

    /// Shows what was typed, and why it was not kept.
    pub(super) async fn read_again(
        &self,
        opened: &mut Opened,
        trouble: Trouble,
        status: StatusCode,
    ) -> Answer {
        if !matches!(self.step, Step::Preview | Step::TurnOn) {
            let only_read = Sent {
                action: &Action::Check,
                posted: self.posted.clone(),
                ..*self
            };
            if let Err(error) = only_read.read(opened).await {
                return self.not_now(opened, error).await;
            }
        }
        let page = self.page(opened, Some(trouble));
        Ok(page
            .look_and_show(status, &super::trying::ShownQuery::default())
            .await)
    }

    /// Reads the step into the work, and does what its own buttons say.
    async fn read(&self, opened: &mut Opened) -> Result<Look, ServiceError> {
        let has_run = opened.stored.as_ref().is_some_and(|sync| sync.has_run);
        let work = &mut opened.work;
        match self.step {
            Step::MapObjects if !has_run => {
                let property = self.posted.text("spec.hubspot.idProperty");
                if !property.is_empty() {
                    property.clone_into(&mut work.definition.spec.hubspot.id_property);
                }
            }
            Step::MapObjects | Step::Preview | Step::TurnOn => {}
            Step::Rules => {
                let read = read::rules(&self.posted, &work.definition.spec.rules);
                work.definition.spec.rules = read.rules;
                work.max_deletes_text = read.max_deletes_text;
            }
            Step::Associations => {
                let look = work.look(self.tenant).await?;
                let rows = lookup_rows(&work.definition, &look.around(), &Vec::new());
                work.definition.spec.associations = read::associations(&self.posted, &rows);
            }
            Step::Mappings => {
                let read = read::fields(&self.posted, &work.definition.spec.fields, self.action);
                let before = work.definition.spec.fields.len();
                work.definition.spec.fields.clone_from(&read.rules);
                return self.mappings(opened, &read, before).await;
            }
            Step::Filter => {
                let filter = read::filter(&self.posted, work.definition.spec.filter.as_ref());
                work.definition.spec.filter = with_rows(filter, self.action);
            }
        }
        opened.work.look(self.tenant).await
    }

    /// What the buttons of the mappings do.
    async fn mappings(
        &self,
        opened: &mut Opened,
        read: &Fields,
        before: usize,
    ) -> Result<Look, ServiceError> {
        match self.action {
            Action::Remove(place) => {
                if let Some(place) = read.of_place(*place) {
                    opened.work.definition.spec.fields.remove(place);
                }
            }
            Action::CreateProperty(place) => {
                if let Some(place) = read.of_place(*place) {
                    self.create_property(opened, place).await?;
                }
            }
            _ => {}
        }
        let look = opened.work.look(self.tenant).await?;
        let (Some(object), Some(schema)) = (&look.object, &look.object_type) else {
            return Ok(look);
        };
        let definition = &mut opened.work.definition;
        if !matches!(self.action, Action::Check | Action::Remove(_)) {
            complete(definition, read, before, object, schema);
        }
        let wanted = suggestions(definition, object, schema)
            .into_iter()
            .filter(|suggestion| match self.action {
                Action::AddSuggested => true,
                Action::Suggested(field) => suggestion.field.name == *field,
                _ => false,
            });
        let rules: Vec<_> = wanted
            .map(|one| suggested_rule(&one.field, &one.property))
            .collect();
        definition.spec.fields.extend(rules);
        // The parents' fields that rows name may be others now.
        opened.work.look(self.tenant).await
    }

    /// Creates the property that a row lacks, and maps to it.
    async fn create_property(&self, opened: &mut Opened, place: usize) -> Result<(), ServiceError> {
        let look = opened.work.look(self.tenant).await?;
        let seen = Mappings::of(
            opened.draft(self.tenant, &look, &[]),
            &opened.work.definition,
            &look.around(),
        );
        let row = seen.rows.get(place);
        let wanted = row.and_then(|row| row.creatable.clone());
        let (Some(property), Some(schema)) = (wanted, &look.object_type) else {
            return Err(ServiceError::invalid(
                "no property can be created for this row: choose a field first",
            ));
        };
        let created = self
            .tenant
            .create_property(&schema.object_type_id, property)
            .await?;
        opened.work.definition.spec.fields[place]
            .to
            .clone_from(&created.name);
        opened.work.created_properties.push(created);
        Ok(())
    }
}

/// Rows that were just begun get the property that is suggested for their field, and picklist values their options.
/// `before` is how many rows there were.
fn complete(
    definition: &mut SyncDefinition,
    read: &Fields,
    before: usize,
    object: &ObjectDescribe,
    schema: &ObjectSchema,
) {
    for (number, place) in read.places.iter().enumerate() {
        let rule = &definition.spec.fields[number];
        let is_open = rule.to.is_empty() || *place >= before;
        if rule.from.is_empty() || !rule.values.is_empty() || !is_open {
            continue;
        }
        let to = if rule.to.is_empty() {
            suggested_property(definition, object, schema, &rule.from)
        } else {
            Some(rule.to.clone())
        };
        let field = object.field(&rule.from);
        let property = to.and_then(|to| schema.property(&to));
        if let (Some(field), Some(property)) = (field, property) {
            definition.spec.fields[number] = suggested_rule(field, property);
        }
    }
}

fn with_rows(filter: Option<Filter>, action: &Action) -> Option<Filter> {
    match action {
        Action::Add => {
            let mut filter = filter.unwrap_or(Filter {
                all: Vec::new(),
                on_leave: OnLeave::default(),
            });
            filter.all.push(Condition {
                field: String::new(),
                op: Operator::Equals,
                value: None,
            });
            Some(filter)
        }
        Action::Remove(place) => {
            let mut filter = filter?;
            if *place < filter.all.len() {
                filter.all.remove(*place);
            }
            (!filter.all.is_empty()).then_some(filter)
        }
        _ => filter,
    }
}

/// The problems of one step.
pub(super) fn of_step(problems: &[Problem], step: Step) -> Vec<Problem> {
    let own = problems
        .iter()
        .filter(|problem| Step::of_problem(problem) == step);
    own.cloned().collect()
}

/// With what was told at the top of a page replaced, when there is something to tell.
pub(super) fn told(draft: Draft, trouble: Option<Trouble>) -> Draft {
    Draft {
        trouble: trouble.or(draft.trouble.clone()),
        ..draft
    }
}
