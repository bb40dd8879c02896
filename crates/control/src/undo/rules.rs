//! When an import may be undone, and what an undo asks of the imports after it. Pure.

use std::time::Duration;

use landbridge_model::ImportId;
use landbridge_model::config::Import;

/// Whether an import may be undone, but for what runs at the moment.
pub(super) fn may_be_undone(
    import: &Import,
    others: &[&Import],
    now_ms: i64,
    kept: Duration,
) -> Result<(), String> {
    let id = &import.id;
    if !import.keep_before {
        return Err(format!(
            "{id} did not keep what was there before it, so it cannot be undone: start an import with --keep-before to be \
             able to undo it"
        ));
    }
    let age = u128::try_from(now_ms - import.started_ms).unwrap_or(0);
    if age > kept.as_millis() {
        return Err(format!(
            "{id} began more than {} ago, and what was there before it is kept no longer (bus.before_max_age)",
            humantime::format_duration(kept)
        ));
    }
    let next = others
        .iter()
        .find(|other| other.continues.as_ref() == Some(id) && other.undo_ms.is_none());
    match next {
        Some(next) => Err(format!("{} went on with {id}: undo {} first", next.id, next.id)),
        None => Ok(()),
    }
}

/// Whether the next import of a sync has to write everything again: what an undo put back, other workers take for as the
/// imports left it, until an import that overwrites has come to its end.
pub(super) fn must_overwrite<'i>(
    imports: impl Iterator<Item = &'i Import> + Clone,
    has_ended: impl Fn(&ImportId) -> bool,
) -> bool {
    let Some(undone_ms) = imports.clone().filter_map(|import| import.undo_ms).max() else {
        return false;
    };
    let made_good = |import: &Import| {
        import.overwrite && import.only.is_none() && import.started_ms >= undone_ms && has_ended(&import.id)
    };
    !imports.clone().any(made_good)
}

#[cfg(test)]
mod tests {
    use landbridge_model::config::ImportWish;
    use landbridge_model::{Revision, SyncName, TenantId};

    use super::*;

    fn import(id: &str, started_ms: i64) -> Import {
        Import {
            id: ImportId::new(id).unwrap(),
            tenant: TenantId::new("acme").unwrap(),
            sync: SyncName::new("vehicles").unwrap(),
            revision: Revision(1),
            wish: ImportWish::Run,
            overwrite: false,
            only: None,
            keep_before: true,
            undo_ms: None,
            started_by: String::new(),
            started_ms,
            continues: None,
            after: Vec::new(),
        }
    }

    #[test]
    fn what_kept_its_before_is_undone_in_time_and_the_last_part_first() {
        let kept = Duration::from_secs(10);
        let next = Import {
            continues: Some(ImportId::new("imp-1").unwrap()),
            ..import("imp-2", 5)
        };
        let undone = Import {
            undo_ms: Some(6),
            ..next.clone()
        };
        let plain = Import {
            keep_before: false,
            ..import("imp-1", 0)
        };
        for (one, others, now_ms, expected) in [
            (import("imp-1", 0), vec![], 9_000, Ok(())),
            (import("imp-1", 0), vec![], 10_001, Err("before_max_age")),
            (import("imp-1", 0), vec![&next], 9_000, Err("undo imp-2 first")),
            (import("imp-1", 0), vec![&undone], 9_000, Ok(())),
            (plain, vec![], 0, Err("--keep-before")),
        ] {
            let found = may_be_undone(&one, &others, now_ms, kept);
            match (&found, expected) {
                (Ok(()), Ok(())) => {}
                (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}"),
                _ => panic!("{one:?} at {now_ms}: {found:?}"),
            }
        }
    }

    #[test]
    fn after_an_undo_everything_is_written_once_more() {
        let undone = Import {
            undo_ms: Some(10),
            ..import("imp-1", 0)
        };
        let again = Import {
            overwrite: true,
            ..import("imp-2", 11)
        };
        let must = |imports: &[&Import], ended: bool| must_overwrite(imports.iter().copied(), |_| ended);
        assert!(!must(&[&import("imp-1", 0)], true), "nothing was undone");
        assert!(must(&[&undone], true));
        assert!(
            must(&[&undone, &import("imp-2", 11)], true),
            "it wrote only what it took for changed"
        );
        assert!(must(&[&undone, &again], false), "it has not come to its end");
        assert!(!must(&[&undone, &again], true));
        let undone_too = Import {
            undo_ms: Some(12),
            ..again.clone()
        };
        assert!(must(&[&undone, &undone_too], true));
    }
}
