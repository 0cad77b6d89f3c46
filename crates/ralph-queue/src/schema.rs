//! The JSON Schema of a queue file, for editors that complete and check.

use serde_json::{Map, Value, json};

use crate::agent;
use crate::document::Document;
use crate::task::{Priority, Status};

/// The schema of the queue file and the done file, JSON Schema 2020-12.
///
/// It refuses what [`crate::validate`] calls an error of one task alone, as far as it does not
/// depend on the configuration, as the prefix of an id does. Fields it does not name are kept, and
/// so not forbidden.
pub fn schema() -> Value {
    let words = |words: Vec<&str>, default: &str| json!({ "enum": words, "default": default });
    // Null is as good as nothing, where nothing is allowed.
    let text = |about: &str| json!({ "type": ["string", "null"], "description": about });
    let time = |about: &str, kinds: Value, offset: &str| {
        let pattern = format!(r"^\s*\d{{4}}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?{offset}\s*$");
        json!({ "type": kinds, "format": "date-time", "pattern": pattern, "description": about })
    };
    let needed = |about: &str| time(about, json!("string"), UTC);
    let list = |about: &str, entry: Value| json!({ "type": "array", "items": entry, "description": about });
    let texts = |about: &str| list(about, json!({ "type": "string" }));
    let words_of = |about: &str| list(about, json!({ "type": "string", "pattern": FILLED }));
    let minutes = |about: &str| json!({ "type": ["integer", "null"], "minimum": 0, "maximum": u32::MAX, "description": about });
    let ended = Status::ALL.iter().filter(|status| status.is_terminal());
    let ended: Vec<&str> = ended.map(|status| status.as_str()).collect();
    let statuses = Status::ALL.iter().map(|status| status.as_str()).collect();
    let priorities = Priority::ALL.iter().map(|priority| priority.as_str()).collect();
    let fields = [
        (
            "id",
            json!({
                "type": "string",
                "pattern": "-[0-9]+$",
                "description": "Never given to another task, such as `RQ-0001`",
            }),
        ),
        ("status", words(statuses, Status::default().as_str())),
        (
            "title",
            json!({
                "type": "string",
                "pattern": FILLED,
                "description": "One line that says what is wanted",
            }),
        ),
        ("description", text("What is wanted, at length")),
        ("priority", words(priorities, Priority::default().as_str())),
        ("tags", words_of("Words to find it by")),
        ("scope", words_of("Paths and areas it touches")),
        ("evidence", words_of("What shows that it is needed, or done")),
        ("plan", words_of("Steps")),
        ("notes", texts("What was learnt on the way, oldest first")),
        ("request", text("The words it was asked for in")),
        (
            "agent",
            json!({
                "type": ["object", "null"],
                "description": "How its agent is to be run",
                "properties": agent::properties(),
            }),
        ),
        ("created_at", needed("When it was written")),
        ("updated_at", needed("When it last changed")),
        ("completed_at", time("When it was done or rejected", json!(["string", "null"]), UTC)),
        ("started_at", time("When work began", json!(["string", "null"]), ANY_OFFSET)),
        ("estimated_minutes", minutes("Guessed work")),
        ("actual_minutes", minutes("Work spent")),
        (
            "scheduled_start",
            time("Not to be started before", json!(["string", "null"]), ANY_OFFSET),
        ),
        ("depends_on", texts("Ids of tasks that must be finished first")),
        ("blocks", texts("Ids of tasks that must wait for this one")),
        ("relates_to", texts("Ids of tasks worth reading beside it")),
        ("duplicates", text("Id of the task that this one repeats")),
        (
            "custom_fields",
            json!({
                "type": "object",
                "propertyNames": { "pattern": r"^\S+$" },
                "additionalProperties": { "type": ["string", "number", "boolean"] },
                "description": "Free text by name",
            }),
        ),
        ("parent_id", text("Id of the task that this one is a part of")),
    ];
    let properties: Map<String, Value> =
        fields.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Ralph queue",
        "type": "object",
        "required": ["version"],
        "properties": {
            "version": { "const": Document::VERSION },
            "tasks": {
                "type": "array",
                "description": "In the order of work",
                "items": {
                    "type": "object",
                    "required": ["id", "title", "created_at", "updated_at"],
                    "properties": properties,
                    "if": {
                        "required": ["status"],
                        "properties": { "status": { "enum": ended } },
                    },
                    "then": {
                        "required": ["completed_at"],
                        "properties": { "completed_at": { "type": "string" } },
                    },
                },
            },
        },
    })
}

