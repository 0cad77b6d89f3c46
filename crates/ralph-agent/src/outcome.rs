//! How a turn ended, in terms every agent shares.

use std::fmt;

use ralph_process::Exit;
use ralph_state::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Redaction;

/// How a turn ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The agent thinks it is done. A hint: nobody has looked at its work yet.
    Succeeded,
    /// The agent gave up, or ended in a way that none of the others describes.
    Failed {
        /// What it said.
        reason: String,
    },
    /// The provider takes no more requests for now.
    RateLimited {
        /// When it will, if the agent said so.
        until: Option<Timestamp>,
    },
    /// The account is used up; waiting does not help.
    OutOfQuota {
        /// What the provider said.
        reason: String,
    },
    /// The agent has no valid credentials.
    NotAuthenticated {
        /// What the agent or the provider said.
        reason: String,
    },
    /// The provider could not be reached or was out of order, after the agent's own
    /// tries; another turn may work.
    Unavailable {
        /// What the agent said.
        reason: String,
    },
    /// The agent's own limit of steps or money.
    LimitReached {
        /// What the agent said.
        reason: String,
    },
    /// Somebody stopped it: Ralph was asked to, or a signal came from elsewhere.
    Interrupted,
    /// The wall-clock limit of the turn.
    TimedOut,
    /// It printed nothing for too long.
    Stalled,
    /// It printed more than a turn may.
    Overflowed,
    /// The stream ends without a final event; whether the work is done is unknown. The
    /// session may be resumed.
    Truncated {
        /// How the process ended, and the last it said on stderr.
        reason: String,
    },
    /// The session to resume is not there; a fresh one may be.
    LostSession,
    /// The agent refused how it was started: flags, trust or its own configuration.
    Misused {
        /// What the agent said.
        reason: String,
    },
}

impl Outcome {
    /// The name a log sees.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed { .. } => "failed",
            Self::RateLimited { .. } => "rate_limited",
            Self::OutOfQuota { .. } => "out_of_quota",
            Self::NotAuthenticated { .. } => "not_authenticated",
            Self::Unavailable { .. } => "unavailable",
            Self::LimitReached { .. } => "limit_reached",
            Self::Interrupted => "interrupted",
            Self::TimedOut => "timed_out",
            Self::Stalled => "stalled",
            Self::Overflowed => "overflowed",
            Self::Truncated { .. } => "truncated",
            Self::LostSession => "lost_session",
            Self::Misused { .. } => "misused",
        }
    }

    /// The outcome of this name; `None` when there is none.
    pub fn named(name: &str, reason: &str, until: Option<Timestamp>) -> Option<Self> {
        let reason = reason.to_owned();
        Some(match name {
            "succeeded" => Self::Succeeded,
            "failed" => Self::Failed { reason },
            "rate_limited" => Self::RateLimited { until },
            "out_of_quota" => Self::OutOfQuota { reason },
            "not_authenticated" => Self::NotAuthenticated { reason },
            "unavailable" => Self::Unavailable { reason },
            "limit_reached" => Self::LimitReached { reason },
            "interrupted" => Self::Interrupted,
            "timed_out" => Self::TimedOut,
            "stalled" => Self::Stalled,
            "overflowed" => Self::Overflowed,
            "truncated" => Self::Truncated { reason },
            "lost_session" => Self::LostSession,
            "misused" => Self::Misused { reason },
            _ => return None,
        })
    }

    /// What the agent or the provider said, where that is part of it.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Failed { reason }
            | Self::OutOfQuota { reason }
            | Self::NotAuthenticated { reason }
            | Self::Unavailable { reason }
            | Self::LimitReached { reason }
            | Self::Truncated { reason }
            | Self::Misused { reason } => Some(reason),
            _ => None,
        }
    }

    /// The same without secrets in what the agent or the provider said.
    #[must_use]
    pub fn redacted(self, redaction: &Redaction) -> Self {
        let reason = self.reason().map(|reason| redaction.text(reason).into_owned());
        let same = reason.and_then(|reason| Self::named(self.as_str(), &reason, None));
        same.unwrap_or(self)
    }

    /// When a rate limit ends, if the agent said so.
    pub const fn until(&self) -> Option<Timestamp> {
        match self {
            Self::RateLimited { until } => *until,
            _ => None,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Succeeded => f.write_str("the agent thinks it is done"),
            Self::Failed { reason } => write!(f, "the agent failed: {reason}"),
            Self::RateLimited { until: Some(until) } => write!(f, "rate limited until {until}"),
            Self::RateLimited { until: None } => f.write_str("rate limited"),
            Self::OutOfQuota { reason } => write!(f, "out of quota: {reason}"),
            Self::NotAuthenticated { reason } => write!(f, "not authenticated: {reason}"),
            Self::Unavailable { reason } => write!(f, "the provider is unavailable: {reason}"),
            Self::LimitReached { reason } => write!(f, "the agent's own limit: {reason}"),
            Self::Interrupted => f.write_str("interrupted"),
            Self::TimedOut => f.write_str("out of time"),
            Self::Stalled => f.write_str("the agent was silent for too long"),
            Self::Overflowed => f.write_str("the agent printed more than a turn may"),
            Self::Truncated { reason } => {
                write!(f, "the agent ended without a final event: {reason}")
            }
            Self::LostSession => f.write_str("the session to resume is gone"),
            Self::Misused { reason } => write!(f, "the agent refused to start: {reason}"),
        }
    }
}

