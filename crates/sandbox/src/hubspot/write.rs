//! Batch create, update and upsert: plan the whole, refuse or apply, tell in any order.

use super::{
    batch::{
        AssociationDraft, Deed, INPUTS_MAX, WriteBatch, WriteInput, check_duplicates, check_size,
        could_not_get, properties_of, traced,
    },
    call::Call,
    catalog::Catalog,
    errors::{Answer, ApiError, Problem, Reply, missing_fields, parse},
    links::Category,
    pairs::{Labels, PLAIN, TypeIndex},
    plan::{Planned, Planner, Trouble},
    table::Change,
    told::{self, Extras, Teller},
};
use parking_lot::RwLockWriteGuard;
use serde_json::Value;

/// What became of an input.
type Verdict = Result<Planned, Trouble>;

/// `POST …/batch/create|update|upsert`.
pub(super) fn batch(call: &Call<'_>, at: TypeIndex, deed: Deed) -> Answer {
    let batch: WriteBatch<'_> = parse(call.body)?;
    let inputs = &batch.inputs;
    check_size(inputs.len(), INPUTS_MAX)?;
    let partial = traced(inputs) && (deed != Deed::Update || call.habits.behaviour.partial_updates);

    let mut catalog = call.portal.catalog.write();
    let mut planner = planner(call, &catalog, at, deed);
    let verdicts = judge(&mut planner, &catalog, at, inputs)?;
    if !partial {
        refuse_whole(&planner, &verdicts)?;
    }
    let (mut going, mut missing, mut errors) = (Vec::with_capacity(inputs.len()), Vec::new(), Vec::new());
    for (input, verdict) in inputs.iter().zip(verdicts) {
        match verdict {
            Ok(planned) => going.push((planned, input)),
            Err(Trouble::Missing(id)) => missing.push(id),
            Err(trouble) => {
                errors.push(planner.item(
                    trouble,
                    input.object_write_trace_id.as_deref().unwrap_or_default(),
                ));
            }
        }
    }
    if !missing.is_empty() {
        errors.push(could_not_get(planner.table, &missing).into_item());
    }
    let arena = std::mem::take(&mut planner.arena);
    let rows = apply(
        call,
        &mut catalog,
        at,
        &arena,
        going.iter().map(|(planned, _)| planned),
    )?;
    // Telling needs no more than a look: others may read meanwhile.
    let catalog = RwLockWriteGuard::downgrade(catalog);
    Ok(tell(
        call,
        &catalog,
        at,
        deed,
        &Done {
            going,
            arena,
            rows,
            errors,
        },
    ))
}

fn planner<'t, 'a>(call: &Call<'_>, catalog: &'t Catalog, at: TypeIndex, deed: Deed) -> Planner<'t, 'a> {
    let config = &call.habits;
    Planner::new(
        catalog.table(at),
        call.version,
        call.now_ms,
        config.portal_id,
        config.behaviour,
        deed,
    )
}

fn judge<'a>(
    planner: &mut Planner<'_, 'a>,
    catalog: &Catalog,
    at: TypeIndex,
    inputs: &'a [WriteInput<'_>],
) -> Result<Vec<Verdict>, ApiError> {
    if planner.deed != Deed::Create {
        if inputs.iter().any(|input| input.id.is_none()) {
            return Err(missing_fields(&["id"]));
        }
        let ids = inputs.iter().map(|input| input.id.as_deref().unwrap_or_default());
        planner.sought = check_duplicates(planner.table, ids)?;
    }
    let mut id_property: Option<(&str, u16)> = None;
    let mut verdicts = Vec::with_capacity(inputs.len());
    for input in inputs {
        let properties = properties_of(input)?;
        let id = input.id.as_deref().unwrap_or_default();
        let named = match (planner.deed, input.id_property.as_deref()) {
            (Deed::Create, _) | (Deed::Update, None) => None,
            // Without a property to go by, an upsert goes by the record id, which it must not.
            (Deed::Upsert, None) => Some("hs_object_id"),
            (_, named) => named,
        };
        let column = match (named, id_property) {
            (None, _) => None,
            (Some(name), Some((known, column))) if known == name => Some(column),
            (Some(name), _) => {
                let column = planner.id_column(name)?;
                id_property = Some((name, column));
                Some(column)
            }
        };
        let target = match (planner.deed, column) {
            (Deed::Create, _) => None,
            (_, Some(column)) => planner.table.row_by(column, id),
            (_, None) => id.parse().ok().and_then(|id| planner.table.row(id)),
        };
        if planner.deed == Deed::Update && target.is_none() {
            verdicts.push(Err(Trouble::Missing(id.to_owned())));
            continue;
        }
        let found_by = column.map(|column| (column, id));
        let mut verdict = planner.plan(target, found_by, properties);
        if let (Ok(planned), Some(drafts)) = (&mut verdict, &input.associations)
            && planner.deed == Deed::Create
        {
            match new_links(catalog, at, drafts) {
                Ok(links) => planned.links = links,
                Err(error) => verdict = Err(Trouble::Other(error)),
            }
        }
        verdicts.push(verdict);
    }
    Ok(verdicts)
}

