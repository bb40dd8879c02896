//! Two processes of each worker kind share the shards; killing one hands its shards to the other, with nothing lost.

use crate::fleet::{self, count};
use crate::harness::{Installation, Sandbox, wait_for};

const WORKERS: [&str; 4] = ["extractor", "mapper", "resolver", "loader"];

#[test]
fn killing_one_of_each_kind_during_an_import_loses_nothing() {
    let mut installation = Installation::new();
    installation.start("control", "control");
    for stage in WORKERS {
        installation.start(&format!("{stage}-a"), stage);
        installation.start(&format!("{stage}-b"), stage);
    }
    installation.wait_until_ready();
    // Slow enough that the kills fall into the import.
    let sandbox = Sandbox::start(installation.folder(), &["--records", "12000", "--limits", "real"]);
    fleet::make_ready(&installation, &sandbox);
    fleet::start_imports(&installation);
    installation.cli(&[&["sync", "activate"], &fleet::SYNCS[..]].concat());
    let settled = || {
        let imports = fleet::imports(&installation);
        imports
            .iter()
            .map(|import| count(import, &["created", "updated", "unchanged"]))
            .sum::<u64>()
    };
    wait_for("the import to be well under way", || {
        (settled() > 200).then_some(())
    });
    // One tenant lives in one shard: whichever of the two owns it, killing both kinds in turn hits the owner.
    for stage in WORKERS {
        installation.take(&format!("{stage}-a")).kill_hard();
        wait_until_taken_over(&installation);
        installation.start(&format!("{stage}-c"), stage);
        installation.take(&format!("{stage}-b")).kill_hard();
        wait_until_taken_over(&installation);
    }
    let imports = fleet::wait_for_imports(&installation);
    for import in &imports {
        let settled = count(
            import,
            &["created", "updated", "unchanged", "superseded", "deleted", "kept"],
        );
        assert_eq!(Some(settled), import["extracted"].as_u64(), "{import}");
    }
    fleet::wait_until_quiet(&installation);
    fleet::wait_until_equal(&installation);
}

/// Every stage answers for the tenant again.
fn wait_until_taken_over(installation: &Installation) {
    wait_for("the other worker to take over", || {
        installation
            .try_cli(&["connection", "test"])
            .status
            .success()
            .then_some(())
    });
}
