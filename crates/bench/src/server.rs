//! Which process a server of ours is.

use anyhow::Context as _;
use landbridge_bus::LocalServer;

/// A nats-server leaves a file `<executable>_<process id>.ports` in its store.
pub(crate) fn process_id(server: &LocalServer) -> anyhow::Result<u32> {
    let entries = std::fs::read_dir(server.store())?;
    let names = entries.flatten().map(|entry| entry.file_name());
    let mut ids = names.filter_map(|name| id_in(name.to_str()?));
    ids.next()
        .with_context(|| format!("{} does not name its server", server.store().display()))
}

fn id_in(name: &str) -> Option<u32> {
    name.strip_suffix(".ports")?.rsplit_once('_')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_stands_behind_the_last_underscore() {
        assert_eq!(id_in("nats_server_417.ports"), Some(417));
        assert_eq!(id_in("nats-server.conf"), None);
        assert_eq!(id_in("landbridge.lock"), None);
    }
}
