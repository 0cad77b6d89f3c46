//! From syntax to tasks; what has the wrong kind is reported, all of it.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use jsonc_parser::ast::{self, Value as Node};
use jsonc_parser::common::Ranged as _;
use ralph_state::document::DecodeError;
use ralph_state::{TaskId, TaskIdError, json};
use serde::de::IgnoredAny;

use super::syntax::{self, Lines};
use super::tasks::Head;
use super::{Document, ParseError};
use crate::queue::Place;
use crate::task::{Field, Slot, Task, Words};
use crate::validate::{Code, Problem, Severity};
use crate::value::{Map, Value};

/// A text, as far as it goes.
pub(crate) struct Lenient {
    /// Without what has the wrong kind.
    pub(crate) document: Document,
    /// What has the wrong kind.
    pub(crate) problems: Vec<Problem>,
    /// Tasks without an id that can be used, and where they are.
    pub(crate) nameless: Vec<(Task, Range<usize>)>,
}

/// Reads a text as far as it goes. An error is a text of which nothing can be made.
pub(super) fn read(text: String, place: Place) -> Result<Lenient, ParseError> {
    let bom = syntax::mark_len(&text);
    let root = syntax::parse(&text[bom..])?;
    let mut reader = Reader { base: bom, task: None, faults: Vec::new() };
    let Node::Object(root) = root else {
        reader.fault(
            "",
            root.start(),
            Code::WrongType,
            "a queue file must hold an object".to_owned(),
        );
        return Err(ParseError::Shape { problems: reader.problems(&text, place) });
    };
    reader.unique_keys("", &root);
    let mut document = Document {
        root: root.start() + bom..root.end() + bom,
        array: None,
        spans: Vec::new(),
        heads: Vec::new(),
        fingerprint: OnceLock::new(),
        text: Arc::default(),
    };
    if let Err(error) = version(&text[bom..], &root)? {
        let version = root.get(Document::FORMAT.version_key);
        let at = version.map_or(root.start(), |property| property.value.start());
        reader.fault(Document::FORMAT.version_key, at, Code::Version, error.to_string());
    }
    let mut nameless = Vec::new();
    match root.get("tasks").map(|property| &property.value) {
        Some(Node::Array(array)) => {
            document.array = Some(array.start() + bom..array.end() + bom);
            for element in &array.elements {
                reader.task = None;
                let span = element.start() + bom..element.end() + bom;
                match element {
                    Node::Object(object) => {
                        let task = reader.task(object);
                        if reader.task.is_some() {
                            document.heads.push(Head::read(task));
                            document.spans.push(span);
                        } else {
                            nameless.push((task, span));
                        }
                    }
                    other => reader.fault(
                        "",
                        other.start(),
                        Code::WrongType,
                        "a task must be an object".to_owned(),
                    ),
                }
            }
        }
        Some(other) => {
            reader.fault(
                "tasks",
                other.start(),
                Code::WrongType,
                "`tasks` must be a list".to_owned(),
            );
        }
        None => {}
    }
    let problems = reader.problems(&text, place);
    document.text = Arc::new(text);
    Ok(Lenient { document, problems, nameless })
}

/// Refuses a queue file of a newer version, and says what else is wrong with the version.
fn version(text: &str, root: &ast::Object<'_>) -> Result<Result<(), DecodeError>, ParseError> {
    let node = root.get(Document::FORMAT.version_key).map(|property| &property.value);
    let found = node.map(|node| json::parse(&text[node.start()..node.end()]));
    match Document::FORMAT.version(found.and_then(Result::ok).flatten().as_ref()) {
        Err(DecodeError::Newer(newer)) => Err(ParseError::Newer(newer)),
        version => Ok(version.map(drop)),
    }
}

/// A task of a document that has been read, from its text.
pub(super) fn reread<'t, W: Words<'t>>(text: &'t str) -> Option<Task<W>> {
    let mut reader = Reader { base: 0, task: None, faults: Vec::new() };
    match syntax::parse(text).ok()? {
        Node::Object(object) => Some(reader.task(&object)),
        _ => None,
    }
}

/// Reads the object of one task.
pub(super) fn read_task(text: &str) -> Result<Task, ParseError> {
    let mut reader = Reader { base: 0, task: None, faults: Vec::new() };
    let task = match syntax::parse(text)? {
        Node::Object(object) => Some(reader.task(&object)),
        other => {
            reader.fault("", other.start(), Code::WrongType, "a task must be an object".to_owned());
            None
        }
    };
    match (task, reader.problems(text, Place::Queue)) {
        (Some(task), problems) if problems.is_empty() => Ok(task),
        (_, problems) => Err(ParseError::Shape { problems }),
    }
}

