//! The live edits of the demo: every kind of change that the job has to carry.

use landbridge_model::SalesforceId;
use serde_json::json;
use tokio::time::{Duration, interval};

use super::arrivals::Arrivals;
use super::org_user::OrgUser;

/// One edit every so often, so that they spread over the import.
const PACE: Duration = Duration::from_millis(250);

/// Makes edits of every kind, each told to `arrivals`. Gives how many were made.
pub async fn make(user: &OrgUser, arrivals: &Arrivals) -> anyhow::Result<usize> {
    let script = Script {
        vehicles: user.ids("Vehicle__c", "WHERE Depot__c != null", 40).await?,
        depots: user.ids("Depot__c", "", 12).await?,
        visits: user.ids("Service_Visit__c", "", 12).await?,
        accounts: user.ids("Account", "", 6).await?,
    };
    script.play(user, arrivals).await
}

struct Script {
    vehicles: Vec<SalesforceId>,
    depots: Vec<SalesforceId>,
    visits: Vec<SalesforceId>,
    accounts: Vec<SalesforceId>,
}

impl Script {
    async fn play(&self, user: &OrgUser, arrivals: &Arrivals) -> anyhow::Result<usize> {
        anyhow::ensure!(
            self.vehicles.len() >= 24
                && self.depots.len() >= 8
                && self.visits.len() >= 8
                && !self.accounts.is_empty(),
            "the org is too small for the live edits: use --records 1000 or more"
        );
        let mut made = 0;
        let mut pace = interval(PACE);
        for round in 0..6 {
            let (vehicle, other) = (self.vehicles[round * 4], self.vehicles[round * 4 + 1]);
            let (cleared, doomed) = (self.vehicles[round * 4 + 2], self.vehicles[round * 4 + 3]);
            let depot = self.depots[round];
            let fields =
                json!({ "Price__c": 10_000 + 137 * round, "Notes__c": format!("Inspected,\nround {round}") });
            arrivals.expect(
                user.update("price and notes of a vehicle", "Vehicle__c", vehicle, fields)
                    .await?,
            );
            pace.tick().await;
            let fields = json!({ "Depot__c": depot.as_str() });
            arrivals.expect(
                user.update("a vehicle moved to another depot", "Vehicle__c", other, fields)
                    .await?,
            );
            pace.tick().await;
            let fields = json!({ "Depot__c": null, "Mileage__c": null });
            arrivals.expect(
                user.update(
                    "a vehicle's depot and mileage cleared",
                    "Vehicle__c",
                    cleared,
                    fields,
                )
                .await?,
            );
            pace.tick().await;
            let new_depot = self.new_depot(user, round).await?;
            arrivals.expect(new_depot.clone());
            pace.tick().await;
            arrivals.expect(self.new_vehicle(user, round, new_depot.id).await?);
            pace.tick().await;
            arrivals.expect(
                user.delete("a service visit deleted", "Service_Visit__c", self.visits[round])
                    .await?,
            );
            made += 6;
            if round % 2 == 0 {
                made += self.delete_and_undelete(user, arrivals, doomed).await?;
            }
            pace.tick().await;
        }
        Ok(made)
    }

    async fn new_depot(&self, user: &OrgUser, round: usize) -> anyhow::Result<super::org_user::Edit> {
        let fields = json!({
            "Name": format!("Pop-up depot {round}"),
            "Code__c": format!("POPUP-{round}"),
            "Capacity__c": 5 + round,
            "Account__c": self.accounts[round % self.accounts.len()].as_str(),
            "Parent_Depot__c": self.depots[round].as_str(),
        });
        user.create("a new depot under another one", "Depot__c", fields)
            .await
    }

    async fn new_vehicle(
        &self,
        user: &OrgUser,
        round: usize,
        depot: SalesforceId,
    ) -> anyhow::Result<super::org_user::Edit> {
        let fields = json!({
            "Name": format!("Loaner {round}"),
            "External_Id__c": format!("LOANER-{round}"),
            "Depot__c": depot.as_str(),
            "Account__c": self.accounts[0].as_str(),
            "Active__c": true,
            "Fuel__c": "Electric",
            "Price__c": 31_500.5,
        });
        user.create("a new vehicle at a new depot", "Vehicle__c", fields)
            .await
    }

    /// A vehicle goes, with its visits, and comes back: HubSpot archives and gets a new record, with its links.
    async fn delete_and_undelete(
        &self,
        user: &OrgUser,
        arrivals: &Arrivals,
        vehicle: SalesforceId,
    ) -> anyhow::Result<usize> {
        arrivals.expect(user.delete("a vehicle deleted", "Vehicle__c", vehicle).await?);
        // The stamp has a grain of one second, and edits of one record within one window of the increment are one change:
        // the delete is only seen when it has arrived.
        arrivals.settled(vehicle).await;
        arrivals.expect(user.undelete("a vehicle undeleted", vehicle).await?);
        Ok(2)
    }
}
