//! Everything in `deploy/` can be read by what it is meant for.

use crate::harness::{binary, repository, text};

#[test]
fn every_manifest_is_yaml_with_a_kind() {
    let base = repository().join("deploy/kubernetes/base");
    let mut seen = 0;
    for entry in std::fs::read_dir(base).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for document in text.split("\n---\n") {
            let value: serde_json::Value = serde_saphyr::from_str(document)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert!(
                value["kind"].is_string(),
                "{} has a document without a kind",
                path.display()
            );
            seen += 1;
        }
    }
    assert!(seen >= 8, "only {seen} documents");
}

#[test]
fn the_compose_file_runs_every_kind_of_worker() {
    let file = std::fs::read_to_string(repository().join("deploy/compose.yaml")).unwrap();
    let compose: serde_json::Value = serde_saphyr::from_str(&file).unwrap();
    for service in ["nats", "extractor", "mapper", "resolver", "loader", "control"] {
        assert!(compose["services"][service].is_object(), "{service} is missing");
    }
}

/// The documented file names every key with its default, and the binary takes it.
#[test]
fn the_documented_settings_are_taken_by_the_binary() {
    for file in ["deploy/landbridge.toml", "deploy/kubernetes/base/landbridge.toml"] {
        let path = repository().join(file);
        // Without a bus behind the address, settings that can be read are as far as it gets.
        let output = binary()
            .args([
                "--config",
                path.to_str().unwrap(),
                "--nats",
                "nats://127.0.0.1:1",
                "tenant",
                "list",
            ])
            .env("LANDBRIDGE_BUS__CONNECT_TIMEOUT", "1s")
            .output()
            .unwrap();
        let told = text(&output.stderr);
        assert!(told.contains("no NATS server answers"), "{file}: {told}");
    }
}
