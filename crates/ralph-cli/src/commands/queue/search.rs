//! `ralph queue search`.

use std::cmp::Reverse;

use ralph_queue::search::Pattern;

use super::list;
use crate::args::SearchArgs;
use crate::context::Context;
use crate::error::{CliError, Exit};
use crate::project::Project;

pub(crate) fn search(context: &Context, args: &SearchArgs) -> Result<Exit, CliError> {
    let project = Project::open(context, "ralph queue search")?;
    let pattern = match (args.regex, args.fuzzy) {
        (true, _) => Pattern::regex(&args.query, !args.match_case)?,
        (_, true) => Pattern::fuzzy(&args.query, args.match_case),
        _ => Pattern::substring(&args.query, args.match_case)?,
    };
    let queue = project.queue()?;
    let mut found = Vec::new();
    for (listed, task) in queue.look_at(list::which(&queue, &args.which)) {
        found.extend(pattern.score_of(&task).map(|score| (score, listed)));
    }
    // Equals stay in the order of work.
    found.sort_by_key(|(score, _)| Reverse(*score));
    let tasks = found.into_iter().map(|(_, task)| task).collect();
    let found = list::Found { tasks, shown: list::Shown::of(&args.which) };
    let source = list::Source { project: &project, queue: &queue };
    list::show_page(context, source, found, &args.page, None)
}
