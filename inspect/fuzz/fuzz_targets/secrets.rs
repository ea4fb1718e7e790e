//! Arbitrary bytes as a command line, with a secret behind a flag, in a URL and in a script of it.

#![no_main]

use inspect::formats::secrets::hide as without_secrets;
use inspect::model::Name;
use inspect::words::{is_unsafe, sanitize};
use libfuzzer_sys::fuzz_target;

const SECRET: &str = "zQplantedSecretQz";

fuzz_target!(|bytes: &[u8]| {
    // Only where the bytes themselves do not hold it.
    if bytes
        .windows(SECRET.len())
        .any(|part| part == SECRET.as_bytes())
    {
        return;
    }
    let mut words: Vec<Name> = bytes.split(|&b| b == 0).map(Name::from).collect();
    words.push("--token".into());
    words.push(SECRET.into());
    words.push(format!("https://u:{SECRET}@h/").as_str().into());
    words.push(format!("run --password {SECRET}").as_str().into());
    let count = words.len();
    let hidden = without_secrets(words);
    // Each word stays in its place.
    assert_eq!(hidden.len(), count);
    for word in &hidden {
        assert!(!word.to_string().contains(SECRET), "{word}");
        assert!(!sanitize(&word.to_string()).contains(is_unsafe));
    }
    // Once more, and it is still as many words without it.
    let again = without_secrets(hidden);
    assert_eq!(again.len(), count);
    assert!(!again.iter().any(|word| word.to_string().contains(SECRET)));
});
