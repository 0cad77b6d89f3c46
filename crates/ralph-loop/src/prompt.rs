//! What an agent is told: pure text from the task and what was found.

use std::fmt::Write as _;
use std::path::Path;

use ralph_agent::{Phase, Redaction};
use ralph_queue::Task;

use crate::gate::GateFailure;

/// What a prompt is made of.
#[derive(Clone, Copy, Debug)]
pub struct Brief<'a> {
    /// The task to work on.
    pub task: &'a Task,
    /// The task as JSON, as its queue file has it.
    pub task_json: &'a str,
    /// Where an agent may state why no change is needed.
    pub no_change_file: &'a Path,
    /// Files the user wants every agent to read, already loaded.
    pub instructions: &'a [(String, String)],
    /// What the output of a gate is shown without.
    pub redaction: &'a Redaction,
}

/// A conflict as an agent is shown it.
#[derive(Clone, Debug)]
pub struct ConflictBrief {
    /// The target branch.
    pub target: String,
    /// Paths in conflict, relative to the workspace.
    pub files: Vec<String>,
    /// Those of them without markers, with where their versions are.
    pub unmarked: Vec<String>,
    /// Subjects of the commits the task's change meets.
    pub theirs: Vec<String>,
}

const RULES: &str = "\
Rules:
- Work only on this task, and only inside the current directory.
- Do not push, and do not switch branches. Ralph commits, checks and lands your work.
- Do not edit the status of tasks in `.ralph/`; Ralph records it. You may add new tasks you discover.
";

/// The prompt of a phase that works on the task itself.
pub fn work(brief: &Brief<'_>, phase: Phase, plan: Option<&str>) -> String {
    let mut text = header(brief);
    let goal = match phase {
        Phase::Plan => {
            "This is the planning phase. Read the code and answer with a plan. Change no files."
        }
        Phase::Review => {
            "This is the review phase. The change is in the working tree (see `git diff HEAD`). \
             Check it against the task, and mend what is wrong or missing."
        }
        Phase::Implement | Phase::Resolve | Phase::Fix => {
            "Do the task now, completely, and check your work as far as you can."
        }
    };
    push(&mut text, &format!("\n{goal}\n"));
    if let Some(plan) = plan {
        push(&mut text, &format!("\n## Plan made earlier\n\n{plan}\n"));
    }
    push(&mut text, &format!("\n{RULES}"));
    push(
        &mut text,
        &format!(
            "- If the task needs no change at all, write the reason into the file `{}`.\n",
            brief.no_change_file.display()
        ),
    );
    text
}

/// Appended when an earlier attempt at the same turn did not end well.
pub fn after_failure(text: &mut String, reason: &str) {
    push(text, &format!("\nAn earlier attempt ended early: {reason}\n"));
}

/// The prompt for a rebase that met a real conflict.
pub fn resolve(brief: &Brief<'_>, conflict: &ConflictBrief) -> String {
    let mut text = header(brief);
    push(
        &mut text,
        &format!(
            "\nYour change for this task is being rebased onto `{}`, where these commits landed \
             in the meantime:\n",
            conflict.target
        ),
    );
    for subject in &conflict.theirs {
        push(&mut text, &format!("- {subject}\n"));
    }
    push(
        &mut text,
        "\nBoth changed the same lines. The files below hold conflict markers: the part above \
         `|||||||` is what landed, the middle part is what both started from, the part below \
         `=======` is your change.\n",
    );
    for file in &conflict.files {
        push(&mut text, &format!("- {file}\n"));
    }
    if !conflict.unmarked.is_empty() {
        push(
            &mut text,
            "\nThese of them show no markers (binary, a link, or deleted on one side); put the \
             version that is right in their place, or delete it:\n",
        );
        for file in &conflict.unmarked {
            push(&mut text, &format!("- {file}\n"));
        }
        push(
            &mut text,
            &format!(
                "If what stands there now is right, write the reason into the file `{}`.\n",
                brief.no_change_file.display()
            ),
        );
    }
    push(
        &mut text,
        "\nEdit these files so that the intent of both sides is kept and no marker is left. \
         Do not run `git rebase`, `git merge` or `git commit`; Ralph goes on from the files.\n",
    );
    text
}

/// The prompt for a gate that was red on the tree that would land.
pub fn fix(brief: &Brief<'_>, failure: &GateFailure) -> String {
    let mut text = header(brief);
    push(
        &mut text,
        &format!(
            "\nYour change, on top of what landed before it, does not pass the gate.\n\
             Command: `{}`\nResult: {}\n\n## Output\n\n{}\n\
             Mend the cause in the working tree. Do not weaken the gate.\n",
            failure.command,
            failure.exit,
            brief.redaction.text(&failure.excerpt)
        ),
    );
    text
}

fn header(brief: &Brief<'_>) -> String {
    let mut text = format!("# Task {}: {}\n\n", brief.task.id, brief.task.title);
    push(&mut text, &format!("```json\n{}\n```\n", brief.task_json.trim_end()));
    for (name, content) in brief.instructions {
        push(&mut text, &format!("\n## Instructions from {name}\n\n{content}\n"));
    }
    text
}

fn push(text: &mut String, more: &str) {
    write!(text, "{more}").expect("writing to a String cannot fail");
}
