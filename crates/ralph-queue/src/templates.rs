//! Templates: tasks half written, with variables in them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ralph_state::TaskId;
use serde::Serialize;

use crate::document::ParseError;
use crate::task::Task;
use crate::value::{Map, Value};

/// A task without id and times.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Template {
    /// What it is called.
    pub name: String,
    /// What it is for, in a few words.
    pub description: String,
    /// Whether it is built in; those of a project come first.
    pub built_in: bool,
    /// The fields of the task.
    pub task: Map,
}

/// Why a template gives no task.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// It is no JSON object.
    #[error("the template `{name}` is no JSON object: {reason}")]
    Json {
        /// Its name.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// Its fields are not those of a task.
    #[error("the template `{name}` is no task")]
    Task {
        /// Its name.
        name: String,
        /// What is wrong.
        source: ParseError,
    },
}

/// Name, purpose, priority, tags, plan, and what the evidence is to be.
type BuiltIn = (
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
    &'static str,
);

const BUILT_IN: [BuiltIn; 10] = [
    (
        "bug",
        "Something does not work as it should",
        "high",
        &["bug"],
        &[
            "Reproduce it in a test that fails",
            "Find the cause, not the symptom",
            "Mend it, and see the test pass",
            "Look for the same mistake elsewhere",
        ],
        "The test failed before and passes now",
    ),
    (
        "feature",
        "Something new for users",
        "medium",
        &["feature"],
        &[
            "Say what users can do afterwards, and what not",
            "Build it in the smallest steps that work",
            "Test what users see, and bad input",
            "Document it",
        ],
        "A test shows the new behaviour",
    ),
    (
        "refactor",
        "Better structure, same behaviour",
        "medium",
        &["refactor"],
        &[
            "Cover the present behaviour of {{target}} with tests",
            "Change the structure in steps that each pass the tests",
            "Remove what is no longer used",
        ],
        "The tests are unchanged and pass",
    ),
    (
        "test",
        "Tests for what has none",
        "medium",
        &["test"],
        &[
            "List what {{target}} promises",
            "Test each promise, its limits and its failures",
            "See each test fail once, by breaking the code",
        ],
        "Each test fails when the code is broken",
    ),
    (
        "docs",
        "Documentation",
        "low",
        &["docs"],
        &[
            "Find out who reads it and what they need to do",
            "Write it, with an example that runs",
            "Try it as a reader would",
        ],
        "The examples run",
    ),
    (
        "add-tests",
        "Tests for one file",
        "medium",
        &["test", "coverage"],
        &[
            "Find the branches of {{file}} that no test reaches",
            "Test those of {{module}} that matter, errors first",
        ],
        "The branches named are reached",
    ),
    (
        "refactor-performance",
        "The same, faster",
        "medium",
        &["refactor", "performance"],
        &[
            "Measure {{target}}, and keep the measurement in the repository",
            "Change what costs most",
            "Measure again; take back what does not help",
        ],
        "The figures before and after",
    ),
    (
        "fix-error-handling",
        "Errors that are told, not swallowed",
        "high",
        &["bug", "errors"],
        &[
            "List where {{target}} ignores an error, panics or hides the cause",
            "Return each with what was tried and what to do next",
            "Test each failure",
        ],
        "A test for each failure",
    ),
    (
        "add-docs",
        "Documentation of one file",
        "low",
        &["docs"],
        &[
            "Document what is public in {{file}}: purpose, errors, limits",
            "Give {{module}} a front page with an example that runs",
        ],
        "The documentation builds without warnings",
    ),
    (
        "security-audit",
        "A search for ways to do harm",
        "critical",
        &["security", "audit"],
        &[
            "List what {{target}} takes from outside, and whom it trusts",
            "Try each with hostile input",
            "Mend what is found, one task for each that is not small",
        ],
        "What was tried, and what came of it",
    ),
];

/// The templates that every project has.
pub fn built_in() -> Vec<Template> {
    let template = |(name, description, priority, tags, plan, evidence): &BuiltIn| {
        let texts = |texts: &[&str]| texts.iter().copied().collect::<Value>();
        let fields = [
            ("status", Value::from("todo")),
            ("priority", Value::from(*priority)),
            ("tags", texts(tags)),
            ("scope", texts(&["{{target}}"])),
            ("plan", texts(plan)),
            ("evidence", texts(&[evidence])),
        ];
        let task = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Template {
            name: (*name).to_owned(),
            description: (*description).to_owned(),
            built_in: true,
            task,
        }
    };
    BUILT_IN.iter().map(template).collect()
}

impl Template {
    /// A project's own: a JSON object with fields of a task, and perhaps a `template_description`.
    pub fn parse(name: &str, text: &str) -> Result<Self, TemplateError> {
        let wrong = |reason| TemplateError::Json { name: name.to_owned(), reason };
        let text = text.trim_start_matches('\u{feff}');
        let value = Value::parse(text).map_err(|error| wrong(error.to_string()))?;
        let Value::Object(mut task) = value else {
            return Err(wrong("a template must be an object".to_owned()));
        };
        let description = match task.remove("template_description") {
            Some(Value::String(description)) => description,
            _ => String::new(),
        };
        Ok(Self { name: name.to_owned(), description, built_in: false, task })
    }

