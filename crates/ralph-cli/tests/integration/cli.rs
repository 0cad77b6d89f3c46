//! The command line about itself: `completions`, `help-all`, `cli-spec`.

use serde_json::{Value, json};

use crate::{Desk, parse};

#[test]
fn completions_are_what_the_shell_takes() {
    let desk = Desk::bare();
    for (shell, sign) in [
        ("bash", "complete -F _ralph"),
        ("zsh", "#compdef ralph"),
        ("fish", "complete -c ralph"),
        ("powershell", "Register-ArgumentCompleter"),
        ("elvish", "edit:completion:arg-completer[ralph]"),
    ] {
        let ran = desk.ralph(&["completions", shell]);
        assert!(ran.success().stdout.contains(sign), "{shell}: {ran}");
        assert!(ran.stdout.contains("merge-driver"), "{shell}");
    }
    let line = "$RALPH completions bash >it && bash -c '. ./it; COMP_WORDS=(ralph queue va); \
        COMP_CWORD=2; _ralph ralph va queue; echo \"${COMPREPLY[@]}\"'";
    assert_eq!(desk.sh(line).success().stdout, "validate\n");
    desk.ralph(&["completions", "tcsh"]).exited(2);
}

#[test]
fn help_all_names_every_command() {
    let desk = Desk::bare();
    let ran = desk.ralph(&["help-all"]);
    for line in ["ralph init ", "ralph task add ", "ralph config profiles show ", "ralph version "]
    {
        assert!(ran.success().stdout.lines().any(|found| found.starts_with(line)), "{line}: {ran}");
    }
    assert!(!ran.stdout.lines().any(|line| line.starts_with("ralph config profiles  ")), "{ran}");
}

#[test]
fn the_specification_has_the_shape_of_0_4_0() {
    fn find<'v>(list: &'v Value, key: &str, name: &str) -> &'v Value {
        let mut items = list.as_array().expect("a list").iter();
        items.find(|item| item[key] == name).unwrap_or_else(|| panic!("no {name}"))
    }
    let desk = Desk::bare();
    let document = parse(&desk.ralph(&["cli-spec", "--format", "json"]).success().stdout);
    assert_eq!(document["version"], 2);
    let root = &document["root"];
    assert_eq!(root["path"], json!(["ralph"]));
    assert_eq!(find(&root["args"], "id", "json")["global"], true);
    let config = find(&root["subcommands"], "name", "config");
    let show = find(&config["subcommands"], "name", "show");
    assert_eq!(show["path"], json!(["ralph", "config", "show"]));
    assert_eq!(
        *find(&show["args"], "id", "format"),
        json!({
            "id": "format",
            "long": "format",
            "help": "How to print it",
            "required": false,
            "default_values": ["yaml"],
            "possible_values": ["json", "yaml"],
            "value_enum": true,
            "num_args_min": 1,
            "num_args_max": 1,
            "global": false,
            "hidden": false,
            "positional": false,
            "action": "Set",
        })
    );
    let ids: Vec<&Value> =
        show["args"].as_array().expect("a list").iter().map(|arg| &arg["id"]).collect();
    assert_eq!(ids, ["format", "profile"], "global arguments and help are told once");
    assert_eq!(desk.json(&["cli-spec"])["schema"], json!({ "name": "cli-spec", "version": 1 }));
}

/// A way to call each command, in an order in which each has something to do. What stands before
/// ` / ` is called first and not looked at.
const CALLS: &[&str] = &[
    "init",
    "config trust init",
    "config show",
    "config paths",
    "config profiles list",
    "config profiles show safe",
    "task add one / task add two",
    "task show RQ-0001",
    "task start RQ-0001",
    "task done RQ-0001",
    "task reject RQ-0002",
    "task note RQ-0002 word",
    "task add three / task status draft RQ-0003",
    "task ready RQ-0003",
    "task edit priority high RQ-0003",
    "task field key value RQ-0003",
    "task schedule RQ-0003 2020-01-01T00:00:00Z",
    "task add four / task relate RQ-0003 relates_to RQ-0004",
    "task blocks RQ-0003 RQ-0004",
    "task clone RQ-0003",
    "task mark-duplicate RQ-0005 RQ-0003",
    "task split RQ-0004",
    "task children RQ-0004",
    "task parent RQ-0006",
    "task mutate --input mutation.json",
    "task batch status todo RQ-0003",
    "task batch field key value RQ-0003",
    "task batch edit priority low RQ-0003",
    "task batch clone RQ-0003",
    "task batch split RQ-0003",
    "task batch plan-append --plan-item x RQ-0006",
    "task batch plan-prepend --plan-item x RQ-0006",
    "task batch delete RQ-0005",
    "task batch archive RQ-0001",
    "task template list",
    "task template show bug",
    "task from template bug --title x",
    "queue list",
    "queue search one",
    "queue next",
    "queue show RQ-0001",
    "queue validate",
    "queue archive",
    "queue explain",
    "queue ready",
    "task add free --first / queue claim --owner me",
    "queue release --force CLAIMED",
    "queue import --input in.csv",
    "queue resolve",
    "queue resolve --dry-run",
    "queue check --base HEAD",
    "queue graph",
    "queue tree",
    "queue unlock",
    "queue stats",
    "queue history",
    "queue burndown",
    "queue aging",
    "queue dashboard",
    "queue stop",
    "queue next-id",
    "queue prune",
    "queue sort",
    "queue repair",
    "queue changes --since REV",
    "undo",
    "redo",
    "undo --list",
    "run one --dry-run",
    "run loop --dry-run",
    "run loop --parallel 2 --dry-run",
    "run one",
    "run loop --max-tasks 1",
    "run loop --max-tasks 1 --parallel 1",
    "run resume",
    "run parallel status",
    "run parallel retry --all",
    "run parallel recover",
    "runner list",
    "runner capabilities codex",
    "runner probe command",
    "runner parse --runner codex said.jsonl",
    "rescue list",
    "rescue show KEPT",
    "rescue restore KEPT",
    "migrate",
    "migrate status",
    "doctor",
    "prime",
    "help-all",
    "cli-spec",
    "version",
];

