//! What is let through, what is announced, and the three ways of being refused.

use super::desk::{Desk, Told, calm};
use landbridge_sandbox::{Limits, hubspot::PortalConfig};
use serde_json::json;

const COMPANIES: &str = "/crm/objects/2026-09/companies";

fn desk(limits: Limits) -> Desk {
    Desk::bare(PortalConfig { limits, ..calm() })
}

fn search(desk: &Desk) -> Told {
    desk.post(&format!("{COMPANIES}/search"), json!({}))
}

fn labels(desk: &Desk) -> Told {
    desk.get("/crm/associations/2026-09/contacts/companies/labels")
}

#[test]
fn an_app_has_190_calls_in_ten_seconds_that_roll() {
    let desk = desk(Limits::Real);
    for call in 1..=190_u32 {
        let told = desk.get(COMPANIES);
        assert_eq!(told.status, 200);
        let left = (190 - call).to_string();
        assert_eq!(told.header("X-HubSpot-RateLimit-Remaining"), Some(left.as_str()));
        assert_eq!(told.header("X-HubSpot-RateLimit-Max"), Some("190"));
        assert_eq!(
            told.header("X-HubSpot-RateLimit-Interval-Milliseconds"),
            Some("10000")
        );
        if call == 100 {
            desk.advance(5000);
        }
    }
    let refused = desk.get(COMPANIES);
    assert_eq!(refused.status, 429);
    assert_eq!(
        refused.message(),
        "You have reached your ten_secondly_rolling limit."
    );
    assert_eq!(refused.body["policyName"], "TEN_SECONDLY_ROLLING");
    assert!(refused.header("Retry-After").is_none());
    desk.advance(5001);
    let after: Vec<u16> = (0..101).map(|_| desk.get(COMPANIES).status).collect();
    assert_eq!(
        after.iter().filter(|status| **status == 200).count(),
        100,
        "only the first hundred have left the window"
    );
}

#[test]
fn a_full_window_is_told_with_an_error_type_or_with_a_category() {
    let desk = desk(Limits::Calls(1));
    desk.get(COMPANIES);
    let refused: Vec<Told> = (0..40).map(|_| desk.get(COMPANIES)).collect();
    assert!(refused.iter().all(|told| told.status == 429));
    let (old, new): (Vec<_>, Vec<_>) = refused
        .iter()
        .partition(|told| told.body.get("errorType").is_some());
    assert!(!old.is_empty() && !new.is_empty());
    assert!(old.iter().all(|told| told.body["errorType"] == "RATE_LIMIT"));
    assert!(new.iter().all(|told| told.category() == "RATE_LIMITS"));
}

#[test]
fn a_number_sets_the_calls_and_another_app_has_its_own() {
    let mut desk = desk(Limits::Calls(3));
    let statuses: Vec<u16> = (0..5).map(|_| desk.get(COMPANIES).status).collect();
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    let told = desk.post("/__sandbox/tokens", json!({}));
    desk.token = told.body["token"].as_str().unwrap_or_default().to_owned();
    assert_eq!(desk.get(COMPANIES).status, 200);
}

#[test]
fn searches_have_five_a_second_of_their_own_and_say_little() {
    let desk = desk(Limits::Calls(1));
    for _ in 0..5 {
        let told = search(&desk);
        assert_eq!(told.status, 200);
        assert!(told.header("X-HubSpot-RateLimit-Max").is_none());
        assert!(told.header("X-HubSpot-RateLimit-Daily").is_some());
    }
    let refused = search(&desk);
    assert_eq!((refused.status, refused.category()), (429, "RATE_LIMITS"));
    assert_eq!(refused.message(), "You have reached your secondly limit.");
    assert!(refused.body.get("policyName").is_none() && refused.header("Retry-After").is_none());
    assert_eq!(
        desk.get(COMPANIES).status,
        200,
        "searches are not taken from the app's window"
    );
    desk.advance(1001);
    assert_eq!(search(&desk).status, 200);
}

#[test]
fn associations_have_150_in_ten_seconds_of_their_own() {
    let desk = desk(Limits::Calls(1));
    assert!((0..150).all(|_| labels(&desk).status == 200));
    assert_eq!(labels(&desk).status, 429);
    assert_eq!(desk.get(COMPANIES).status, 200);
    desk.advance(10_001);
    assert_eq!(labels(&desk).status, 200);
}

#[test]
fn the_day_is_shared_by_all_apps_and_ends_at_the_accounts_midnight() {
    let mut desk = Desk::bare(PortalConfig {
        limits: Limits::Real,
        daily_calls: 10,
        ..calm()
    });
    desk.post("/__sandbox/usage", json!({"calls": 8}));
    let told = desk.get(COMPANIES);
    assert_eq!(told.header("X-HubSpot-RateLimit-Daily"), Some("10"));
    assert_eq!(told.header("X-HubSpot-RateLimit-Daily-Remaining"), Some("1"));
    let other = desk.post("/__sandbox/tokens", json!({}));
    desk.token = other.body["token"].as_str().unwrap_or_default().to_owned();
    assert_eq!(desk.get(COMPANIES).status, 200);
    let refused = desk.get(COMPANIES);
    assert_eq!(
        (refused.status, refused.message()),
        (429, "You have reached your daily limit.")
    );
    assert_eq!(
        (&refused.body["policyName"], &refused.body["errorType"]),
        (&json!("DAILY"), &json!("RATE_LIMIT"))
    );
    assert!(refused.body["requestId"].is_string());
    assert_eq!(labels(&desk).status, 200, "associations have a day of their own");
    desk.advance(24 * 3_600_000);
    let usage = desk.get("/account-info/2026-09/api-usage/daily/private-apps");
    let usage = &usage.results()[0];
    assert_eq!(
        (&usage["usageLimit"], &usage["currentUsage"]),
        (&json!(10), &json!(1))
    );
    let resets = usage["resetsAt"].as_str().unwrap_or_default();
    assert!(
        resets.ends_with("T05:00:00.000Z"),
        "midnight in Panama is five in the morning: {resets}"
    );
}

#[test]
fn off_lets_everything_through_and_announces_no_small_number() {
    let desk = desk(Limits::Off);
    for _ in 0..300 {
        assert_eq!(
            (
                desk.get(COMPANIES).status,
                search(&desk).status,
                labels(&desk).status
            ),
            (200, 200, 200)
        );
    }
    let told = desk.get(COMPANIES);
    let most: u64 = told
        .header("X-HubSpot-RateLimit-Max")
        .and_then(|text| text.parse().ok())
        .unwrap_or_default();
    assert!(most > 1_000_000);
}

#[test]
fn refusals_and_calls_are_counted() {
    let stats = std::sync::Arc::new(landbridge_sandbox::stats::Stats::default());
    let config = PortalConfig {
        limits: Limits::Calls(2),
        ..calm()
    };
    let portal = landbridge_sandbox::hubspot::Portal::with_config(config, stats.clone());
    portal.stop_clock();
    let token = portal.credentials().token;
    let desk = Desk {
        portal,
        token,
        vehicles: String::new(),
    };
    desk.company("A");
    desk.get(COMPANIES);
    desk.get(COMPANIES);
    search(&desk);
    let counts = stats.counts();
    assert_eq!(counts.by_family.get("objects_list"), Some(&2));
    assert_eq!(counts.by_family.get("search"), Some(&1));
    assert_eq!(counts.refused.get("ten_secondly"), Some(&1));
    assert_eq!(counts.records.get("created"), Some(&1));
}
