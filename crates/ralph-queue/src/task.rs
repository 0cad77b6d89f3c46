//! The task: what one element of a queue file means.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::str::FromStr;

use ralph_state::json::{FieldError, from_json, to_json};
use ralph_state::{TaskId, Timestamp, TimestampError};
use serde::{Deserialize, Serialize, Serializer};

use crate::document::{Document, ParseError};
use crate::value::{Map, Value};

/// One task, as a queue file holds it.
///
/// Times stay text, because a file may hold one that is no time; [`crate::validate`] says so.
/// Serialises to the JSON object of Ralph 0.4.0: its order of keys, lists always there, absent
/// options left out, unknown fields last.
///
/// `W` is what holds its texts: a task has its own, unless somebody only looks at it for a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task<W = String> {
    /// Its name, never given to another task.
    pub id: TaskId,
    /// Where it stands.
    pub status: Status,
    /// One line that says what is wanted.
    pub title: W,
    /// What is wanted, at length.
    pub description: Option<W>,
    /// How urgent; says nothing about order, which is that of the file.
    pub priority: Priority,
    /// Words to find it by.
    pub tags: Vec<W>,
    /// Paths and areas it touches.
    pub scope: Vec<W>,
    /// What shows that it is needed, or done.
    pub evidence: Vec<W>,
    /// Steps.
    pub plan: Vec<W>,
    /// What was learnt on the way, oldest first.
    pub notes: Vec<W>,
    /// The words it was asked for in.
    pub request: Option<W>,
    /// How its agent is to be run; see [`Task::agent_overrides`].
    pub agent: Option<Map>,
    /// When it was written, RFC 3339 in UTC.
    pub created_at: Option<W>,
    /// When it last changed, RFC 3339 in UTC.
    pub updated_at: Option<W>,
    /// When it was done or rejected, RFC 3339 in UTC.
    pub completed_at: Option<W>,
    /// When work began, RFC 3339.
    pub started_at: Option<W>,
    /// Guessed work, in minutes.
    pub estimated_minutes: Option<u32>,
    /// Work spent, in minutes.
    pub actual_minutes: Option<u32>,
    /// Not to be started before, RFC 3339.
    pub scheduled_start: Option<W>,
    /// Ids of tasks that must be finished first.
    pub depends_on: Vec<W>,
    /// Ids of tasks that must wait for this one.
    pub blocks: Vec<W>,
    /// Ids of tasks worth reading beside it.
    pub relates_to: Vec<W>,
    /// Id of the task that this one repeats.
    pub duplicates: Option<W>,
    /// Free text by name.
    pub custom_fields: BTreeMap<String, W>,
    /// Id of the task that this one is a part of.
    pub parent_id: Option<W>,
    /// Fields this version does not know. Ralph 0.4.0 refuses a file that has any.
    pub extra: Map,
}

/// A task that is looked at for a moment: its texts are those of the document.
pub type Glance<'t> = Task<Cow<'t, str>>;

/// What holds the texts of a task.
pub(crate) trait Words<'t>: Default {
    fn of(text: Cow<'t, str>) -> Self;
}

impl<'t> Words<'t> for String {
    fn of(text: Cow<'t, str>) -> Self {
        text.into_owned()
    }
}

impl<'t> Words<'t> for Cow<'t, str> {
    fn of(text: Cow<'t, str>) -> Self {
        text
    }
}

/// For who wants to know of a text only that it is there.
impl<'t> Words<'t> for () {
    fn of(_: Cow<'t, str>) {}
}

/// The custom field with the ids that a task had before, separated by commas. They still find it,
/// for a look.
pub const FORMER_IDS: &str = "former_ids";

impl<W> Task<W> {
    /// [`Task::new`], with whatever holds the texts.
    pub(crate) fn plain(id: TaskId, title: W) -> Self {
        Self {
            id,
            status: Status::Todo,
            title,
            description: None,
            priority: Priority::Medium,
            tags: Vec::new(),
            scope: Vec::new(),
            evidence: Vec::new(),
            plan: Vec::new(),
            notes: Vec::new(),
            request: None,
            agent: None,
            created_at: None,
            updated_at: None,
            completed_at: None,
            started_at: None,
            estimated_minutes: None,
            actual_minutes: None,
            scheduled_start: None,
            depends_on: Vec::new(),
            blocks: Vec::new(),
            relates_to: Vec::new(),
            duplicates: None,
            custom_fields: BTreeMap::new(),
            parent_id: None,
            extra: BTreeMap::new(),
        }
    }