/// How the process of a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// Ralph ended it at its wall-clock limit.
    TimedOut,
    /// Ralph ended it because it was asked to stop.
    Cancelled,
    /// Ralph ended it because it printed nothing for too long.
    Stalled,
    /// Ralph ended it because it printed more than a turn may.
    Overflowed,
    /// Ralph ended it because it went on running after its final event.
    Lingered,
    /// Ralph ended it because it asked at the terminal, where nobody answers.
    Asked,
    /// Nobody was there to see it, as when its parent died.
    Unseen,
}

impl From<Exit> for Ending {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Code(code) => Self::Code(code),
            Exit::Signal(signal) => Self::Signal(signal),
            Exit::TimedOut => Self::TimedOut,
            Exit::Cancelled => Self::Cancelled,
            Exit::Asked => Self::Asked,
        }
    }
}

/// What was used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// What the numbers count.
    pub counted: Counted,
    /// Tokens read, without those from a cache.
    pub input: u64,
    /// Tokens read from a cache.
    pub cache_read: u64,
    /// Tokens written to a cache.
    pub cache_write: u64,
    /// Tokens written, reasoning included.
    pub output: u64,
    /// Tokens of reasoning; 0 where the agent does not tell.
    pub reasoning: u64,
    /// What it cost.
    pub cost: Cost,
}

/// What the numbers of a [`Usage`] count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    /// This turn.
    #[default]
    Turn,
    /// One step of it, to be added up.
    Step,
    /// The whole session so far: earlier turns have to be taken off.
    Session,
}

/// What something cost, and how that is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Cost {
    /// Nobody knows.
    #[default]
    Unknown,
    /// The agent's own figure.
    Measured {
        /// US dollars.
        usd: f64,
    },
    /// Tokens times the prices of the configuration.
    Estimated {
        /// US dollars.
        usd: f64,
    },
}

impl Cost {
    /// The figure, if there is one.
    pub const fn usd(self) -> Option<f64> {
        match self {
            Self::Unknown => None,
            Self::Measured { usd } | Self::Estimated { usd } => Some(usd),
        }
    }

    pub(crate) fn measured(usd: Option<f64>) -> Self {
        usd.filter(|usd| usd.is_finite() && *usd >= 0.0)
            .map_or(Self::Unknown, |usd| Self::Measured { usd })
    }
}

/// What a million tokens cost in US dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Price {
    /// Read, and not from a cache.
    pub input: f64,
    /// Read from a cache.
    pub cache_read: f64,
    /// Written to a cache.
    pub cache_write: f64,
    /// Written, reasoning included.
    pub output: f64,
}

impl Usage {
    /// All tokens.
    pub fn tokens(&self) -> u64 {
        [self.cache_read, self.cache_write, self.output]
            .into_iter()
            .fold(self.input, u64::saturating_add)
    }

    /// The same with its cost estimated, where the agent did not tell it.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub fn priced(self, price: Price) -> Self {
        let usd = self.input as f64 * price.input
            + self.cache_read as f64 * price.cache_read
            + self.cache_write as f64 * price.cache_write
            + self.output as f64 * price.output;
        match self.cost {
            Cost::Unknown => Self { cost: Cost::Estimated { usd: usd / 1e6 }, ..self },
            _ => self,
        }
    }

    /// What a turn used of a session of which `before` was used earlier.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        let cost = |usd: f64| (usd - before.cost.usd().unwrap_or_default()).max(0.0);
        Self {
            counted: Counted::Turn,
            input: self.input.saturating_sub(before.input),
            cache_read: self.cache_read.saturating_sub(before.cache_read),
            cache_write: self.cache_write.saturating_sub(before.cache_write),
            output: self.output.saturating_sub(before.output),
            reasoning: self.reasoning.saturating_sub(before.reasoning),
            cost: match self.cost {
                Cost::Unknown => Cost::Unknown,
                Cost::Measured { usd } => Cost::Measured { usd: cost(usd) },
                Cost::Estimated { usd } => Cost::Estimated { usd: cost(usd) },
            },
        }
    }

    /// This and what came after it.
    #[must_use]
    pub fn plus(mut self, later: Self) -> Self {
        self.add(later);
        self
    }

    /// Adds a step to a turn.
    pub(crate) fn add(&mut self, step: Self) {
        self.input = self.input.saturating_add(step.input);
        self.cache_read = self.cache_read.saturating_add(step.cache_read);
        self.cache_write = self.cache_write.saturating_add(step.cache_write);
        self.output = self.output.saturating_add(step.output);
        self.reasoning = self.reasoning.saturating_add(step.reasoning);
        self.cost = match (self.cost.usd(), step.cost) {
            (Some(before), Cost::Measured { usd }) => Cost::Measured { usd: before + usd },
            (Some(before), Cost::Estimated { usd }) => Cost::Estimated { usd: before + usd },
            (_, Cost::Unknown) => self.cost,
            (None, cost) => cost,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_of_a_session_is_what_came_to_it() {
        let price = Price { input: 2.0, output: 10.0, ..Price::default() };
        let counted = Counted::Session;
        let before = Usage { counted, input: 100, output: 10, ..Usage::default() }.priced(price);
        let after = Usage { counted, input: 300, output: 15, ..Usage::default() }.priced(price);
        let turn = after.since(before);
        assert_eq!((turn.counted, turn.input, turn.output), (Counted::Turn, 200, 5));
        let usd = turn.cost.usd().unwrap();
        assert!((usd - 0.000_45).abs() < 1e-9, "{usd}");
        let told = Usage { cost: Cost::Measured { usd: 1.0 }, ..before };
        assert_eq!(told.priced(price), told);
    }
}
