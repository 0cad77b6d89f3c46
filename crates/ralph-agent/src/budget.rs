//! What may be spent: turns, tokens and money, reserved before a turn and settled after it.

use std::fmt;

use crate::{Cost, Usage};

/// So much of everything that is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Turns of agents.
    pub turns: u64,
    /// Tokens, read and written.
    pub tokens: u64,
    /// Millionths of a US dollar.
    pub micro_usd: u64,
}

/// How much of each may be spent; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Turns of agents.
    pub turns: Option<u64>,
    /// Tokens, read and written.
    pub tokens: Option<u64>,
    /// Millionths of a US dollar.
    pub micro_usd: Option<u64>,
}

/// A budget that several workers draw on.
///
/// What is reserved counts as spent, so the limit holds whatever runs at the same time. A turn
/// whose agent does not tell what it used is charged what was reserved for it.
///
/// ```
/// use ralph_agent::{Amount, Budget, Limits};
///
/// let limits = Limits { turns: Some(2), ..Limits::default() };
/// let mut budget = Budget::new(limits, Amount::default());
/// let one = Amount { turns: 1, ..Amount::default() };
/// let first = budget.reserve(one).expect("there are two");
/// let second = budget.reserve(one).expect("there is one more");
/// assert!(budget.reserve(one).is_err());
/// budget.settle(first, None);
/// budget.give_back(second);
/// assert_eq!(budget.spent().turns, 1);
/// ```
#[derive(Clone, Debug)]
pub struct Budget {
    limits: Limits,
    spent: Amount,
    reserved: Amount,
    unknown: u64,
}

/// A part of a budget that a turn may use. One that is dropped stays reserved.
#[derive(Debug)]
#[must_use = "it is settled after the turn, or given back"]
pub struct Reservation(Amount);

/// A budget has no room for another turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{spent} {what} of {limit} are spent, {reserved} are reserved, and {wanted} more are needed"
)]
pub struct Exhausted {
    /// What there is too little of.
    pub what: Counter,
    /// How much may be spent.
    pub limit: u64,
    /// How much was.
    pub spent: u64,
    /// How much turns that still run may use.
    pub reserved: u64,
    /// How much was asked for.
    pub wanted: u64,
}

/// What a budget counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// Turns of agents.
    Turns,
    /// Tokens, read and written.
    Tokens,
    /// Millionths of a US dollar.
    MicroUsd,
}

impl fmt::Display for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Turns => "turns",
            Self::Tokens => "tokens",
            Self::MicroUsd => "millionths of a dollar",
        })
    }
}

impl Amount {
    const fn counters(self) -> [(Counter, u64); 3] {
        [
            (Counter::Turns, self.turns),
            (Counter::Tokens, self.tokens),
            (Counter::MicroUsd, self.micro_usd),
        ]
    }

    const fn plus(self, other: Self) -> Self {
        Self {
            turns: self.turns.saturating_add(other.turns),
            tokens: self.tokens.saturating_add(other.tokens),
            micro_usd: self.micro_usd.saturating_add(other.micro_usd),
        }
    }

    const fn less(self, other: Self) -> Self {
        Self {
            turns: self.turns.saturating_sub(other.turns),
            tokens: self.tokens.saturating_sub(other.tokens),
            micro_usd: self.micro_usd.saturating_sub(other.micro_usd),
        }
    }
}

impl Budget {
    /// A budget of which some is spent already.
    pub fn new(limits: Limits, spent: Amount) -> Self {
        Self { limits, spent, reserved: Amount::default(), unknown: 0 }
    }

    /// Sets aside what a turn may use.
    pub fn reserve(&mut self, wanted: Amount) -> Result<Reservation, Exhausted> {
        let Limits { turns, tokens, micro_usd } = self.limits;
        let taken = self.spent.counters().into_iter().zip(self.reserved.counters());
        let asked = wanted.counters().into_iter().zip([turns, tokens, micro_usd]);
        for (((what, spent), (_, reserved)), ((_, wanted), limit)) in taken.zip(asked) {
            let Some(limit) = limit else { continue };
            if spent.saturating_add(reserved).saturating_add(wanted) > limit {
                return Err(Exhausted { what, limit, spent, reserved, wanted });
            }
        }
        self.reserved = self.reserved.plus(wanted);
        Ok(Reservation(wanted))
    }

    /// Charges a turn with what it used; what nobody knows is charged as it was reserved.
    #[expect(clippy::needless_pass_by_value, reason = "a reservation ends once")]
    pub fn settle(&mut self, reservation: Reservation, used: Option<&Usage>) {
        let Reservation(expected) = reservation;
        let cost = used.and_then(|used| micro_usd(used.cost));
        self.unknown += u64::from(cost.is_none());
        self.reserved = self.reserved.less(expected);
        self.spent = self.spent.plus(Amount {
            turns: expected.turns,
            tokens: used.map_or(expected.tokens, Usage::tokens),
            micro_usd: cost.unwrap_or(expected.micro_usd),
        });
    }

    /// The turn never began.
    #[expect(clippy::needless_pass_by_value, reason = "a reservation ends once")]
    pub fn give_back(&mut self, reservation: Reservation) {
        let Reservation(expected) = reservation;
        self.reserved = self.reserved.less(expected);
    }

    /// What was spent, without what is reserved.
    pub fn spent(&self) -> Amount {
        self.spent
    }

    /// Turns of which nobody knows what they cost.
    pub fn turns_of_unknown_cost(&self) -> u64 {
        self.unknown
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
        Amount { turns, tokens, micro_usd }
    }

    #[test]
    fn no_limit_is_passed_whatever_runs_at_once() {
        let limits = Limits { tokens: Some(100), micro_usd: Some(1_000_000), turns: None };
        let mut budget = Budget::new(limits, amount(3, 0, 400_000));
        let first = budget.reserve(amount(1, 50, 500_000)).unwrap();
        let refused = budget.reserve(amount(1, 10, 200_000)).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "400000 millionths of a dollar of 1000000 are spent, 500000 are reserved, and 200000 \
             more are needed"
        );
        // It cost less than was set aside, and there is room again.
        let cost = Cost::Measured { usd: 0.1 };
        budget.settle(first, Some(&Usage { input: 20, output: 5, cost, ..Usage::default() }));
        assert_eq!(budget.spent(), amount(4, 25, 500_000));
        let second = budget.reserve(amount(1, 75, 500_000)).unwrap();
        assert_eq!(budget.reserve(amount(0, 1, 0)).unwrap_err().what, Counter::Tokens);
        // Nobody knows what it cost: what was set aside is gone.
        budget.settle(second, None);
        assert_eq!(budget.spent(), amount(5, 100, 1_000_000));
        assert_eq!(budget.turns_of_unknown_cost(), 1);
    }
}
