//! Keys of earlier releases and what became of them.

use serde_json::{Value, json};

use crate::layer::KeyPath;

/// What became of a key.
pub(crate) enum Old {
    /// Nothing; the feature is gone.
    Gone,
    /// Another key, perhaps with another form of value.
    Moved {
        to: KeyPath,
        /// The value in its new form, or what was expected.
        convert: fn(&Value) -> Result<Value, &'static str>,
    },
}

/// What became of the key at `path`, if it is one of old.
pub(crate) fn of(path: &[String]) -> Option<Old> {
    let (section, name) = match path {
        [profiles, profile, name] if profiles == "profiles" => (vec![profiles, profile], name),
        [section, name] => (vec![section], name),
        _ => return None,
    };
    let agent = matches!(section[0].as_str(), "agent" | "profiles");
    let moved = |to: &[&str], convert| {
        let to = section.iter().map(|name| name.as_str()).chain(to.iter().copied());
        Some(Old::Moved { to: to.map(str::to_owned).collect(), convert })
    };
    match name.as_str() {
        "git_commit_push_enabled" if agent => moved(&["git_publish_mode"], publish_mode),
        "ci_gate_command" if agent => moved(&["ci_gate", "argv"], words),
        "ci_gate_enabled" if agent => moved(&["ci_gate", "enabled"], switch),
        "update_task_before_run" | "fail_on_prerun_update_error" if agent => Some(Old::Gone),
        "worktree_root" if section[0] == "parallel" => moved(&["workspace_root"], text),
        name if section[0] == "parallel"
            && (matches!(
                name,
                "auto_pr"
                    | "auto_merge"
                    | "branch_prefix"
                    | "delete_branch_on_merge"
                    | "draft_on_failure"
                    | "conflict_policy"
            ) || name.starts_with("merge_")) =>
        {
            Some(Old::Gone)
        }
        _ => None,
    }
}

fn publish_mode(value: &Value) -> Result<Value, &'static str> {
    match value {
        Value::Bool(true) => Ok(json!("commit_and_push")),
        Value::Bool(false) => Ok(json!("off")),
        _ => Err("`true` or `false`"),
    }
}

fn switch(value: &Value) -> Result<Value, &'static str> {
    value.as_bool().map(Value::from).ok_or("`true` or `false`")
}

fn text(value: &Value) -> Result<Value, &'static str> {
    value.as_str().map(Value::from).ok_or("a path")
}

/// Splits a command line that needs no shell.
fn words(value: &Value) -> Result<Value, &'static str> {
    const SHELL: &str = "|&;<>()$`\\\"'*?[]#~!{}\n";
    // A variable set before the program is shell syntax, too.
    let is_plain = |line: &str| {
        let program = line.split_whitespace().next();
        program.is_some_and(|program| !program.contains('='))
            && !line.contains(|c| SHELL.contains(c))
    };
    match value.as_str().map(str::trim) {
        Some(line) if is_plain(line) => Ok(line.split_whitespace().collect()),
        _ => Err("a command without shell syntax; write it as `ci_gate.argv`"),
    }
}
