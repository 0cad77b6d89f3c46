//! Points in time, given rather than read.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::civil::DateTime;
use jiff::fmt::temporal::Pieces;
use serde::{Deserialize, Serialize};

/// A point in time, to the nanosecond.
///
/// Written as UTC with nine digits always, so that written times sort as text:
///
/// ```
/// use ralph_state::Timestamp;
///
/// let noon: Timestamp = " 2026-04-22T14:00:00.5+02:00 ".parse()?;
/// assert_eq!(noon.to_string(), "2026-04-22T12:00:00.500000000Z");
/// # Ok::<(), ralph_state::TimestampError>(())
/// ```
///
/// What RFC 3339 can write but UTC only in the year 10000 is read as the last moment before it.
// Date and time in UTC, since jiff's own `Timestamp` ends a day before the year 9999 does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(DateTime);

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const UNIX_EPOCH: Self = Self(DateTime::constant(1970, 1, 1, 0, 0, 0, 0));

    /// The time that many nanoseconds after [`Self::UNIX_EPOCH`]; nothing before the year -9999
    /// or after the year 9999.
    pub fn from_unix_nanos(nanos: i128) -> Option<Self> {
        let seconds = i64::try_from(nanos.div_euclid(NANOS_PER_SECOND)).ok()?;
        let nanos = i32::try_from(nanos.rem_euclid(NANOS_PER_SECOND)).ok()?;
        Self::UNIX_EPOCH.0.checked_add(SignedDuration::new(seconds, nanos)).ok().map(Self)
    }

    /// Nanoseconds since [`Self::UNIX_EPOCH`].
    pub fn as_unix_nanos(self) -> i128 {
        self.0.duration_since(Self::UNIX_EPOCH.0).as_nanos()
    }

    /// Whole seconds from `earlier` to `self`, rounded towards zero; negative when `earlier` is
    /// later.
    pub fn seconds_since(self, earlier: Self) -> i64 {
        self.0.duration_since(earlier.0).as_secs()
    }

    /// `self` and `duration` more, unless that is beyond the year 9999.
    pub fn checked_add(self, duration: Duration) -> Option<Self> {
        self.0.checked_add(duration).ok().map(Self)
    }

    /// `self` and `duration` less, unless that is before the year -9999.
    pub fn checked_sub(self, duration: Duration) -> Option<Self> {
        self.0.checked_sub(duration).ok().map(Self)
    }

    /// The time of a text in the form that most have, `2026-04-22T12:00:00Z`, perhaps with a
    /// fraction: [`Self::read`] takes ten times as long. Nothing for any other form.
    fn read_plain(text: &str) -> Option<Self> {
        let (time, fraction) = text.strip_suffix('Z')?.as_bytes().split_at_checked(19)?;
        let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
        marks.iter().all(|(at, mark)| time[*at] == *mark).then_some(())?;
        let number = |digits: &[u8]| {
            digits.iter().try_fold(0, |number: i32, digit| {
                digit.is_ascii_digit().then(|| number * 10 + i32::from(digit - b'0'))
            })
        };
        let two = |at: usize| i8::try_from(number(&time[at..at + 2])?).ok();
        let year = i16::try_from(number(&time[..4])?).ok()?;
        let nanos = match fraction {
            [] => 0,
            [b'.', digits @ ..] if (1..=9).contains(&digits.len()) => {
                (digits.len()..9).fold(number(digits)?, |nanos, _| nanos * 10)
            }
            _ => return None,
        };
        let time = DateTime::new(year, two(5)?, two(8)?, two(11)?, two(14)?, two(17)?, nanos);
        time.ok().map(Self)
    }

    /// The date, time and offset of a text.
    fn read(text: &str) -> Option<Self> {
        let pieces = Pieces::parse(text).ok()?;
        let offset = pieces.to_numeric_offset()?;
        let local = pieces.date().to_datetime(pieces.time()?);
        let offset = SignedDuration::from_secs(i64::from(offset.seconds()));
        Some(Self(local.saturating_sub(offset)))
    }
}

