use super::*;
use crate::event;
use std::string::ToString;

fn one(rule: Rule, text: &[u8]) -> (Rules<'_>, Option<Error<'_>>) {
    one_of(Engine::Library, rule, text)
}

fn one_of(engine: Engine, rule: Rule, text: &[u8]) -> (Rules<'_>, Option<Error<'_>>) {
    let mut texts = Texts {
        home: Some(b"/home/me"),
        ..Texts::default()
    };
    let place = Rule::ALL.iter().position(|&r| r == rule).unwrap();
    texts.values[place] = Some(text);
    let mut found = None;
    let rules = Rules::parse(engine, &texts, &mut |error| {
        assert!(error.rule == rule && found.is_none());
        found = Some(error);
    });
    (rules, found)
}

#[test]
fn nothing_set_is_the_default() {
    let rules = Rules::parse(Engine::Library, &Texts::default(), &mut |error| {
        panic!("{error}")
    });
    assert_eq!(rules, Rules::DEFAULT);
    assert_eq!((rules.strip, rules.chmod), (0x31, true));
}

#[test]
fn a_list_of_events_replaces_the_default_and_a_plus_adds_to_it() {
    assert_eq!(one(Rule::Strip, b"open,modify").0.strip, 0x22);
    assert_eq!(one(Rule::Strip, b" open , modify").0.strip, 0x22);
    assert_eq!(one(Rule::Strip, b"+modify").0.strip, 0x33);
    assert_eq!(one(Rule::Strip, b"none").0.strip, 0);
    assert_eq!(one(Rule::Strip, b"close").0.strip, 0x18);
}

/// `attrib` is the bit itself, `chmod` is what is judged when it is read.
#[test]
fn chmod_is_a_word_of_its_own_beside_attrib() {
    let strip = |text| {
        let rules = one(Rule::Strip, text).0;
        (rules.strip, rules.chmod)
    };
    assert_eq!(strip(b"chmod"), (0, true));
    assert_eq!(strip(b"open, chmod "), (0x20, true));
    assert_eq!(strip(b"open"), (0x20, false));
    assert_eq!(strip(b"attrib"), (0x4, false));
    assert_eq!(strip(b"+attrib"), (0x35, true));
    assert_eq!(strip(b"+none"), (0x31, true));
    assert_eq!(strip(b"none"), (0, false));
    assert!(Rule::Strip.allowed().contains("chmod"));
}

#[test]
fn an_unknown_event_is_named_with_variable_position_and_what_is_allowed() {
    let (rules, error) = one(Rule::Strip, b"open,opne");
    assert_eq!(
        rules,
        Rules {
            home: rules.home,
            ..Rules::DEFAULT
        }
    );
    let text = error.unwrap().to_string();
    assert!(
        text.starts_with("WATCHFIX_STRIP: \"opne\" at byte 6 is not an event; allowed: access, "),
        "{text}"
    );
    assert_eq!(one(Rule::Strip, b"+opne").1.unwrap().position, 2);
    assert_eq!(
        one(Rule::Strip, b"open,,").1.unwrap().problem,
        Problem::Empty
    );
    assert_eq!(
        one(Rule::Strip, b"onlydir").1.unwrap().problem,
        Problem::UnknownEvent
    );
}

#[test]
fn what_is_allowed_names_every_event_and_group() {
    for (_, name) in event::EVENTS.iter().chain(event::GROUPS) {
        assert!(Rule::Strip.allowed().contains(name), "{name}");
    }
}

#[test]
fn an_ignore_list_replaces_the_default_and_a_plus_adds_to_it() {
    assert!(!one(Rule::Ignore, b"*.log").0.ignore.match_name(b"a.sqlite"));
    let added = one(Rule::Ignore, b"+*.log").0.ignore;
    assert!(added.match_name(b"a.sqlite") && added.match_name(b"a.log"));
    assert!(one(Rule::Ignore, b"none").0.ignore.is_empty());
    assert!(Rules::DEFAULT.ignore.match_name(b"state_5.sqlite-wal"));
    assert!(Rules::DEFAULT.ignore.match_name(b"x.db-journal"));
    assert!(!Rules::DEFAULT.ignore.match_name(b"config.toml"));
}

