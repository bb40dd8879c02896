//! The ways of signing in, against the sandbox's own checks of them.

use serde_json::json;

use crate::harness::{Installation, Sandbox};

#[test]
fn an_assertion_and_an_installed_app_sign_in() {
    let installation = Installation::up();
    let sandbox = Sandbox::start(installation.folder(), &["--records", "50"]);
    let salesforce = sandbox.text("/salesforce/login_url");
    installation.tenant_add(
        &[
            "jwt",
            "--salesforce-login-url",
            salesforce,
            "--client-id",
            sandbox.text("/salesforce/client_id"),
            "--jwt-username",
            sandbox.text("/salesforce/username"),
            "--hubspot-url",
            sandbox.text("/hubspot/base_url"),
            "--hubspot-client-id",
            sandbox.text("/hubspot/client_id"),
        ],
        &[
            (
                "LANDBRIDGE_SALESFORCE_PRIVATE_KEY",
                sandbox.text("/salesforce/jwt_private_key"),
            ),
            (
                "LANDBRIDGE_HUBSPOT_CLIENT_SECRET",
                sandbox.text("/hubspot/client_secret"),
            ),
            (
                "LANDBRIDGE_HUBSPOT_REFRESH_TOKEN",
                sandbox.text("/hubspot/refresh_token"),
            ),
        ],
    );
    // The session ends; the next call signs in anew.
    sandbox.org_backdoor("expire-sessions", json!({}));
    installation.cli(&["connection", "test"]);
}

/// Trap 19 of Salesforce's facts (17): with rotation, the token before is dead once another one is out.
#[test]
fn trap_19_a_rotated_refresh_token_outlives_the_process_that_got_it() {
    let mut installation = Installation::up();
    let sandbox = Sandbox::start(installation.folder(), &["--records", "50"]);
    sandbox.set_up_org(json!({ "rotate_refresh_tokens": true }));
    installation.tenant_add(
        &[
            "rotating",
            "--salesforce-login-url",
            sandbox.text("/salesforce/login_url"),
            "--client-id",
            sandbox.text("/salesforce/client_id"),
            "--refresh-token",
            "--hubspot-url",
            sandbox.text("/hubspot/base_url"),
        ],
        &[
            (
                "LANDBRIDGE_SALESFORCE_CLIENT_SECRET",
                sandbox.text("/salesforce/client_secret"),
            ),
            (
                "LANDBRIDGE_SALESFORCE_REFRESH_TOKEN",
                sandbox.text("/salesforce/refresh_token"),
            ),
            ("LANDBRIDGE_HUBSPOT_TOKEN", sandbox.text("/hubspot/token")),
        ],
    );
    for _ in 0..2 {
        sandbox.org_backdoor("expire-sessions", json!({}));
        installation.cli(&["connection", "test"]);
    }
    installation.take("everything").kill_hard();
    installation.start("everything again", "up");
    installation.wait_until_ready();
    sandbox.org_backdoor("expire-sessions", json!({}));
    installation.cli(&["connection", "test"]);
}
