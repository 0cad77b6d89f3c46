//! When a limit ends, as its message tells it to people.
//!
//! Seen are `resets 11pm`, `resets 9:53am (UTC)`, `resets Oct 6, 1pm`, `will reset at 3pm
//! (Europe/Berlin)`, `try again at May 11th, 2026 1:36 PM`, `try again in 3 hours 2 minutes`,
//! `reset after 8h44m7s`, and a bare `|1764190800`. What is none of these tells no time.

use std::{
    fs::Metadata,
    sync::LazyLock,
    time::{Duration, SystemTime},
};

use jiff::{
    SignedDuration, Zoned,
    civil::{Date, Time},
    tz::TimeZone,
};
use ralph_state::Timestamp;
use regex::{Captures, Regex};

/// When and where something was said: what a time without a date or a zone is meant from.
#[derive(Clone, Debug)]
pub struct Moment(Zoned);

impl Moment {
    /// This time, by the clocks of this machine; `None` for one that no clock shows.
    pub fn here(now: Timestamp) -> Option<Self> {
        Self::within(now, TimeZone::system())
    }

    /// When the file was last written, as is what its writer printed last.
    pub fn of(file: &Metadata) -> Option<Self> {
        let since = file.modified().ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        Self::here(Timestamp::from_unix_nanos(i128::try_from(since.as_nanos()).ok()?)?)
    }

    fn within(now: Timestamp, zone: TimeZone) -> Option<Self> {
        let now = jiff::Timestamp::from_nanosecond(now.as_unix_nanos()).ok()?;
        Some(Self(now.to_zoned(zone)))
    }
}

/// A clock time that is past by no more than this is meant all the same: the message was late.
const LATE: SignedDuration = SignedDuration::from_mins(15);
/// A date without a year is not further away than this.
const HALF_A_YEAR: SignedDuration = SignedDuration::from_hours(183 * 24);

static EPOCH: LazyLock<Regex> = LazyLock::new(|| pattern(r"\|(?<seconds>\d{10})\s*$"));
/// What announces a time, and how far away it is.
static LENGTH: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?:try again in|retry in|retry after|resets? in|reset after) (?<length>(?:[\d.]+ ?[a-z]+(?:,? and |, | )?)+)",
    )
});
static PART: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?<count>\d+(?:\.\d+)?) ?(?<unit>[a-z]+)"));
static CLOCK: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?:resets?|reset at|try again at) (?:at )?(?:(?<month>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]* (?<day>\d{1,2})(?:st|nd|rd|th)?(?:,? (?<year>\d{4}))?(?:,| at)? )?(?<hour>\d{1,2})(?::(?<minute>\d{2}))?(?: ?(?<half>[ap]m))?\b(?: \((?<zone>[a-z0-9_/+-]+)\))?",
    )
});

fn pattern(text: &str) -> Regex {
    Regex::new(&format!("(?i){text}")).expect("a valid pattern")
}

/// The time that the message of a limit tells; without the moment in which it was said, only
/// one that needs none.
pub(crate) fn told(message: &str, said: Option<&Moment>) -> Option<Timestamp> {
    if let Some(told) = EPOCH.captures(message) {
        let seconds: i128 = told["seconds"].parse().ok()?;
        return Timestamp::from_unix_nanos(seconds * 1_000_000_000);
    }
    let Moment(said) = said?;
    let time = match LENGTH.captures(message) {
        Some(told) => said.checked_add(length(&told["length"])?).ok()?,
        None => clock(&CLOCK.captures(message)?, said)?,
    };
    Timestamp::from_unix_nanos(time.timestamp().as_nanosecond())
}

/// So many days, hours, minutes and seconds.
fn length(text: &str) -> Option<Duration> {
    let mut seconds = None;
    for part in PART.captures_iter(text) {
        let unit = match part["unit"].to_ascii_lowercase().as_str() {
            "d" | "day" | "days" => 86_400.0,
            "h" | "hr" | "hrs" | "hour" | "hours" => 3600.0,
            "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
            "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
            "ms" => 0.001,
            _ => return None,
        };
        *seconds.get_or_insert(0.0) += part["count"].parse::<f64>().ok()? * unit;
    }
    Duration::try_from_secs_f64(seconds?).ok()
}

