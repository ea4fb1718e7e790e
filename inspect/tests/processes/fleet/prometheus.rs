//! A real Prometheus, as docs/fleet/prometheus.yml has it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::Victim;

use crate::export_command::Server;
use crate::fleet::{file, text};

/// It scrapes one machine, called node-7.
pub struct Prometheus {
    port: u16,
    victim: Victim,
}

impl Prometheus {
    /// `None` where there is none; `dir` is its own.
    pub fn start(dir: &Path, server: &Server) -> Option<Prometheus> {
        let Some(prometheus) = support::tool("prometheus") else {
            support::skip("there is no prometheus: scripts/install-test-tools");
            return None;
        };
        let port = support::free_port();
        let config = dir.join("prometheus.yml");
        std::fs::write(&config, configuration(&server.address)).unwrap();
        let mut victim = Victim::spawn(
            Command::new(prometheus)
                .arg(format!("--config.file={}", config.display()))
                .arg(format!(
                    "--storage.tsdb.path={}",
                    dir.join("data").display()
                ))
                .arg(format!("--web.listen-address=127.0.0.1:{port}")),
        );
        victim.line_with("Server is ready to receive web requests");
        Some(Prometheus { port, victim })
    }

    /// What its API answers below /api/v1.
    pub fn ask(&self, path: &str) -> Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let get = format!("GET /api/v1/{path} HTTP/1.0\r\n\r\n");
        stream.write_all(get.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        let answer: Value = serde_json::from_str(body).unwrap();
        assert_eq!(answer["status"], "success", "{path}: {answer}");
        answer["data"].clone()
    }

    /// The series an expression has now.
    pub fn query(&self, expression: &str) -> Vec<Value> {
        let encoded: String = expression
            .bytes()
            .map(|byte| format!("%{byte:02X}"))
            .collect();
        let answer = self.ask(&format!("query?query={encoded}"));
        answer["result"].as_array().unwrap().clone()
    }

    /// Asks until `look` has what it looks for, or else says what is missing: nothing announces a scrape.
    #[track_caller]
    pub fn until<T>(
        &self,
        what: &str,
        mut look: impl FnMut(&Prometheus) -> Result<T, String>,
    ) -> T {
        let start = Instant::now();
        loop {
            let why = match look(self) {
                Ok(found) => return found,
                Err(why) => why,
            };
            assert!(
                start.elapsed() < support::DEADLINE,
                "{what}: {why}; {} {:?}",
                self.ask("targets"),
                self.victim.seen()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// The documented configuration, with a machine here in the place of a cluster, and in less of a hurry.
fn configuration(address: &str) -> String {
    let mut text = text("prometheus.yml");
    let from = text.find("    kubernetes_sd_configs:").unwrap();
    let to = text.find("rule_files:").unwrap();
    let machine = format!(
        "    static_configs:\n      - {{targets: ['{address}'], labels: {{instance: node-7}}}}\n"
    );
    text.replace_range(from..to, &machine);
    for (documented, here) in [
        ("scrape_interval: 30s", "scrape_interval: 3s"),
        ("scrape_timeout: 10s", "scrape_timeout: 3s"),
        (
            "  - alerts.yml",
            &format!("  - {}", file("alerts.yml").display()),
        ),
    ] {
        assert!(text.contains(documented), "{documented} in {text}");
        text = text.replace(documented, here);
    }
    format!("global: {{evaluation_interval: 1s}}\n{text}")
}
