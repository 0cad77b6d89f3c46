//! Times as people give them: `tomorrow 9am`, `in 2 hours`, `next monday`.

use std::time::Duration;

use ralph_state::Timestamp;

/// A text that names no time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no time; write `in 2 hours`, `+7d`, `tomorrow 9:30`, `next monday`, a date or RFC 3339"
)]
pub struct WhenError {
    /// The text.
    pub text: String,
}

/// A text that is no age.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no age; write `30m`, `12h`, `7d`, `2w`, a date or RFC 3339")]
pub struct AgeError {
    /// The text.
    pub text: String,
}

const NANOS_PER_MINUTE: i128 = 60_000_000_000;
const MINUTES_PER_DAY: i128 = 24 * 60;
/// Where a day is named without a time.
const MORNING: i128 = 9 * 60;
const WEEKDAYS: [&str; 7] =
    ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// The time that `text` names when it is `now`: RFC 3339, a date as `2026-04-22` for its begin,
/// `in N minutes|hours|days|weeks`, `+7d` and the like, `now`, `tomorrow [TIME]` or
/// `next WEEKDAY [TIME]`, where TIME is as `14:30` or `9am`, 9:00 without one. Everything is in UTC.
///
/// ```
/// # let now = "2026-04-22T12:00:00Z".parse()?; // a Wednesday
/// let when = ralph_queue::when::parse("next monday 14:30", now)?;
/// assert_eq!(when.to_string(), "2026-04-27T14:30:00.000000000Z");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn parse(text: &str, now: Timestamp) -> Result<Timestamp, WhenError> {
    let lower = text.trim().to_ascii_lowercase();
    let words: Vec<&str> = lower.split_whitespace().collect();
    let time = match words.as_slice() {
        ["now"] => Some(now),
        ["in", count, unit] => length(count, unit).and_then(|length| now.checked_add(length)),
        [ahead] if ahead.starts_with('+') => {
            age(&ahead[1..]).and_then(|length| now.checked_add(length))
        }
        ["tomorrow", time @ ..] => on_day(now, 1, time),
        ["next", day, time @ ..] => weekday(day).and_then(|day| {
            let ahead = (day - today(now)).rem_euclid(7);
            on_day(now, if ahead == 0 { 7 } else { ahead }, time)
        }),
        _ => written(text.trim()),
    };
    time.ok_or_else(|| WhenError { text: text.to_owned() })
}

/// The time before which something is older than `text` says: an age as `7d`, `2w`, `12h` or
/// `30m`, a date, or RFC 3339.
pub fn cutoff(text: &str, now: Timestamp) -> Result<Timestamp, AgeError> {
    let text = text.trim();
    let before = age(text).and_then(|age| now.checked_sub(age));
    before.or_else(|| written(text)).ok_or_else(|| AgeError { text: text.to_owned() })
}

/// RFC 3339, or a date.
pub(crate) fn written(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| format!("{text}T00:00:00Z").parse().ok())
}

/// A number with one letter behind it.
fn age(text: &str) -> Option<Duration> {
    let (count, unit) = text.split_at_checked(text.len().saturating_sub(1))?;
    length(count, unit)
}

fn length(count: &str, unit: &str) -> Option<Duration> {
    let minutes = match unit {
        "m" | "min" | "mins" | "minute" | "minutes" => 1,
        "h" | "hour" | "hours" => 60,
        "d" | "day" | "days" => 24 * 60,
        "w" | "week" | "weeks" => 7 * 24 * 60,
        _ => return None,
    };
    let count: u64 = count.strip_prefix('+').is_none().then(|| count.parse().ok())??;
    Some(Duration::from_secs(count.checked_mul(minutes * 60)?))
}

/// The day of the week, from Monday.
fn today(now: Timestamp) -> i128 {
    let days = now.as_unix_nanos().div_euclid(MINUTES_PER_DAY * NANOS_PER_MINUTE);
    // The first day of the epoch was a Thursday.
    (days + 3).rem_euclid(7)
}

fn weekday(word: &str) -> Option<i128> {
    let index = WEEKDAYS
        .iter()
        .position(|day| *day == word || (word.len() == 3 && day.starts_with(word)))?;
    i128::try_from(index).ok()
}