#[test]
fn engines_that_see_masks_only_settle_directories_of_own_databases() {
    let masks = |text| one_of(Engine::Masks, Rule::Settle, text).0;
    let default = Rules::of(Engine::Masks);
    assert!(default.settle_own && !Rules::DEFAULT.settle_own);
    assert!(masks(b"+/x").settle_own && masks(b"+/x").settle.match_below(b"/x/y", None));
    assert!(!masks(b"/x").settle_own && masks(b"/x").settle.match_below(b"/x", None));
    assert!(!masks(b"none").settle_own && masks(b"none").settle.is_empty());
    assert!(!one(Rule::Settle, b"+/x").0.settle_own);
}

#[test]
fn a_budget_is_a_whole_number() {
    assert_eq!(one(Rule::MaxWatches, b"1000").0.max_watches, Some(1000));
    assert_eq!(one(Rule::MaxWatches, b"0").0.max_watches, Some(0));
    assert_eq!(one(Rule::MaxWatches, b"none").0.max_watches, None);
    for wrong in [&b"-1"[..], b"+1", b"1k", b"4294967296", b"1.0", b" 1"] {
        let (rules, error) = one(Rule::MaxWatches, wrong);
        assert_eq!(rules.max_watches, None);
        assert_eq!(error.unwrap().problem, Problem::NotNumber);
    }
}

#[test]
fn every_rule_has_a_name_of_its_own() {
    for (i, a) in Rule::ALL.iter().enumerate() {
        for b in Rule::ALL.iter().skip(i + 1) {
            assert_ne!(a.variable(), b.variable());
            assert_ne!(a.flag(), b.flag());
        }
    }
}

#[test]
fn a_pattern_that_can_never_match_is_an_error() {
    let problem = |rule, text| one(rule, text).1.map(|e| e.problem);
    assert_eq!(problem(Rule::Ignore, b"a/b"), Some(Problem::Slash));
    assert_eq!(problem(Rule::Ignore, b"a\\"), Some(Problem::Unterminated));
    assert_eq!(problem(Rule::Ignore, b"a\\\\"), None);
    assert_eq!(problem(Rule::Ignore, b"+"), Some(Problem::Empty));
    assert_eq!(problem(Rule::Ignore, b"a::b"), Some(Problem::Empty));
    assert_eq!(problem(Rule::Drop, b"state"), Some(Problem::NotAbsolute));
    assert_eq!(problem(Rule::Settle, b"state"), Some(Problem::NotAbsolute));
    assert_eq!(problem(Rule::Drop, b"**/"), Some(Problem::NotAbsolute));
    assert_eq!(problem(Rule::Drop, b"/a/../b"), Some(Problem::DotComponent));
    assert_eq!(problem(Rule::Drop, b"~/x"), None);
    assert_eq!(problem(Rule::Log, b"log.txt"), Some(Problem::UnknownWord));
    assert_eq!(problem(Rule::Off, b"yes"), Some(Problem::UnknownWord));
}

#[test]
fn off_and_the_log_have_words_of_their_own() {
    assert!(one(Rule::Off, b"1").0.off);
    assert_eq!(one(Rule::Off, b"0"), one(Rule::Off, b""));
    assert_eq!(one(Rule::Log, b"stderr").0.log, Log::Stderr);
    assert_eq!(one(Rule::Log, b"none"), one(Rule::Log, b""));
    assert_eq!(one(Rule::Log, b"/x").0.log, Log::File(b"/x"));
    assert!(one(Rule::Log, b"/").1.is_some());
}

#[test]
fn an_error_says_where_its_item_begins() {
    let position = |rule, text| one(rule, text).1.unwrap().position;
    assert_eq!(position(Rule::Ignore, b"+"), 2);
    assert_eq!(position(Rule::Ignore, b"a/b"), 1);
    assert_eq!(position(Rule::Ignore, b"*.log:a/b"), 7);
    assert_eq!(position(Rule::Ignore, b"+*.log:a/b"), 8);
    assert_eq!(position(Rule::Drop, b"/a:~/b:c"), 8);
}

#[test]
fn a_tilde_without_a_home_is_an_error() {
    let mut texts = Texts::default();
    texts.values[1] = Some(b"~/x");
    let mut found = None;
    Rules::parse(Engine::Library, &texts, &mut |error| found = Some(error));
    assert_eq!(found.unwrap().problem, Problem::NoHome);
}

#[test]
fn an_empty_text_counts_as_not_set() {
    assert_eq!(one(Rule::Ignore, b"").0.ignore, Rules::DEFAULT.ignore);
}