/// Commands that print none of our documents: a schema is one itself, an export and completions
/// have formats of their own, git reads the one, and an agent's reader the other.
const WITHOUT: &[&str] = &[
    "config schema",
    "queue schema",
    "queue export",
    "completions",
    "queue merge-driver",
    "runner play",
    // It takes long, and has tests of its own.
    "demo",
];

/// The commands that have none below them.
fn leaves(command: &Value, path: &str, found: &mut Vec<String>) {
    let below = command["subcommands"].as_array().expect("a list");
    for command in below {
        let path = format!("{path} {}", command["name"].as_str().expect("text"));
        leaves(command, path.trim_start(), found);
    }
    if below.is_empty() {
        found.push(path.to_owned());
    }
}

#[test]
fn every_command_prints_a_document_that_names_its_schema() {
    let desk = Desk::bare();
    let agent = desk.sandbox.script("bin/agent", "date > made; exit 1");
    let config = json!({ "agent": { "command": { "argv": [agent] } } });
    desk.write(".ralph/config.jsonc", config.to_string());
    desk.write("in.csv", "title\nfrom a table\n");
    desk.write("said.jsonl", "{}\n");
    let mutation = json!({ "version": 1, "tasks": [
        { "task_id": "RQ-0003", "edits": [{ "field": "title", "value": "other" }] },
    ] });
    desk.write("mutation.json", mutation.to_string());
    desk.git(&["add", "-A"]);
    desk.git(&["commit", "-qm", "base"]);
    let mut wrong = Vec::new();
    for call in CALLS {
        let calls: Vec<&str> = call.split(" / ").collect();
        let (last, before) = calls.split_last().expect("one");
        for call in before {
            desk.ralph(&call.split(' ').collect::<Vec<_>>()).success();
        }
        if last.starts_with("run ") {
            // What the commands before have changed.
            desk.git(&["add", "-A"]);
            desk.git(&["commit", "-q", "--allow-empty", "-m", "so far"]);
        }
        let rev = || desk.json(&["queue", "list"])["rev"].as_str().expect("text").to_owned();
        let kept = || {
            let kept = desk.json(&["rescue", "list"]);
            kept["items"][0]["name"].as_str().expect("a name").to_owned()
        };
        let claimed = || {
            let leases = parse(&desk.read(".git/ralph/leases.json"));
            leases["leases"][0]["task"].as_str().expect("text").to_owned()
        };
        let words: Vec<String> = last
            .split(' ')
            .map(|word| match word {
                "REV" => rev(),
                "KEPT" => kept(),
                "CLAIMED" => claimed(),
                word => word.to_owned(),
            })
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let ran = desk.ralph(&[&words[..], &["--json"]].concat());
        let document: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
        let schema = &document["schema"];
        if !(schema["name"].is_string() && schema["version"].is_u64()) {
            wrong.push(ran.to_string());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let spec = desk.json(&["cli-spec"]);
    let mut all = Vec::new();
    leaves(&spec["root"], "", &mut all);
    let is_called = |command: &String| {
        let is_it = |call: &str| call == command || call.starts_with(&format!("{command} "));
        CALLS.iter().flat_map(|call| call.split(" / ")).any(is_it) || WITHOUT.contains(&&**command)
    };
    all.retain(|command| !is_called(command));
    assert_eq!(all, [""; 0], "commands without a call");
}
