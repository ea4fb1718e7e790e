//! What the replays' tests share.

use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};
use std::time::Duration;

use incidents::{Product, Way};
use serde_json::Value;

/// The product as the tests build it, and the victims of this package.
pub fn product() -> Product {
    with_victims(Path::new(env!("CARGO_BIN_EXE_apx")))
}

/// How a victim is linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linkage {
    /// A loader starts it, which obeys LD_PRELOAD.
    Dynamic,
    /// The kernel starts it alone.
    Static,
}

impl Linkage {
    /// Both.
    pub const ALL: [Linkage; 2] = [Linkage::Dynamic, Linkage::Static];

    /// The product, and a victim linked so; `None`, with a skip, where that cannot be done.
    pub fn product(self, victim: &str) -> Option<Product> {
        match self {
            Linkage::Dynamic => Some(product()),
            Linkage::Static => match support::static_binary("incidents", victim) {
                Ok(path) => Some(with_victims(&path)),
                Err(why) => {
                    support::skip(&format!("no static victim can be built: {why}"));
                    None
                }
            },
        }
    }
}

impl Display for Linkage {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Linkage::Dynamic => "dynamic",
            Linkage::Static => "static",
        })
    }
}

fn with_victims(one: &Path) -> Product {
    Product {
        fdscan: support::binary("fdscan", "fdscan"),
        libwatchfix: support::libwatchfix().to_path_buf(),
        watchfix: support::watchfix().to_path_buf(),
        victims: one.parent().map(PathBuf::from).unwrap(),
    }
}

/// How far a remedy reaches into a victim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Not at all.
    Nothing,
    /// To the masks of its watches.
    Masks,
    /// To every event it reads.
    Events,
}

impl Linkage {
    /// How far this way reaches into a victim linked so.
    pub fn reach(self, way: Way) -> Reach {
        match (way, self) {
            (Way::Bare, _) | (Way::Preload, Linkage::Static) => Reach::Nothing,
            (Way::Heal, _) => Reach::Masks,
            // Their reads do not wait: the supervisor judges them.
            (Way::Preload, Linkage::Dynamic) | (Way::Run | Way::RunSeccomp, _) => Reach::Events,
        }
    }
}

/// Heals a process, which must keep its watches, and returns what `watchfix heal` said, in one line;
/// `None`, with a skip, where it is not permitted.
pub fn heal(product: &Product, pid: u32) -> Option<String> {
    let before = places(pid);
    match product.heal(pid) {
        Ok(said) => {
            assert_eq!(places(pid), before, "every watch has the wd it had");
            let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
            Some(said.lines().map(words).collect::<Vec<_>>().join("; "))
        }
        Err(why) => {
            support::skip(&format!("watchfix heal is not permitted: {why}"));
            None
        }
    }
}

/// The watches of a process without their masks: descriptor, wd, inode.
fn places(pid: u32) -> BTreeSet<(i32, u32, u64)> {
    let watches = support::watches(pid).into_iter();
    watches.map(|w| (w.fd, w.wd, w.inode)).collect()
}

/// The finding `code` of a process, which must be there.
pub fn finding<'a>(process: &'a Value, code: &str) -> &'a Value {
    let findings = process["findings"].as_array().expect("findings are a list");
    let found = findings.iter().find(|f| f["code"] == code);
    found.unwrap_or_else(|| panic!("no {code} in {findings:#?}"))
}

/// That there is no finding `code`.
pub fn no_finding(process: &Value, code: &str) {
    let findings = process["findings"].as_array().expect("findings are a list");
    let found = findings.iter().find(|f| f["code"] == code);
    assert!(found.is_none(), "{found:#?}");
}

/// A finding's message. Its commands must be those that reach the process.
pub fn message(process: &Value, finding: &Value) -> String {
    let (pid, static_) = (&process["pid"], process["linkage"] == "static");
    let live = finding["remedy_live"].as_str().expect("a command");
    assert!(
        live.ends_with(&format!("watchfix heal {pid}")),
        "{finding:#}"
    );
    let remedy = finding["remedy"].as_str().expect("a command");
    let with = if static_ {
        "watchfix run -- "
    } else {
        "LD_PRELOAD="
    };
    assert!(remedy.contains(with), "{finding:#}");
    finding["message"].as_str().expect("a sentence").to_owned()
}

/// What `fdscan` says of a static program that is preloaded: the trap, and what helps.
pub fn preload_is_ineffective(process: &Value) -> String {
    let finding = finding(process, "preload-ineffective");
    assert_eq!(finding["evidence"]["reason"], "static", "{finding:#}");
    message(process, finding)
}

/// How many in a second.
pub fn per_second(count: u64, elapsed: Duration) -> u64 {
    (count as f64 / elapsed.as_secs_f64()) as u64
}

/// A time, in seconds.
pub fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

/// A share of the time.
pub fn percent(part: Duration, of: Duration) -> String {
    format!("{:.0} %", 100.0 * part.as_secs_f64() / of.as_secs_f64())
}