    /// One with nothing in it, whose lists have the room that those of this one had. Its id and its
    /// title are for others to take the place of.
    pub(crate) fn emptied(self) -> Self {
        let empty = |mut list: Vec<W>| {
            list.clear();
            list
        };
        Self {
            tags: empty(self.tags),
            scope: empty(self.scope),
            evidence: empty(self.evidence),
            plan: empty(self.plan),
            notes: empty(self.notes),
            depends_on: empty(self.depends_on),
            ..Self::plain(self.id, self.title)
        }
    }

    /// What [`Task::agent`] says, typed; what is wrong with it in 0.4.0's eyes is told by
    /// [`crate::agent::faults`].
    ///
    /// Errors: the field is there and its shape is not that of 0.4.0.
    pub fn agent_overrides(&self) -> Result<Option<AgentOverrides>, FieldError> {
        self.agent
            .as_ref()
            .map(|agent| from_json(&to_json(agent).expect("every JSON value can be told")))
            .transpose()
    }

    /// Whether it names other tasks.
    pub(crate) fn is_related(&self) -> bool {
        [&self.depends_on, &self.blocks, &self.relates_to].iter().any(|ids| !ids.is_empty())
            || [&self.duplicates, &self.parent_id].iter().any(|id| id.is_some())
    }

    /// Where the value of a field goes.
    pub(crate) fn slot(&mut self, field: Field) -> Slot<'_, W> {
        match field {
            Field::Id => Slot::Id(&mut self.id),
            Field::Status => Slot::Status(&mut self.status),
            Field::Title => Slot::Title(&mut self.title),
            Field::Description => Slot::Text(&mut self.description),
            Field::Priority => Slot::Priority(&mut self.priority),
            Field::Tags => Slot::List(&mut self.tags),
            Field::Scope => Slot::List(&mut self.scope),
            Field::Evidence => Slot::List(&mut self.evidence),
            Field::Plan => Slot::List(&mut self.plan),
            Field::Notes => Slot::List(&mut self.notes),
            Field::Request => Slot::Text(&mut self.request),
            Field::Agent => Slot::Object(&mut self.agent),
            Field::CreatedAt => Slot::Text(&mut self.created_at),
            Field::UpdatedAt => Slot::Text(&mut self.updated_at),
            Field::CompletedAt => Slot::Text(&mut self.completed_at),
            Field::StartedAt => Slot::Text(&mut self.started_at),
            Field::EstimatedMinutes => Slot::Minutes(&mut self.estimated_minutes),
            Field::ActualMinutes => Slot::Minutes(&mut self.actual_minutes),
            Field::ScheduledStart => Slot::Text(&mut self.scheduled_start),
            Field::DependsOn => Slot::List(&mut self.depends_on),
            Field::Blocks => Slot::List(&mut self.blocks),
            Field::RelatesTo => Slot::List(&mut self.relates_to),
            Field::Duplicates => Slot::Text(&mut self.duplicates),
            Field::CustomFields => Slot::Map(&mut self.custom_fields),
            Field::ParentId => Slot::Text(&mut self.parent_id),
        }
    }
}

impl<'t> Glance<'t> {
    /// [`Task::references`], to keep.
    pub(crate) fn into_references(self) -> impl Iterator<Item = Cow<'t, str>> {
        let single = [self.duplicates, self.parent_id].into_iter().flatten();
        let lists = [self.depends_on, self.blocks, self.relates_to];
        lists.into_iter().flatten().chain(single).map(|id| match id {
            Cow::Borrowed(id) => id.trim().into(),
            Cow::Owned(id) => id.trim().to_owned().into(),
        })
    }
}

