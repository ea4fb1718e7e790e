//! `action.yml`, read by a real YAML parser and run step by step as a runner of GitHub's does.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::common::Stage;

/// A YAML text as JSON; `None` where there is no parser.
fn yaml(text: &str) -> Option<Value> {
    let script = "import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.argv[1])))";
    let python = support::tool("watchfix-python");
    let output = python.and_then(|python| {
        Command::new(python)
            .args(["-c", script, text])
            .output()
            .ok()
    });
    let Some(output) = output.filter(|output| !output.stderr.starts_with(b"ModuleNotFound")) else {
        support::skip("there is no Python with PyYAML (scripts/install-test-tools)");
        return None;
    };
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

fn action() -> Option<Value> {
    yaml(&fs::read_to_string(support::root().join("action.yml")).unwrap())
}

/// `${{ a.b.c }}` for what `known` has.
fn substitute(text: &str, known: &BTreeMap<String, String>) -> String {
    let mut text = text.to_owned();
    while let Some(start) = text.find("${{") {
        let end = start + text[start..].find("}}").unwrap() + 2;
        let name = text[start + 3..end - 2].trim().to_owned();
        let value = known
            .get(&name)
            .unwrap_or_else(|| panic!("{name} is not defined"));
        text.replace_range(start..end, value);
    }
    text
}

/// Where the action runs: the tree it was checked out to, at which tag, and what else a step has in its environment.
struct Runner<'a> {
    tree: &'a Path,
    at: &'a str,
    environment: &'a [(&'a str, &'a OsStr)],
}

struct Ran {
    output: Output,
    /// The action's own outputs.
    outputs: BTreeMap<String, String>,
    summary: String,
    /// The runner's directory for files of the job: gone with this.
    _temp: TempDir,
}

/// Runs all steps with these inputs; the first that fails is the last.
fn run(action: &Value, inputs: &[(&str, &str)]) -> Output {
    let here = Runner {
        tree: support::root(),
        at: "main",
        environment: &[],
    };
    here.run(action, inputs).output
}

impl Runner<'_> {
    fn run(&self, action: &Value, inputs: &[(&str, &str)]) -> Ran {
        let dir = TempDir::new().unwrap();
        let given: BTreeMap<_, _> = inputs.iter().copied().collect();
        let mut known = BTreeMap::new();
        known.insert("github.action_ref".to_owned(), self.at.to_owned());
        known.insert(
            "github.action_repository".to_owned(),
            "o/watchfix".to_owned(),
        );
        for (name, input) in action["inputs"].as_object().unwrap() {
            let default = input["default"].as_str().unwrap();
            let value = given.get(name.as_str()).copied().unwrap_or(default);
            known.insert(format!("inputs.{name}"), value.to_owned());
        }
        let summary = dir.path().join("summary");
        fs::write(&summary, "").unwrap();
        let mut last = None;
        for (at, step) in action["runs"]["steps"]
            .as_array()
            .unwrap()
            .iter()
            .enumerate()
        {
            assert_eq!(step["shell"], "bash", "a composite step names its shell");
            let script = dir.path().join(format!("{at}.sh"));
            fs::write(&script, step["run"].as_str().unwrap()).unwrap();
            let output = dir.path().join("output");
            fs::write(&output, "").unwrap();
            // The command line of docs.github.com for `shell: bash`.
            let mut bash = Command::new("bash");
            bash.args(["--noprofile", "--norc", "-eo", "pipefail"])
                .arg(&script);
            bash.env("GITHUB_ACTIONS", "true");
            bash.env("GITHUB_ACTION_PATH", self.tree);
            bash.env("GITHUB_OUTPUT", &output);
            bash.env("GITHUB_STEP_SUMMARY", &summary);
            bash.env("RUNNER_TEMP", dir.path());
            bash.envs(self.environment.iter().copied());
            for (name, value) in step["env"].as_object().unwrap() {
                bash.env(name, substitute(value.as_str().unwrap(), &known));
            }
            let done = bash.output().unwrap();
            for line in fs::read_to_string(&output).unwrap().lines() {
                let (key, value) = line.split_once('=').unwrap();
                let id = step["id"].as_str().unwrap();
                known.insert(format!("steps.{id}.outputs.{key}"), value.to_owned());
            }
            let failed = !done.status.success();
            last = Some(done);
            if failed {
                break;
            }
        }
        let own = action["outputs"].as_object().unwrap().iter();
        let outputs = own.map(|(name, output)| {
            let source = output["value"].as_str().unwrap();
            let source = source.trim_matches(['$', '{', '}', ' ']);
            // What was not set is empty.
            (name.clone(), known.get(source).cloned().unwrap_or_default())
        });
        Ran {
            output: last.unwrap(),
            outputs: outputs.collect(),
            summary: fs::read_to_string(summary).unwrap(),
            _temp: dir,
        }
    }
}

