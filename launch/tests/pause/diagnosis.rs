//! What `fdscan` says of a paused process.

use super::ended::kill_both;
use super::given::{Pause, Tree, USUAL, User, Watchers, masks, program};
use serde_json::Value;
use std::path::Path;

fn scan(user: &User, pid: u32) -> (Value, String) {
    let fdscan = support::binary("fdscan", "fdscan");
    let run = |args: &[&str]| {
        let output = user
            .starts(&fdscan)
            .args(args)
            .arg(pid.to_string())
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let json: Value = serde_json::from_str(&run(&["--json"])).unwrap();
    (json["processes"][0].clone(), run(&[]).replace("\n", " "))
}

#[test]
fn a_paused_process_says_so_and_an_abandoned_pause_is_a_finding_with_the_command_that_ends_it() {
    let tree = Tree::new();
    let user = User::of(&tree);
    let app = tree.app().to_str().unwrap();
    let mut watchers = Watchers::by(user.starts(program()), &[(USUAL, tree.app())]);
    let pid = watchers.0.pid();
    let pause = Pause::by(user.watchfix(), tree.app(), &[]);

    let (process, text) = scan(&user, pid);
    let paused = &process["paused"];
    assert_eq!(
        (&paused["watches"], &paused["abandoned"]),
        (&1.into(), &false.into())
    );
    assert_eq!(paused["dirs"][0], app);
    assert_eq!(process["findings"], Value::Array(Vec::new()), "{process}");
    assert!(
        text.contains("Paused since ") && text.contains("1 watch in"),
        "{text}"
    );

    kill_both(&pause);
    tree.write("a", "x");
    let (process, text) = scan(&user, pid);
    let finding = &process["findings"][0];
    assert_eq!(finding["code"], "pause-abandoned", "{process}");
    assert!(!text.contains("Paused since "), "{text}");
    let remedy = finding["remedy_live"].as_str().unwrap();
    assert!(
        remedy.contains(" pause --release ") && remedy.ends_with(app),
        "{remedy}"
    );
    let mut shell = user.starts(Path::new("/bin/sh"));
    let output = shell.args(["-c", remedy]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(masks(pid), [0xfce]);
    assert_eq!(watchers.heard(), ["0 MODIFY a", "0 CLOSE_WRITE a"]);
    assert!(scan(&user, pid).0["paused"].is_null());
}
