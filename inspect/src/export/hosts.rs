//! The names by which a server may be asked. A web page can make its own name resolve to this machine (DNS rebinding)
//! and read, with the browser of a local user, what others may not read. The request contains the name that was used.

use std::net::IpAddr;

/// The names of one server.
pub struct Hosts {
    address: IpAddr,
    names: Vec<String>,
}

impl Hosts {
    /// For a server that listens at `address` and also has the names `names`.
    pub fn new(address: IpAddr, names: Vec<String>) -> Hosts {
        Hosts { address, names }
    }

    /// Whether the value of a `Host` header is a name of this server. The port is ignored, because it may be forwarded.
    pub fn serve(&self, host: &str) -> bool {
        let name = without_port(host);
        if self.names.iter().any(|own| own.eq_ignore_ascii_case(name)) {
            return true;
        }
        let local = self.address.is_loopback() || self.address.is_unspecified();
        match name.parse::<IpAddr>() {
            // A literal address cannot be made to resolve to this machine.
            Ok(_) if self.address.is_unspecified() => true,
            Ok(asked) => asked == self.address || (local && asked.is_loopback()),
            Err(_) => local && name.eq_ignore_ascii_case("localhost"),
        }
    }
}

/// `name:1`, `[::1]:1`, `name`.
fn without_port(host: &str) -> &str {
    if let Some((address, _)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return address;
    }
    host.split(':').next().unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_answers_to_its_own_names_only() {
        let served = |address: &str, host: &str| {
            let names = vec!["metrics.example".to_owned()];
            Hosts::new(address.parse().unwrap(), names).serve(host)
        };
        for (address, host, wanted) in [
            ("127.0.0.1", "127.0.0.1:9977", true),
            ("127.0.0.1", "localhost", true),
            ("127.0.0.1", "LocalHost:80", true),
            ("127.0.0.1", "[::1]:9977", true),
            ("127.0.0.1", "metrics.EXAMPLE:443", true),
            ("127.0.0.1", "evil.example:9977", false),
            ("127.0.0.1", "10.0.0.1", false),
            ("127.0.0.1", "", false),
            ("127.0.0.1", "localhost.evil.example", false),
            ("10.0.0.1", "10.0.0.1:9977", true),
            ("10.0.0.1", "10.0.0.2", false),
            ("10.0.0.1", "localhost", false),
            ("0.0.0.0", "10.1.2.3:9977", true),
            ("0.0.0.0", "localhost", true),
            ("0.0.0.0", "evil.example", false),
            ("::", "[2001:db8::1]:9977", true),
        ] {
            assert_eq!(served(address, host), wanted, "{host} at {address}");
        }
    }
}
