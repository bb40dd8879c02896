//! Which addresses a tenant's admin may make Landbridge speak to: not this machine nor its networks, unless the
//! installation allows it (`control.allow_private_addresses`). Whoever operates it and adds tenants over the bus may name
//! any.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// Endings of names that lead nowhere but into a network of one's own.
const OWN: [&str; 6] = ["localhost", "local", "internal", "svc", "home.arpa", "lan"];
/// Settings of this process by which a proxy resolves names in our place.
const PROXIES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// Why an address is not spoken to.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0} is on this machine or in its networks; name a public address, or have the installation allow it \
     (control.allow_private_addresses)"
)]
pub(crate) struct NotPublic(String);

/// Refuses an address that is not public by its very text. What a name leads to is seen when it is connected to.
pub(crate) fn check(url: &Url, allow_private: bool) -> Result<(), NotPublic> {
    let is_public = url.host().is_some_and(is_public_host);
    if is_public || allow_private {
        return Ok(());
    }
    Err(NotPublic(url.host_str().unwrap_or_default().to_owned()))
}

/// Refuses a server that is not public by its very name, as [`check`] does for an address.
pub(crate) fn check_server(server: &str, allow_private: bool) -> Result<(), NotPublic> {
    let is_public = match server.parse() {
        Ok(ip) => is_public(ip),
        Err(_) => Host::parse(server).is_ok_and(is_public_host),
    };
    if is_public || allow_private {
        return Ok(());
    }
    Err(NotPublic(server.to_owned()))
}

fn is_public_host<S: AsRef<str>>(host: Host<S>) -> bool {
    match host {
        Host::Ipv4(ip) => is_public(ip.into()),
        Host::Ipv6(ip) => is_public(ip.into()),
        Host::Domain(name) => is_public_name(name.as_ref()),
    }
}

fn is_public_name(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let is_own = |own: &&str| {
        name.strip_suffix(*own)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    name.contains('.') && !OWN.iter().any(is_own)
}

/// Whether an address is of the internet at large.
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let is_shared = a == 100 && (64..128).contains(&b);
    let is_special =
        a == 0 || a >= 240 || (a == 192 && b == 0 && c == 0) || (a == 198 && (18..20).contains(&b));
    !(ip.is_loopback()
        || ip.is_private()
        || ip.is_link_local()
        || ip.is_multicast()
        || is_shared
        || is_special)
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let s = ip.segments();
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match s {
        // An address of the older kind in the clothes of the newer: mapped, translated, or by way of 6to4.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => v4(high, low),
        [0x2002, high, low, ..] => v4(high, low),
        // What is handed out of the internet at large begins with 001; the rest is loopback, local, multicast or nothing.
        _ => s[0] & 0xe000 == 0x2000,
    }
}

/// Follows names to public addresses only, at every connection: what a name leads to can change.
#[derive(Clone, Copy, Debug)]
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let public = public_addresses(name.as_str(), 0).await??;
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// The public addresses that a name leads to; an error in the first place when nobody knows the name.
async fn public_addresses(name: &str, port: u16) -> io::Result<Result<Vec<SocketAddr>, NotPublic>> {
    let found = tokio::net::lookup_host((name, port)).await?;
    let public: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
    Ok(match public.is_empty() {
        true => Err(NotPublic(name.to_owned())),
        false => Ok(public),
    })
}

/// The public address of a server that answers on this port, for clients that cannot be given a resolver.
///
/// # Errors
/// In words: that it is not public, that nobody knows it, or that it does not answer.
pub(crate) async fn public_server(server: &str, port: u16) -> Result<IpAddr, String> {
    check_server(server, false).map_err(|why| why.to_string())?;
    let found = public_addresses(server, port).await;
    let found = found.map_err(|error| format!("{server} cannot be found: {error}"))?;
    let found = found.map_err(|why| why.to_string())?;
    let connected = tokio::net::TcpStream::connect(&found[..]).await;
    let address = connected.and_then(|stream| stream.peer_addr());
    let address = address.map_err(|error| format!("{server} does not answer: {error}"))?;
    Ok(address.ip())
}

/// A client that connects to public addresses only. Behind a proxy it is the proxy that connects, and that decides.
pub(crate) fn public_only(client: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
    if PROXIES.iter().any(|name| std::env::var_os(name).is_some()) {
        return client;
    }
    client.dns_resolver(std::sync::Arc::new(PublicOnly))
}

/// Whether a call came to nothing because its address is not public.
pub(crate) fn refusal<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a NotPublic> {
    std::iter::successors(Some(error), |error| error.source()).find_map(|error| error.downcast_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_taken(url: &str) -> bool {
        let url = Url::parse(url).unwrap();
        assert!(check(&url, true).is_ok(), "{url} where all is allowed");
        check(&url, false).is_ok()
    }

    #[test]
    fn only_what_is_public_is_spoken_to() {
        for public in [
            "https://acme.my.salesforce.com",
            "https://api.hubapi.com.",
            "https://hooks.internal.example",
            "https://8.8.8.8",
            "https://172.32.0.1",
            "https://100.128.0.1",
            "https://[2606:4700::1111]",
            "https://[::ffff:8.8.8.8]",
        ] {
            assert!(is_taken(public), "{public}");
        }
        for private in [
            "http://localhost:8080",
            "https://LOCALHOST.",
            "https://a.localhost",
            "https://nats",
            "https://db.internal",
            "https://kubernetes.default.svc",
            "https://printer.local",
            "http://127.0.0.1:1",
            "https://127.9.9.9",
            "https://2130706433",
            "https://0x7f.1",
            "https://0.0.0.0",
            "https://10.1.2.3",
            "https://172.16.0.1",
            "https://192.168.1.1",
            "https://169.254.169.254",
            "https://100.100.100.200",
            "https://198.18.0.1",
            "https://192.0.0.8",
            "https://224.0.0.1",
            "https://255.255.255.255",
            "https://[::]",
            "https://[::1]",
            "https://[fd00::1]",
            "https://[fe80::1]",
            "https://[ff02::1]",
            "https://[::ffff:169.254.169.254]",
            "https://[64:ff9b::a00:1]",
            "https://[2002:7f00:1::]",
        ] {
            assert!(!is_taken(private), "{private}");
        }
    }

    #[test]
    fn a_server_is_public_as_its_address_is() {
        for public in ["smtp.acme.example", "8.8.8.8", "2606:4700::1111"] {
            assert!(check_server(public, false).is_ok(), "{public}");
        }
        for private in [
            "localhost",
            "mail",
            "relay.internal",
            "10.1.2.3",
            "2130706433",
            "::1",
            "fd00::1",
            "",
        ] {
            assert!(check_server(private, false).is_err(), "{private}");
            assert!(
                check_server(private, true).is_ok(),
                "{private} where all is allowed"
            );
        }
    }

    /// A name that looks public need not be.
    #[tokio::test]
    async fn a_name_is_not_followed_home() {
        let found = PublicOnly.resolve("localhost".parse().unwrap()).await;
        let error = found.err().expect("this machine is not public");
        assert!(refusal(error.as_ref()).is_some(), "{error}");
    }
}
