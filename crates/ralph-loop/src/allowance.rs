//! Whether an agent may have another turn: limits of the run and the task, and providers that pause.
//!
//! What was spent and learned is kept in the state file, or with a serial run; what is
//! decided here is decided on values.

use std::time::Duration;

use ralph_agent::{Capabilities, Counter, Limits, Pauses, Permit, TurnReport};
use ralph_config::{AgentConfig, SpendingLimit};
use ralph_state::json::{from_json, to_json};
use ralph_state::{Amount, Spending, Timestamp};

/// Who asks for a turn.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// What the configuration allows.
    pub limits: &'a ralph_config::Limits,
    /// The provider's account that the turn would use: see [`Pauses::account`].
    pub account: &'a str,
    /// What is limited and the agent does not tell: see [`blind`].
    pub blind: Option<Counter>,
    /// When.
    pub now: Timestamp,
}

/// Whether the turn may begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It may, with this set aside for it.
    Go(Amount),
    /// Not yet.
    Wait(Waiting),
    /// It may not.
    No(Refusal),
}

/// What a turn waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Waiting {
    /// Turns that still run may leave enough.
    #[error("waits for what turns of other tasks leave of the run's limit")]
    Others,
    /// The provider takes no request before this time.
    #[error("waits for its provider until {0}")]
    Provider(Timestamp),
}

/// Time between two looks at what a turn waits for.
pub(crate) const LOOK: Duration = Duration::from_millis(500);

/// Why no turn may begin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A limit of the run: no task may have one.
    #[error("limit of the run (`agent.limits.run`): {0}")]
    Run(String),
    /// A limit of the task.
    #[error("limit of the task (`agent.limits.task`): {0}")]
    Task(String),
    /// The provider refuses, and waiting does not help.
    #[error("{0}")]
    Provider(String),
    /// The run was stopped meanwhile.
    #[error("stopped")]
    Stopped,
}

impl Refusal {
    /// Whether no other task would be given a turn either.
    pub const fn is_everybodys(&self) -> bool {
        matches!(self, Self::Run(_) | Self::Provider(_))
    }
}

/// Whether a turn may begin, for a task that has `spent` so much, while so much is `reserved`
/// for turns that run.
pub fn ask(asked: &Asked<'_>, spending: &Spending, spent: Amount, reserved: Amount) -> Answer {
    let Asked { limits, account, blind, now } = asked;
    if let Some(what) = blind {
        return Answer::No(Refusal::Task(unseen(*what)));
    }
    // Before the limits: of an agent that does not tell what it used, they know no figure.
    let until = match Pauses::new(spending.pauses.clone()).permit(account, *now) {
        Permit::Go => None,
        Permit::Wait { until } => Some(until),
        Permit::Stop { reason } => return Answer::No(Refusal::Provider(reason)),
    };
    let expected = Amount {
        tokens: limits.turn.tokens.unwrap_or(0),
        micro_usd: micro(limits.turn.usd).unwrap_or(0),
        ..Amount::default()
    };
    let of_run = run_limit(spending).unwrap_or(limits.run);
    if let (Some(minutes), Some(began)) = (of_run.minutes, spending.began)
        && now.seconds_since(began).max(0).unsigned_abs() >= minutes.saturating_mul(60)
    {
        return Answer::No(Refusal::Run(format!("its {minutes} minutes are over")));
    }
    // Its minutes are those of the clock.
    let run = Limits { seconds: None, ..bounds(&of_run) };
    let task = bounds(&limits.task);
    let none = Amount::default();
    let of_task = task.reckon(spent, spending.largest, expected);
    if let Err(exhausted) = task.admit(spent, none, of_task) {
        return Answer::No(Refusal::Task(exhausted.to_string()));
    }
    let wanted = run.reckon(spending.spent, spending.largest, expected);
    if let Err(exhausted) = run.admit(spending.spent, none, wanted) {
        return Answer::No(Refusal::Run(exhausted.to_string()));
    }
    if run.admit(spending.spent, reserved, wanted).is_err() {
        return Answer::Wait(Waiting::Others);
    }
    match until {
        // What only the task limits is set aside for it, too.
        None => Answer::Go(Amount {
            tokens: run.tokens.map_or(of_task.tokens, |_| wanted.tokens),
            micro_usd: run.micro_usd.map_or(of_task.micro_usd, |_| wanted.micro_usd),
            ..wanted
        }),
        Some(until) => Answer::Wait(Waiting::Provider(until)),
    }
}

