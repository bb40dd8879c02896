//! Answers as recorded or documented, and what they mean.

use expect_test::{Expect, expect};

use super::*;

#[track_caller]
fn check(status: u16, body: &str, expected: Expect) {
    let verdict = judge(status, &ErrorBody::parse(body.as_bytes()), None, Effect::Writes);
    expected.assert_eq(&format!("{verdict:?}"));
}

#[test]
fn bad_values_are_read_from_the_array_inside_the_message() {
    check(
        400,
        r#"{"status":"error","message":"Property values were not valid: [{\"isValid\":false,\"message\":\"Property \\\"x__c\\\" does not exist\",\"error\":\"PROPERTY_DOESNT_EXIST\",\"name\":\"x__c\",\"portalId\":123},{\"isValid\":false,\"message\":\"diesel was not one of the allowed options: [petrol, ev]\",\"error\":\"INVALID_OPTION\",\"name\":\"fuel\"}]","correlationId":"a996","errors":[{"message":"Property \"x__c\" does not exist","code":"PROPERTY_DOESNT_EXIST","context":{"propertyName":["x__c"]}}],"category":"VALIDATION_ERROR"}"#,
        expect![[
            r#"Invalid([PropertyError { property: Some("x__c"), value: None, code: "PROPERTY_DOESNT_EXIST", message: "Property \"x__c\" does not exist" }, PropertyError { property: Some("fuel"), value: Some("diesel"), code: "INVALID_OPTION", message: "diesel was not one of the allowed options: [petrol, ev]" }])"#
        ]],
    );
}

#[test]
fn a_broken_array_falls_back_to_the_details() {
    check(
        400,
        r#"{"message":"Property values were not valid: [{\"isValid\":fal","errors":[{"message":"12a was not a valid number.","code":"INVALID_INTEGER","context":{"propertyName":["discount"]}}],"category":"VALIDATION_ERROR"}"#,
        expect![[
            r#"Invalid([PropertyError { property: Some("discount"), value: Some("12a"), code: "INVALID_INTEGER", message: "12a was not a valid number." }])"#
        ]],
    );
}

#[test]
fn required_properties_are_named() {
    check(
        400,
        r#"{"category":"VALIDATION_ERROR","message":"Error creating CAR. Some required properties were not set.","context":{"properties":["name"]}}"#,
        expect![[
            r#"Invalid([PropertyError { property: Some("name"), value: None, code: "MISSING_REQUIRED_PROPERTY", message: "Error creating CAR. Some required properties were not set." }])"#
        ]],
    );
}

#[test]
fn statuses_and_words_become_verdicts() {
    for (status, body, expected) in [
        (
            400,
            r#"{"message":"Duplicate IDs found in batch input: [123456]. IDs must be unique","context":{"ids":["123456"]},"category":"VALIDATION_ERROR"}"#,
            r#"Duplicates(["123456"])"#,
        ),
        (
            409,
            r#"{"message":"Contact already exists","category":"CONFLICT"}"#,
            "Conflict { existing: None }",
        ),
        (
            409,
            r#"{"message":"Contact already exists. Existing ID: 1948209","category":"CONFLICT"}"#,
            "Conflict { existing: Some(HubSpotId(1948209)) }",
        ),
        (
            400,
            r#"{"message":"Unable to perform update/upsert by non-unique 0-2 property hs_object_id in portal ID 1","category":"VALIDATION_ERROR"}"#,
            "Configuration",
        ),
        (
            400,
            r#"{"message":"Unable to infer object type from: butterflies"}"#,
            "Configuration",
        ),
        (401, "", "Auth"),
        (
            403,
            r#"{"category":"MISSING_SCOPES","errors":[{"message":"One or more","context":{"requiredGranularScopes":["crm.objects.custom.write"]}}]}"#,
            r#"Scopes { missing: ["crm.objects.custom.write"] }"#,
        ),
        (
            403,
            r#"{"message":"One or more","context":{"requiredGranularScopes":["custom-object-read"],"links":["x"]}}"#,
            r#"Scopes { missing: ["custom-object-read"] }"#,
        ),
        (404, "<!DOCTYPE html><html>", "NotFound"),
        (414, "<html>414 Request-URI Too Large</html>", "TooLarge"),
        (423, "", "Locked { wait: 2s }"),
        (477, "{}", "Migrating { wait: 60s }"),
        (500, "", "Ambiguous"),
        (504, "<html>", "Ambiguous"),
        (526, "", "Configuration"),
    ] {
        let verdict = judge(status, &ErrorBody::parse(body.as_bytes()), None, Effect::Writes);
        assert_eq!(format!("{verdict:?}"), expected, "{status} {body}");
    }
    assert_eq!(
        judge(502, &ErrorBody::default(), None, Effect::Reads),
        Verdict::Transient
    );
}

#[test]
fn trap_8_limits_are_told_apart_in_all_three_shapes() {
    for (body, expected) in [
        (
            r#"{"message":"You have reached your ten_secondly_rolling limit.","errorType":"RATE_LIMIT","policyName":"TEN_SECONDLY_ROLLING"}"#,
            (LimitPolicy::TenSecondly, 10),
        ),
        (
            r#"{"message":"You have reached your daily limit.","policyName":"DAILY"}"#,
            (LimitPolicy::Daily, 900),
        ),
        (
            r#"{"message":"You have reached your secondly limit.","category":"RATE_LIMITS"}"#,
            (LimitPolicy::Secondly, 1),
        ),
        ("", (LimitPolicy::Unknown, 10)),
    ] {
        let (policy, seconds) = expected;
        let verdict = judge(429, &ErrorBody::parse(body.as_bytes()), None, Effect::Writes);
        assert_eq!(
            verdict,
            Verdict::RateLimited {
                policy,
                wait: Duration::from_secs(seconds)
            },
            "{body}"
        );
    }
    let told = judge(
        429,
        &ErrorBody::default(),
        Some(Duration::from_secs(3)),
        Effect::Writes,
    );
    assert_eq!(told.retry_after(), Some(Duration::from_secs(3)));
}