impl<W: AsRef<str>> Task<W> {
    /// Whether two tasks of one id may be versions of one task that somebody edited by hand: made
    /// at the same time or, unless that is told to the moment, with the same title.
    pub(crate) fn may_be(&self, other: &Self) -> bool {
        let [one, two] = [self, other].map(|task| task.created_at.as_ref().map(W::as_ref));
        one == two
            || self.title.as_ref() == other.title.as_ref()
                && !(self.has_exact_time() && other.has_exact_time())
    }

    /// Whether it was made at a time that only the same moment has.
    fn has_exact_time(&self) -> bool {
        is_exact(self.created_at.as_ref())
    }

    /// Every field that is written, in the order of 0.4.0.
    pub(crate) fn fields(&self) -> Vec<(&str, Value)> {
        self.contents().map(|(name, content)| (name, content.into())).collect()
    }

    /// The same, and nothing of it is copied.
    fn contents(&self) -> impl Iterator<Item = (&str, Content<'_, W>)> {
        let known = Field::ALL.iter().filter_map(|it| Some((it.name(), self.content(*it)?)));
        known.chain(self.extra.iter().map(|(name, value)| (name.as_str(), Content::Other(value))))
    }

    /// What one of the fields holds; nothing for one that is not written.
    pub(crate) fn content(&self, field: Field) -> Option<Content<'_, W>> {
        Some(match field {
            Field::Id => Content::Text(self.id.as_str()),
            Field::Status => Content::Text(self.status.as_str()),
            Field::Title => Content::Text(self.title.as_ref()),
            Field::Description => return Content::text(self.description.as_ref()),
            Field::Priority => Content::Text(self.priority.as_str()),
            Field::Tags => Content::List(&self.tags),
            Field::Scope => Content::List(&self.scope),
            Field::Evidence => Content::List(&self.evidence),
            Field::Plan => Content::List(&self.plan),
            Field::Notes => Content::List(&self.notes),
            Field::Request => return Content::text(self.request.as_ref()),
            Field::Agent => return self.agent.as_ref().map(Content::Object),
            Field::CreatedAt => return Content::text(self.created_at.as_ref()),
            Field::UpdatedAt => return Content::text(self.updated_at.as_ref()),
            Field::CompletedAt => return Content::text(self.completed_at.as_ref()),
            Field::StartedAt => return Content::text(self.started_at.as_ref()),
            Field::EstimatedMinutes => return self.estimated_minutes.map(Content::Minutes),
            Field::ActualMinutes => return self.actual_minutes.map(Content::Minutes),
            Field::ScheduledStart => return Content::text(self.scheduled_start.as_ref()),
            Field::DependsOn => Content::List(&self.depends_on),
            Field::Blocks => Content::List(&self.blocks),
            Field::RelatesTo => Content::List(&self.relates_to),
            Field::Duplicates => return Content::text(self.duplicates.as_ref()),
            Field::CustomFields => Content::Texts(&self.custom_fields),
            Field::ParentId => return Content::text(self.parent_id.as_ref()),
        })
    }

    /// When it may start, if it says so; a blank text says nothing.
    pub fn scheduled(&self) -> Result<Option<Timestamp>, TimestampError> {
        let text = self.scheduled_start.as_ref().map_or("", W::as_ref);
        if text.trim().is_empty() { Ok(None) } else { text.parse().map(Some) }
    }
}

impl Task {
    /// A `todo` of medium priority with nothing else in it.
    pub fn new(id: TaskId, title: impl Into<String>) -> Self {
        Self::plain(id, title.into())
    }

    /// Reads one task from a JSON or JSONC object.
    ///
    /// Places in the error are those in `json`.
    pub fn parse(json: &str) -> Result<Self, ParseError> {
        Document::parse_task(json)
    }

    /// Sets the status as 0.4.0 does: `updated_at` is now; a terminal status sets `completed_at`
    /// when there is none, any other clears it; `doing` sets `started_at` when there is none.
    pub fn set_status(&mut self, status: Status, now: Timestamp) {
        self.status = status;
        self.updated_at = Some(now.to_string());
        if status.is_terminal() {
            if self.completed_at.as_ref().is_none_or(|time| time.trim().is_empty()) {
                self.completed_at = Some(now.to_string());
            }
        } else {
            self.completed_at = None;
        }
        if status == Status::Doing {
            self.started_at.get_or_insert_with(|| now.to_string());
        }
    }