/// Where a new record's associations lead: the types say to which object type.
pub(super) fn new_links(
    catalog: &Catalog,
    at: TypeIndex,
    drafts: &[AssociationDraft<'_>],
) -> Result<Vec<(TypeIndex, u64, u64)>, ApiError> {
    drafts
        .iter()
        .map(|draft| {
            let of = |draft: &super::batch::TypeDraft| {
                let category = Category::parse(&draft.association_category)?;
                catalog
                    .pairs
                    .from(at)
                    .find_map(|(to, there)| Some((to, 1 << there.find(category, draft.association_type_id)?)))
            };
            let types: Option<Vec<(TypeIndex, u64)>> = draft.types.iter().map(of).collect();
            let other = types
                .as_ref()
                .and_then(|types| types.first())
                .map(|(other, _)| *other);
            let (Some(types), Some(other)) = (types, other) else {
                return Err(ApiError::validation(
                    "One or more association types are not valid for this object",
                ));
            };
            let row = draft
                .to
                .id
                .parse()
                .ok()
                .filter(|id| catalog.table(other).row(*id).is_some());
            let Some(to) = row else {
                let message = format!("{} is not a valid ID", &*draft.to.id);
                return Err(ApiError::validation(message).context("id", &[&*draft.to.id]));
            };
            let bits = types
                .iter()
                .filter(|(to, _)| *to == other)
                .fold(PLAIN, |bits, (_, bit)| bits | bit);
            Ok((other, to, bits))
        })
        .collect()
}

/// The refusal of a batch that goes through whole or not at all, if anything is wrong with it.
fn refuse_whole(planner: &Planner<'_, '_>, verdicts: &[Verdict]) -> Result<(), ApiError> {
    let troubles = || verdicts.iter().filter_map(|verdict| verdict.as_ref().err());
    let problems: Vec<Problem> = troubles()
        .filter_map(|trouble| {
            if let Trouble::Values(problems) = trouble {
                Some(problems.clone())
            } else {
                None
            }
        })
        .flatten()
        .collect();
    if !problems.is_empty() {
        return Err(planner.refuse(Trouble::Values(problems), false));
    }
    for trouble in troubles() {
        match trouble {
            // Only the others of the batch are bound to each other.
            Trouble::Missing(_) | Trouble::Values(_) => {}
            Trouble::Conflict { existing } => {
                return Err(planner.refuse(Trouble::Conflict { existing: *existing }, false));
            }
            Trouble::Required(names) => return Err(planner.refuse(Trouble::Required(names.clone()), false)),
            Trouble::Other(error) => return Err(error.clone()),
        }
    }
    Ok(())
}

/// Writes what was planned; gives each plan's record.
pub(super) fn apply<'p>(
    call: &Call<'_>,
    catalog: &mut Catalog,
    at: TypeIndex,
    arena: &[Change<'_>],
    plans: impl Iterator<Item = &'p Planned> + Clone,
) -> Result<Vec<u32>, ApiError> {
    let portal = call.portal;
    let lag_ms = call.habits.lags.search_index;
    let creates = plans.clone().filter(|planned| planned.target.is_none()).count();
    if catalog.table(at).custom
        && creates > 0
        && catalog.custom_records() + creates as u64 > call.habits.custom_records
    {
        let message = "PORTAL_WIDE_CUSTOM_OBJECT_LIMIT_EXCEEDED: this account cannot have more records of \
                       custom objects";
        return Err(ApiError::validation(message));
    }
    let ids: Vec<u64> = (0..creates)
        .map(|_| catalog.new_record_id(&portal.dice))
        .collect();
    let (mut ids, mut rows, mut links) = (ids.into_iter(), Vec::new(), Vec::new());
    let table = catalog.table_mut(at);
    for planned in plans {
        let changes = &arena[planned.changes.clone()];
        let row = match planned.target {
            Some(row) => {
                table.update(row, call.now_ms, lag_ms, changes);
                row
            }
            None => {
                let id = ids.next().unwrap_or_default();
                links.extend(planned.links.iter().map(|link| (id, *link)));
                table.create(id, call.now_ms, lag_ms, changes)
            }
        };
        rows.push(row);
    }
    for (id, (other, to, bits)) in links {
        // A full record on the other side leaves the new one without this association.
        let _ = catalog.pairs.link((at, id), (other, to), bits, Labels::Replace);
    }
    if creates > 0 {
        portal.stats.records("created", creates as u64);
    }
    if rows.len() > creates {
        portal.stats.records("updated", (rows.len() - creates) as u64);
    }
    Ok(rows)
}

struct Done<'a, 'i> {
    going: Vec<(Planned, &'i WriteInput<'a>)>,
    arena: Vec<Change<'i>>,
    rows: Vec<u32>,
    errors: Vec<Value>,
}

fn tell(call: &Call<'_>, catalog: &Catalog, at: TypeIndex, deed: Deed, done: &Done<'_, '_>) -> Reply {
    let portal = call.portal;
    let teller = Teller {
        table: catalog.table(at),
        portal_id: call.habits.portal_id,
    };
    let mut out = Vec::with_capacity(256 + done.rows.len() * 768);
    told::begin_batch(&mut out);
    for (position, at) in portal.dice.order(done.going.len()).into_iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        let (planned, input) = &done.going[at];
        let trace_id = input.object_write_trace_id.as_deref();
        let extras = Extras {
            new: (deed == Deed::Upsert).then_some(planned.target.is_none()),
            trace_id: trace_id.filter(|_| call.habits.behaviour.echo_trace_ids),
            warnings: &planned.warnings,
        };
        teller.written(
            &mut out,
            done.rows[at],
            &done.arena[planned.changes.clone()],
            &extras,
        );
    }
    let mixed = !done.errors.is_empty();
    told::end_batch(&mut out, done.errors.clone(), call.now_ms, portal.clock.now_ms());
    let success = if deed == Deed::Create { 201 } else { 200 };
    Reply::raw(if mixed { call.mixed_status() } else { success }, out)
}

impl Call<'_> {
    /// The status of a batch that went through in part.
    pub(super) fn mixed_status(&self) -> u16 {
        let configured = self.habits.behaviour.mixed_status_2026_09;
        configured.filter(|_| self.version.is_2026_09()).unwrap_or(207)
    }
}
