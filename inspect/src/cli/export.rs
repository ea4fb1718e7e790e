//! Arguments of `fdscan export`.

use super::TargetArgs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// Arguments of `fdscan export`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without --output and --listen the metrics go to standard output, once. Without a PID, --name and --all there are \
series for units, users and limits alone. What is served is not encrypted, and whoever can connect may read it: ask it \
from elsewhere through a proxy with TLS (docs/prometheus.md).")]
pub struct ExportArgs {
    /// The processes that have series of their own.
    #[command(flatten)]
    pub processes: TargetArgs,

    /// Processes with this in their name, or in that of their program or the script it runs, have, too; may be given again
    #[arg(long, value_name = "TEXT")]
    pub name: Vec<String>,

    /// Every process has, as far as --max-processes goes
    #[arg(long, conflicts_with_all = ["targets", "pid", "user", "name"])]
    pub all: bool,

    /// Write to this file, in one step, for the textfile collector of node_exporter
    #[arg(long, value_name = "FILE", conflicts_with = "listen")]
    pub output: Option<PathBuf>,

    /// Answer scrapers at http://ADDR/metrics: a port, which means 127.0.0.1, or an address with a port
    #[arg(long, value_name = "ADDR", value_parser = parse_address)]
    pub listen: Option<SocketAddr>,

    /// Answer also who asks for this host name, as a proxy may, and not only for the address; may be given again
    #[arg(long, value_name = "NAME", requires = "listen")]
    pub allow_host: Vec<String>,

    /// How many processes have series at most: those with most watches, instances, descriptors or bytes in logs
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub max_processes: usize,
}

fn parse_address(text: &str) -> Result<SocketAddr, String> {
    let local = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    text.parse()
        .or_else(|_| text.parse().map(local))
        .map_err(|_| "an address is a port or IP:PORT, as 9977, 0.0.0.0:9977 or [::1]:9977".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_open_to_this_machine_only() {
        let address = |text| parse_address(text).map(|address| address.to_string());
        assert_eq!(address("9977").as_deref(), Ok("127.0.0.1:9977"));
        assert_eq!(address("0.0.0.0:9977").as_deref(), Ok("0.0.0.0:9977"));
        assert_eq!(address("[::1]:0").as_deref(), Ok("[::1]:0"));
        for wrong in ["", "99999", "localhost:9977", ":9977", "::1"] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }
}