    /// Adds a note unless it is blank, and stamps the change.
    pub fn add_note(&mut self, note: &str, now: Timestamp) {
        if !note.trim().is_empty() {
            self.notes.push(note.trim().to_owned());
            self.updated_at = Some(now.to_string());
        }
    }

    /// Gives it another id, and remembers the one it had.
    pub(crate) fn give_id(&mut self, id: TaskId) {
        let former: Vec<String> = self.all_ids().map(str::to_owned).collect();
        self.set_ids(id, &former);
    }

    /// Gives it an id, and those that it had before.
    pub(crate) fn set_ids(&mut self, id: TaskId, former: &[String]) {
        self.id = id;
        if former.is_empty() {
            self.custom_fields.remove(FORMER_IDS);
        } else {
            self.custom_fields.insert(FORMER_IDS.to_owned(), former.join(","));
        }
    }

    /// Gives new ids, by their old ones, to the task and to those it names.
    pub(crate) fn rename(&mut self, ids: &BTreeMap<TaskId, TaskId>) {
        if let Some(new) = ids.get(&self.id) {
            self.give_id(new.clone());
        }
        self.follow(ids);
    }

    /// Names tasks by their new ids that it named by their old ones.
    pub(crate) fn follow(&mut self, ids: &BTreeMap<TaskId, TaskId>) {
        let lists =
            [&mut self.depends_on, &mut self.blocks, &mut self.relates_to].into_iter().flatten();
        for reference in lists.chain(&mut self.duplicates).chain(&mut self.parent_id) {
            if let Some(new) = ids.get(reference.trim()) {
                new.as_str().clone_into(reference);
            }
        }
    }

    /// Every task it names, as often as it names it. Blanks around an id mean nothing, as in 0.4.0.
    pub fn references(&self) -> impl Iterator<Item = &str> {
        let lists = [&self.depends_on, &self.blocks, &self.relates_to];
        let single = [&self.duplicates, &self.parent_id].into_iter().flatten();
        lists.into_iter().flatten().chain(single).map(|id| id.trim())
    }

    /// Whether two tasks of one id are versions of one task: made at the same time, and with the
    /// same title, unless the time is one that only the same moment has.
    pub fn is_version_of(&self, other: &Self) -> bool {
        self.is_same_titled(other) || self.created_at == other.created_at && self.has_exact_time()
    }

    /// The same, of which neither got another title.
    pub(crate) fn is_same_titled(&self, other: &Self) -> bool {
        self.created_at == other.created_at && self.title == other.title
    }

    /// Whether it has the id and the time of a task that was there before, whatever its title.
    pub(crate) fn is_retitled(&self, before: &Self) -> bool {
        self.id == before.id && self.created_at.is_some() && self.created_at == before.created_at
    }

    /// Whether two tasks of one id were made at the same time and have ended at the same moment, in
    /// whatever way: a merge gives the task that one side moved, and the other gave a new title, the
    /// end that it has there.
    pub(crate) fn has_ended_as(&self, other: &Self) -> bool {
        [self, other].iter().all(|task| task.status.is_terminal())
            && self.created_at == other.created_at
            && self.completed_at == other.completed_at
            && is_exact(self.completed_at.as_ref())
    }

    /// Whether two tasks have an id in common, now or before, and are versions of one task.
    pub(crate) fn is_known_as(&self, other: &Self) -> bool {
        self.all_ids().any(|id| other.all_ids().any(|known| known == id))
            && self.is_version_of(other)
    }

    /// Whether it is what a move to the done file leaves in the queue file when it is cut short: a
    /// version from before the move, in which nothing is that `moved` lacks, but perhaps its status.
    pub(crate) fn is_rest_of(&self, moved: &Self) -> bool {
        let time = |text: &Option<String>| text.as_ref()?.parse::<Timestamp>().ok();
        let changed = time(&self.updated_at);
        // One that has the time of the end or a later one was opened again, however late the other
        // was moved.
        let is_before_end = time(&moved.completed_at).is_none_or(|end| changed < Some(end));
        let is_there = |field: &Field| match (*field, self.content(*field)) {
            (Field::Status | Field::UpdatedAt, _) | (_, None) => true,
            (field, Some(own)) => moved.content(field).is_some_and(|other| own.is_in(&other)),
        };
        is_before_end
            && changed < time(&moved.updated_at)
            && Field::ALL.iter().all(is_there)
            && self.extra.iter().all(|(name, value)| moved.extra.get(name) == Some(value))
    }

