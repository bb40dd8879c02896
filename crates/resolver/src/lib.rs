//! The resolver: joins the wishes of links (from the mapper) with the identities of records (from the loader), and
//! orders the associations that follow.
//!
//! What it promises:
//!
//! 1. **Whatever the order, the end is the same.** Once nothing more arrives, the links ordered are those that
//!    Salesforce's newest rows want, between the records that HubSpot has: late, circular and self-referencing
//!    parents, re-parented and cleared lookups, records that go and come back.
//! 2. **An older wish never overrides a newer one.** Versions order the wishes of one link; equal ones apply again.
//! 3. **Ack after effect.** A message is acknowledged when each of its wishes is ordered or parked on the bus.
//! 4. **Parked first, looked up second.** A wish may wait in hand, unacknowledged, for a moment; the loader is asked
//!    about a record for which a wish waits longer only once that wish is durable.
//! 5. **The cache is a cache.** With an empty one everything parked is taken up and asked for before anything is
//!    handled, identities are asked of the loader, and where it is not known what stood before, the loader is told to
//!    look before it replaces anything.
//! 6. **No answer holds a lane.** The loader is asked aside, in batches; what is not answered is asked again.
//! 7. **No guess.** A Salesforce record that several HubSpot records claim to be is a failure that names them.
//!
//! What a cache that was lost can cost, and only `verify` finds: the links of a record that was archived and came
//! back since, when they stood before the loss and nothing touched their children after it; and, for a record that
//! changed twice within moments of the loss, the newer of two links, if its row had been decided here, was not yet
//! written to HubSpot, and an older row was still under way in the other lane.
//!
//! What it must never know: what a field means other than that it names a record, Salesforce, HubSpot's API, the
//! compare lane.
//!
//! Start at `decide`: it is pure, and the rest serves it.

mod asks;
mod catalog;
mod codec;
mod decide;
mod facts;
mod hand;
mod outbox;
mod plan;
mod settings;
mod store;
mod story;
mod tenant;
mod worker;

#[cfg(test)]
mod tests;

pub use settings::ResolverSettings;
pub use worker::{Resolver, ResolverShard};
