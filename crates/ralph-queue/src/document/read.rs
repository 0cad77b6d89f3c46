//! From syntax to tasks; what has the wrong kind is reported, all of it.

use std::collections::BTreeSet;
use std::ops::Range;
use std::str::FromStr;

use jsonc_parser::ast::{self, Value as Node};
use jsonc_parser::common::Ranged as _;
use ralph_state::TaskId;

use super::syntax::{self, Lines};
use super::{Document, ParseError};
use crate::queue::Place;
use crate::task::Task;
use crate::validate::{Problem, Severity};

/// Reads a text as far as it goes: the document without what has the wrong kind, and the list of
/// that. An error is a text of which nothing can be made.
pub(super) fn read(text: String, place: Place) -> Result<(Document, Vec<Problem>), ParseError> {
    let bom = text.len() - text.trim_start_matches('\u{feff}').len();
    let root = syntax::parse(&text[bom..])?;
    let mut reader = Reader { base: bom, task: None, faults: Vec::new() };
    let Node::Object(root) = root else {
        reader.fault("", root.start(), "wrong_type", "a queue file holds an object".to_owned());
        return Err(ParseError::Shape { problems: reader.problems(&text, place) });
    };
    reader.unique_keys("", &root);
    let mut document = Document {
        root: root.start() + bom..root.end() + bom,
        array: None,
        spans: Vec::new(),
        tasks: Vec::new(),
        text: String::new(),
    };
    match root.get("version").map(|property| &property.value) {
        Some(Node::NumberLit(version)) => match version.value.parse::<u64>() {
            Ok(Document::VERSION) => {}
            Ok(found) if found > Document::VERSION => {
                return Err(ParseError::Newer { found, supported: Document::VERSION });
            }
            _ => reader.fault(
                "version",
                version.start(),
                "version",
                format!("the version is 1, not `{}`", version.value),
            ),
        },
        Some(other) => reader.fault(
            "version",
            other.start(),
            "version",
            "the version is the number 1".to_owned(),
        ),
        None => reader.fault("version", root.start(), "version", "`version` is missing".to_owned()),
    }
    let tasks = root.properties.into_iter().find(|property| property.name.as_str() == "tasks");
    match tasks.map(|property| property.value) {
        Some(Node::Array(array)) => {
            document.array = Some(array.start() + bom..array.end() + bom);
            for element in array.elements {
                reader.task = None;
                let span = element.start() + bom..element.end() + bom;
                match element {
                    Node::Object(object) => {
                        if let Some(task) = reader.task(object) {
                            document.tasks.push(task);
                            document.spans.push(span);
                        }
                    }
                    other => reader.fault(
                        "",
                        other.start(),
                        "wrong_type",
                        "a task is an object".to_owned(),
                    ),
                }
            }
        }
        Some(other) => {
            reader.fault("tasks", other.start(), "wrong_type", "`tasks` is a list".to_owned())
        }
        None => {}
    }
    let problems = reader.problems(&text, place);
    document.text = text;
    Ok((document, problems))
}

/// Reads the object of one task.
pub(super) fn read_task(text: &str) -> Result<Task, ParseError> {
    let mut reader = Reader { base: 0, task: None, faults: Vec::new() };
    let task = match syntax::parse(text)? {
        Node::Object(object) => reader.task(object),
        other => {
            reader.fault("", other.start(), "wrong_type", "a task is an object".to_owned());
            None
        }
    };
    match (task, reader.problems(text, Place::Queue)) {
        (Some(task), problems) if problems.is_empty() => Ok(task),
        (_, problems) => Err(ParseError::Shape { problems }),
    }
}

struct Fault {
    task: Option<TaskId>,
    field: String,
    at: usize,
    code: &'static str,
    message: String,
}

struct Reader {
    /// Where the parsed text begins in the whole.
    base: usize,
    /// The task that is being read, as soon as it has an id.
    task: Option<TaskId>,
    faults: Vec<Fault>,
}

impl Reader {
    fn fault(&mut self, field: &str, at: usize, code: &'static str, message: String) {
        self.faults.push(Fault {
            task: self.task.clone(),
            field: field.to_owned(),
            at: at + self.base,
            code,
            message,
        });
    }

