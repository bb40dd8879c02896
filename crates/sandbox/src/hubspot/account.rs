//! The account itself and its users: `/account-info/…` and `/crm/owners/…`.

use super::{
    call::Call,
    clock,
    errors::{Answer, ApiError, Reply},
    version::Version,
};
use serde_json::{Value, json};

/// The account's time zone is five hours behind UTC all year.
pub(super) const UTC_OFFSET_MS: i64 = -5 * 3_600_000;

/// A user who can own records.
#[derive(Debug)]
pub(super) struct Owner {
    pub(super) id: &'static str,
    user_id: u32,
    email: &'static str,
    first_name: &'static str,
    last_name: &'static str,
    archived: bool,
}

/// The account's users. An owner's id is not the user's.
pub(super) const OWNERS: &[Owner] = &[
    Owner {
        id: "71000001",
        user_id: 9_100_001,
        email: "ada@example.com",
        first_name: "Ada",
        last_name: "Lovelace",
        archived: false,
    },
    Owner {
        id: "71000002",
        user_id: 9_100_002,
        email: "grace@example.com",
        first_name: "Grace",
        last_name: "Hopper",
        archived: false,
    },
    Owner {
        id: "71000003",
        user_id: 9_100_003,
        email: "edsger@example.com",
        first_name: "Edsger",
        last_name: "Dijkstra",
        archived: false,
    },
    Owner {
        id: "71000004",
        user_id: 9_100_004,
        email: "gone@example.com",
        first_name: "Long",
        last_name: "Gone",
        archived: true,
    },
];

impl Owner {
    fn told(&self) -> Value {
        json!({
            "id": self.id, "email": self.email, "type": "PERSON", "firstName": self.first_name,
            "lastName": self.last_name, "userId": if self.archived { Value::Null } else { json!(self.user_id) },
            "userIdIncludingInactive": self.user_id, "createdAt": "2024-01-15T09:00:00.000Z",
            "updatedAt": "2025-06-01T12:00:00.000Z", "archived": self.archived,
            "teams": [{ "id": "1", "name": "Everybody", "primary": true }],
        })
    }
}

/// `/account-info/…`.
pub(super) fn serve(call: &Call<'_>) -> Option<Answer> {
    let answer = match (call.method, call.rest) {
        ("GET", ["details"]) => details,
        ("GET", ["api-usage", "daily"]) if call.version == Version::V3 => usage,
        ("GET", ["api-usage", "daily", "private-apps"]) => usage,
        _ => return None,
    };
    Some(call.need(&["oauth".to_owned()]).and_then(|()| answer(call)))
}

fn details(call: &Call<'_>) -> Answer {
    let told = json!({
        "portalId": call.habits.portal_id, "accountType": "STANDARD", "timeZone": "America/Panama",
        "companyCurrency": "USD", "additionalCurrencies": [], "utcOffset": "-05:00",
        "utcOffsetMilliseconds": UTC_OFFSET_MS, "uiDomain": "app.hubspot.com", "dataHostingLocation": "na1",
    });
    Ok(Reply::json(200, &told))
}

fn usage(call: &Call<'_>) -> Answer {
    let (limit, used, resets_ms) = call.portal.limiter.daily(call.now_ms);
    let silent = call.habits.behaviour.usage_hides_service_keys && !call.grant.oauth;
    let used = if silent { 0 } else { used };
    let told = json!({ "results": [{
        "name": "private-apps-api-calls-daily", "usageLimit": limit, "currentUsage": used,
        "collectedAt": clock::instant(call.now_ms), "fetchStatus": "SUCCESS",
        "resetsAt": clock::instant(resets_ms),
    }] });
    Ok(Reply::json(200, &told))
}

/// `/crm/owners/…`.
pub(super) fn serve_owners(call: &Call<'_>) -> Option<Answer> {
    let answer = match (call.method, call.rest) {
        ("GET", []) => owners(call),
        ("GET", [id]) => owner(call, id),
        _ => return None,
    };
    Some(call.need(&["crm.objects.owners.read".to_owned()]).and(answer))
}

fn owners(call: &Call<'_>) -> Answer {
    let archived = call.query.is_true("archived");
    let email = call.query.get("email").filter(|email| !email.is_empty());
    let limit = match call.query.get("limit") {
        None => 100,
        Some(text) => text
            .parse()
            .ok()
            .filter(|limit| (1..=500).contains(limit))
            .ok_or_else(|| ApiError::validation(format!("Invalid limit: {text}")))?,
    };
    let after = call.query.get("after").unwrap_or_default();
    let mut found = OWNERS
        .iter()
        .filter(|owner| owner.archived == archived && owner.id > after)
        .filter(|owner| email.is_none_or(|email| owner.email.eq_ignore_ascii_case(email)));
    let page: Vec<&Owner> = found.by_ref().take(limit).collect();
    let mut told = json!({ "results": page.iter().map(|owner| owner.told()).collect::<Vec<_>>() });
    if let (Some(last), true) = (page.last(), found.next().is_some()) {
        told["paging"] = json!({ "next": { "after": last.id, "link": call.next_link(last.id) } });
    }
    Ok(Reply::json(200, &told))
}

fn owner(call: &Call<'_>, id: &str) -> Answer {
    let by_user = call.query.get("idProperty") == Some("userId");
    let archived = call.query.is_true("archived");
    let found = OWNERS
        .iter()
        .filter(|owner| owner.archived == archived)
        .find(|owner| {
            if by_user {
                owner.user_id.to_string() == id
            } else {
                owner.id == id
            }
        });
    match found {
        Some(owner) => Ok(Reply::json(200, &owner.told())),
        None => Err(ApiError::not_found("resource not found")),
    }
}