/// Of a text that is not blank.
const FILLED: &str = r"\S";
/// Of the end of a time.
const UTC: &str = "([Zz]|[+-]00:00)";
const ANY_OFFSET: &str = r"([Zz]|[+-]\d\d:\d\d)";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::task::Task;
    use crate::validate::{self, Rules, Severity};

    /// Whether both find a task, with these fields besides the usual ones, in order.
    #[track_caller]
    fn check(fields: &Value, is_sound: bool) {
        let time = "2026-01-01T00:00:00Z";
        let mut task =
            json!({ "id": "RQ-0001", "title": "a", "created_at": time, "updated_at": time });
        for (name, value) in fields.as_object().expect("fields") {
            task[name] = value.clone();
        }
        // What is missing is told apart from null.
        task.as_object_mut().expect("a task").retain(|_, value| *value != "-");
        let document = json!({ "version": 1, "tasks": [task] });
        assert_eq!(
            ralph_testkit::schema::accepts(&schema(), &document),
            is_sound,
            "schema: {task}"
        );
        let problems = validate::texts(&document.to_string(), None, &Rules::default());
        let errors: Vec<_> =
            problems.iter().filter(|problem| problem.severity == Severity::Error).collect();
        assert_eq!(errors.is_empty(), is_sound, "validate: {errors:?}");
    }

    #[test]
    fn it_refuses_what_validation_does_and_nothing_else() {
        let none = Value::Null;
        for sound in [
            json!({}),
            json!({ "description": none, "request": none, "agent": none, "completed_at": none }),
            json!({ "started_at": none, "estimated_minutes": none, "scheduled_start": none }),
            json!({ "duplicates": none, "parent_id": none, "actual_minutes": 0, "unknown": [1] }),
            json!({ "id": "rq-10000", "notes": [" "], "custom_fields": { "a": 1, "b": true } }),
            json!({ "status": "done", "completed_at": "2026-01-02T00:00:00.5+00:00" }),
            json!({ "scheduled_start": "9999-12-31T23:59:59Z", "started_at": " 2026-01-01t00:00:00-02:00" }),
            json!({ "agent": { "runner": none, "phases": 3, "iterations": 1, "other": 1 } }),
            json!({ "agent": { "runner_cli": {}, "phase_overrides": { "phase1": none, "phase2": {} } } }),
            json!({ "agent": { "model_effort": "default", "runner_cli": { "sandbox": none, "plan_mode": "enabled" } } }),
            json!({ "agent": { "runner_cli": { "other": 1 }, "phase_overrides": { "phase9": 1, "phase1": { "other": 1 } } } }),
        ] {
            check(&sound, true);
        }
        for bad in [
            json!({ "created_at": "-" }),
            json!({ "updated_at": none }),
            json!({ "created_at": "2026-01-01T00:00:00+02:00" }),
            json!({ "completed_at": "2026-01-01T00:00:00-01:00" }),
            json!({ "started_at": "2026-01-01T00:00:00" }),
            json!({ "scheduled_start": "tomorrow" }),
            json!({ "status": "done" }),
            json!({ "status": "rejected", "completed_at": none }),
            json!({ "status": none }),
            json!({ "id": " " }),
            json!({ "id": "RQ-x" }),
            json!({ "title": " " }),
            json!({ "title": none }),
            json!({ "tags": [""] }),
            json!({ "plan": ["a", " "] }),
            json!({ "scope": none }),
            json!({ "evidence": "x" }),
            json!({ "estimated_minutes": -1 }),
            json!({ "custom_fields": none }),
            json!({ "custom_fields": { "a b": "c" } }),
            json!({ "custom_fields": { "": "c" } }),
            json!({ "custom_fields": { "a": none } }),
            json!({ "agent": [] }),
            json!({ "agent": { "phases": 0 } }),
            json!({ "agent": { "phases": 4 } }),
            json!({ "agent": { "iterations": 0 } }),
            json!({ "agent": { "iterations": 256 } }),
            json!({ "agent": { "iterations": "2" } }),
            json!({ "agent": { "runner": 7 } }),
            json!({ "agent": { "model": " " } }),
            json!({ "agent": { "model_effort": none } }),
            json!({ "agent": { "model_effort": "x" } }),
            json!({ "agent": { "followup_reasoning_effort": "default" } }),
            json!({ "agent": { "runner_cli": { "sandbox": "nope" } } }),
            json!({ "agent": { "runner_cli": { "output_format": "stream-json" } } }),
            json!({ "agent": { "runner_cli": [] } }),
            json!({ "agent": { "phase_overrides": { "phase1": 7 } } }),
            json!({ "agent": { "phase_overrides": { "phase3": { "reasoning_effort": "default" } } } }),
        ] {
            check(&bad, false);
        }
    }

    #[test]
    fn every_field_of_a_task_is_in_it() {
        let text = || Some(String::new());
        let task = Task {
            description: text(),
            request: text(),
            agent: Some(crate::value::Map::new()),
            created_at: text(),
            updated_at: text(),
            completed_at: text(),
            started_at: text(),
            estimated_minutes: Some(1),
            actual_minutes: Some(1),
            scheduled_start: text(),
            duplicates: text(),
            parent_id: text(),
            ..Task::new("RQ-1".parse().unwrap(), "x")
        };
        let fields: BTreeSet<String> =
            task.fields().into_iter().map(|(name, _)| name.to_owned()).collect();
        let schema = schema();
        let properties = &schema["properties"]["tasks"]["items"]["properties"];
        let named: BTreeSet<String> = properties.as_object().unwrap().keys().cloned().collect();
        assert_eq!(named, fields);
    }
}
