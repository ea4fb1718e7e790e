//! Arguments of `fdscan PID...` on a Mac. What only Linux can do is refused by its name.

use super::AnswerArgs;
use clap::builder::{StringValueParser, TypedValueParser};

/// Arguments of a scan.
#[derive(Debug, clap::Args)]
pub struct MacScanArgs {
    /// A process, or several: 812, 812,813
    #[arg(value_name = "PID", value_parser = parse_pids)]
    pub targets: Vec<Pids>,

    /// The same
    #[arg(short, long = "pid", value_name = "PID", value_parser = parse_pids)]
    pub pid: Vec<Pids>,

    /// Show the tables behind the findings
    ///
    /// Watches, descriptors, databases; and why something was not seen.
    #[arg(long)]
    pub tables: bool,

    /// Show everything
    ///
    /// Each watch and descriptor, and what each finding rests on.
    #[arg(long)]
    pub all: bool,

    /// How the answer is given.
    #[command(flatten)]
    pub answer: AnswerArgs,

    /// Not here.
    #[arg(long = "for", hide = true, value_parser = refuse("a second look, and so what grew, is not there yet"))]
    pub window: Option<String>,
    /// Not here.
    #[arg(long, hide = true, value_parser = refuse("a process is given by its PID"))]
    pub user: Option<String>,
    /// Not here.
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "", value_parser = refuse("paths are known without a search"))]
    pub no_paths: Option<String>,
    /// Not here.
    #[arg(long, hide = true, value_parser = refuse("paths are known without a search"))]
    pub path_timeout: Option<String>,
    /// Not here.
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "", value_parser = refuse("paths are known without a search"))]
    pub wake: Option<String>,
}

impl MacScanArgs {
    /// The processes, in the order in which they were given.
    pub fn pids(&self) -> Vec<u32> {
        let all = self.targets.iter().chain(&self.pid);
        all.flat_map(|pids| pids.0.iter().copied()).collect()
    }
}

/// One word of PIDs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pids(Vec<u32>);

/// What Linux has and a Mac has not.
const OF_LINUX: &[&str] = &[
    "top", "watch", "events", "wal", "claims", "check", "report", "export",
];

fn parse_pids(word: &str) -> Result<Pids, String> {
    let pid = |text: &str| match text.parse::<i32>() {
        Ok(pid) if pid > 0 => Some(pid.unsigned_abs()),
        _ => None,
    };
    let pids: Option<Vec<u32>> = word.split(',').map(pid).collect();
    pids.map(Pids).ok_or_else(|| match OF_LINUX.contains(&word) {
        true => format!("`fdscan {word}` is for Linux: on macOS there are `fdscan PID` and `fdscan reach FILE`"),
        false => "on macOS a process is given by its PID, a whole number above 0, as pgrep or ps shows it".into(),
    })
}

/// Takes no value, and says why.
fn refuse(why: &'static str) -> impl TypedValueParser<Value = String> {
    StringValueParser::new()
        .try_map(move |_| Err::<String, String>(format!("this is for Linux: on macOS {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Mac {
        #[command(flatten)]
        scan: MacScanArgs,
    }

    fn parsed(words: &[&str]) -> Result<Vec<u32>, String> {
        let words = std::iter::once(&"fdscan").chain(words);
        let parsed = Mac::try_parse_from(words).map_err(|e| e.to_string())?;
        Ok(parsed.scan.pids())
    }

    #[test]
    fn a_process_of_a_mac_is_given_by_its_pid() {
        assert_eq!(parsed(&["812,813", "-p", "7"]), Ok(vec![812, 813, 7]));
        for word in ["nginx", ":8080", "0", "812,"] {
            assert!(
                parsed(&[word]).unwrap_err().contains("by its PID"),
                "{word}"
            );
        }
        assert!(parsed(&["top"]).unwrap_err().contains("is for Linux"));
    }

    #[test]
    fn what_only_linux_can_do_is_refused_by_its_name() {
        for words in [
            &["--for", "5"][..],
            &["--user", "me"],
            &["--no-paths"],
            &["--wake"],
            &["--path-timeout", "1"],
        ] {
            let words: Vec<_> = [&["1"][..], words].concat();
            let why = parsed(&words).unwrap_err();
            assert!(why.contains(words[1]) && why.contains("for Linux"), "{why}");
        }
    }
}
