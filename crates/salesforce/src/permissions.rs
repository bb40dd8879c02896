//! What the signed-in user may see, as far as an org says so.

use std::collections::BTreeSet;

use landbridge_model::SalesforceId;

use crate::calls::Family;
use crate::client::{Call, Client};
use crate::columns::Columns;
use crate::describe::object_name;
use crate::error::SalesforceError;
use crate::query::Scope;
use crate::soql;

impl Client {
    /// The names of all fields that an object has, whatever field-level security hides from the user: the tooling API's
    /// `FieldDefinition` does not apply it, and is there for users with the permission View Setup and Configuration
    /// (Tooling API, FieldDefinition; API Guide, Tooling API Objects). An object that is not there has none.
    ///
    /// # Errors
    /// [`SalesforceError::Refused`] when the user may not ask.
    pub async fn fields_whatever_hides_them(
        &self,
        object: &str,
    ) -> Result<BTreeSet<String>, SalesforceError> {
        // Only comparisons for equality are allowed, and LIMIT is not heeded.
        let object = soql::text(object_name(object)?);
        let text = format!(
            "SELECT QualifiedApiName FROM FieldDefinition WHERE EntityDefinition.QualifiedApiName = {object}"
        );
        self.tooling_names(&text).await
    }

    /// Whether the org has an object, whatever hides it from the user: the tooling API's `EntityDefinition`.
    ///
    /// # Errors
    /// [`SalesforceError::Refused`] when the user may not ask.
    pub async fn has_object_whatever_hides_it(&self, object: &str) -> Result<bool, SalesforceError> {
        let object = soql::text(object_name(object)?);
        let text = format!("SELECT QualifiedApiName FROM EntityDefinition WHERE QualifiedApiName = {object}");
        Ok(!self.tooling_names(&text).await?.is_empty())
    }

    async fn tooling_names(&self, text: &str) -> Result<BTreeSet<String>, SalesforceError> {
        let columns = Columns::text(["QualifiedApiName"]);
        let call = Call::get("a query of the org's metadata", Family::Describe, "tooling/query");
        let mut page = self.page(&call.query("q", text), &columns).await?;
        let mut names = BTreeSet::new();
        loop {
            names.extend(page.rows.at(0).iter().flatten().map(str::to_owned));
            let Some(next) = page.next else { return Ok(names) };
            page = self.query_next(&next, &columns).await?;
        }
    }

    /// Whether a user demonstrably sees all records of these objects, whatever sharing says: by View All Data, or by View
    /// All on each object, in one of the permission sets that are assigned to the user. The profile is one of them
    /// (Object Reference: PermissionSetAssignment, ObjectPermissions).
    ///
    /// # Errors
    /// [`SalesforceError::Refused`] when the user may not ask.
    pub async fn sees_all(&self, user: &SalesforceId, objects: &[&str]) -> Result<bool, SalesforceError> {
        let columns = Columns::text(["PermissionSetId", "PermissionSet.PermissionsViewAllData"]);
        let text = format!(
            "SELECT {} FROM PermissionSetAssignment WHERE AssigneeId = '{user}'",
            columns.select_list()
        );
        let mut page = self.query(Scope::Live, &text, &columns).await?;
        let mut sets: Vec<String> = Vec::new();
        loop {
            for row in 0..page.rows.rows() {
                if page.rows.at(1).get(row) == Some("true") {
                    return Ok(true);
                }
                sets.extend(page.rows.at(0).get(row).map(soql::text));
            }
            let Some(next) = page.next else { break };
            page = self.query_next(&next, &columns).await?;
        }
        if sets.is_empty() || objects.is_empty() {
            return Ok(false);
        }
        let columns = Columns::text(["SobjectType"]);
        let names = objects.iter().map(|object| object_name(object).map(soql::text));
        let names: Vec<String> = names.collect::<Result<_, _>>()?;
        let text = format!(
            "SELECT SobjectType FROM ObjectPermissions WHERE PermissionsViewAllRecords = true AND SobjectType IN ({}) \
             AND ParentId IN ({})",
            names.join(","),
            sets.join(",")
        );
        let page = self.query(Scope::Live, &text, &columns).await?;
        let seen: BTreeSet<String> = page
            .rows
            .at(0)
            .iter()
            .flatten()
            .map(str::to_ascii_lowercase)
            .collect();
        Ok(objects
            .iter()
            .all(|object| seen.contains(&object.to_ascii_lowercase())))
    }
}