fn text(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&both).into_owned()
}

const FDSCAN: (&str, &str) = ("fdscan", env!("CARGO_BIN_EXE_fdscan"));

#[test]
fn its_inputs_are_the_flags_of_check_and_each_is_used() {
    let Some(action) = action() else { return };
    assert_eq!(action["runs"]["using"], "composite");
    let help = Command::new(FDSCAN.1)
        .args(["check", "--help"])
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let source = action["runs"].to_string();
    for (name, input) in action["inputs"].as_object().unwrap() {
        assert!(
            input["description"].is_string() && input["required"] == false,
            "{name}"
        );
        assert!(
            source.contains(&format!("${{{{ inputs.{name} }}}}")),
            "{name} is not used"
        );
        if !["run", "pid", "fdscan"].contains(&name.as_str()) {
            assert!(
                help.contains(&format!("--{name} ")),
                "check has no --{name}"
            );
        }
    }
    // An input in a script would be run as a part of it.
    for step in action["runs"]["steps"].as_array().unwrap() {
        assert!(!step["run"].as_str().unwrap().contains("${{"), "{step}");
    }
}

#[test]
fn a_command_within_its_limits_passes_with_its_own_status() {
    let Some(action) = action() else { return };
    let output = run(
        &action,
        &[
            FDSCAN,
            ("run", "echo out; sleep 1; exit 3"),
            ("max-fds", "200"),
        ],
    );
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    assert!(
        text(&output).contains("ok       max-fds 200:"),
        "{}",
        text(&output)
    );
    // As in a step of the runner, the first failure ends the script.
    let output = run(&action, &[FDSCAN, ("run", "false | true\necho on")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(!text(&output).contains("on\n"), "{}", text(&output));
}

#[test]
fn a_broken_rule_fails_the_step_and_annotates_it() {
    let Some(action) = action() else { return };
    let stage = Stage::new();
    let dir = stage.make("d");
    let fixture = stage.mkfds_in(&dir, &["watches", "--count", "3", "--mask", "0x22"]);
    let pid = fixture.pid().to_string();
    let inputs = [
        FDSCAN,
        ("pid", pid.as_str()),
        ("max-watches", "2"),
        ("deny-event", "open,access"),
        ("fail-on", "never"),
    ];
    let output = run(&action, &inputs);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let annotations = text(&output).matches("::error title=fdscan%3A").count();
    assert_eq!(annotations, 2, "{}", text(&output));
}

#[test]
fn its_report_and_its_summary_are_there_whether_the_check_holds_or_not() {
    let Some(action) = action() else { return };
    let here = Runner {
        tree: support::root(),
        at: "main",
        environment: &[],
    };
    let command = "echo '# out'; echo err >&2; sleep 1";
    for (most, status, verdict) in [("200", 0, "ok       max-fds"), ("1", 1, "BROKEN   max-fds")] {
        let ran = here.run(&action, &[FDSCAN, ("run", command), ("max-fds", most)]);
        assert_eq!(
            ran.output.status.code(),
            Some(status),
            "{}",
            text(&ran.output)
        );
        // The command's streams stay its own.
        let streams = (&ran.output.stdout[..], &ran.output.stderr[..]);
        assert!(streams.0.starts_with(b"# out\n"), "{}", text(&ran.output));
        assert_eq!(streams.1, b"err\n");
        let report = fs::read(&ran.outputs["report"]).unwrap();
        let report: Value = serde_json::from_slice(&report).unwrap();
        assert_eq!(report["passed"], status == 0);
        assert!(
            ran.summary.starts_with("### fdscan check\n"),
            "{}",
            ran.summary
        );
        assert!(
            ran.summary.contains(&format!("\n    {verdict} {most}:")),
            "{}",
            ran.summary
        );
        for other in ["::error", "out", "err\n"] {
            assert!(!ran.summary.contains(other), "{}", ran.summary);
        }
    }
    let ran = here.run(&action, &[FDSCAN]);
    assert_eq!(ran.outputs["report"], "");
}

/// A directory of releases, as GitHub serves them, with one of this version: its program is `program`.
fn releases(at: &Path, program: &str) -> PathBuf {
    let version = env!("CARGO_PKG_VERSION");
    let name = format!("watchfix-{version}-{}-linux", std::env::consts::ARCH);
    let bin = at.join(&name).join("bin");
    fs::create_dir_all(&bin).unwrap();
    symlink(program, bin.join("fdscan")).unwrap();
    let release = at.join(format!("o/watchfix/releases/download/v{version}"));
    fs::create_dir_all(&release).unwrap();
    let script = "tar -czf \"$2/$1.tar.gz\" \"$1\" && cd \"$2\" && sha256sum -- * >SHA256SUMS";
    let made = Command::new("sh")
        .args(["-ec", script, "sh", &name])
        .arg(&release)
        .current_dir(at)
        .status();
    assert!(made.unwrap().success());
    release.join(name + ".tar.gz")
}

#[test]
fn the_release_of_its_own_tag_is_taken_and_its_checksum_compared() {
    let Some(action) = action() else { return };
    if support::tool("curl").is_none() {
        support::skip("there is no curl");
        return;
    }
    let dir = TempDir::new().unwrap();
    let (tree, tools) = (dir.path().join("tree"), dir.path().join("tools"));
    fs::create_dir_all(tree.join("scripts")).unwrap();
    fs::create_dir(&tools).unwrap();
    for file in ["scripts/action", "Cargo.toml"] {
        fs::copy(support::root().join(file), tree.join(file)).unwrap();
    }
    // Neither an fdscan nor a cargo is there.
    for name in
        "bash cat curl dirname grep gzip mktemp realpath sed sh sha256sum tar uname".split(' ')
    {
        symlink(support::tool(name).unwrap(), tools.join(name)).unwrap();
    }
    let tarball = releases(dir.path(), FDSCAN.1);
    let server = format!("file://{}", dir.path().display());
    let at = |at| {
        let environment = [
            ("PATH", tools.as_os_str()),
            ("GITHUB_SERVER_URL", server.as_ref()),
        ];
        let runner = Runner {
            tree: &tree,
            at,
            environment: &environment,
        };
        runner.run(&action, &[("run", "true")]).output
    };
    let version = concat!("v", env!("CARGO_PKG_VERSION"));
    let major = version.split_once('.').unwrap().0;
    for tag in [version, major] {
        let output = at(tag);
        assert!(output.status.success(), "{tag}: {}", text(&output));
        assert!(
            text(&output).contains("The command ran for"),
            "{}",
            text(&output)
        );
    }
    // A branch, a commit and another version have none: it would be built.
    for other in ["main", "3dc1f35", "v", "", &version[..version.len() - 1]] {
        let output = at(other);
        assert_eq!(output.status.code(), Some(2), "{other}");
        assert!(
            text(&output).contains("no cargo to build it with"),
            "{}",
            text(&output)
        );
    }
    fs::write(&tarball, fs::read(&tarball).unwrap().repeat(2)).unwrap();
    let output = at(version);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output).contains("is not the file of"),
        "{}",
        text(&output)
    );
    fs::remove_file(&tarball).unwrap();
    assert!(text(&at(version)).contains("no cargo to build it with"));
}

