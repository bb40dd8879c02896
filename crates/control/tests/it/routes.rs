//! Every route: what it does, and what it says to what cannot be done.

mod conditions;
mod dry_runs;
mod imports;
mod proposals;
mod records;
mod syncs;
mod tenants;

use serde_json::Value;

use crate::rig::{VEHICLES, definition};

const ACME: &str = "/api/v1/tenants/acme";

fn vehicles() -> Value {
    serde_json::to_value(definition(VEHICLES)).unwrap()
}

fn edited() -> Value {
    let text = VEHICLES.replace(
        "{ from: Name, to: name }",
        "{ from: Name, to: name }, { from: Name, to: other }",
    );
    serde_json::to_value(definition(&text)).unwrap()
}