/// What is to become a task.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NewTask {
    /// What it calls itself, be it an id or not.
    pub(crate) id: Option<String>,
    /// What of it can be read.
    pub(crate) task: Task,
    /// Whether the id of `task` is its own.
    pub(crate) has_id: bool,
}

/// One entry of a list of new tasks.
pub(crate) struct NewEntry {
    /// The line it begins on.
    pub(crate) line: usize,
    /// Where it is in the text.
    pub(crate) span: Range<usize>,
    /// The task, if it is an object.
    pub(crate) new: Option<NewTask>,
    /// All that is wrong with it.
    pub(crate) problems: Vec<Problem>,
}

/// Reads new tasks: one, several after each other, a list of them, or those of a queue file, which
/// may lack its version.
pub(super) fn read_new(text: &str) -> Result<Vec<NewEntry>, ParseError> {
    let bom = syntax::mark_len(text);
    let lines = Lines::new(text);
    let mut entries = Vec::new();
    for span in values(&text[bom..])? {
        let base = bom + span.start;
        let value = &text[bom..][span];
        let root = syntax::parse(value)?;
        let nodes = match &root {
            Node::Array(array) => array.elements.iter().collect(),
            Node::Object(object) => match object.get("tasks").map(|property| &property.value) {
                Some(Node::Array(array)) => {
                    // What is no version at all is no reason to refuse tasks that can be read.
                    drop(version(value, object)?);
                    array.elements.iter().collect()
                }
                _ => vec![&root],
            },
            other => vec![other],
        };
        for node in nodes {
            let mut reader = Reader { base, task: None, faults: Vec::new() };
            let new = match node {
                Node::Object(object) => Some(reader.new_task(object)),
                other => {
                    let message = "a task must be an object".to_owned();
                    reader.fault("", other.start(), Code::WrongType, message);
                    None
                }
            };
            let span = base + node.start()..base + node.end();
            let (line, _) = lines.position(span.start);
            let problems = reader.problems_at(&lines, Place::Queue);
            entries.push(NewEntry { line, span, new, problems });
        }
    }
    Ok(entries)
}

/// Where the values of a text are: one with comments, or several without.
fn values(text: &str) -> Result<Vec<Range<usize>>, ParseError> {
    let mut spans = Vec::new();
    let wrong = match syntax::parse(text) {
        Ok(_) => {
            spans.push(0..text.len());
            return Ok(spans);
        }
        Err(ParseError::Empty) => return Ok(spans),
        Err(error) => error,
    };
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    let mut start = 0;
    while let Some(value) = values.next() {
        match value {
            Ok(_) => spans.push(start..values.byte_offset()),
            Err(_) if spans.is_empty() => return Err(wrong),
            Err(error) => {
                let reason = error.to_string();
                let message = reason.split(" at line ").next().unwrap_or_default().to_owned();
                let (line, column) = (error.line(), error.column().max(1));
                return Err(ParseError::Syntax { line, column, message });
            }
        }
        start = values.byte_offset();
    }
    Ok(spans)
}

struct Fault {
    task: Option<TaskId>,
    field: String,
    at: usize,
    code: Code,
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
    fn fault(&mut self, field: &str, at: usize, code: Code, message: String) {
        self.faults.push(Fault {
            task: self.task.clone(),
            field: field.to_owned(),
            at: at + self.base,
            code,
            message,
        });
    }

    fn problems(self, text: &str, place: Place) -> Vec<Problem> {
        if self.faults.is_empty() { Vec::new() } else { self.problems_at(&Lines::new(text), place) }
    }

