//! How far reading has come, in `lb_checkpoints`: it moves only after what it covers is on the bus.

use jiff::Timestamp;
use landbridge_bus::{Bucket, Key, Kv};
use landbridge_model::drift::SchemaRecord;
use landbridge_model::{ImportId, Revision, SalesforceId, SyncKey, SyncName, TenantId};
use landbridge_salesforce::Position;
use landbridge_stage::{Hub, StageError};
use serde::{Deserialize, Serialize};

use crate::formulas::FormulaPoint;
use crate::import::ranges::IdRange;
use crate::reconcile::LookPoint;

/// Where a sync's live reading stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveCheckpoint {
    /// The org that was read.
    pub org_id: SalesforceId,
    /// The activation that it belongs to; another one begins anew.
    pub activation: u32,
    /// Nothing before this is read.
    pub begin: Timestamp,
    /// Everything before this is on the bus, but for what was not yet committed when it was read.
    pub covered: Timestamp,
    /// All transactions with rows stamped before this had ended when those rows were read. None while that is not known.
    #[serde(default)]
    pub settled: Option<Timestamp>,
}

/// Where an import stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportCheckpoint {
    /// The org that is read; none for an import that ended before it signed in.
    pub org_id: Option<SalesforceId>,
    /// Of which sync.
    pub sync: SyncName,
    /// The revision that rows are read for.
    pub revision: Revision,
    /// The org's clock before anything was read: all that changes from here on is read again at the end.
    pub fence: Timestamp,
    /// The Bulk job, once there is one.
    pub job: Option<JobPoint>,
    /// The ids that the job reads, or the next one: all, unless that was too much for one.
    #[serde(default)]
    pub range: IdRange,
    /// What is left for jobs after that one.
    #[serde(default)]
    pub ranges_left: Vec<IdRange>,
    /// Rows of ranges that have been read: they are on the bus.
    #[serde(default)]
    pub rows_of_ranges: u64,
    /// Rows of jobs that were given up; they are on the bus too.
    pub rows_before: u64,
    /// Rows of the job that the import put on the bus which this one goes on with: they are counted there.
    #[serde(default)]
    pub rows_elsewhere: u64,
    /// Jobs that were given up.
    pub given_up: u32,
    /// Rows of the catch-up on the bus.
    pub rows_caught_up: u64,
    /// How it ended.
    pub end: Option<ImportEnd>,
}

/// A Bulk job and how far its rows have been put on the bus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobPoint {
    /// Salesforce's id of it.
    pub id: String,
    /// When it was created: the time as of which its rows count as read.
    pub created: Timestamp,
    /// Its rows, once it is complete.
    pub total: Option<u64>,
    /// How far its rows are on the bus.
    pub position: Position,
}

/// How an import ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImportEnd {
    /// Everything is on the bus.
    Complete,
    /// Stopped by a person.
    Canceled,
    /// Stopped by trouble that waiting does not cure.
    Failed(String),
}

/// What an import does next. Decided from its checkpoint alone, so that any worker can take it over at any moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportStep {
    /// Ask Salesforce to collect the rows.
    CreateJob,
    /// Wait until it has.
    AwaitJob,
    /// Put the rows on the bus.
    Download,
    /// Go on with the ids that are left for other jobs.
    NextRange,
    /// Read what has changed since the fence.
    CatchUp,
    /// Nothing.
    Ended,
}

impl ImportCheckpoint {
    /// The next step.
    #[must_use]
    pub fn step(&self) -> ImportStep {
        match (&self.end, &self.job) {
            (Some(_), _) => ImportStep::Ended,
            (None, None) => ImportStep::CreateJob,
            (None, Some(JobPoint { total: None, .. })) => ImportStep::AwaitJob,
            (None, Some(job)) if !job.position.finished => ImportStep::Download,
            (None, Some(_)) if !self.ranges_left.is_empty() => ImportStep::NextRange,
            (None, Some(_)) => ImportStep::CatchUp,
        }
    }

