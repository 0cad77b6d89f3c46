//! Ways to look at a queue: search, graph, tree, figures; and what an agent is told.

use serde_json::{Value, json};

use crate::{Desk, parse};

fn ids(desk: &Desk, args: &[&str]) -> Vec<String> {
    let document = desk.json(&[&["queue", "search"], args].concat());
    let items = document["items"].as_array().expect("a list");
    items.iter().map(|item| item["id"].as_str().expect("text")[6..].to_owned()).collect()
}

#[test]
fn a_search_looks_at_everything_a_task_says() {
    let desk = Desk::new();
    desk.write(".ralph/config.jsonc", r#"{"version":2}"#);
    desk.add("Fix the parser", &["--tag", "a"]);
    desk.add("two", &["--description", "the PARSER again", "--field", "owner=ann"]);
    desk.add("pa-rs-er", &["--status", "draft"]);
    assert_eq!(ids(&desk, &["parser"]), ["1", "2"]);
    assert_eq!(ids(&desk, &["parser", "--match-case"]), ["1"]);
    assert_eq!(ids(&desk, &["a.n", "--regex"]), ["2"]);
    assert_eq!(ids(&desk, &["parser", "--fuzzy", "--limit", "2"]).len(), 2);
    assert_eq!(ids(&desk, &["pars", "--fuzzy", "--status", "draft"]), ["3"]);
    assert_eq!(ids(&desk, &["parser", "--tag", "A"]), ["1"]);
    desk.ralph(&["task", "done", "RQ-0001"]).success();
    assert_eq!(ids(&desk, &["parser", "--only-done"]), ["1"]);
    assert_eq!(
        desk.ralph(&["queue", "search", "ann"]).success().stdout,
        "RQ-0002  todo      medium    two\n"
    );
    desk.ralph(&["queue", "search", "(", "--regex"]).exited(2);
    assert_eq!(desk.ralph(&["queue", "search", "zz"]).success().stderr, "No task matches.\n");
}

#[test]
fn a_list_keeps_to_its_tokens_and_says_how_to_go_on() {
    let desk = Desk::new();
    for title in ["one", "two", "three", "four"] {
        desk.add(title, &[]);
    }
    let mut cursor = String::new();
    let mut seen = 0;
    loop {
        let mut args = vec!["queue", "list", "--json", "--max-tokens", "400"];
        if !cursor.is_empty() {
            args.extend(["--cursor", &cursor]);
        }
        let ran = desk.ralph(&args);
        assert!(ran.success().stdout.len() <= 3 * 400, "{ran}");
        let page = parse(&ran.stdout);
        seen += page["returned"].as_u64().expect("a number");
        match &page["next_cursor"] {
            Value::String(next) => cursor.clone_from(next),
            _ => break assert_eq!(page["truncated"], false),
        }
    }
    assert_eq!(seen, 4);
    let none = desk.json(&["queue", "list", "--max-tokens", "1"]);
    assert_eq!((&none["returned"], &none["truncated"]), (&json!(0), &json!(true)));
}

#[test]
fn prime_is_silent_outside_a_project() {
    let desk = Desk::bare();
    let ran = desk.ralph(&["prime"]);
    assert_eq!((ran.success().stdout.as_str(), ran.stderr.as_str()), ("", ""));
    desk.ralph(&["init"]).success();
    assert!(desk.ralph(&["prime"]).success().stdout.contains("`ralph queue claim --next"));
}