    fn problems_at(self, lines: &Lines<'_>, place: Place) -> Vec<Problem> {
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

    /// Reports every key that an object has twice.
    fn unique_keys(&mut self, field: &str, object: &ast::Object<'_>) {
        let mut names: Vec<(&str, usize)> = object
            .properties
            .iter()
            .map(|property| (property.name.as_str(), property.start()))
            .collect();
        names.sort_unstable();
        for pair in names.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
            let (name, at) = pair[1];
            self.fault(field, at, Code::DuplicateKey, format!("the key `{name}` is there twice"));
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
                array.elements.iter().for_each(|node| self.unique_keys_inside(field, node));
            }
            _ => {}
        }
    }

    /// A task that is not in a file yet: it may have no id, and a field of it that is `null` is as
    /// good as none.
    fn new_task(&mut self, object: &ast::Object<'_>) -> NewTask {
        self.unique_keys("", object);
        let given = |name: &str| {
            let node = object.get(name).map(|property| &property.value);
            node.filter(|node| !matches!(node, Node::NullKeyword(_)))
        };
        let id = given("id").map(|node| (node, text::<String>("id", node)));
        let parsed = id.as_ref().map(|(_, id)| {
            let id = id.clone()?;
            id.parse::<TaskId>().map_err(|error| error.to_string())
        });
        if let (Some((node, _)), Some(Err(message))) = (&id, &parsed) {
            self.fault("id", node.start(), Code::IdFormat, message.clone());
        }
        let has_id = matches!(parsed, Some(Ok(_)));
        let mut task = Task::new(parsed.and_then(Result::ok).unwrap_or_else(placeholder), "");
        for property in &object.properties {
            let name = property.name.as_str();
            if Field::named(name).is_none() || given(name).is_some() {
                self.field(&mut task, name, &property.value);
            }
        }
        match given("title") {
            None => {
                let message = "`title` is missing".to_owned();
                self.fault("title", object.start(), Code::MissingField, message);
            }
            Some(node) if node.as_string_lit().is_some() && task.title.trim().is_empty() => {
                self.fault("title", node.start(), Code::Blank, "the title is blank".to_owned());
            }
            Some(_) => {}
        }
        NewTask { id: id.and_then(|(_, id)| id.ok()), task, has_id }
    }

    /// A task. Without an id it is read for what is wrong with it alone.
    fn task<'t, W: Words<'t>>(&mut self, object: &ast::Object<'t>) -> Task<W> {
        let id = match object.get("id") {
            Some(property) => text::<Cow<'_, str>>("id", &property.value)
                .and_then(|id| id.parse().map_err(|error: TaskIdError| error.to_string())),
            None => Err("`id` is missing".to_owned()),
        };
        let at = object.get("id").map_or(object.start(), |property| property.value.start());
        if let Err(message) = &id {
            self.fault("id", at, Code::IdFormat, message.clone());
        }
        self.task = id.as_ref().ok().cloned();
        self.unique_keys("", object);
        let mut task = Task::plain(id.unwrap_or_else(|_| placeholder()), W::default());
        for property in &object.properties {
            self.field(&mut task, property.name.as_str(), &property.value);
        }
        if object.get("title").is_none() {
            self.fault(
                "title",
                object.start(),
                Code::MissingField,
                "`title` is missing".to_owned(),
            );
        }
        task
    }

    fn field<'t, W: Words<'t>>(&mut self, task: &mut Task<W>, name: &str, node: &Node<'t>) {
        match Field::named(name).map(|field| task.slot(field)) {
            Some(Slot::Title(title)) => self.put(title, name, node, text),
            Some(Slot::Status(status)) => self.put(status, name, node, word),
            Some(Slot::Priority(priority)) => self.put(priority, name, node, word),
            Some(Slot::Text(field)) => self.put(field, name, node, optional(text)),
            Some(Slot::Minutes(field)) => self.put(field, name, node, optional(minutes)),
            Some(Slot::List(list)) => self.list(list, name, node),
            Some(Slot::Map(map)) => self.custom_fields(map, node),
            Some(Slot::Object(field)) => {
                self.unique_keys_inside(name, node);
                self.put(field, name, node, optional(object));
            }
            // It was needed before the rest.
            Some(Slot::Id(_)) => {}
            None => {
                self.unique_keys_inside(name, node);
                task.extra.insert(name.to_owned(), syntax::value(node));
            }
        }
    }

    fn put<'t, T>(
        &mut self,
        field: &mut T,
        name: &str,
        node: &Node<'t>,
        read: impl FnOnce(&str, &Node<'t>) -> Result<T, String>,
    ) {
        match read(name, node) {
            Ok(value) => *field = value,
            Err(message) => self.fault(name, node.start(), Code::WrongType, message),
        }
    }

    fn list<'t, W: Words<'t>>(&mut self, field: &mut Vec<W>, name: &str, node: &Node<'t>) {
        let message = || format!("`{name}` must be a list of texts");
        let Some(array) = node.as_array() else {
            return self.fault(name, node.start(), Code::WrongType, message());
        };
        field.reserve(array.elements.len());
        for (index, node) in array.elements.iter().enumerate() {
            let Some(lit) = node.as_string_lit() else {
                self.fault(&format!("{name}[{index}]"), node.start(), Code::WrongType, message());
                // So that the entries after it keep their index; nobody edits what has faults.
                field.push(W::of(Cow::Borrowed("?")));
                continue;
            };
            field.push(W::of(lit.value.clone()));
        }
    }

    fn custom_fields<'t, W: Words<'t>>(
        &mut self,
        fields: &mut BTreeMap<String, W>,
        node: &Node<'t>,
    ) {
        let Some(object) = node.as_object() else {
            let message = "`custom_fields` must be an object".to_owned();
            return self.fault("custom_fields", node.start(), Code::WrongType, message);
        };
        self.unique_keys("custom_fields", object);
        for property in &object.properties {
            let name = property.name.as_str();
            let value = match syntax::value(&property.value) {
                Value::String(text) => text,
                // As 0.4.0 does.
                value @ (Value::Bool(_) | Value::Number(_)) => value.to_string(),
                Value::Null | Value::Array(_) | Value::Object(_) => {
                    let message =
                        "a custom field must be a text, a number, true or false".to_owned();
                    self.fault(
                        &format!("custom_fields.{name}"),
                        property.value.start(),
                        Code::WrongType,
                        message,
                    );
                    continue;
                }
            };
            fields.insert(name.to_owned(), W::of(Cow::Owned(value)));
        }
    }
}

