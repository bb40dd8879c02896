//! Addresses that people enter for either side.

use std::net::IpAddr;

use url::Url;

use super::Service;
use super::error::ServiceError;
use crate::reach;

/// An address without a path, to which credentials can be sent without being seen on the way.
pub fn check_address(text: &str) -> Result<String, String> {
    let url = Url::parse(text)
        .map_err(|error| format!("{error}; write an address such as https://acme.my.salesforce.com"))?;
    check_scheme(&url)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("an address holds no credentials; leave them out".to_owned());
    }
    if url.path() != "/" || url.query().is_some() {
        return Err("only scheme, host and port are wanted; leave the rest out".to_owned());
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// Whether nothing travels there in the clear, but to this machine.
pub(super) fn check_scheme(url: &Url) -> Result<(), String> {
    let host = url
        .host_str()
        .ok_or("it names no host; write an address such as https://api.hubapi.com")?;
    let is_here = host == "localhost"
        || host
            .trim_matches(['[', ']'])
            .parse()
            .is_ok_and(|ip: IpAddr| ip.is_loopback());
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_here => Ok(()),
        "http" => Err("credentials would travel in the clear; write https".to_owned()),
        other => Err(format!(
            "{other} is not a scheme that is spoken here; write https"
        )),
    }
}

impl Service {
    /// An address that a tenant's admin may name. One that is there already was let in by whoever might: it stays.
    pub(super) fn reachable(
        &self,
        key: &str,
        text: &str,
        before: Option<&str>,
    ) -> Result<String, ServiceError> {
        let address = self.named_address(text, before);
        address.map_err(|problem| ServiceError::invalid(format!("{key}: {problem}")))
    }

    fn named_address(&self, text: &str, before: Option<&str>) -> Result<String, String> {
        let address = check_address(text)?;
        if before == Some(address.as_str()) {
            return Ok(address);
        }
        let url = Url::parse(&address).map_err(|error| error.to_string())?;
        let allowed = self.settings().allow_private_addresses;
        reach::check(&url, allowed).map_err(|error| error.to_string())?;
        Ok(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_or_refused_with_a_remedy() {
        for (text, taken) in [
            (
                "https://acme.my.salesforce.com/",
                "https://acme.my.salesforce.com",
            ),
            ("http://127.0.0.1:8081", "http://127.0.0.1:8081"),
            ("http://localhost:8081", "http://localhost:8081"),
        ] {
            assert_eq!(check_address(text).as_deref(), Ok(taken));
        }
        for (text, part) in [
            ("acme.my.salesforce.com", "write an address"),
            ("http://api.hubapi.com", "write https"),
            ("ftp://api.hubapi.com", "write https"),
            ("https://me:secret@api.hubapi.com", "leave them out"),
            ("https://api.hubapi.com/crm", "leave the rest out"),
        ] {
            let problem = check_address(text).unwrap_err();
            assert!(problem.contains(part), "{text}: {problem}");
            assert!(!problem.contains("secret"), "{problem}");
        }
    }
}
