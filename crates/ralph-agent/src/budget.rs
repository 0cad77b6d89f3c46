//! What may be spent: turns, tokens, money and time, reserved before a turn and settled after it.

use std::fmt;
use std::time::Duration;

use ralph_state::Amount;

use crate::{Capabilities, Cost, Outcome, Usage};

/// How much of each may be spent; `None` is no limit.
///
/// What is reserved counts as spent, so a limit holds whatever runs at the same time.
///
/// ```
/// use ralph_agent::Limits;
/// use ralph_state::Amount;
///
/// let limits = Limits { turns: Some(2), ..Limits::default() };
/// let one = Amount { turns: 1, ..Amount::default() };
/// assert!(limits.admit(one, Amount::default(), one).is_ok());
/// assert!(limits.admit(one, one, one).is_err(), "the second one is reserved");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Turns of agents.
    pub turns: Option<u64>,
    /// Tokens, read and written.
    pub tokens: Option<u64>,
    /// Millionths of a US dollar.
    pub micro_usd: Option<u64>,
    /// Seconds that agents work.
    pub seconds: Option<u64>,
}

/// There is no room for another turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Exhausted {
    /// What there is too little of.
    pub what: Counter,
    /// How much may be spent.
    pub limit: u64,
    /// How much was.
    pub spent: u64,
    /// Of how many turns nobody knows how much: what was set aside for them is in `spent`.
    pub unknown: u64,
    /// How much turns that still run may use.
    pub reserved: u64,
    /// How much was asked for.
    pub wanted: u64,
}

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, limit, spent, unknown, reserved, wanted } = *self;
        write!(f, "{} of {} are used", what.amount(spent), what.named(limit))?;
        match unknown {
            0 => {}
            1 => f.write_str(" or were set aside for a turn that did not tell")?,
            turns => write!(f, " or were set aside for {turns} turns that did not tell")?,
        }
        if reserved > 0 {
            write!(f, ", {} are reserved", what.amount(reserved))?;
        }
        if spent.saturating_add(reserved) < limit {
            write!(f, ", and the next turn may need {}", what.amount(wanted))?;
        }
        Ok(())
    }
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// Turns of agents.
    Turns,
    /// Tokens, read and written.
    Tokens,
    /// Millionths of a US dollar.
    MicroUsd,
    /// Seconds that agents work.
    Seconds,
}

impl Counter {
    const ALL: [Self; 4] = [Self::Turns, Self::Tokens, Self::MicroUsd, Self::Seconds];

    const fn of(self, amount: Amount) -> u64 {
        match self {
            Self::Turns => amount.turns,
            Self::Tokens => amount.tokens,
            Self::MicroUsd => amount.micro_usd,
            Self::Seconds => amount.seconds,
        }
    }

    /// How many turns did not tell it.
    const fn unknown(self, amount: Amount) -> u64 {
        match self {
            Self::Turns | Self::Seconds => 0,
            Self::Tokens => amount.uncounted,
            Self::MicroUsd => amount.unpriced,
        }
    }

    const fn limit(self, limits: &Limits) -> Option<u64> {
        match self {
            Self::Turns => limits.turns,
            Self::Tokens => limits.tokens,
            Self::MicroUsd => limits.micro_usd,
            Self::Seconds => limits.seconds,
        }
    }

    fn amount(self, amount: u64) -> String {
        match self {
            Self::MicroUsd => format!("${}.{:04}", amount / 1_000_000, amount % 1_000_000 / 100),
            Self::Turns | Self::Tokens | Self::Seconds => amount.to_string(),
        }
    }

    fn named(self, amount: u64) -> String {
        match self {
            Self::MicroUsd => self.amount(amount),
            _ => format!("{amount} {self}"),
        }
    }
}

impl fmt::Display for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Turns => "turns",
            Self::Tokens => "tokens",
            Self::MicroUsd => "dollars",
            Self::Seconds => "seconds",
        })
    }
}

