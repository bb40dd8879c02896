# Recipes for people and for CI. `just` alone lists them.

default:
    @just --list

# The main job, end to end, against the sandbox.
demo *arguments:
    cargo run --release -- demo {{arguments}}

# Everything that must pass before a change lands.
ci:
    ./.ci/run

# All tests of the workspace.
test *arguments:
    cargo test --workspace {{arguments}}

# Format, lints and docs, with warnings denied.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps

# A benchmark: `pipeline`, `memory`, `sandbox`, `latency`, `limits`, `csv`, `parked` or `console`; docs/benchmarks.md says what they measure.
bench name='pipeline' *arguments:
    cargo run --release -p landbridge-bench -- {{name}} {{arguments}}

# A Salesforce org and a HubSpot portal on loopback, to rehearse against.
sandbox *arguments:
    cargo run --release -- sandbox {{arguments}}

# The public sample org DreamHouse (its source folder: the one with sfdx-project.json) from import to verify; deploy/examples/dreamhouse.
dreamhouse folder:
    LANDBRIDGE_DREAMHOUSE="$(cd '{{invocation_directory()}}' && realpath '{{folder}}')" cargo test -p landbridge --test it dreamhouse -- --ignored --nocapture

# Licences, duplicates and sources of dependencies. Needs cargo-deny (`cargo install cargo-deny`, some minutes).
deny:
    cargo deny check bans licenses sources

# Parse and validate everything in deploy/.
deploy-check:
    ./deploy/check

# Write docs/supported.md anew from the code.
supported:
    cargo run -q -p landbridge-model --example supported > docs/supported.md

# Every page of the console in every state, as pictures in target/screenshots, checked in a real browser: no sideways
# scrolling, no breach of the Content Security Policy, no serious violation of accessibility. Installs
# Debian's chromium and node where they are missing.
screenshots part='':
    ./tests/browser/check {{part}}

# A newcomer's first sync in a real browser, against a running demo, asserted on the two systems. Installs Debian's
# chromium and node where they are missing.
browser *arguments:
    ./tests/browser/walk {{arguments}}

# The sandbox, driven by unmodified public clients: simple-salesforce, jsforce and both official HubSpot clients, installed
# by name from PyPI and npm.
clients *scripts:
    ./tests/clients/check {{scripts}}

# Nothing missed, for long: seeded edits against late commits, failing reads, ending sessions and dying extractors. Then all of
# Landbridge under fire: both sides fail and workers are killed, 25 edits a round.
soak edits='3000' rounds='60' seed='11':
    LANDBRIDGE_SOAK_EDITS={{edits}} LANDBRIDGE_SOAK_SEED={{seed}} cargo test -p landbridge-extractor --test it nothing_is_missed -- --nocapture
    LANDBRIDGE_FIRE_ROUNDS={{rounds}} LANDBRIDGE_FIRE_SEED={{seed}} cargo test -p landbridge --test it under_fire -- --nocapture
