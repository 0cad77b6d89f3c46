//! The JSON Schema of a queue file, for editors that complete and check.

use serde_json::{Map, Value, json};

use crate::document::Document;
use crate::task::{Priority, Status};

/// The schema of the queue file and the done file, JSON Schema 2020-12.
///
/// It asks for what reading asks for; [`crate::validate`] knows more. Fields it does not name are
/// kept, and so not forbidden.
pub fn schema() -> Value {
    let words = |words: Vec<&str>, default: &str| json!({ "enum": words, "default": default });
    let text = |about: &str| json!({ "type": "string", "description": about });
    let time =
        |about: &str| json!({ "type": "string", "format": "date-time", "description": about });
    let list = |about: &str| json!({ "type": "array", "items": { "type": "string" }, "description": about });
    let minutes = |about: &str| json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX, "description": about });
    let statuses = Status::ALL.iter().map(|status| status.as_str()).collect();
    let priorities = Priority::ALL.iter().map(|priority| priority.as_str()).collect();
    let fields = [
        ("id", text("Never given to another task, such as `RQ-0001`")),
        ("status", words(statuses, Status::default().as_str())),
        ("title", text("One line that says what is wanted")),
        ("description", text("What is wanted, at length")),
        ("priority", words(priorities, Priority::default().as_str())),
        ("tags", list("Words to find it by")),
        ("scope", list("Paths and areas it touches")),
        ("evidence", list("What shows that it is needed, or done")),
        ("plan", list("Steps")),
        ("notes", list("What was learnt on the way, oldest first")),
        ("request", text("The words it was asked for in")),
        ("agent", json!({ "type": "object", "description": "How its agent is to be run" })),
        ("created_at", time("When it was written")),
        ("updated_at", time("When it last changed")),
        ("completed_at", time("When it was done or rejected")),
        ("started_at", time("When work began")),
        ("estimated_minutes", minutes("Guessed work")),
        ("actual_minutes", minutes("Work spent")),
        ("scheduled_start", time("Not to be started before")),
        ("depends_on", list("Ids of tasks that must be finished first")),
        ("blocks", list("Ids of tasks that must wait for this one")),
        ("relates_to", list("Ids of tasks worth reading beside it")),
        ("duplicates", text("Id of the task that this one repeats")),
        (
            "custom_fields",
            json!({
                "type": "object",
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
                "items": { "type": "object", "required": ["id", "title"], "properties": properties },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::task::Task;

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
