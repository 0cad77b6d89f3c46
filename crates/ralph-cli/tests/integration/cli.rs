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
