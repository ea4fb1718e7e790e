use crate::formats::secrets::*;
use proptest::prelude::*;

fn hidden(words: &[&str]) -> String {
    let words = words.iter().map(|&word| word.into()).collect();
    let words: Vec<_> = hide(words).iter().map(Name::to_string).collect();
    words.join(" ")
}

#[test]
fn the_value_of_a_flag_with_a_telling_name_is_hidden() {
    assert_eq!(hidden(&["a", "--token", "x1"]), "a --token ***");
    assert_eq!(hidden(&["a", "--api-key=x1", "b"]), "a --api-key=*** b");
    assert_eq!(hidden(&["a", "--dbPassword", "x 1"]), "a --dbPassword ***");
    assert_eq!(hidden(&["a", "DB_PASSWORD=x1"]), "a DB_PASSWORD=***");
    assert_eq!(hidden(&["a", "-Dauth.secret=x1"]), "a -Dauth.secret=***");
    assert_eq!(
        hidden(&["a", "--token", "--verbose"]),
        "a --token --verbose"
    );
}

#[test]
fn a_name_that_only_sounds_like_one_hides_nothing() {
    for plain in [
        "a --tokenizer gpt2",
        "a --keyboard de",
        "a --password-file /run/x",
        "a --monkey=1",
        "a --author me",
        "a --max-tokens 100",
    ] {
        let words: Vec<_> = plain.split(' ').collect();
        assert_eq!(hidden(&words), plain);
    }
}