/// A time of the clock, with or without a date and a zone.
fn clock(told: &Captures<'_>, said: &Zoned) -> Option<Zoned> {
    const MONTHS: &str = "janfebmaraprmayjunjulaugsepoctnovdec";
    let number = |name| told.name(name).map(|it| it.as_str().parse::<i16>().ok());
    let hour = i8::try_from(number("hour")??).ok()?;
    let hour = match told.name("half").map(|half| half.as_str().to_ascii_lowercase()) {
        Some(half) if (1..=12).contains(&hour) => hour % 12 + if half == "pm" { 12 } else { 0 },
        None if told.name("minute").is_some() => hour,
        _ => return None,
    };
    let minute = number("minute").unwrap_or(Some(0))?;
    let time = Time::new(hour, i8::try_from(minute).ok()?, 0, 0).ok()?;
    let zone = match told.name("zone").map(|zone| zone.as_str()) {
        None => said.time_zone().clone(),
        Some(zone) if zone.eq_ignore_ascii_case("utc") => TimeZone::UTC,
        Some(zone) => TimeZone::get(zone).ok()?,
    };
    let now = said.with_time_zone(zone.clone());
    let at = |date: Date| date.to_datetime(time).to_zoned(zone.clone()).ok();
    let Some(month) = told.name("month").map(|month| month.as_str().to_ascii_lowercase()) else {
        let today = at(now.date())?;
        let is_past = today < now.checked_sub(LATE).ok()?;
        return if is_past { at(now.date().tomorrow().ok()?) } else { Some(today) };
    };
    let month = i8::try_from(MONTHS.find(&month)? / 3 + 1).ok()?;
    let day = i8::try_from(number("day")??).ok()?;
    let in_year = |year| at(Date::new(year, month, day).ok()?);
    if let Some(year) = number("year") {
        return in_year(year?);
    }
    let this = in_year(now.year());
    let is_past = |it: &Zoned| now.checked_sub(HALF_A_YEAR).is_ok_and(|then| *it < then);
    // At the end of a year, a month of the next one.
    if this.as_ref().is_some_and(is_past) { in_year(now.year() + 1) } else { this }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_the_one_that_was_told() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let said = Moment::within("2026-11-26T20:00:30Z".parse().unwrap(), zone).unwrap();
        for (message, wanted) in [
            ("Claude AI usage limit reached|1764190800", "2025-11-26T21:00:00Z"),
            ("5-hour limit reached ∙ resets 11pm", "2026-11-26T21:00:00Z"),
            ("You've hit your limit · resets 9:53am (UTC)", "2026-11-27T09:53:00Z"),
            ("You've hit your session limit · resets 8pm (UTC)", "2026-11-26T20:00:00Z"),
            ("Session limit reached ∙ resets 12am", "2026-11-26T22:00:00Z"),
            ("Weekly limit reached ∙ resets Dec 1, 1pm", "2026-12-01T11:00:00Z"),
            ("Weekly limit reached ∙ resets Jan 2 at 1:30am", "2027-01-01T23:30:00Z"),
            (
                "Claude usage limit reached. Your limit will reset at 3pm (UTC).",
                "2026-11-27T15:00:00Z",
            ),
            (
                "You've hit your usage limit. Upgrade to Pro (https://x), or try again at Dec 5th, 2026 1:36 PM.",
                "2026-12-05T11:36:00Z",
            ),
            ("You've hit your usage limit. Try again at 10:05 PM.", "2026-11-26T20:05:00Z"),
            (
                "You've hit your usage limit. Upgrade to Pro or try again in 3 hours 2 minutes.",
                "2026-11-26T23:02:30Z",
            ),
            ("try again in 5 days 22 hours 11 minutes.", "2026-12-02T18:11:30Z"),
            ("Your quota will reset after 8h44m7s.", "2026-11-27T04:44:37Z"),
            ("Rate limit reached. Please try again in 1.5s.", "2026-11-26T20:00:31.5Z"),
            ("Please try again in 20ms. Visit the site.", "2026-11-26T20:00:30.02Z"),
            ("Session limit reached - resets in 2 hours", "2026-11-26T22:00:30Z"),
        ] {
            let wanted: Timestamp = wanted.parse().unwrap();
            assert_eq!(told(message, Some(&said)), Some(wanted), "{message}");
        }
        for message in [
            "API Error: Request rejected (429) · rate limited",
            "You've hit your limit · resets soon",
            "resets 25pm",
            "resets 9",
            "resets Feb 31, 1pm",
            "resets 3pm (Nowhere/There)",
            "will reset when your monthly cycle ends on 11/17/2025",
            "try again in a moment",
            "try again in 3 moments",
            "limit reached|17641908001764190800",
            "",
        ] {
            assert_eq!(told(message, Some(&said)), None, "{message}");
        }
        assert_eq!(told("resets 11pm", None), None, "nobody knows from when");
    }
}
