//! Whatever order things come in, and whatever is forgotten on the way, HubSpot's links end as Salesforce wants them.

use proptest::prelude::*;

use super::world::{CARRIED, CHILDREN, COMPANIES, FIELDS, World};

/// One step of a history. Numbers are taken modulo what there is to choose from.
#[derive(Clone, Copy, Debug)]
enum Step {
    Save(usize, usize),
    Link {
        child: usize,
        field: usize,
        parent: usize,
        lane: usize,
    },
    Clear {
        child: usize,
        field: usize,
        lane: usize,
    },
    Delete(usize, usize),
    Repeat(usize, usize),
    Reread(usize),
    Company(usize),
    WriteRecord(usize),
    WriteLink,
    TakeIntents(usize),
    TakeAnnouncement(usize),
    LosePatience(usize),
    ReadForAnswer,
    TakeAnswer,
    Sweep,
    Cold,
    CrashInIntents(usize, usize),
    CrashInAnnouncement(usize, usize),
    CrashInAnswer(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let lane = || 0..2usize;
    prop_oneof![
        3 => (0..5usize, lane()).prop_map(|(record, lane)| Step::Save(record, lane)),
        4 => (0..3usize, 0..3usize, 0..2usize, lane())
            .prop_map(|(child, field, parent, lane)| Step::Link { child, field, parent, lane }),
        2 => (0..3usize, 0..3usize, lane()).prop_map(|(child, field, lane)| Step::Clear { child, field, lane }),
        2 => (0..5usize, lane()).prop_map(|(record, lane)| Step::Delete(record, lane)),
        1 => (0..100usize, lane()).prop_map(|(which, lane)| Step::Repeat(which, lane)),
        1 => (0..3usize).prop_map(Step::Reread),
        1 => (0..2usize).prop_map(Step::Company),
        6 => lane().prop_map(Step::WriteRecord),
        5 => Just(Step::WriteLink),
        8 => lane().prop_map(Step::TakeIntents),
        6 => lane().prop_map(Step::TakeAnnouncement),
        3 => (0..100usize).prop_map(Step::LosePatience),
        3 => Just(Step::ReadForAnswer),
        3 => Just(Step::TakeAnswer),
        1 => Just(Step::Sweep),
        1 => Just(Step::Cold),
        1 => (lane(), 0..6usize).prop_map(|(lane, after)| Step::CrashInIntents(lane, after)),
        1 => (lane(), 0..6usize).prop_map(|(lane, after)| Step::CrashInAnnouncement(lane, after)),
        1 => (0..6usize).prop_map(Step::CrashInAnswer),
    ]
}

/// Nothing is forgotten, nobody crashes.
fn warm_step() -> impl Strategy<Value = Step> {
    step().prop_filter("a crash", |step| {
        !matches!(
            step,
            Step::Cold | Step::CrashInIntents(..) | Step::CrashInAnnouncement(..) | Step::CrashInAnswer(_)
        )
    })
}

fn play(world: &mut World, step: Step) {
    match step {
        Step::Save(record, lane) => world.save(CARRIED[record], None, lane),
        Step::Link {
            child,
            field,
            parent,
            lane,
        } => {
            let (field, parents) = FIELDS[field];
            world.save(CHILDREN[child], Some((field, Some(parents[parent]))), lane);
        }
        Step::Clear { child, field, lane } => {
            world.save(CHILDREN[child], Some((FIELDS[field].0, None)), lane);
        }
        Step::Delete(record, lane) => world.delete(CARRIED[record], lane),
        Step::Repeat(which, lane) => world.repeat(which, lane),
        Step::Reread(child) => world.reread(CHILDREN[child]),
        Step::Company(which) => world.company_arrives(COMPANIES[which]),
        Step::WriteRecord(lane) => world.write_record(lane),
        Step::WriteLink => world.write_link(),
        Step::TakeIntents(lane) => world.take_intents(lane, None),
        Step::TakeAnnouncement(lane) => world.take_announcement(lane, None),
        Step::LosePatience(which) => world.lose_patience(which),
        Step::ReadForAnswer => world.read_for_answer(),
        Step::TakeAnswer => world.take_answer(None),
        Step::Sweep => world.sweep(),
        Step::Cold => world.cold(),
        Step::CrashInIntents(lane, after) => world.take_intents(lane, Some(after)),
        Step::CrashInAnnouncement(lane, after) => world.take_announcement(lane, Some(after)),
        Step::CrashInAnswer(after) => world.take_answer(Some(after)),
    }
}

fn check(steps: &[Step]) -> Result<(), TestCaseError> {
    let mut world = World::new();
    for step in steps {
        play(&mut world, *step);
    }
    world.settle();
    prop_assert_eq!(world.differences(), Vec::<String>::new());
    Ok(())
}

/// Few cases in every run; as many as `PROPTEST_CASES` says where that is set.
fn config() -> ProptestConfig {
    let default = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => default,
        None => ProptestConfig {
            cases: 150,
            ..default
        },
    }
}

proptest! {
    #![proptest_config(config())]

    /// Nothing is excused here.
    #[test]
    fn links_converge_under_any_interleaving(steps in prop::collection::vec(warm_step(), 1..80)) {
        check(&steps)?;
    }

    #[test]
    fn links_converge_when_everything_remembered_is_lost(steps in prop::collection::vec(step(), 1..80)) {
        check(&steps)?;
    }
}
