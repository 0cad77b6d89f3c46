//! How long nobody asks a provider that takes no more requests.

use std::{collections::BTreeMap, time::Duration};

use ralph_state::{Pause, Timestamp};

use crate::Outcome;

/// How often in a row a limit is waited for.
const WAITS: u32 = 8;
/// The first pause when the provider gives no time; each next one is twice as long.
const FIRST: Duration = Duration::from_secs(30);
/// No pause is longer, whatever time was given.
const LONGEST: Duration = Duration::from_hours(6);

/// How long to wait for a provider the `count`th time in a row, from 0; `None`: not any more.
///
/// The time is the one the agent gave, never an invented one; without any the pauses double, and
/// with one that is over, for the provider is late or the clock is ahead.
fn pause(until: Option<Timestamp>, now: Timestamp, count: u32) -> Option<Duration> {
    if count >= WAITS {
        return None;
    }
    let left = until.map(|until| until.seconds_since(now)).filter(|left| *left >= 0);
    let pause = match left {
        Some(seconds) => Duration::from_secs(seconds.unsigned_abs().saturating_add(1)),
        None => FIRST * 2u32.saturating_pow(count),
    };
    (pause <= LONGEST).then_some(pause)
}

/// What all turns of a run learned of the providers they ask, so that a limit which one of
/// them meets holds the others back.
///
/// Limits are kept by account: the runner and, where it is known, the family of the model.
#[derive(Clone, Debug, Default)]
pub struct Pauses {
    accounts: BTreeMap<String, Pause>,
}

/// Whether a turn may begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Permit {
    /// It may.
    Go,
    /// Not before this time.
    Wait {
        /// When.
        until: Timestamp,
    },
    /// Waiting does not help.
    Stop {
        /// Why.
        reason: String,
    },
}

impl Pauses {
    /// What was learned so far, by account.
    pub fn new(accounts: BTreeMap<String, Pause>) -> Self {
        Self { accounts }
    }

    /// What is known now, by account, to be kept.
    pub fn into_accounts(self) -> BTreeMap<String, Pause> {
        self.accounts
    }

    /// The account that a runner uses with a model: models with a name in common up to the
    /// first digit are one family.
    pub fn account(runner: &str, model: Option<&str>) -> String {
        let family = model.unwrap_or_default().split(|c: char| c.is_ascii_digit()).next();
        format!("{runner}:{}", family.unwrap_or_default().trim_end_matches(['-', '.']))
    }

    /// A turn on `account` ended like this at `now`.
    pub fn observe(&mut self, account: &str, outcome: &Outcome, now: Timestamp) {
        match outcome {
            Outcome::RateLimited { .. } | Outcome::Unavailable { .. } => {
                let until = outcome.until();
                let known = self.accounts.entry(account.to_owned()).or_default();
                // Several turns meet one limit; only the first of them counts it.
                let again = known.until.is_none_or(|paused| paused <= now);
                match pause(until, now, known.count).map(|wait| now.checked_add(wait)) {
                    Some(Some(end)) => known.until = known.until.max(Some(end)),
                    _ => known.closed = Some(outcome.to_string()),
                }
                known.count += u32::from(again);
            }
            Outcome::OutOfQuota { .. } => self.close(account, outcome.to_string()),
            Outcome::Succeeded => drop(self.accounts.remove(account)),
            // A missing login is the user's to mend.
            _ => {}
        }
    }

    /// No turn on `account` may begin in this run any more.
    pub fn close(&mut self, account: &str, reason: String) {
        self.accounts.entry(account.to_owned()).or_default().closed = Some(reason);
    }

    /// Whether a turn on `account` may begin at `now`.
    pub fn permit(&self, account: &str, now: Timestamp) -> Permit {
        match self.accounts.get(account) {
            Some(Pause { closed: Some(reason), .. }) => Permit::Stop { reason: reason.clone() },
            Some(Pause { until: Some(until), .. }) if *until > now => {
                Permit::Wait { until: *until }
            }
            _ => Permit::Go,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn later(seconds: u64) -> Timestamp {
        NOW.checked_add(Duration::from_secs(seconds)).unwrap()
    }

    #[test]
    fn a_rate_limit_is_waited_for_as_long_as_it_says_and_not_for_ever() {
        assert_eq!(pause(Some(later(90)), NOW, 0), Some(Duration::from_secs(91)));
        assert_eq!(pause(Some(NOW), NOW, 7), Some(Duration::from_secs(1)));
        assert_eq!(pause(None, NOW, 3), Some(Duration::from_mins(4)));
        assert_eq!(pause(Some(NOW), later(60), 3), Some(Duration::from_mins(4)));
        assert_eq!(pause(Some(later(7 * 3600)), NOW, 0), None);
        assert_eq!(pause(None, NOW, 8), None);
    }

    #[test]
    fn what_one_turn_meets_holds_all_of_its_account_back() {
        let opus = Pauses::account("claude", Some("claude-opus-4-8"));
        assert_eq!(opus, Pauses::account("claude", Some("claude-opus-5")));
        let sonnet = Pauses::account("claude", Some("claude-sonnet-5"));
        let mut pauses = Pauses::default();
        let limited = Outcome::RateLimited { until: Some(later(60)) };
        pauses.observe(&opus, &limited, NOW);
        assert_eq!(pauses.permit(&opus, NOW), Permit::Wait { until: later(61) });
        assert_eq!(pauses.permit(&sonnet, NOW), Permit::Go);
        assert_eq!(pauses.permit(&opus, later(61)), Permit::Go);
    }

    #[test]
    fn pauses_without_a_time_double_once_for_all_who_met_the_limit() {
        let mut pauses = Pauses::default();
        let limited = Outcome::RateLimited { until: None };
        pauses.observe("a", &limited, NOW);
        pauses.observe("a", &limited, later(1));
        assert_eq!(pauses.permit("a", later(1)), Permit::Wait { until: later(61) });
        pauses.observe("a", &limited, later(100));
        assert_eq!(pauses.permit("a", later(100)), Permit::Wait { until: later(160) });
        // Out of order is as good as too busy.
        pauses.observe("b", &Outcome::Unavailable { reason: "overloaded".to_owned() }, NOW);
        assert_eq!(pauses.permit("b", NOW), Permit::Wait { until: later(30) });
        pauses.observe("a", &Outcome::Succeeded, later(200));
        assert_eq!(pauses.permit("a", later(100)), Permit::Go);
        for count in 0..9 {
            pauses.observe("a", &limited, later(10_000 * (count + 1)));
        }
        assert!(matches!(pauses.permit("a", later(1_000_000)), Permit::Stop { .. }));
    }

    #[test]
    fn no_wait_helps_without_quota() {
        let mut pauses = Pauses::default();
        let reason = "Quota exceeded".to_owned();
        pauses.observe("a", &Outcome::OutOfQuota { reason }, NOW);
        assert_eq!(
            pauses.permit("a", later(10_000_000)),
            Permit::Stop { reason: "out of quota: Quota exceeded".to_owned() }
        );
    }
}