    fn problems(self, text: &str, place: Place) -> Vec<Problem> {
        if self.faults.is_empty() {
            return Vec::new();
        }
        let lines = Lines::new(text);
        let problem = |fault: Fault| {
            let (line, column) = lines.position(fault.at);
            Problem {
                severity: Severity::Error,
                code: fault.code,
                place,
                task: fault.task,
                field: (!fault.field.is_empty()).then_some(fault.field),
                line,
                column,
                message: fault.message,
            }
        };
        self.faults.into_iter().map(problem).collect()
    }

    /// Reports every key that an object, or one in it, has twice.
    fn unique_keys(&mut self, field: &str, object: &ast::Object<'_>) {
        let mut seen = BTreeSet::new();
        for property in &object.properties {
            let name = property.name.as_str();
            if !seen.insert(name) {
                self.fault(
                    field,
                    property.start(),
                    "duplicate_key",
                    format!("the key `{name}` is there twice"),
                );
            }
        }
    }

    fn unique_keys_inside(&mut self, field: &str, node: &Node<'_>) {
        match node {
            Node::Object(object) => {
                self.unique_keys(field, object);
                for property in &object.properties {
                    self.unique_keys_inside(field, &property.value);
                }
            }
            Node::Array(array) => {
                array.elements.iter().for_each(|node| self.unique_keys_inside(field, node))
            }
            _ => {}
        }
    }

    /// A task, unless it has no id.
    fn task(&mut self, object: ast::Object<'_>) -> Option<Task> {
        self.unique_keys("", &object);
        let start = object.start();
        let id = match object.get("id").map(|property| &property.value) {
            Some(Node::StringLit(id)) => match TaskId::from_str(&id.value) {
                Ok(id) => Some(id),
                Err(error) => {
                    self.fault("id", id.start(), "id_format", error.to_string());
                    None
                }
            },
            Some(other) => {
                self.fault("id", other.start(), "wrong_type", "`id` is a text".to_owned());
                None
            }
            None => {
                self.fault("id", start, "missing_field", "`id` is missing".to_owned());
                None
            }
        };
        self.task.clone_from(&id);
        // Without an id the rest is read for its faults alone.
        let mut task = Task::new(
            id.clone().unwrap_or_else(|| TaskId::from_str("x").expect("`x` is an id")),
            "",
        );
        let mut titled = false;
        for property in object.properties {
            let (name, value) = (property.name, property.value);
            let name = name.as_str();
            match name {
                "id" => {}
                "title" => {
                    titled = true;
                    self.set(&mut task.title, name, value, Self::text);
                }
                "status" => self.set(&mut task.status, name, value, Self::word),
                "priority" => self.set(&mut task.priority, name, value, Self::word),
                "description" => self.set_option(&mut task.description, name, value, Self::text),
                "request" => self.set_option(&mut task.request, name, value, Self::text),
                "created_at" => self.set_option(&mut task.created_at, name, value, Self::text),
                "updated_at" => self.set_option(&mut task.updated_at, name, value, Self::text),
                "completed_at" => self.set_option(&mut task.completed_at, name, value, Self::text),
                "started_at" => self.set_option(&mut task.started_at, name, value, Self::text),
                "scheduled_start" => {
                    self.set_option(&mut task.scheduled_start, name, value, Self::text)
                }
                "duplicates" => self.set_option(&mut task.duplicates, name, value, Self::text),
                "parent_id" => self.set_option(&mut task.parent_id, name, value, Self::text),
                "estimated_minutes" => {
                    self.set_option(&mut task.estimated_minutes, name, value, Self::minutes)
                }
                "actual_minutes" => {
                    self.set_option(&mut task.actual_minutes, name, value, Self::minutes)
                }
                "tags" => self.set(&mut task.tags, name, value, Self::list),
                "scope" => self.set(&mut task.scope, name, value, Self::list),
                "evidence" => self.set(&mut task.evidence, name, value, Self::list),
                "plan" => self.set(&mut task.plan, name, value, Self::list),
                "notes" => self.set(&mut task.notes, name, value, Self::list),
                "depends_on" => self.set(&mut task.depends_on, name, value, Self::list),
                "blocks" => self.set(&mut task.blocks, name, value, Self::list),
                "relates_to" => self.set(&mut task.relates_to, name, value, Self::list),
                "custom_fields" => self.custom_fields(&mut task, value),
                "agent" => self.set_option(&mut task.agent, name, value, Self::object),
                _ => {
                    self.unique_keys_inside(name, &value);
                    task.extra.insert(name.to_owned(), syntax::value(&value));
                }
            }
        }
        if !titled {
            self.fault("title", start, "missing_field", "`title` is missing".to_owned());
        }
        id.map(|_| task)
    }