/// Charges the run with a turn for which so much was `reserved` and learns from how it ended;
/// returns what the turn used.
pub fn settle(
    asked: &Asked<'_>,
    spending: &mut Spending,
    reserved: Amount,
    report: &TurnReport,
) -> Amount {
    let usage = report.usage.as_ref();
    let used = ralph_agent::charge(usage, report.wall, reserved);
    spending.spent = spending.spent.plus(used);
    if usage.is_some() {
        // What was only set aside says nothing about the size of a turn.
        let told = ralph_agent::charge(usage, report.wall, Amount::default());
        spending.largest = spending.largest.max(told);
    }
    let mut pauses = Pauses::new(std::mem::take(&mut spending.pauses));
    pauses.observe(asked.account, &report.outcome, asked.now);
    if let Some(what) = limited(asked.limits).untold(&report.outcome, usage) {
        pauses.close(asked.account, unseen(what));
    }
    spending.pauses = pauses.into_accounts();
    used
}

/// The field of the books with the limit of the run.
const LIMIT: &str = "limit";

/// The limit of the run that has these books: a worker that outlived its own run has another.
fn run_limit(spending: &Spending) -> Option<SpendingLimit> {
    from_json(spending.extra.get(LIMIT)?).ok()
}

/// The books of a run with this `limit` that begins at `now`, after one that had `earlier`: nothing
/// is spent, and who was to wait for a provider still is.
pub fn begin(earlier: Option<Spending>, limit: &SpendingLimit, now: Timestamp) -> Spending {
    let mut spending = earlier.unwrap_or_default();
    match to_json(limit) {
        Ok(limit) => drop(spending.extra.set(LIMIT, limit)),
        // Then each goes by its own.
        Err(_) => drop(spending.extra.remove(LIMIT)),
    }
    spending.began = Some(now);
    (spending.spent, spending.largest) = (Amount::default(), Amount::default());
    // The user may have bought more meanwhile.
    spending.pauses.retain(|_, pause| pause.closed.is_none());
    spending
}

/// What is limited, for the run or for a task, and cannot be counted: an agent that can be asked
/// for `can`, with this model, does not tell it.
pub fn blind(agent: &AgentConfig, can: Capabilities, model: Option<&str>) -> Option<Counter> {
    let priced = model.is_some_and(|model| agent.prices.contains_key(model));
    limited(&agent.limits).blind(can, priced)
}

/// What is limited at all.
fn limited(limits: &ralph_config::Limits) -> Limits {
    let (run, task) = (bounds(&limits.run), bounds(&limits.task));
    Limits {
        tokens: run.tokens.or(task.tokens),
        micro_usd: run.micro_usd.or(task.micro_usd),
        ..Limits::default()
    }
}

fn unseen(what: Counter) -> String {
    format!("the agent does not tell its {what}, so a limit of them cannot hold it")
}

fn bounds(limit: &SpendingLimit) -> Limits {
    let SpendingLimit { turns, tokens, usd, minutes } = *limit;
    let seconds = minutes.map(|minutes| minutes.saturating_mul(60));
    Limits { turns, tokens, micro_usd: micro(usd), seconds }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the configuration admits no other than small positive numbers"
)]
fn micro(usd: Option<f64>) -> Option<u64> {
    usd.map(|usd| (usd * 1e6).round() as u64)
}

#[cfg(test)]
mod tests {
    use ralph_agent::{Outcome, Usage};

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn amount(turns: u64, tokens: u64) -> Amount {
        Amount { turns, tokens, ..Amount::default() }
    }