const NANOS_PER_SECOND: i128 = 1_000_000_000;

/// A text that is no RFC 3339 date and time with an offset.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 date and time: `{text}`")]
pub struct TimestampError {
    /// The text.
    pub text: String,
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let time = text.trim();
        let read = Self::read_plain(time).or_else(|| Self::read(time));
        read.ok_or_else(|| TimestampError { text: text.to_owned() })
    }
}

impl TryFrom<String> for Timestamp {
    type Error = TimestampError;

    fn try_from(text: String) -> Result<Self, TimestampError> {
        text.parse()
    }
}

impl From<Timestamp> for String {
    fn from(time: Timestamp) -> Self {
        time.to_string()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.9}Z", self.0)
    }
}

/// What time it is. Nothing here reads the real clock: a program implements this for one that does,
/// and hands it in.
pub trait Clock: Send + Sync {
    /// The present time.
    fn now(&self) -> Timestamp;
}

/// A clock that stands still, for tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FixedClock(pub Timestamp);

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, written: &str) {
        let time: Timestamp = text.parse().unwrap();
        assert_eq!(time.to_string(), written);
        assert_eq!(written.parse::<Timestamp>().unwrap(), time);
    }

    #[test]
    fn any_rfc_3339_is_read_and_one_form_written() {
        check("2026-02-01T23:10:42.118205000Z", "2026-02-01T23:10:42.118205000Z");
        check("2026-02-01T23:10:42Z", "2026-02-01T23:10:42.000000000Z");
        check("2026-02-01T23:10:42.5-01:30", "2026-02-02T00:40:42.500000000Z");
        check("1969-12-31T23:59:59.999999999Z", "1969-12-31T23:59:59.999999999Z");
        check("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.000000000Z");
        check("9999-12-30T23:00:00Z", "9999-12-30T23:00:00.000000000Z");
        check("9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999999Z");
        check("9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59.999999999Z");
        check("0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000000000Z");
        check("0000-01-01T00:00:00+01:00", "-000001-12-31T23:00:00.000000000Z");
        for bad in [
            "",
            "now",
            "2026-02-01",
            "2026-02-01Z",
            "2026-02-01T23:10:42",
            "2026-02-01T23:10:42[Europe/Berlin]",
            "2026-13-01T00:00:00Z",
            "2026-02-30T00:00:00Z",
            "2026-02-01T24:00:00Z",
        ] {
            assert!(bad.parse::<Timestamp>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_plain_form_is_read_as_any_other() {
        for text in [
            "2026-02-01T23:10:42Z",
            "2024-02-29T00:00:00.5Z",
            "0000-01-01T00:00:00.000000001Z",
            "9999-12-31T23:59:59.999999999Z",
        ] {
            let plain = Timestamp::read_plain(text);
            assert!(plain.is_some() && plain == Timestamp::read(text), "{text:?}");
        }
        for other in [
            "2023-02-29T00:00:00Z",
            "2016-12-31T23:59:60Z",
            "2026-02-01T24:00:00Z",
            "2026-02-01T23:10:42.Z",
            "2026-02-01T23:10:42.0000000001Z",
            "2026-02-01T23:10:42+00:00",
            "+026-02-01T23:10:42Z",
            "2026-02-01t23:10:42z",
            "2026-02-01T23:10:4\u{e9}Z",
        ] {
            assert_eq!(Timestamp::read_plain(other), None, "{other:?}");
        }
    }

    #[test]
    fn arithmetic() {
        let time = Timestamp::from_unix_nanos(1_500_000_000).unwrap();
        let later = time.checked_add(Duration::from_secs(90)).unwrap();
        assert_eq!(later.seconds_since(time), 90);
        assert_eq!(time.seconds_since(later), -90);
        assert_eq!(later.checked_sub(Duration::from_secs(90)), Some(time));
        assert_eq!(time.as_unix_nanos(), 1_500_000_000);
        assert_eq!(Timestamp::from_unix_nanos(i128::MAX), None);
        assert_eq!(time.checked_add(Duration::MAX), None);
    }
}