    /// The ids it had before, see [`FORMER_IDS`].
    pub fn former_ids(&self) -> impl Iterator<Item = &str> {
        listed_ids(self.custom_fields.get(FORMER_IDS).map_or("", String::as_str))
    }

    /// The ids it had before, and then the one it has.
    pub(crate) fn all_ids(&self) -> impl Iterator<Item = &str> {
        self.former_ids().chain([self.id.as_str()])
    }
}

/// The ids that a value of [`FORMER_IDS`] lists.
pub(crate) fn listed_ids(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim).filter(|id| !id.is_empty())
}

/// Whether only the same moment has that time.
fn is_exact(time: Option<&impl AsRef<str>>) -> bool {
    let nanos = time.and_then(|time| time.as_ref().parse().ok()).map(Timestamp::as_unix_nanos);
    nanos.is_some_and(|nanos| nanos % 1_000_000 != 0)
}

macro_rules! fields {
    ($($field:ident = $name:literal,)+) => {
        /// The fields that a task may have, in the order of 0.4.0.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Field {
            $($field,)+
        }

        impl Field {
            /// Every one, in order.
            pub(crate) const ALL: &[Self] = &[$(Self::$field),+];

            /// What it is called in the file.
            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Self::$field => $name,)+
                }
            }

            /// The one with that name.
            pub(crate) fn named(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$field),)+
                    _ => None,
                }
            }
        }
    };
}

fields! {
    Id = "id",
    Status = "status",
    Title = "title",
    Description = "description",
    Priority = "priority",
    Tags = "tags",
    Scope = "scope",
    Evidence = "evidence",
    Plan = "plan",
    Notes = "notes",
    Request = "request",
    Agent = "agent",
    CreatedAt = "created_at",
    UpdatedAt = "updated_at",
    CompletedAt = "completed_at",
    StartedAt = "started_at",
    EstimatedMinutes = "estimated_minutes",
    ActualMinutes = "actual_minutes",
    ScheduledStart = "scheduled_start",
    DependsOn = "depends_on",
    Blocks = "blocks",
    RelatesTo = "relates_to",
    Duplicates = "duplicates",
    CustomFields = "custom_fields",
    ParentId = "parent_id",
}

/// What a field holds, as its task has it.
pub(crate) enum Content<'a, W> {
    Text(&'a str),
    List(&'a [W]),
    Minutes(u32),
    Texts(&'a BTreeMap<String, W>),
    Object(&'a Map),
    /// Of a field that this version does not know.
    Other(&'a Value),
}

impl<'a, W: AsRef<str>> Content<'a, W> {
    fn text(text: Option<&'a W>) -> Option<Self> {
        text.map(|text| Self::Text(text.as_ref()))
    }
}

impl Content<'_, String> {
    /// Whether all of it is in what the field of another task holds.
    fn is_in(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(text), Self::Text(other)) => text == other,
            (Self::Minutes(minutes), Self::Minutes(other)) => minutes == other,
            (Self::List(items), Self::List(others)) => {
                let others: HashSet<&String> = others.iter().collect();
                items.iter().all(|item| others.contains(item))
            }
            (Self::Texts(texts), Self::Texts(others)) => {
                // By its ids of before nobody changed it: a merge gives them.
                let is_there = |(name, text): (&String, &String)| {
                    name == FORMER_IDS || others.get(name) == Some(text)
                };
                texts.iter().all(is_there)
            }
            (Self::Object(members), Self::Object(others)) => {
                members.iter().all(|(name, value)| others.get(name) == Some(value))
            }
            _ => false,
        }
    }
}

impl<W: AsRef<str>> From<Content<'_, W>> for Value {
    fn from(content: Content<'_, W>) -> Self {
        match content {
            Content::Text(text) => text.into(),
            Content::List(items) => items.iter().map(W::as_ref).collect(),
            Content::Minutes(minutes) => minutes.into(),
            Content::Texts(texts) => {
                let text = |(name, text): (&String, &W)| (name.clone(), text.as_ref().into());
                Self::Object(texts.iter().map(text).collect())
            }
            Content::Object(members) => Self::Object(members.clone()),
            Content::Other(value) => value.clone(),
        }
    }
}

