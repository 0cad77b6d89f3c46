//! What a run used, and when its providers may be asked again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::open_struct::open_struct;

/// So much of everything that is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Amount {
    /// Turns of agents.
    pub turns: u64,
    /// Tokens, read and written.
    pub tokens: u64,
    /// Millionths of a US dollar.
    pub micro_usd: u64,
    /// Seconds that agents worked.
    pub seconds: u64,
    /// Turns of which nobody knows the tokens: those above are what was set aside for them.
    #[serde(skip_serializing_if = "is_none")]
    pub uncounted: u64,
    /// Turns of which nobody knows the cost: the money above is what was set aside for them.
    #[serde(skip_serializing_if = "is_none")]
    pub unpriced: u64,
}

/// Few turns are unknown, and no older version knows of them.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_none(turns: &u64) -> bool {
    *turns == 0
}

impl Amount {
    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            turns: self.turns.saturating_add(other.turns),
            tokens: self.tokens.saturating_add(other.tokens),
            micro_usd: self.micro_usd.saturating_add(other.micro_usd),
            seconds: self.seconds.saturating_add(other.seconds),
            uncounted: self.uncounted.saturating_add(other.uncounted),
            unpriced: self.unpriced.saturating_add(other.unpriced),
        }
    }

    /// What was set aside for turns, charged because nobody knows what they used.
    #[must_use]
    pub const fn unknown(self) -> Self {
        Self { uncounted: self.turns, unpriced: self.turns, ..self }
    }

    /// Tokens, if those of all turns are known.
    pub fn known_tokens(self) -> Option<u64> {
        (self.uncounted == 0).then_some(self.tokens)
    }

    /// Millionths of a US dollar, if the cost of all turns is known.
    pub fn known_micro_usd(self) -> Option<u64> {
        (self.unpriced == 0).then_some(self.micro_usd)
    }

    /// The larger of each.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            turns: self.turns.max(other.turns),
            tokens: self.tokens.max(other.tokens),
            micro_usd: self.micro_usd.max(other.micro_usd),
            seconds: self.seconds.max(other.seconds),
            uncounted: self.uncounted.max(other.uncounted),
            unpriced: self.unpriced.max(other.unpriced),
        }
    }
}

open_struct! {
    /// What one run used so far, and what it learned of the providers it asks.
    #[derive(Clone, Debug, PartialEq, Default)]
    #[non_exhaustive]
    pub struct Spending {
        /// When the run began.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub began: Option<Timestamp>,
        /// What its turns used, all together.
        #[serde(default)]
        pub spent: Amount,
        /// The most of each that one of them used.
        #[serde(default)]
        pub largest: Amount,
        /// The accounts of providers that met a limit.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        pub pauses: BTreeMap<String, Pause>,
    }
}

/// What became of the requests on one account since the last that was answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pause {
    /// Not to be asked before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// How often a limit was met.
    pub count: u32,
    /// Why waiting does not help.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed: Option<String>,
}
