//! `--max-watches`: past it a watch costs the kernel nothing.

use super::given::{Dir, output, probe, run};

#[test]
fn a_watch_past_the_budget_is_invented_and_can_be_removed() {
    let dir = Dir::new();
    for name in ["a", "b", "c"] {
        std::fs::create_dir(dir.path(name)).unwrap();
    }
    let [a, b, c] = ["a", "b", "c"].map(|name| dir.path(name));
    let log = dir.path("log");
    let mut command = run(&["--max-watches", "2", "--log", &log]);
    command.arg(probe());
    for path in [&a, &b, &c, &c, &a] {
        command.args(["add", path, "0x3ce"]);
    }
    command.args([
        "rm",
        "1073741824",
        "rm",
        "1073741824",
        "rm",
        "1",
        "rm",
        "1",
        "add",
        "/no",
        "0x2",
        "add",
        &a,
        "0",
    ]);
    let text = output(&mut command);
    let expected = [
        format!("{a}: wd 1 mask 0x3ce"),
        format!("{b}: wd 2 mask 0x3ce"),
        format!("{c}: wd 1073741824 mask 0x0"),
        format!("{c}: wd 1073741824 mask 0x0"),
        // An inode that is watched already is not a new watch.
        format!("{a}: wd 1 mask 0x3ce"),
        "rm: 0".to_owned(),
        "rm: Invalid argument".to_owned(),
        "rm: 0".to_owned(),
        "rm: Invalid argument".to_owned(),
        "/no: No such file or directory".to_owned(),
        format!("{a}: Invalid argument"),
    ];
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    let said = std::fs::read_to_string(log).unwrap();
    assert_eq!(
        said.matches("its 2 watches are used up").count(),
        1,
        "{said}"
    );
}

#[test]
fn each_process_has_a_budget_of_its_own() {
    let dir = Dir::new();
    let script = "\"$1\" add \"$2\" 0x3ee; \"$1\" add \"$2\" 0x3ee add / 0x3ee";
    let mut command = run(&["--max-watches", "1"]);
    let text = output(
        command
            .args(["sh", "-c", script, "sh"])
            .arg(probe())
            .arg(dir.path("")),
    );
    let words: Vec<_> = text
        .lines()
        .map(|line| line.split(": ").nth(1).unwrap())
        .collect();
    assert_eq!(
        words,
        [
            "wd 1 mask 0x3ce",
            "wd 1 mask 0x3ce",
            "wd 1073741824 mask 0x0"
        ]
    );
}
