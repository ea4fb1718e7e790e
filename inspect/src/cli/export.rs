//! Arguments of `fdscan export`.

use super::TargetArgs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// Arguments of `fdscan export`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without --output and --listen the metrics go to standard output, once. Without a PID, --name or --all, only units, \
users and limits have series. The answer is not encrypted, and whoever can connect can read it: from other machines, \
ask through a proxy with TLS (docs/prometheus.md).")]
pub struct ExportArgs {
    /// The processes that have series of their own.
    #[command(flatten)]
    pub processes: TargetArgs,

    /// Also processes whose name, program or script contains TEXT; may be given again
    #[arg(long, value_name = "TEXT")]
    pub name: Vec<String>,

    /// All processes, up to --max-processes
    #[arg(long, conflicts_with_all = ["targets", "pid", "user", "name"])]
    pub all: bool,

    /// Write to this file, in one step, for the textfile collector of node_exporter
    #[arg(long, value_name = "FILE", conflicts_with = "listen")]
    pub output: Option<PathBuf>,

    /// Answer scrapers at http://ADDR/metrics; ADDR is a port (on 127.0.0.1) or an address and a port
    #[arg(long, value_name = "ADDR", value_parser = parse_address)]
    pub listen: Option<SocketAddr>,

    /// Also answer requests for this host name, such as a proxy sends; may be given again
    #[arg(long, value_name = "NAME", requires = "listen")]
    pub allow_host: Vec<String>,

    /// How many processes have series at most: those with the most watches, instances, descriptors or WAL bytes
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub max_processes: usize,
}

fn parse_address(text: &str) -> Result<SocketAddr, String> {
    let local = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    text.parse()
        .or_else(|_| text.parse().map(local))
        .map_err(|_| {
            "an address is a port or IP:PORT, such as 9977, 0.0.0.0:9977 or [::1]:9977".into()
        })
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
