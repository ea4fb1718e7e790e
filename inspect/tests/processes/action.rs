//! `action.yml`, read by a real YAML parser and run step by step as a runner of GitHub's does.

use std::collections::BTreeMap;
use std::fs;
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

/// Runs all steps with these inputs; the first that fails is the last.
fn run(action: &Value, inputs: &[(&str, &str)]) -> Output {
    let dir = TempDir::new().unwrap();
    let given: BTreeMap<_, _> = inputs.iter().copied().collect();
    let mut known = BTreeMap::new();
    for (name, input) in action["inputs"].as_object().unwrap() {
        let default = input["default"].as_str().unwrap();
        let value = given.get(name.as_str()).copied().unwrap_or(default);
        known.insert(format!("inputs.{name}"), value.to_owned());
    }
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
        bash.env("GITHUB_ACTION_PATH", support::root());
        bash.env("GITHUB_OUTPUT", &output);
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
    last.unwrap()
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
