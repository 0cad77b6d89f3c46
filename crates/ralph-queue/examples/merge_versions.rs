//! Two branches changed one queue: merged by task and field, comments and all.
//!
//! `cargo run --package ralph-queue --example merge_versions`
#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use std::error::Error;

use ralph_queue::Document;
use ralph_queue::merge::three_way;

const BASE: &str = r#"{
  "version": 1,
  "tasks": [
    {
      "id": "RQ-0001",
      "title": "Say hello",
      "status": "todo",
      "tags": ["words"],
      "created_at": "2026-04-20T09:00:00Z",
      "updated_at": "2026-04-20T09:00:00Z"
    }
  ]
}
"#;

/// With a task more, which each branch calls RQ-0002.
fn with_task(text: &str, title: &str, created_at: &str) -> String {
    let task = format!(
        "    }},\n    {{\n      \"id\": \"RQ-0002\",\n      \"title\": \"{title}\",\n      \
         \"created_at\": \"{created_at}\",\n      \"updated_at\": \"{created_at}\"\n    }}\n  ]"
    );
    text.replace("    }\n  ]", &task)
}

fn main() -> Result<(), Box<dyn Error>> {
    let ours = BASE
        .replace("\"todo\",", "\"doing\", // since Monday")
        .replace("[\"words\"]", "[\"words\", \"greeting\"]")
        .replace("Say hello", "Say hello to all");
    let ours = with_task(&ours, "Say goodbye", "2026-04-21T09:00:00Z");
    let theirs = BASE
        .replace("[\"words\"]", "[\"words\", \"easy\"]")
        .replace("Say hello", "Say hello, kindly");
    let theirs = with_task(&theirs, "Say sorry", "2026-04-22T09:00:00Z");

    let merged = three_way(BASE, &ours, &theirs)?;
    println!("{}", merged.text);

    // Both gave one id to a new task: the later one has another, on either branch the same.
    for (old, new) in &merged.renumbered {
        println!("{old} of theirs is {new} now.");
    }
    // Both changed the title. The file is valid all the same, with ours; theirs is told.
    for conflict in &merged.conflicts {
        println!("{:?}: {:?} or {:?}?", conflict.field, conflict.ours, conflict.theirs);
    }

    let document = Document::parse(merged.text)?;
    let titles: Vec<&str> = document.tasks().iter().map(|task| task.title.as_str()).collect();
    assert_eq!(titles, ["Say hello to all", "Say goodbye", "Say sorry"]);
    assert_eq!(document.tasks()[0].tags, ["words", "easy", "greeting"]);
    assert_eq!((merged.renumbered.len(), merged.conflicts.len()), (1, 1));
    Ok(())
}

#[test]
fn it_runs() -> Result<(), Box<dyn Error>> {
    main()
}