/// Stands for the id of a task until that is read.
pub(super) fn placeholder() -> TaskId {
    TaskId::from_str("new").expect("`new` is an id")
}

fn text<'t, W: Words<'t>>(name: &str, node: &Node<'t>) -> Result<W, String> {
    node.as_string_lit()
        .map(|lit| W::of(lit.value.clone()))
        .ok_or_else(|| format!("`{name}` must be a text"))
}

fn word<T: FromStr<Err: ToString>>(name: &str, node: &Node<'_>) -> Result<T, String> {
    text::<Cow<'_, str>>(name, node)?.parse().map_err(|error: T::Err| error.to_string())
}

fn minutes(name: &str, node: &Node<'_>) -> Result<u32, String> {
    let minutes = node.as_number_lit().and_then(|lit| lit.value.parse().ok());
    minutes.ok_or_else(|| format!("`{name}` must be a whole number of minutes"))
}

fn object(name: &str, node: &Node<'_>) -> Result<Map, String> {
    node.as_object().map(syntax::map).ok_or_else(|| format!("`{name}` must be an object"))
}

/// `null` is as good as nothing.
fn optional<'t, T>(
    read: impl FnOnce(&str, &Node<'t>) -> Result<T, String>,
) -> impl FnOnce(&str, &Node<'t>) -> Result<Option<T>, String> {
    |name, node| match node {
        Node::NullKeyword(_) => Ok(None),
        node => read(name, node).map(Some),
    }
}

/// Finds fields of tasks in a text. Who asks for many asks for those of one task after each other,
/// which is parsed once for them.
pub(crate) struct Places<'t> {
    text: &'t str,
    lines: Lines<'t>,
    /// The task that was parsed last, and where it begins.
    last: RefCell<Option<(usize, Node<'t>)>>,
}

impl<'t> Places<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self { text, lines: Lines::new(text), last: RefCell::default() }
    }

    /// Line and column of a field of the task in `span`: `name`, `name[index]` or `name.key`; of
    /// the task itself if it has no such field.
    pub(crate) fn of(&self, span: &Range<usize>, field: &str) -> (usize, usize) {
        self.lines.position(span.start + self.start(span, field).unwrap_or(0))
    }

    /// Where it is in the task.
    pub(super) fn start(&self, span: &Range<usize>, field: &str) -> Option<usize> {
        let mut last = self.last.borrow_mut();
        if last.as_ref().is_none_or(|(start, _)| *start != span.start) {
            *last = Some((span.start, syntax::parse(&self.text[span.clone()]).ok()?));
        }
        let (_, node) = last.as_ref()?;
        let (name, rest) = field.split_at(field.find(['[', '.']).unwrap_or(field.len()));
        let property = node.as_object()?.get(name)?;
        Some(start_within(&property.value, rest).unwrap_or(property.value.start()))
    }
}

/// Where the entry or the member begins that the rest of a field's name leads to. A key may have a
/// dot itself.
fn start_within(node: &Node<'_>, rest: &str) -> Option<usize> {
    match node {
        Node::Array(array) => {
            let index: usize = rest.trim_matches(['[', ']']).parse().ok()?;
            array.elements.get(index).map(Node::start)
        }
        Node::Object(object) => {
            let key = rest.strip_prefix('.')?;
            if let Some(property) = object.get(key) {
                return Some(property.start());
            }
            let (name, _) = key.split_once('.')?;
            let property = object.get(name)?;
            start_within(&property.value, &key[name.len()..]).or(Some(property.start()))
        }
        _ => None,
    }
}
