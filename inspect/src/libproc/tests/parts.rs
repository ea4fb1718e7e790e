//! Single answers.

use super::super::kernel::{Kernel, Question};
use super::super::{arguments, bytes::Bytes, files, jobs, notes, process, sockets};
use super::{SERVER, server};
use proptest::prelude::*;
use std::collections::HashMap;

#[test]
fn both_architectures_write_a_port_and_an_address_in_network_order() {
    let mut mac = server();
    let fd = mac.tcp(SERVER, 0xfeed, 8787, 40000, 5);
    let answer = mac.ask(SERVER, Question::Socket(fd)).unwrap();
    let socket = sockets::parse(&answer).unwrap();
    assert_eq!(socket.local.unwrap().to_string(), "127.0.0.1:8787");
    assert_eq!(socket.peer.unwrap().port(), 40000);
    assert!(!socket.listens);
}

#[test]
fn a_list_of_jobs_is_one_only_if_one_runs() {
    let running = |text: &str| jobs::running(text.as_bytes()).map(|pids| pids.len());
    assert_eq!(
        running("PID\tStatus\tLabel\n12\t0\ta\n-\t78\tb\n13\t-9\tc\n"),
        Some(2)
    );
    assert_eq!(running("PID\tStatus\tLabel\n-\t0\ta\n"), None);
    assert_eq!(running("12\n"), None);
    assert_eq!(running(""), None);
}

proptest! {
    /// The kernel may be newer than this program.
    #[test]
    fn no_answer_of_any_length_is_more_than_unknown(answer: Vec<u8>, at in 0usize..4096) {
        let _ = process::of(&answer);
        let _ = process::of_short(&answer);
        let _ = process::working_directory(&answer);
        let _ = files::list(&answer);
        let _ = files::file(3, &answer);
        let _ = files::pipe(3, &answer);
        let _ = sockets::parse(&answer);
        let _ = notes::parse(3, &answer, &HashMap::new());
        let _ = arguments::parse(&answer);
        let _ = jobs::running(&answer);
        let _ = (Bytes(&answer).u64(at), Bytes(&answer).text(at, 9));
    }

    #[test]
    fn arguments_are_as_many_as_are_said(words in prop::collection::vec("[a-z]{0,4}", 0..5)) {
        let mut mac = server();
        let words: Vec<&str> = ["/bin/x"].into_iter().chain(words.iter().map(String::as_str)).collect();
        mac.started_with(SERVER, &words, &["A=1"]);
        let answer = mac.ask(SERVER, Question::Arguments).unwrap();
        let started = arguments::parse(&answer).unwrap();
        prop_assert_eq!(started.arguments.len(), words.len());
        prop_assert_eq!(started.variable(b"A"), Some(&b"1"[..]));
        prop_assert_eq!(started.environment.len(), 1);
    }
}
