//! Whose address counts: the peer's, or what trusted proxies say of it.

use axum::http::{HeaderMap, HeaderName};
use std::net::{IpAddr, SocketAddr};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address that the outermost of `hops` trusted proxies saw. Each proxy appends the address of
/// its own peer, so the last `hops` entries are theirs and everything before is anybody's claim.
/// Whatever is no address counts as the peer's.
pub fn client(peer: IpAddr, headers: &HeaderMap, hops: u8) -> IpAddr {
    if hops == 0 {
        return peer;
    }
    let mut entries = headers
        .get_all(FORWARDED_FOR)
        .into_iter()
        .rev()
        .flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b','));
    let mut found = None;
    for _ in 0..hops {
        // Fewer entries than proxies: the first one asked a proxy further in.
        let Some(entry) = entries.next() else { break };
        found = Some(entry);
    }
    found.and_then(address).unwrap_or(peer)
}

/// An address, also with a port.
fn address(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry).ok()?.trim();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    text.parse().ok().or_else(with_port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn believes_the_trusted_ones_alone() {
        for (hops, lines, expected) in [
            (0, &["192.0.2.9"][..], "127.0.0.1"),
            (1, &[], "127.0.0.1"),
            (1, &["192.0.2.9"], "192.0.2.9"),
            (1, &["198.51.100.1, 192.0.2.9"], "192.0.2.9"),
            (1, &["198.51.100.1", "192.0.2.9:4711"], "192.0.2.9"),
            (2, &["203.0.113.5,198.51.100.1, 192.0.2.9"], "198.51.100.1"),
            (2, &["203.0.113.5,198.51.100.1", "192.0.2.9"], "198.51.100.1"),
            (2, &["192.0.2.9"], "192.0.2.9"),
            (1, &["[2001:db8::1]:80"], "2001:db8::1"),
            (1, &["192.0.2.9, unknown"], "127.0.0.1"),
            (1, &["192.0.2.9,"], "127.0.0.1"),
        ] {
            let lines = lines
                .iter()
                .map(|line| (FORWARDED_FOR, HeaderValue::from_static(line)));
            let mut headers = HeaderMap::new();
            for (name, value) in lines.clone() {
                headers.append(name, value);
            }
            let found = client(IpAddr::from([127, 0, 0, 1]), &headers, hops);
            assert_eq!(found.to_string(), expected, "{hops} {headers:?}");
        }
    }
}
