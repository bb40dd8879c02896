//! Another org in the place of the one before, and no connection any more: for admins.

use super::TenantService;
use super::audit::Change;
use super::caller::Role;
use super::error::ServiceError;
use crate::ask::{AdoptOrg, Adopted, ConnectionSide, Disconnect};

impl TenantService {
    /// Takes the org that answers now in the place of the one before: positions are forgotten, every active sync is
    /// imported again, and what the org does not have is held for a person.
    pub async fn adopt_org(&self, org_id: String) -> Result<Adopted, ServiceError> {
        self.require(Role::Admin)?;
        let by = self.caller.who.clone();
        self.audited("tenant.org-adopted", self.id().as_str(), async {
            let adopted = self.ask_control(&AdoptOrg { org_id, by }).await?;
            self.service.inner.sides.forget(self.id());
            let from = adopted.from.as_deref().unwrap_or("no org");
            let told = Change::told(format!("from {from} to {}", adopted.to));
            Ok((adopted, told.into()))
        })
        .await
    }

    /// Forgets the credentials of a side; all syncs stand still until others are entered.
    pub async fn disconnect(&self, side: ConnectionSide) -> Result<(), ServiceError> {
        self.require(Role::Admin)?;
        let by = self.caller.who.clone();
        self.audited("credentials.forgotten", side.name(), async {
            self.ask_control(&Disconnect { side, by }).await?;
            self.service.inner.sides.forget(self.id());
            Ok(((), Change::done().into()))
        })
        .await
    }
}