impl<W: AsRef<str>> Serialize for Content<'_, W> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => text.serialize(serializer),
            Self::List(items) => serializer.collect_seq(items.iter().map(W::as_ref)),
            Self::Minutes(minutes) => minutes.serialize(serializer),
            Self::Texts(texts) => {
                serializer.collect_map(texts.iter().map(|(name, text)| (name, text.as_ref())))
            }
            Self::Object(members) => members.serialize(serializer),
            Self::Other(value) => value.serialize(serializer),
        }
    }
}

/// The place of a field in a [`Task`], by the kind of its value.
pub(crate) enum Slot<'a, W> {
    Id(&'a mut TaskId),
    Title(&'a mut W),
    Status(&'a mut Status),
    Priority(&'a mut Priority),
    Text(&'a mut Option<W>),
    Minutes(&'a mut Option<u32>),
    List(&'a mut Vec<W>),
    Map(&'a mut BTreeMap<String, W>),
    Object(&'a mut Option<Map>),
}

impl<W: AsRef<str>> Serialize for Task<W> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.contents())
    }
}

/// A closed set of words, the same in memory, in the file and on the command line.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $what:literal, $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// Every value, in order.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word for it.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text).ok_or_else(|| UnknownWord {
                    what: $what,
                    found: text.to_owned(),
                    known: &[$($word),+],
                })
            }
        }
    };
}

words! {
    /// Where a task stands.
    Status, "status",
    /// Not ready to be worked on.
    Draft = "draft",
    /// Waiting for its turn.
    #[default]
    Todo = "todo",
    /// Being worked on.
    Doing = "doing",
    /// Finished.
    Done = "done",
    /// Will not be done.
    Rejected = "rejected",
}

impl Status {
    /// Done or rejected: nothing more happens, and what waited for it need wait no longer.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Done | Self::Rejected)
    }
}

words! {
    /// How urgent a task is. The order of the variants is that of urgency, highest first.
    Priority, "priority",
    /// Before everything.
    Critical = "critical",
    /// Soon.
    High = "high",
    /// As it comes.
    #[default]
    Medium = "medium",
    /// When nothing else is left.
    Low = "low",
}

/// A word that is none of those allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} `{found}`, known are {}", known.join(", "))]
pub struct UnknownWord {
    /// What was asked for: `status` or `priority`.
    pub what: &'static str,
    /// The word found.
    pub found: String,
    /// The words allowed.
    pub known: &'static [&'static str],
}

/// How a task wants its agent run, over what the configuration says.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct AgentOverrides {
    /// Which runner.
    pub runner: Option<String>,
    /// Which model.
    pub model: Option<String>,
    /// How hard to think: `default`, `low`, `medium`, `high` or `xhigh`.
    pub model_effort: Option<String>,
    /// How many phases, 1 to 3.
    pub phases: Option<u8>,
    /// How many iterations, at least 1.
    pub iterations: Option<u32>,
    /// Effort of every iteration but the first.
    pub followup_reasoning_effort: Option<String>,
    /// Options of the runner's command line, as written.
    pub runner_cli: Option<Map>,
    /// What differs in a phase.
    pub phase_overrides: Option<PhaseOverrides>,
}

/// How each phase wants its agent run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct PhaseOverrides {
    /// The first.
    pub phase1: Option<PhaseOverride>,
    /// The second.
    pub phase2: Option<PhaseOverride>,
    /// The third.
    pub phase3: Option<PhaseOverride>,
}

/// How one phase wants its agent run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct PhaseOverride {
    /// Which runner.
    pub runner: Option<String>,
    /// Which model.
    pub model: Option<String>,
    /// How hard to think.
    pub reasoning_effort: Option<String>,
}