impl Limits {
    /// Whether a turn that may use `wanted` can begin.
    pub fn admit(&self, spent: Amount, reserved: Amount, wanted: Amount) -> Result<(), Exhausted> {
        for what in Counter::ALL {
            let Some(limit) = what.limit(self) else { continue };
            let unknown = what.unknown(spent);
            let [spent, reserved, wanted] = [spent, reserved, wanted].map(|it| what.of(it));
            if spent.saturating_add(reserved).saturating_add(wanted) > limit {
                return Err(Exhausted { what, limit, spent, unknown, reserved, wanted });
            }
        }
        Ok(())
    }

    /// What a turn may use, as far as that is limited: what is `expected` of one, else as much
    /// as the `largest` so far, else all that is left. So the first turn of which nobody knows
    /// anything runs alone, and the limit holds however many wait for it.
    pub fn reckon(&self, spent: Amount, largest: Amount, expected: Amount) -> Amount {
        let wanted = |what: Counter| match what.limit(self) {
            None => 0,
            Some(limit) => match (what.of(expected), what.of(largest)) {
                (0, 0) => limit.saturating_sub(what.of(spent)).max(1),
                (0, known) | (known, _) => known,
            },
        };
        Amount {
            turns: 1,
            tokens: wanted(Counter::Tokens),
            micro_usd: wanted(Counter::MicroUsd),
            // A turn has a limit of its own.
            seconds: u64::from(self.seconds.is_some()),
            ..Amount::default()
        }
    }

    /// What is limited and cannot be counted, as an agent that can be asked for `can` does not
    /// tell it; with `priced` tokens their number tells what they cost.
    pub const fn blind(&self, can: Capabilities, priced: bool) -> Option<Counter> {
        if self.tokens.is_some() && !can.tokens {
            Some(Counter::Tokens)
        } else if self.micro_usd.is_some() && !(can.cost || (priced && can.tokens)) {
            Some(Counter::MicroUsd)
        } else {
            None
        }
    }

    /// What is limited and was not told of a turn, though its agent was heard to its end; of one
    /// that was cut short nothing is told in any case.
    pub fn untold(&self, outcome: &Outcome, usage: Option<&Usage>) -> Option<Counter> {
        let has_succeeded = *outcome == Outcome::Succeeded;
        if usage.is_none() && !has_succeeded {
            return None;
        }
        // No answer is made of no token: whoever says so was not told by its provider.
        let is_counted = usage.is_some_and(|usage| usage.tokens() > 0 || !has_succeeded);
        let is_priced = match usage.map_or(Cost::Unknown, |usage| usage.cost) {
            Cost::Unknown => false,
            Cost::Measured { .. } => true,
            Cost::Estimated { .. } => is_counted,
        };
        if self.tokens.is_some() && !is_counted {
            Some(Counter::Tokens)
        } else {
            (self.micro_usd.is_some() && !is_priced).then_some(Counter::MicroUsd)
        }
    }
}