    fn set<'a, T>(
        &mut self,
        field: &mut T,
        name: &str,
        node: Node<'a>,
        read: fn(&mut Self, &str, Node<'a>) -> Result<T, String>,
    ) {
        let at = node.start();
        match read(self, name, node) {
            Ok(value) => *field = value,
            Err(message) => self.fault(name, at, "wrong_type", message),
        }
    }

    fn set_option<'a, T>(
        &mut self,
        field: &mut Option<T>,
        name: &str,
        node: Node<'a>,
        read: fn(&mut Self, &str, Node<'a>) -> Result<T, String>,
    ) {
        if node.as_null_keyword().is_some() {
            return;
        }
        let at = node.start();
        match read(self, name, node) {
            Ok(value) => *field = Some(value),
            Err(message) => self.fault(name, at, "wrong_type", message),
        }
    }

    fn text(&mut self, name: &str, node: Node<'_>) -> Result<String, String> {
        match node {
            Node::StringLit(lit) => Ok(lit.value.into_owned()),
            _ => Err(format!("`{name}` is a text")),
        }
    }

    fn word<T: FromStr<Err: ToString>>(&mut self, name: &str, node: Node<'_>) -> Result<T, String> {
        self.text(name, node)?.parse().map_err(|error: T::Err| error.to_string())
    }

    fn minutes(&mut self, name: &str, node: Node<'_>) -> Result<u32, String> {
        let minutes = node.as_number_lit().and_then(|lit| lit.value.parse().ok());
        minutes.ok_or_else(|| format!("`{name}` is a whole number of minutes"))
    }

    fn list(&mut self, name: &str, node: Node<'_>) -> Result<Vec<String>, String> {
        let Node::Array(array) = node else { return Err(format!("`{name}` is a list of texts")) };
        let mut list = Vec::with_capacity(array.elements.len());
        for (index, node) in array.elements.into_iter().enumerate() {
            if let Node::StringLit(lit) = node {
                list.push(lit.value.into_owned());
            } else {
                self.fault(
                    &format!("{name}[{index}]"),
                    node.start(),
                    "wrong_type",
                    format!("`{name}` is a list of texts"),
                );
            }
        }
        Ok(list)
    }

    fn object(
        &mut self,
        name: &str,
        node: Node<'_>,
    ) -> Result<serde_json::Map<String, serde_json::Value>, String> {
        self.unique_keys_inside(name, &node);
        node.as_object().map(syntax::map).ok_or_else(|| format!("`{name}` is an object"))
    }

    fn custom_fields(&mut self, task: &mut Task, node: Node<'_>) {
        let Node::Object(object) = node else {
            return self.fault(
                "custom_fields",
                node.start(),
                "wrong_type",
                "`custom_fields` is an object".to_owned(),
            );
        };
        self.unique_keys("custom_fields", &object);
        for property in object.properties {
            let name = property.name.into_string();
            let value = match property.value {
                Node::StringLit(lit) => lit.value.into_owned(),
                // As 0.4.0 does.
                Node::BooleanLit(lit) => lit.value.to_string(),
                Node::NumberLit(lit) => lit
                    .value
                    .parse::<serde_json::Number>()
                    .map_or_else(|_| lit.value.to_owned(), |number| number.to_string()),
                other => {
                    let message = "a custom field is a text, a number, true or false".to_owned();
                    self.fault(
                        &format!("custom_fields.{name}"),
                        other.start(),
                        "wrong_type",
                        message,
                    );
                    continue;
                }
            };
            task.custom_fields.insert(name, value);
        }
    }
}

/// Where a field of the task in `span` stands: `name`, `name[index]` or `name.key`; the task
/// itself if it has no such field.
pub(super) fn locate(text: &str, span: &Range<usize>, field: &str) -> usize {
    let Ok(Node::Object(object)) = syntax::parse(&text[span.clone()]) else { return span.start };
    let (name, rest) = field.split_at(field.find(['[', '.']).unwrap_or(field.len()));
    let Some(property) = object.get(name) else { return span.start };
    let inner = match &property.value {
        Node::Array(array) => rest
            .trim_matches(['[', ']'])
            .parse::<usize>()
            .ok()
            .and_then(|index| array.elements.get(index))
            .map(Node::start),
        Node::Object(object) => {
            rest.strip_prefix('.').and_then(|key| object.get(key)).map(|property| property.start())
        }
        _ => None,
    };
    span.start + inner.unwrap_or(property.value.start())
}