fn on_day(now: Timestamp, days: i128, time: &[&str]) -> Option<Timestamp> {
    let minute = match time {
        [] => MORNING,
        [time] | ["at", time] => minute_of_day(time)?,
        _ => return None,
    };
    let midnight = now.as_unix_nanos().div_euclid(MINUTES_PER_DAY * NANOS_PER_MINUTE) + days;
    Timestamp::from_unix_nanos((midnight * MINUTES_PER_DAY + minute) * NANOS_PER_MINUTE)
}

fn minute_of_day(text: &str) -> Option<i128> {
    let (clock, half) = match (text.strip_suffix("am"), text.strip_suffix("pm")) {
        (Some(clock), _) => (clock, Some(0)),
        (_, Some(clock)) => (clock, Some(12)),
        _ => (text, None),
    };
    let (hours, minutes) = match clock.split_once(':') {
        Some((hours, minutes)) => (hours, minutes.parse::<u8>().ok()?),
        None if half.is_some() => (clock, 0),
        None => return None,
    };
    let hours: u8 = hours.parse().ok()?;
    let hours = match half {
        Some(half) if (1..=12).contains(&hours) => hours % 12 + half,
        None if hours < 24 => hours,
        _ => return None,
    };
    (minutes < 60).then(|| i128::from(hours) * 60 + i128::from(minutes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<E>(read: fn(&str, Timestamp) -> Result<Timestamp, E>, text: &str, expected: &str) {
        let now = "2026-04-22T12:34:56Z".parse().expect("a time");
        let found = read(text, now).map(|time| time.to_string()[..19].to_owned());
        assert_eq!(found.unwrap_or_else(|_| "none".to_owned()), expected, "{text}");
    }

    #[test]
    fn a_time_is_named_in_many_ways() {
        for (text, expected) in [
            ("2026-05-01T10:00:00+02:00", "2026-05-01T08:00:00"),
            ("in 30 minutes", "2026-04-22T13:04:56"),
            ("now", "2026-04-22T12:34:56"),
            ("+0d", "2026-04-22T12:34:56"),
            ("+7D", "2026-04-29T12:34:56"),
            ("In 2 Hours", "2026-04-22T14:34:56"),
            ("in 1 day", "2026-04-23T12:34:56"),
            ("in 2 weeks", "2026-05-06T12:34:56"),
            ("tomorrow", "2026-04-23T09:00:00"),
            ("tomorrow 14:30", "2026-04-23T14:30:00"),
            ("tomorrow at 9pm", "2026-04-23T21:00:00"),
            ("tomorrow 12:15am", "2026-04-23T00:15:00"),
            ("next monday", "2026-04-27T09:00:00"),
            ("next wednesday", "2026-04-29T09:00:00"),
            ("next Thu 7:05", "2026-04-23T07:05:00"),
        ] {
            check(parse, text, expected);
        }
        for text in [
            "",
            "soon",
            "+",
            "+7",
            "+d",
            "++7d",
            "in +2 days",
            "+7y",
            "7d",
            "in two hours",
            "in 1 year",
            "tomorrow 25:00",
            "tomorrow 13pm",
            "next day",
            "in 99999999999999999999 weeks",
            "in 9999999999999 weeks",
            "tomorrow 9",
            "next",
        ] {
            check(parse, text, "none");
        }
    }

    #[test]
    fn an_age_is_a_time_before_now() {
        check(cutoff, "7d", "2026-04-15T12:34:56");
        check(cutoff, "2w", "2026-04-08T12:34:56");
        check(cutoff, "2026-01-02", "2026-01-02T00:00:00");
        check(cutoff, "2026-01-02T03:04:05Z", "2026-01-02T03:04:05");
        for text in ["", "d", "7", "ü", "7y"] {
            check(cutoff, text, "none");
        }
        let now = "2026-04-22T12:34:56Z".parse().expect("a time");
        let told = cutoff("in 2 hours", now).expect_err("it is ahead").to_string();
        let advised: Vec<&str> = told.split('`').skip(3).step_by(2).collect();
        assert_eq!(advised, ["30m", "12h", "7d", "2w"]);
        assert!(advised.iter().all(|age| cutoff(age, now).is_ok()));
    }
}