    /// Rows on the bus.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows_before + self.rows_of_ranges + self.rows_of_job() + self.rows_caught_up
    }

    fn rows_of_job(&self) -> u64 {
        let read = self.job.as_ref().map_or(0, |job| job.position.rows);
        read.saturating_sub(self.rows_elsewhere)
    }

    /// Salesforce's own number of rows, once known, which is when the last job has told its part; without those of an import that
    /// this one goes on with.
    #[must_use]
    pub fn total(&self) -> Option<u64> {
        let last = self.job.as_ref().filter(|_| self.ranges_left.is_empty());
        let total = last.and_then(|job| job.total)?;
        Some(total.saturating_sub(self.rows_elsewhere) + self.rows_of_ranges)
    }

    /// Where an import begins that goes on with this one, which was cancelled or has failed. The fence stays: what
    /// has changed since is read at the end, as this one would have read it. `None` when this one has read nothing, or
    /// all: then the other begins anew.
    #[must_use]
    pub fn successor(self) -> Option<Self> {
        let is_open = matches!(self.end, Some(ImportEnd::Canceled | ImportEnd::Failed(_)));
        self.org_id.filter(|_| is_open)?;
        // A job that had not collected its rows was stopped with its import.
        let job = self.job.filter(|job| job.total.is_some());
        Some(Self {
            rows_elsewhere: job.as_ref().map_or(0, |job| job.position.rows),
            job,
            rows_of_ranges: 0,
            rows_before: 0,
            given_up: 0,
            rows_caught_up: 0,
            end: None,
            ..self
        })
    }

    /// An import that has ended before anything was read.
    #[must_use]
    pub fn ended(sync: SyncName, revision: Revision, end: ImportEnd) -> Self {
        Self {
            org_id: None,
            sync,
            revision,
            fence: Timestamp::UNIX_EPOCH,
            job: None,
            range: IdRange::default(),
            ranges_left: Vec::new(),
            rows_of_ranges: 0,
            rows_before: 0,
            rows_elsewhere: 0,
            given_up: 0,
            rows_caught_up: 0,
            end: Some(end),
        }
    }

    /// The job has read its ids: on with those that are left to others. What a job is given up for is counted for its ids alone.
    pub fn next_range(&mut self) {
        self.rows_of_ranges += self.rows_of_job();
        self.job = None;
        self.rows_elsewhere = 0;
        self.given_up = 0;
        if !self.ranges_left.is_empty() {
            self.range = self.ranges_left.remove(0);
        }
    }

    /// The job's ids were too much for one: it is laid down, and two others read those up to `at`, and those behind it.
    pub fn split_range(&mut self, at: SalesforceId) {
        self.lay_job_down();
        let (range, rest) = self.range.split(at);
        self.range = range;
        self.ranges_left.insert(0, rest);
    }

    /// All is to be read once more, for other columns are wanted.
    pub fn begin_anew(&mut self) {
        self.lay_job_down();
        self.rows_before += self.rows_of_ranges;
        self.rows_of_ranges = 0;
        self.range = IdRange::default();
        self.ranges_left.clear();
    }

    /// Gives the job up: its results are gone, or not what was announced. Its rows on the bus stay valid; another
    /// job reads all rows once more.
    pub fn give_job_up(&mut self) {
        if self.job.is_some() {
            self.given_up += 1;
        }
        self.lay_job_down();
    }

    /// The same where the job is not to blame: another would have been no better, or is wanted for other columns.
    pub fn lay_job_down(&mut self) {
        let rows = self.rows_of_job();
        if self.job.take().is_some() {
            self.rows_before += rows;
            self.rows_elsewhere = 0;
        }
    }
}

/// The bucket, typed.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    kv: Kv,
}

impl Checkpoints {
    /// Over the bus.
    #[must_use]
    pub fn new(hub: &Hub) -> Self {
        Self {
            kv: hub.bus().kv(Bucket::Checkpoints),
        }
    }