#[test]
fn an_input_is_a_value_and_never_a_part_of_a_script() {
    let Some(action) = action() else { return };
    let dir = TempDir::new().unwrap();
    let made = dir.path().join("made");
    let evil = format!("1; touch {0} $(touch {0}) `touch {0}`", made.display());
    for name in ["max-fds", "pid", "deny-event", "fail-on", "fdscan"] {
        let output = run(&action, &[FDSCAN, ("run", "true"), (name, &evil)]);
        assert!(!output.status.success(), "{name}");
        assert!(!made.exists(), "{name} was run");
    }
}

#[test]
fn without_fdscan_and_cargo_it_says_what_is_missing() {
    let Some(action) = action() else { return };
    for (inputs, says) in [
        (
            &[("run", "true"), ("fdscan", "/nonexistent")][..],
            "there is no program at /nonexistent",
        ),
        (&[FDSCAN][..], "there is nothing to check"),
        (
            &[FDSCAN, ("run", "true"), ("pid", "1")][..],
            "run and pid exclude each other",
        ),
    ] {
        let output = run(&action, inputs);
        assert_eq!(output.status.code(), Some(2));
        assert!(
            text(&output).contains(&format!("::error title=fdscan::{says}")),
            "{}",
            text(&output)
        );
    }
}