#[test]
fn urls_headers_and_scripts_lose_their_credentials_only() {
    assert_eq!(
        hidden(&["postgres://u:p@ss@db:5432/x?sslkey=k1&n=2"]),
        "postgres://***@db:5432/x?sslkey=k1&n=2"
    );
    assert_eq!(
        hidden(&["https://h/x?token=t1&n=2"]),
        "https://h/x?token=***&n=2"
    );
    assert_eq!(
        hidden(&["curl", "-H", "Authorization: Bearer t1", "x"]),
        "curl -H Authorization: Bearer *** x"
    );
    assert_eq!(hidden(&["-H", "Cookie: a=b; c=d"]), "-H Cookie: *** ***");
    assert_eq!(
        hidden(&["sh", "-c", "export TOKEN='t 1'; run --secret t2 --fast"]),
        "sh -c export TOKEN='*** *** run --secret *** --fast"
    );
    assert_eq!(
        hidden(&[r#"{"password":"p1","n":2}"#]),
        r#"{"password":"***","n":2}"#
    );
    assert_eq!(
        hidden(&[r#"{"password": "p1", "n": 2}"#]),
        r#"{"password": *** "n": 2}"#
    );
    assert_eq!(
        hidden(&["tool --password p1 serve"]),
        "tool --password *** serve"
    );
}

#[test]
fn tokens_of_known_services_are_hidden_wherever_they_stand() {
    for token in [
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_abcdefghijklmnopqrstuvwxyzabcdefghij",
        "sk-proj-abcdefghijklmnop",
        "xoxb-123456789012-abcdef",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    ] {
        assert_eq!(hidden(&["a", token, "b"]), "a *** b");
        assert_eq!(hidden(&["a", &format!("--x={token}")]), "a --x=***");
    }
    assert_eq!(hidden(&["sk-learn", "eyJ", "SG.x"]), "sk-learn eyJ SG.x");
}

#[test]
fn tokens_of_gitlab_vault_age_and_heroku_are_hidden() {
    for token in [
        "glrt-t1_abcdefghijklmnopqr",
        "GR1348941abcdefghijklmnopqr",
        "hvs.CAESIAbcdefghijklmnop",
        "s.A1b2C3d4E5f6G7h8I9j0K1l2",
        "AGE-SECRET-KEY-1QQPQYRSZ9XY0ABCDEF",
        "HRKU-01234567-89ab-cdef-0123-456789abcdef",
    ] {
        assert_eq!(hidden(&["a", token, "b"]), "a *** b");
        assert_eq!(
            hidden(&["sh", "-c", &format!("a {token} b")]),
            "sh -c a *** b"
        );
    }
    assert_eq!(
        hidden(&["heroku", "login", "01234567-89ab-cdef-0123-456789abcdef"]),
        "heroku login ***"
    );
    let plain = "s.averylongnameofamodulewith";
    assert_eq!(hidden(&[plain]), plain);
}

#[test]
fn names_that_mean_a_secret_in_one_word_hide_it() {
    for name in ["dbpass", "accesskey", "passcode", "pin", "otp", "db-pin"] {
        assert_eq!(
            hidden(&["a", &format!("--{name}"), "s1"]),
            format!("a --{name} ***")
        );
        assert_eq!(
            hidden(&["a", &format!("--{name}=s1")]),
            format!("a --{name}=***")
        );
    }
    assert_eq!(hidden(&["a", "PHPSESSID=s1; x=2"]), "a PHPSESSID=***; x=2");
    for plain in ["a --bypass all", "a --spin 4", "a --compass n"] {
        let words: Vec<_> = plain.split(' ').collect();
        assert_eq!(hidden(&words), plain);
    }
}

#[test]
fn what_only_a_program_takes_for_a_password_is_hidden_there() {
    for (words, shown) in [
        (&["curl", "-u", "me:p1", "x"][..], "curl -u me:*** x"),
        (&["/bin/curl", "-sSu", "me:p1"], "/bin/curl -sSu me:***"),
        (&["curl", "-ume:p1"], "curl -ume:***"),
        (&["curl", "--user=me:p1"], "curl --user=me:***"),
        (&["curl", "-u", "me"], "curl -u me"),
        (
            &["sh", "-c", "x; curl -u 'me:p 1' y"],
            "sh -c x; curl -u 'me:*** *** y",
        ),
        (&["mysql", "-pp1", "base"], "mysql -p*** base"),
        (
            &["sh", "-c", "mysqldump -pp1 base"],
            "sh -c mysqldump -p*** base",
        ),
        (&["sshpass", "-p", "p1", "ssh", "h"], "sshpass -p *** ssh h"),
        (&["sshpass", "-pp1", "ssh", "h"], "sshpass -p*** ssh h"),
        (&["docker", "run", "-u", "1:2"], "docker run -u 1:2"),
        (&["ssh", "-p2222", "h"], "ssh -p2222 h"),
    ] {
        assert_eq!(hidden(words), shown);
    }
}

#[test]
fn long_random_words_are_hidden_and_paths_names_and_uuids_are_not() {
    assert_eq!(hidden(&["wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"]), "***");
    assert_eq!(hidden(&["x", "9f86d081884c7d659a2feaa0c55ad015"]), "x ***");
    assert_eq!(
        hidden(&["/cmd:9f86d081884c7d659a2feaa0c55ad015"]),
        "/cmd:***"
    );
    let hook = "https://hooks.example.com/services/T0A1B2C3D4/B0E5F6G7H8/aB3dE5gH7jK9mN1pQ3sT5vW7";
    assert_eq!(hidden(&[hook]), "https://hooks.example.***");
    for plain in [
        "/nix/store/0c5q9jfdv7bcxmgcd4kdpgs9x5m9k2wb-node-22.1.0/bin/node",
        "/tmp/.tmpX3a9Kq/mkfds1Zq2W/t4Wi5nS24210",
        "--out=/tmp/a.X3a9Kq2/b1C2d3E4f5/g6H7i8J9k0l1M2",
        "packages/MyLibrary2/src/main/java/com/Example.java",
        "550e8400-e29b-41d4-a716-446655440000",
        "a-rather-long-name-of-a-branch-with-2-digits",
        "3000000000000000000000000000000000000000",
    ] {
        assert_eq!(hidden(&[plain]), plain);
    }
}

proptest! {
    #[test]
    fn any_bytes_are_taken_and_a_given_secret_never_survives(
        words in proptest::collection::vec(proptest::collection::vec(1u8..=255, 0..40), 0..6),
        secret in "[a-z]{8}Q",
    ) {
        let mut words: Vec<Name> = words.into_iter().map(Name::from).collect();
        for planted in [
            "--token",
            &secret,
            &format!("https://u:{secret}@h/"),
            &format!("x --password {secret}"),
        ] {
            words.push(planted.into());
        }
        let shown: Vec<_> = hide(words).iter().map(Name::to_string).collect();
        prop_assert!(!shown.join(" ").contains(&secret));
    }
}