    /// Where a sync's live reading stands.
    pub async fn live(&self, key: &SyncKey) -> Result<Option<LiveCheckpoint>, StageError> {
        Ok(self
            .kv
            .get_json(&live_key(key))
            .await?
            .map(|(checkpoint, _)| checkpoint))
    }

    /// Stores where it stands.
    pub async fn put_live(&self, key: &SyncKey, checkpoint: &LiveCheckpoint) -> Result<(), StageError> {
        self.kv.put_json(&live_key(key), checkpoint).await?;
        Ok(())
    }

    /// When a sync's records were looked for in Salesforce last, by the org's clock.
    pub async fn reconciled(&self, key: &SyncKey) -> Result<Option<Timestamp>, StageError> {
        let found = self.kv.get_json::<Timestamp>(&reconciled_key(key)).await?;
        Ok(found.map(|(at, _)| at))
    }

    /// Stores when they were.
    pub async fn put_reconciled(&self, key: &SyncKey, at: Timestamp) -> Result<(), StageError> {
        self.kv.put_json(&reconciled_key(key), &at).await?;
        Ok(())
    }

    /// How far a look for a sync's records has come, if one is under way.
    pub async fn look(&self, key: &SyncKey) -> Result<Option<LookPoint>, StageError> {
        let found = self.kv.get_json(&look_key(key)).await?;
        Ok(found.map(|(point, _)| point))
    }

    /// Stores how far it has come.
    pub async fn put_look(&self, key: &SyncKey, point: &LookPoint) -> Result<(), StageError> {
        self.kv.put_json(&look_key(key), point).await?;
        Ok(())
    }

    /// When a person asked for a look that has not ended yet, by the org's clock.
    pub async fn look_asked(&self, key: &SyncKey) -> Result<Option<Timestamp>, StageError> {
        let found = self.kv.get_json::<Timestamp>(&asked_key(key)).await?;
        Ok(found.map(|(at, _)| at))
    }

    /// A person asks for one.
    pub async fn ask_look(&self, key: &SyncKey, at: Timestamp) -> Result<(), StageError> {
        self.kv.put_json(&asked_key(key), &at).await?;
        Ok(())
    }

    /// What was asked for is done.
    pub async fn answer_look(&self, key: &SyncKey) -> Result<(), StageError> {
        Ok(self.kv.delete(&asked_key(key)).await?)
    }

    /// The look is over.
    pub async fn forget_look(&self, key: &SyncKey) -> Result<(), StageError> {
        Ok(self.kv.delete(&look_key(key)).await?)
    }

    /// Whether another org was adopted and the sync's records were not looked for in it yet.
    pub async fn is_adopting(&self, key: &SyncKey) -> Result<bool, StageError> {
        Ok(self.kv.get(&adopting_key(key)).await?.is_some())
    }

    /// The sync's records were looked for in the org that was adopted.
    pub async fn has_adopted(&self, key: &SyncKey) -> Result<(), StageError> {
        Ok(self.kv.delete(&adopting_key(key)).await?)
    }

    /// How far reading for formulas has come.
    pub async fn formulas(&self, key: &SyncKey) -> Result<Option<FormulaPoint>, StageError> {
        let found = self.kv.get_json(&formulas_key(key)).await?;
        Ok(found.map(|(point, _)| point))
    }

    /// Stores how far it has come.
    pub async fn put_formulas(&self, key: &SyncKey, point: &FormulaPoint) -> Result<(), StageError> {
        self.kv.put_json(&formulas_key(key), point).await?;
        Ok(())
    }

    /// What is kept of the schema that a sync reads.
    pub async fn schema(&self, key: &SyncKey) -> Result<Option<SchemaRecord>, StageError> {
        let found = self.kv.get_json(&schema_key(key)).await?;
        Ok(found.map(|(record, _)| record))
    }

