//! `ralph task show` and `ralph queue show`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use ralph_queue::runnability::{DoingFirst, Drafts, Reason};
use ralph_queue::value::{Map, Value};
use ralph_queue::{Place, Task};
use ralph_state::TaskId;
use serde::Serialize;

use crate::args::{ShowArgs, ShowFormat};
use crate::context::Context;
use crate::error::{CliError, Exit};
use crate::project::{self, Project};
use crate::render::envelope::{Budget, Schema};
use crate::render::room::Room;
use crate::render::task::{self, compact_fields};
use crate::standing;
use crate::ui::Text;

pub(crate) fn show(context: &Context, args: &ShowArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph task show")?;
    let queue = project.queue()?;
    let (place, task) = project.find(&queue, &args.task_id)?;
    let had_it = |it: &Task| it.id != task.id && it.former_ids().any(|old| old == args.task_id);
    let formerly = queue.renamed().map(|(_, it)| it).filter(|it| had_it(it)).map(|it| &it.id);
    if context.ui.wants_json() {
        let standing = standing::glanced(context, &project, &queue);
        let selection = project::selection(context, Drafts::Exclude, DoingFirst::Prefer, &standing);
        let report = (place == Place::Queue).then(|| queue.readiness(&selection).report_on(task));
        let mut short = task.clone();
        let cut = shorten(&mut short, Budget::new(args.max_tokens));
        context.ui.print_json(&Shown {
            schema: Schema::v1("task"),
            rev: project::revision(&queue),
            archived: place == Place::Done,
            ready: report.as_ref().is_some_and(|report| report.runnable),
            reasons: report.map(|report| report.reasons).unwrap_or_default(),
            formerly: formerly.collect(),
            truncated: !cut.is_empty(),
            cut,
            task: &short,
        })?;
        return Ok(Exit::Done);
    }
    let mut room = Room::new(args.max_tokens);
    let mut short = Cow::Borrowed(task);
    if args.max_tokens.is_some() && args.format != ShowFormat::Compact {
        let cut = shorten(short.to_mut(), Budget::new(args.max_tokens));
        say_cut(context, &cut);
    }
    match args.format {
        ShowFormat::Json => context.ui.print_json(&short)?,
        ShowFormat::Compact => {
            let line = Text::fields([compact_fields(task).as_slice()]);
            context.ui.print_as_it_is(room.fit(line))?;
        }
        ShowFormat::Text => context.ui.print(room.fit(task::long(&short)))?,
    }
    room.tell(&context.ui);
    for id in formerly {
        context.ui.hint(format!("`{id}` had this id before: it is another task."));
    }
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct Shown<'a> {
    schema: Schema,
    rev: String,
    /// It stands in the done file.
    archived: bool,
    /// It can start now.
    ready: bool,
    /// Why not.
    reasons: Vec<Reason>,
    /// Other tasks that had this id before.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    formerly: BTreeSet<&'a TaskId>,
    truncated: bool,
    /// Fields of which something was cut.
    cut: BTreeSet<&'static str>,
    task: &'a Task,
}

/// Says which fields were cut.
pub(crate) fn say_cut(context: &Context, cut: &BTreeSet<&'static str>) {
    if !cut.is_empty() {
        let fields: Vec<&str> = cut.iter().copied().collect();
        context.ui.say(format!("Cut, as `--max-tokens` asks: {}.", fields.join(", ")));
    }
}

/// Cuts the longest texts of a task until it fits: of a list what is oldest, of a text its end, of
/// an object its longest members.
pub(crate) fn shorten(task: &mut Task, budget: Budget) -> BTreeSet<&'static str> {
    let mut cut = BTreeSet::new();
    while !budget.has_room_for(task) {
        let mut fields = [
            ("title", Long::Text(&mut task.title)),
            ("tags", Long::List(&mut task.tags)),
            ("scope", Long::List(&mut task.scope)),
            ("depends_on", Long::List(&mut task.depends_on)),
            ("blocks", Long::List(&mut task.blocks)),
            ("relates_to", Long::List(&mut task.relates_to)),
            ("custom_fields", Long::Named(&mut task.custom_fields)),
            ("description", long(task.description.as_mut())),
            ("request", long(task.request.as_mut())),
            ("evidence", Long::List(&mut task.evidence)),
            ("plan", Long::List(&mut task.plan)),
            ("notes", Long::List(&mut task.notes)),
            ("agent", task.agent.as_mut().map_or(Long::Absent, Long::Members)),
            ("unknown fields", Long::Members(&mut task.extra)),
        ];
        let longest = fields.iter_mut().max_by_key(|(_, field)| field.len());
        match longest {
            Some((name, field)) if field.len() > SHORT => {
                field.halve();
                cut.insert(*name);
            }
            _ => break,
        }
    }
    cut
}

/// Cutting a field that is shorter gains nothing, in bytes.
const SHORT: usize = 80;

/// A field that can be cut.
enum Long<'t> {
    Absent,
    Text(&'t mut String),
    List(&'t mut Vec<String>),
    Named(&'t mut BTreeMap<String, String>),
    Members(&'t mut Map),
}

fn long(text: Option<&mut String>) -> Long<'_> {
    text.map_or(Long::Absent, Long::Text)
}

impl Long<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Absent => 0,
            Self::Text(text) => text.len(),
            Self::List(list) => list.iter().map(String::len).sum(),
            Self::Named(named) => named.iter().map(|(name, text)| name.len() + text.len()).sum(),
            Self::Members(members) => members.iter().map(size).sum(),
        }
    }

    fn halve(&mut self) {
        let text = match self {
            Self::Absent => return,
            Self::List(list) if list.len() > 1 => return drop(list.drain(..list.len() / 2)),
            Self::List(list) => list.first_mut(),
            Self::Named(named) => match named.values_mut().max_by_key(|text| text.len()) {
                Some(text) if text.len() > SHORT => Some(text),
                _ => return drop(named.pop_last()),
            },
            Self::Members(members) => {
                let longest = members.iter().max_by_key(|member| size(*member));
                if let Some(name) = longest.map(|(name, _)| name.clone()) {
                    members.remove(&name);
                }
                return;
            }
            Self::Text(text) => Some(&mut **text),
        };
        if let Some(text) = text {
            text.truncate(text.floor_char_boundary(text.len() / 2));
            text.push('…');
        }
    }
}

/// How long a member of an object is, as it is printed.
fn size((name, value): (&String, &Value)) -> usize {
    name.len() + value.to_string().len()
}