#[test]
fn the_workflows_in_the_docs_use_inputs_that_are_there() {
    let Some(action) = action() else { return };
    let docs = fs::read_to_string(support::root().join("docs/ci.md")).unwrap();
    let blocks: Vec<_> = docs
        .split("```yaml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert_eq!(blocks.len(), 2);
    for block in blocks {
        let Some(document) = yaml(block) else { return };
        let steps = document.pointer("/jobs/test/steps").unwrap_or(&document);
        let uses = |step: &&Value| {
            step["uses"]
                .as_str()
                .is_some_and(|uses| uses.contains("watchfix"))
        };
        let step = steps.as_array().unwrap().iter().find(uses).unwrap();
        for (name, _) in step["with"].as_object().unwrap() {
            assert!(
                action["inputs"].get(name).is_some(),
                "{name} is not an input"
            );
        }
    }
}

#[test]
fn our_own_workflow_says_of_the_action_what_is_so() {
    let Some(action) = action() else { return };
    let path = support::root().join(".github/workflows/ci.yml");
    let Some(workflow) = yaml(&fs::read_to_string(path).unwrap()) else {
        return;
    };
    let steps = workflow["jobs"]["action"]["steps"].as_array().unwrap();
    let ours: Vec<_> = steps.iter().filter(|step| step["uses"] == "./").collect();
    assert_eq!(ours.len(), 2);
    for step in ours {
        let with = step["with"].as_object().unwrap().iter();
        let with: Vec<(&str, String)> = with
            .map(|(name, value)| match value.as_str() {
                Some(text) => (name.as_str(), text.to_owned()),
                None => (name.as_str(), value.to_string()),
            })
            .collect();
        let mut inputs = vec![FDSCAN];
        inputs.extend(with.iter().map(|(name, value)| (*name, value.as_str())));
        let output = run(&action, &inputs);
        let fails = step["continue-on-error"] == true;
        assert_eq!(output.status.success(), !fails, "{step}: {}", text(&output));
        // It fails by the limit, and not for another reason.
        let annotated = text(&output).contains("::error title=fdscan%3A max-fds 200::");
        assert_eq!(annotated, fails, "{step}: {}", text(&output));
    }
}