/// What a turn is charged with: what it used; what nobody knows as it was `reserved`, and marked
/// as not known.
pub fn charge(usage: Option<&Usage>, wall: Duration, reserved: Amount) -> Amount {
    let cost = usage.and_then(|usage| micro_usd(usage.cost));
    Amount {
        turns: 1,
        tokens: usage.map_or(reserved.tokens, Usage::tokens),
        micro_usd: cost.unwrap_or(reserved.micro_usd),
        seconds: wall.as_secs(),
        uncounted: u64::from(usage.is_none()),
        unpriced: u64::from(cost.is_none()),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float is cut to the range of an integer"
)]
fn micro_usd(cost: Cost) -> Option<u64> {
    cost.usd().map(|usd| (usd * 1e6).ceil() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(turns: u64, tokens: u64, micro_usd: u64) -> Amount {
        Amount { turns, tokens, micro_usd, ..Amount::default() }
    }

    #[test]
    fn no_limit_is_passed_whatever_runs_at_once() {
        let limits = Limits { tokens: Some(100), micro_usd: Some(1_000_000), ..Limits::default() };
        let spent = amount(3, 0, 400_000);
        let first = amount(1, 50, 500_000);
        assert_eq!(limits.admit(spent, Amount::default(), first), Ok(()));
        let refused = limits.admit(spent, first, amount(1, 10, 200_000)).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "$0.4000 of $1.0000 are used, $0.5000 are reserved, and the next turn may need $0.2000"
        );
        // It cost less than was set aside, and there is room again.
        let cost = Cost::Measured { usd: 0.1 };
        let usage = Usage { input: 20, output: 5, cost, ..Usage::default() };
        let spent = spent.plus(charge(Some(&usage), Duration::ZERO, first));
        assert_eq!(spent, amount(4, 25, 500_000));
        assert!(limits.admit(spent, Amount::default(), amount(1, 75, 500_000)).is_ok());
        let refused = limits.admit(spent, Amount::default(), amount(0, 76, 0)).unwrap_err();
        assert_eq!(refused.what, Counter::Tokens);
        // Nobody knows what it cost: what was set aside is gone.
        let charged = charge(None, Duration::from_secs(9), first);
        assert_eq!((charged.micro_usd, charged.known_micro_usd()), (500_000, None));
        let refused = limits.admit(charged.plus(charged), Amount::default(), first).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "100 of 100 tokens are used or were set aside for 2 turns that did not tell"
        );
    }

    #[test]
    fn a_limit_that_nobody_can_count_is_none() {
        let none = Limits::default();
        let money = Limits { micro_usd: Some(1), ..none };
        let tokens = Limits { tokens: Some(1), ..none };
        let all = Capabilities { cost: true, ..Capabilities::ALL };
        let counts = Capabilities { cost: false, ..all };
        let mute = Capabilities { tokens: false, ..counts };
        for (limits, can, priced, blind) in [
            (none, mute, false, None),
            (money, all, false, None),
            (money, counts, false, Some(Counter::MicroUsd)),
            (money, counts, true, None),
            (money, mute, true, Some(Counter::MicroUsd)),
            (tokens, counts, false, None),
            (tokens, mute, true, Some(Counter::Tokens)),
        ] {
            assert_eq!(limits.blind(can, priced), blind, "{limits:?} {can:?} {priced}");
        }
        let counted = Usage { input: 1, ..Usage::default() };
        let priced = Usage { cost: Cost::Measured { usd: 0.1 }, ..counted };
        let nothing = Usage::default();
        let estimated = nothing.priced(crate::Price { input: 1.0, ..crate::Price::default() });
        let cut = Outcome::Truncated { reason: String::new() };
        for (limits, outcome, usage, untold) in [
            (none, &Outcome::Succeeded, None, None),
            (money, &Outcome::Succeeded, Some(&priced), None),
            (money, &Outcome::Succeeded, Some(&counted), Some(Counter::MicroUsd)),
            (money, &Outcome::Succeeded, None, Some(Counter::MicroUsd)),
            (money, &cut, None, None),
            (tokens, &Outcome::Succeeded, Some(&counted), None),
            (tokens, &Outcome::Succeeded, None, Some(Counter::Tokens)),
            (tokens, &Outcome::Succeeded, Some(&nothing), Some(Counter::Tokens)),
            (tokens, &cut, Some(&nothing), None),
            (money, &Outcome::Succeeded, Some(&estimated), Some(Counter::MicroUsd)),
            (money, &cut, Some(&estimated), None),
            (tokens, &cut, None, None),
        ] {
            assert_eq!(limits.untold(outcome, usage), untold, "{limits:?} {outcome} {usage:?}");
        }
    }

    #[test]
    fn a_turn_is_reckoned_as_told_or_as_the_largest_or_with_all_there_is() {
        let limits = Limits { tokens: Some(100), ..Limits::default() };
        let none = Amount::default();
        let tokens = |spent, largest, expected| limits.reckon(spent, largest, expected).tokens;
        assert_eq!(tokens(amount(1, 30, 0), none, none), 70);
        assert_eq!(tokens(amount(1, 30, 0), amount(1, 20, 0), none), 20);
        assert_eq!(tokens(amount(1, 30, 0), amount(1, 20, 0), amount(1, 25, 0)), 25);
        assert_eq!(tokens(amount(1, 100, 0), none, none), 1, "and then there is no room for it");
        assert_eq!(limits.reckon(none, none, none).micro_usd, 0, "what has no limit");
    }
}
