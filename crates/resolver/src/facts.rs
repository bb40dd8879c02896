//! What the resolver knows, as values.

use std::sync::Arc;

use landbridge_model::{
    Envelope, Former, HubSpotId, LinkWrite, ObjectTypeId, Purpose, Revision, RunId, SalesforceId, Source,
    SyncName, TenantId, Version,
};

/// Where the HubSpot records of some Salesforce records are found: a type, and the property that holds the Salesforce
/// id.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Directory {
    /// The HubSpot object type.
    pub(crate) object_type: ObjectTypeId,
    /// The property that holds the Salesforce id.
    pub(crate) property: Arc<str>,
    /// Whether no two records can have the same.
    pub(crate) unique: bool,
}

/// One end of a link: a Salesforce record as it is found in HubSpot.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct End {
    /// Where it is found.
    pub(crate) directory: Arc<Directory>,
    /// The Salesforce record.
    pub(crate) id: SalesforceId,
}

/// One lookup field of one record in one sync: what can hold one link.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Slot {
    /// The record that holds the lookup.
    pub(crate) child: SalesforceId,
    /// The sync.
    pub(crate) sync: SyncName,
    /// The lookup field; of a lookup to several objects, the field and one of them.
    pub(crate) field: Arc<str>,
}

/// What HubSpot has for a Salesforce record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Whereabouts {
    /// This record.
    Here(HubSpotId),
    /// None.
    Gone,
    /// Several records claim to be it; none of them is taken for it.
    Ambiguous(Vec<HubSpotId>),
}

/// What is known of an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// What HubSpot has.
    pub(crate) whereabouts: Whereabouts,
    /// Of the change that made it so; the lowest when it was learnt by asking. Only a newer or equal announcement
    /// replaces it.
    pub(crate) version: Version,
    /// It may have changed since: links wait until it is announced or asked for again.
    pub(crate) doubted: bool,
}

impl Known {
    /// Whether the loader could say something else than what is known: a record that is surely there is announced when
    /// that changes.
    pub(crate) fn is_worth_asking(&self) -> bool {
        self.doubted || !matches!(self.whereabouts, Whereabouts::Here(_))
    }
}

/// What a lookup wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// To be linked to this record.
    Parent(End),
    /// To be linked to nothing.
    Nobody,
    /// Nothing at all: its record is deleted.
    Dropped,
}

/// What the loader has been told to make of a slot, and so what stands in HubSpot once the `links` lane is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stand {
    /// Not known: the loader has to look.
    Unknown,
    /// No link.
    Nothing,
    /// This link.
    Linked {
        /// The child's HubSpot record.
        child: HubSpotId,
        /// The parent's.
        parent: HubSpotId,
    },
}

/// What control was told of a link that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Nothing yet.
    Nothing,
    /// That it waits.
    Parked,
    /// That it failed.
    Failed,
}

/// The durable twin of a waiting link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parked {
    /// The wish that it holds.
    pub(crate) version: Version,
    /// Since when, in milliseconds since 1970.
    pub(crate) since_ms: i64,
}

/// What made a wish: an envelope without what every wish of a slot shares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cause {
    pub(crate) revision: Revision,
    pub(crate) source: Source,
    pub(crate) run: Option<RunId>,
    pub(crate) force: bool,
    /// A back-fill: of a record that HubSpot does not have there is nothing to link, and nothing waits for it.
    pub(crate) existing_only: bool,
}

impl Cause {
    pub(crate) fn of(envelope: &Envelope) -> Self {
        Self {
            revision: envelope.revision,
            source: envelope.source,
            run: envelope.run.clone(),
            force: envelope.force,
            existing_only: envelope.only.is_some(),
        }
    }

    pub(crate) fn envelope(&self, tenant: &TenantId, sync: &SyncName) -> Envelope {
        Envelope {
            tenant: tenant.clone(),
            sync: sync.clone(),
            revision: self.revision,
            purpose: Purpose::Apply,
            source: self.source,
            run: self.run.clone(),
            force: self.force,
            // Which part it was matters to no one any more: the wish is of this one link.
            only: self.existing_only.then(Arc::default),
        }
    }

    /// Somebody found something wrong: what is remembered of the link counts for nothing.
    pub(crate) fn starts_afresh(&self) -> bool {
        self.force || self.doubts_identities()
    }

    /// Nor does what is remembered of its two ends. (An overwriting import doubts links only: it would ask for every
    /// record of the org.)
    pub(crate) fn doubts_identities(&self) -> bool {
        matches!(self.source, Source::Reread | Source::Repair)
    }
}

/// All that is known of a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    /// Where the child is found.
    pub(crate) child: Arc<Directory>,
    /// What the lookup wants.
    pub(crate) want: Want,
    /// Of the child's change that said so.
    pub(crate) version: Version,
    /// What made it.
    pub(crate) cause: Cause,
    /// What stands in HubSpot.
    pub(crate) stand: Stand,
    /// Whether the loader has yet to be told.
    pub(crate) waits: bool,
    /// What `LB_PARKED` holds of the slot.
    pub(crate) parked: Option<Parked>,
    /// What control was told.
    pub(crate) told: Told,
}

impl Wish {
    /// The record that it names.
    pub(crate) fn parent(&self) -> Option<&End> {
        match &self.want {
            Want::Parent(parent) => Some(parent),
            Want::Nobody | Want::Dropped => None,
        }
    }

    /// Whether `LB_PARKED` holds this very wish.
    pub(crate) fn is_parked(&self) -> bool {
        self.parked.is_some_and(|parked| parked.version == self.version)
    }

    /// Whether nothing but a message in hand remembers it durably.
    pub(crate) fn is_in_hand(&self) -> bool {
        self.waits && !self.is_parked()
    }
}

/// A link for the loader to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LinkOrder {
    pub(crate) sync: SyncName,
    pub(crate) cause: Cause,
    pub(crate) link: LinkWrite,
}

impl LinkOrder {
    pub(crate) fn new(
        slot: &Slot,
        wish: &Wish,
        child: HubSpotId,
        parent: Option<HubSpotId>,
        former: Former,
    ) -> Self {
        let link = LinkWrite {
            child: slot.child,
            child_hubspot_id: child,
            field: slot.field.to_string(),
            parent: wish.parent().map(|end| end.id).zip(parent),
            former,
            version: wish.version,
        };
        Self {
            sync: slot.sync.clone(),
            cause: wish.cause.clone(),
            link,
        }
    }
}