    /// Stores what is kept of it.
    pub async fn put_schema(&self, key: &SyncKey, record: &SchemaRecord) -> Result<(), StageError> {
        self.kv.put_json(&schema_key(key), record).await?;
        Ok(())
    }

    /// Where an import stands.
    pub async fn import(
        &self,
        tenant: &TenantId,
        id: &ImportId,
    ) -> Result<Option<ImportCheckpoint>, StageError> {
        Ok(self
            .kv
            .get_json(&import_key(tenant, id))
            .await?
            .map(|(checkpoint, _)| checkpoint))
    }

    /// Stores where it stands.
    pub async fn put_import(
        &self,
        tenant: &TenantId,
        id: &ImportId,
        checkpoint: &ImportCheckpoint,
    ) -> Result<(), StageError> {
        self.kv.put_json(&import_key(tenant, id), checkpoint).await?;
        Ok(())
    }
}

fn live_key(key: &SyncKey) -> Key {
    Key::new(["live", key.tenant.as_str(), key.name.as_str()])
}

fn reconciled_key(key: &SyncKey) -> Key {
    Key::new(["reconciled", key.tenant.as_str(), key.name.as_str()])
}

fn look_key(key: &SyncKey) -> Key {
    Key::new(["look", key.tenant.as_str(), key.name.as_str()])
}

fn asked_key(key: &SyncKey) -> Key {
    Key::new(["asked", key.tenant.as_str(), key.name.as_str()])
}

fn formulas_key(key: &SyncKey) -> Key {
    Key::new(["formulas", key.tenant.as_str(), key.name.as_str()])
}

fn adopting_key(key: &SyncKey) -> Key {
    Key::new(["adopting", key.tenant.as_str(), key.name.as_str()])
}

fn schema_key(key: &SyncKey) -> Key {
    Key::new(["schema", key.tenant.as_str(), key.name.as_str()])
}

