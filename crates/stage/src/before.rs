//! What imports keep of what was there before them, and what undos made of it.

use landbridge_bus::{BeforePart, BeforeSubject, Filter, Message, Subject};
use landbridge_model::before::{BeforeImage, UndoneImage};
use landbridge_model::{RunId, SyncKey};
use landbridge_wire::Wire;

use crate::error::StageError;
use crate::hub::Hub;

/// An image as it is kept.
#[derive(Clone, Debug)]
pub struct KeptImage {
    /// Tells it apart from the run's others.
    pub token: String,
    /// The image.
    pub image: BeforeImage,
}

impl Hub {
    fn before_subject(&self, sync: &SyncKey, run: &RunId, part: BeforePart, token: &str) -> Subject {
        Subject::Before(Box::new(BeforeSubject {
            shard: self.shard_of(&sync.tenant),
            tenant: sync.tenant.clone(),
            sync: sync.name.as_str().into(),
            run: run.as_str().into(),
            part,
            token: token.into(),
        }))
    }

    fn before_filter(&self, sync: &SyncKey, run: &RunId, part: BeforePart) -> Filter {
        let shard = self.shard_of(&sync.tenant);
        Filter::before(shard, &sync.tenant, sync.name.as_str(), run.as_str(), part)
    }

    /// Keeps an image, under a token that no other image of its run has. Returns when it is stored.
    pub async fn keep_before(&self, run: &RunId, token: &str, image: &BeforeImage) -> Result<(), StageError> {
        let subject = self.before_subject(&image.envelope.sync_key(), run, BeforePart::Image, token);
        let message = Message::new("before", image.encode());
        self.bus().publish(&subject, &message).await?;
        Ok(())
    }

    /// The newest image of a run that is not undone.
    ///
    /// # Errors
    /// When the bus cannot be asked, or the image was kept by a version that this one does not understand.
    pub async fn newest_before(&self, sync: &SyncKey, run: &RunId) -> Result<Option<KeptImage>, StageError> {
        let filter = self.before_filter(sync, run, BeforePart::Image);
        let Some(stored) = self.bus().newest(&filter).await? else {
            return Ok(None);
        };
        let Subject::Before(at) = &stored.subject else {
            return Err(StageError::worker(format!(
                "{} is no before-image",
                stored.subject
            )));
        };
        let image = BeforeImage::decode(&stored.payload).map_err(|error| {
            StageError::caused(
                format!("the before-image {} cannot be used", stored.subject),
                error,
            )
        })?;
        Ok(Some(KeptImage {
            token: at.token.to_string(),
            image,
        }))
    }

    /// Puts down what an undo made of an image, in parts that fit into messages, and then forgets the image. May be
    /// repeated.
    pub async fn put_undone(
        &self,
        sync: &SyncKey,
        run: &RunId,
        token: &str,
        parts: &[UndoneImage],
    ) -> Result<(), StageError> {
        for (place, part) in parts.iter().enumerate() {
            let subject = self.before_subject(sync, run, BeforePart::Undone, &format!("{token}-{place}"));
            let message = Message::new("undone", part.encode());
            self.bus().publish(&subject, &message).await?;
        }
        let image = self.before_subject(sync, run, BeforePart::Image, token);
        self.bus().purge(&Filter::exact(&image)).await?;
        Ok(())
    }

    /// What the undo of a run has come to so far.
    pub async fn undone(&self, sync: &SyncKey, run: &RunId) -> Result<Vec<UndoneImage>, StageError> {
        let stored = self
            .bus()
            .list(&self.before_filter(sync, run, BeforePart::Undone))
            .await?;
        let read = stored.iter().map(|one| {
            UndoneImage::decode(&one.payload)
                .map_err(|error| StageError::caused(format!("{} cannot be read", one.subject), error))
        });
        read.collect()
    }

    /// How many images of a run are not undone yet.
    pub async fn count_before(&self, sync: &SyncKey, run: &RunId) -> Result<u64, StageError> {
        let counts = self
            .bus()
            .counts(&self.before_filter(sync, run, BeforePart::Image))
            .await?;
        Ok(counts.iter().map(|(_, count)| count).sum())
    }
}