    /// The variables in it and in that title.
    pub fn variables(&self, title: &str) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        let title = Value::from(title);
        for value in self.task.values().chain([&title]) {
            fill(value, &BTreeMap::new(), &mut names);
        }
        names
    }

    /// The task with that id and title, and the variables that got no value. A text that is
    /// nothing but such a variable is left out of a list; elsewhere the variable stays.
    pub fn task(
        &self,
        id: &TaskId,
        title: &str,
        variables: &BTreeMap<String, String>,
    ) -> Result<(Task, BTreeSet<String>), TemplateError> {
        let mut unset = BTreeSet::new();
        let mut fields = Map::new();
        for (name, value) in &self.task {
            fields.insert(name.clone(), fill(value, variables, &mut unset));
        }
        fields.insert("id".to_owned(), id.as_str().into());
        fields.insert("title".to_owned(), fill(&title.into(), variables, &mut unset));
        let text = Value::Object(fields).to_string();
        let task = Task::parse(&text)
            .map_err(|source| TemplateError::Task { name: self.name.clone(), source })?;
        Ok((task, unset))
    }
}

/// The variables that follow from a target: its file name, and that without its ending.
pub fn variables_of(target: &str) -> [(String, String); 2] {
    let text = |name: Option<&std::ffi::OsStr>| {
        name.map_or(target.to_owned(), |name| name.to_string_lossy().into_owned())
    };
    let path = Path::new(target);
    [("file".to_owned(), text(path.file_name())), ("module".to_owned(), text(path.file_stem()))]
}

fn fill(
    value: &Value,
    variables: &BTreeMap<String, String>,
    unset: &mut BTreeSet<String>,
) -> Value {
    match value {
        Value::String(text) => Value::from(filled(text, variables, unset)),
        Value::Array(items) => {
            let bare = |item: &Value| {
                let name = item.as_str().and_then(|text| text.strip_prefix("{{"));
                let name = name.and_then(|text| text.strip_suffix("}}"));
                // With more than one in it, it is a text around them.
                let name = name.filter(|name| !name.contains("}}"));
                name.is_some_and(|name| !variables.contains_key(name.trim()))
            };
            let all = items.iter().map(|item| (bare(item), fill(item, variables, unset)));
            all.filter_map(|(bare, item)| (!bare).then_some(item)).collect()
        }
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), fill(value, variables, unset)))
            .collect::<Map>()
            .into(),
        other => other.clone(),
    }
}

fn filled(
    text: &str,
    variables: &BTreeMap<String, String>,
    unset: &mut BTreeSet<String>,
) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, after)) = after.split_once("}}") else { break };
        result.push_str(before);
        if let Some(value) = variables.get(name.trim()) {
            result.push_str(value);
        } else {
            unset.insert(name.trim().to_owned());
            result.push_str("{{");
            result.push_str(name);
            result.push_str("}}");
        }
        rest = after;
    }
    result + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_filled_in_and_the_others_named() {
        let id: TaskId = "RQ-0001".parse().expect("an id");
        for template in built_in() {
            let set = variables_of("src/parse.rs").into_iter();
            let all: BTreeMap<_, _> =
                set.chain([("target".to_owned(), "src/parse.rs".to_owned())]).collect();
            let (task, unset) = template.task(&id, "Mend {{module}}", &all).expect("a task");
            assert_eq!((task.title.as_str(), unset.len()), ("Mend parse", 0), "{}", template.name);
            assert_eq!(task.scope, ["src/parse.rs"]);
            let (task, unset) = template.task(&id, "t", &BTreeMap::new()).expect("a task");
            assert!(task.scope.is_empty() && unset.contains("target"), "{}", template.name);
        }
        let own = Template::parse("own", r#"{"template_description": "d", "tags": ["{{a}}", "x{{ a }}{{"], "agent": {"model": "{{m}}"}}"#).expect("a template");
        let set = BTreeMap::from([("a".to_owned(), "{{m}}".to_owned())]);
        let (task, unset) = own.task(&id, "t", &set).expect("a task");
        assert_eq!(task.tags, ["{{m}}", "x{{m}}{{"]);
        assert_eq!(unset, BTreeSet::from(["m".to_owned()]));
        let several = "\u{feff}{\"plan\": [\"{{a}}/{{b}}\", \"{{a}}{{no}}\", \"{{no}}\"]}";
        let own = Template::parse("own", several).expect("a template");
        let set = ["a", "b"].map(|name| (name.to_owned(), name.to_uppercase())).into();
        let (task, _) = own.task(&id, "t", &set).expect("a task");
        assert_eq!(task.plan, ["A/B", "A{{no}}"]);
        assert!(Template::parse("bad", "[]").is_err());
        let bad = Template::parse("bad", r#"{"tags": 1}"#).expect("an object");
        assert!(matches!(bad.task(&id, "t", &set), Err(TemplateError::Task { .. })));
    }
}