    #[test]
    fn the_first_turn_of_which_nothing_is_known_runs_alone() {
        let mut limits = ralph_config::Limits::default();
        limits.run.tokens = Some(100);
        let asked = Asked { limits: &limits, account: "a", blind: None, now: NOW };
        let mut spending = begin(None, &limits.run, NOW);
        let none = Amount::default();
        assert_eq!(ask(&asked, &spending, none, none), Answer::Go(amount(1, 100)));
        let others = Answer::Wait(Waiting::Others);
        assert_eq!(ask(&asked, &spending, none, amount(1, 100)), others);
        let usage = Usage { input: 30, ..Usage::default() };
        let mut report = TurnReport::new(Outcome::Succeeded);
        report.usage = Some(usage);
        let used = Amount { unpriced: 1, ..amount(1, 30) };
        assert_eq!(settle(&asked, &mut spending, amount(1, 100), &report), used);
        // Two of that size fit, a third does not; in the end no further one does.
        assert_eq!(ask(&asked, &spending, none, amount(1, 30)), Answer::Go(amount(1, 30)));
        assert_eq!(ask(&asked, &spending, none, amount(2, 60)), others);
        spending.spent = amount(3, 90);
        let Answer::No(refusal) = ask(&asked, &spending, none, none) else { panic!("refused") };
        assert_eq!(
            refusal.to_string(),
            "limit of the run (`agent.limits.run`): 90 of 100 tokens are used, and the next \
             turn may need 30"
        );
    }

    #[test]
    fn a_limit_that_cannot_hold_an_agent_lets_it_have_no_turn() {
        let mut limits = ralph_config::Limits::default();
        (limits.task.usd, limits.run.usd) = (Some(1.0), Some(1.0));
        let asked =
            Asked { limits: &limits, account: "a", blind: Some(Counter::MicroUsd), now: NOW };
        let mut spending = begin(None, &limits.run, NOW);
        let none = Amount::default();
        let Answer::No(refusal) = ask(&asked, &spending, none, none) else { panic!("refused") };
        assert!(!refusal.is_everybodys(), "{refusal}");
        // One that was said to tell, and does not.
        let asked = Asked { blind: None, ..asked };
        let reserved = Amount { micro_usd: 1_000_000, ..amount(1, 0) };
        assert_eq!(ask(&asked, &spending, none, none), Answer::Go(reserved));
        let report = TurnReport::new(Outcome::Succeeded);
        let used = settle(&asked, &mut spending, reserved, &report);
        assert_eq!(used.known_micro_usd(), None);
        assert_eq!(spending.largest, none);
        let Answer::No(refusal) = ask(&asked, &spending, none, none) else { panic!("refused") };
        assert_eq!(
            refusal.to_string(),
            "the agent does not tell its dollars, so a limit of them cannot hold it"
        );
    }

    #[test]
    fn minutes_of_a_run_are_those_of_the_clock_and_of_a_task_those_of_its_agent() {
        let mut limits = ralph_config::Limits::default();
        limits.run.minutes = Some(1);
        let later = NOW.checked_add(Duration::from_mins(1)).unwrap();
        let asked = |now| Asked { limits: &limits, account: "a", blind: None, now };
        let spending = begin(None, &limits.run, NOW);
        let none = Amount::default();
        assert!(matches!(ask(&asked(NOW), &spending, none, none), Answer::Go(_)));
        let over = ask(&asked(later), &spending, none, none);
        assert_eq!(over, Answer::No(Refusal::Run("its 1 minutes are over".to_owned())));
        let mut limits = ralph_config::Limits::default();
        limits.task.minutes = Some(1);
        let spending = begin(None, &limits.run, NOW);
        let asked = Asked { limits: &limits, account: "a", blind: None, now: later };
        let spent = Amount { seconds: 60, ..none };
        assert!(matches!(ask(&asked, &spending, none, none), Answer::Go(_)));
        assert!(matches!(ask(&asked, &spending, spent, none), Answer::No(Refusal::Task(_))));
    }

    #[test]
    fn a_limit_that_one_meets_holds_all_of_the_account_back() {
        let limits = ralph_config::Limits::default();
        let asked = Asked { limits: &limits, account: "claude:opus", blind: None, now: NOW };
        let mut spending = begin(None, &limits.run, NOW);
        let until = NOW.checked_add(Duration::from_mins(1));
        let outcome = Outcome::RateLimited { until };
        let none = Amount::default();
        settle(&asked, &mut spending, none, &TurnReport::new(outcome));
        let answer = ask(&asked, &spending, none, none);
        assert!(matches!(answer, Answer::Wait(Waiting::Provider(_))), "{answer:?}");
        let other = Asked { account: "codex:", ..asked };
        assert!(matches!(ask(&other, &spending, none, none), Answer::Go(_)));
        // The next run still waits.
        let spending = begin(Some(spending), &limits.run, NOW);
        assert_eq!(ask(&asked, &spending, none, none), answer);
    }
}