fn import_key(tenant: &TenantId, id: &ImportId) -> Key {
    Key::new(["import", tenant.as_str(), id.as_str()])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint() -> ImportCheckpoint {
        ImportCheckpoint {
            org_id: SalesforceId::parse("00D000000000000").ok(),
            sync: SyncName::new("vehicles").unwrap(),
            revision: Revision(1),
            fence: Timestamp::UNIX_EPOCH,
            job: None,
            range: IdRange::default(),
            ranges_left: Vec::new(),
            rows_of_ranges: 0,
            rows_before: 0,
            rows_elsewhere: 0,
            given_up: 0,
            rows_caught_up: 0,
            end: None,
        }
    }

    fn job(total: u64, rows: u64, finished: bool) -> Option<JobPoint> {
        Some(JobPoint {
            id: "750".into(),
            created: Timestamp::UNIX_EPOCH,
            total: Some(total),
            position: Position {
                rows,
                finished,
                ..Position::default()
            },
        })
    }

    #[test]
    fn what_is_too_much_for_one_job_is_read_by_two_and_counted_once() {
        let id = |text: &str| SalesforceId::parse(text).unwrap();
        let (at, before) = (id("a00Hs0000000050"), id("a00Hs0000000020"));
        let mut import = checkpoint();
        import.job = job(0, 0, false);
        import.split_range(at);
        assert_eq!((import.step(), import.total()), (ImportStep::CreateJob, None));
        import.job = job(0, 0, false);
        import.split_range(before);
        assert_eq!(import.range.upto, Some(before));
        assert_eq!(
            import.ranges_left,
            [
                IdRange {
                    after: Some(before),
                    upto: Some(at)
                },
                IdRange {
                    after: Some(at),
                    upto: None
                },
            ]
        );
        for (rows, left) in [(2, 1), (3, 0)] {
            import.given_up = 2;
            import.job = job(rows, rows, true);
            assert_eq!((import.step(), import.total()), (ImportStep::NextRange, None));
            import.next_range();
            assert_eq!((import.ranges_left.len(), import.given_up), (left, 0));
        }
        assert_eq!(
            import.range,
            IdRange {
                after: Some(at),
                upto: None
            }
        );
        import.job = job(4, 1, false);
        assert_eq!(
            (import.step(), import.rows(), import.total()),
            (ImportStep::Download, 6, Some(9))
        );

        // Another import goes on with the ids that are left.
        let mut stopped = import.clone();
        stopped.end = Some(ImportEnd::Canceled);
        let next = stopped.successor().unwrap();
        assert_eq!(
            (next.range, next.rows(), next.total()),
            (import.range, 0, Some(3))
        );
        // Other columns are wanted of all.
        import.begin_anew();
        assert_eq!(
            (import.range, import.rows(), import.step()),
            (IdRange::default(), 6, ImportStep::CreateJob)
        );
    }

    #[test]
    fn an_import_is_gone_on_with_from_where_it_was() {
        let mut stopped = checkpoint();
        assert_eq!(stopped.clone().successor(), None, "it runs yet");
        stopped.end = Some(ImportEnd::Canceled);
        stopped.rows_before = 3;
        stopped.given_up = 2;
        stopped.job = Some(JobPoint {
            id: "750".into(),
            created: Timestamp::UNIX_EPOCH,
            total: Some(10),
            position: Position {
                rows: 4,
                ..Position::default()
            },
        });
        let mut next = stopped.clone().successor().unwrap();
        assert_eq!(
            (next.step(), next.rows(), next.total(), next.given_up, next.fence),
            (ImportStep::Download, 0, Some(6), 0, stopped.fence)
        );
        next.job.as_mut().unwrap().position.rows = 7;
        assert_eq!(next.rows(), 3);
        next.give_job_up();
        assert_eq!(
            (next.rows(), next.total(), next.step()),
            (3, None, ImportStep::CreateJob)
        );

        let mut collecting = stopped.clone();
        collecting.job.as_mut().unwrap().total = None;
        assert_eq!(collecting.successor().unwrap().step(), ImportStep::CreateJob);
        let complete = ImportCheckpoint {
            end: Some(ImportEnd::Complete),
            ..stopped
        };
        assert_eq!(complete.successor(), None);
        let name = SyncName::new("vehicles").unwrap();
        let unread = ImportCheckpoint::ended(name, Revision(1), ImportEnd::Canceled);
        assert_eq!(unread.successor(), None, "it had not even signed in");
    }

    #[test]
    fn the_steps_follow_from_the_checkpoint_alone() {
        let mut import = checkpoint();
        assert_eq!(import.step(), ImportStep::CreateJob);
        let position = Position::default();
        import.job = Some(JobPoint {
            id: "750".into(),
            created: Timestamp::UNIX_EPOCH,
            total: None,
            position,
        });
        assert_eq!(import.step(), ImportStep::AwaitJob);
        let job = import.job.as_mut().unwrap();
        job.total = Some(10);
        job.position.rows = 4;
        assert_eq!(import.step(), ImportStep::Download);
        let again: ImportCheckpoint = serde_json::from_str(&serde_json::to_string(&import).unwrap()).unwrap();
        assert_eq!(again, import);

        let mut given_up = import.clone();
        given_up.give_job_up();
        assert_eq!((given_up.step(), given_up.rows()), (ImportStep::CreateJob, 4));
        assert_eq!(given_up.given_up, 1);
        given_up.give_job_up();
        assert_eq!(given_up.given_up, 1, "there was no job any more");
        let mut laid_down = import.clone();
        laid_down.lay_job_down();
        assert_eq!((laid_down.step(), laid_down.rows()), (ImportStep::CreateJob, 4));
        assert_eq!(laid_down.given_up, 0);

        import.job.as_mut().unwrap().position.finished = true;
        assert_eq!(import.step(), ImportStep::CatchUp);
        import.end = Some(ImportEnd::Failed("x".into()));
        assert_eq!(import.step(), ImportStep::Ended);
    }
}
