//! The configuration a new project starts with.

use serde_json::Value;

use crate::schema::SCHEMA;

/// What is known about the project at its start.
#[derive(Clone, Debug, Default)]
pub struct InitChoices {
    /// Where editors find the schema, seen from the file; `None` leaves it out.
    pub schema: Option<String>,
    /// Program and arguments of the gate; `None` is no gate.
    pub gate: Option<Vec<String>>,
    /// The agent, when it is to be fixed.
    pub runner: Option<String>,
    /// What the runner `command` runs.
    pub command: Option<Vec<String>>,
}

/// A commented `config.jsonc` of the present version, which [`crate::load`] takes.
pub fn init_text(choices: &InitChoices) -> String {
    let InitChoices { schema, gate, runner, command } = choices;
    let list = |argv: &[String]| {
        let words: Vec<_> =
            argv.iter().map(|word| Value::from(word.as_str()).to_string()).collect();
        format!("[{}]", words.join(", "))
    };
    let schema = schema.as_ref().map_or_else(String::new, |path| {
        format!("\n  \"{SCHEMA}\": {},", Value::from(path.as_str()))
    });
    let runner = match runner {
        Some(name) => format!("\"runner\": {},", Value::from(name.as_str())),
        None => "// \"runner\": \"claude\",".to_owned(),
    };
    let command = match command {
        Some(argv) => format!("\"command\": {{ \"argv\": {} }},", list(argv)),
        None => "// \"command\": { \"argv\": [\"./agent.sh\"] },".to_owned(),
    };
    let gate = match gate {
        Some(argv) => format!("\"ci_gate\": {{ \"enabled\": true, \"argv\": {} }},", list(argv)),
        None => {
            "\"ci_gate\": { \"enabled\": false }, // e.g. { \"enabled\": true, \"argv\": [\"make\", \"ci\"] }"
                .to_owned()
        }
    };
    format!(
        r#"// Ralph's configuration for this project. `ralph config show` tells every key,
// its value and where the value comes from. After a change of what programs are named
// here: `ralph config trust init`; before that no run starts them.
{{{schema}
  "version": 2,
  "queue": {{
    // "in_place" keeps finished tasks in the queue, "archive" moves them to the done file.
    "finish": "in_place",
  }},
  "agent": {{
    // The agent that does the work: "claude", "codex", "gemini", "opencode" or "command".
    // Without this line it is the first one found on PATH.
    {runner}
    // What the runner "command" runs: program and arguments. The prompt comes on stdin.
    {command}
    // What claude may do unasked: "accept_edits" changes files, "bypass_permissions" runs
    // commands as well.
    // "claude_permission_mode": "bypass_permissions",
    // What must be green before work lands. Program and arguments, no shell line.
    {gate}
    // What becomes of finished work: "commit", "commit_and_push" or "off".
    "git_publish_mode": "commit",
  }},
}}
"#
    )
}
