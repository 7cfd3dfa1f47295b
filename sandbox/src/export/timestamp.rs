use serde_json::value::RawValue;

use crate::json::{self, Kind};

const SECONDS_PER_DAY: i64 = 86_400;

/// The moment that a timestamp of a message names, in seconds since the epoch.
pub(super) fn seconds(value: &RawValue) -> Result<f64, &'static str> {
    match json::kind(value) {
        Kind::Number => number(value.get()),
        Kind::String => {
            let text = json::text(value).ok_or("is not a timestamp")?;
            if text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.')
            {
                number(&text)
            } else {
                date(&text).ok_or("is neither a number nor an ISO date")
            }
        }
        _ => Err("must be a number or a string"),
    }
}

/// Seconds have 10 digits before the point, and milliseconds 13.
fn number(text: &str) -> Result<f64, &'static str> {
    let value: f64 = text.parse().map_err(|_| "is not a number")?;
    let whole = text.split(['.', 'e', 'E']).next().unwrap_or_default();
    // A number may also be written with an exponent; then the digits of its value count.
    let digits = if text.contains(['e', 'E']) {
        format!("{:.0}", value.trunc()).len()
    } else {
        whole.len()
    };
    match digits {
        10 if value > 0.0 => Ok(value),
        13 if value > 0.0 => Ok(value / 1000.0),
        _ => Err("must have 10 digits (seconds) or 13 digits (milliseconds)"),
    }
}

/// `YYYY-MM-DD`, with `T` or a blank and `HH:MM[:SS[.fraction]]`, with `Z` or `+HH[:]MM`; without a zone it is UTC.
fn date(text: &str) -> Option<f64> {
    let (day, rest) = text.split_at_checked(10)?;
    let days = days_since_epoch(day)?;
    let midnight = days.checked_mul(SECONDS_PER_DAY)? as f64;
    if rest.is_empty() {
        return Some(midnight);
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let zone_at = rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at_checked(zone_at)?;
    Some(midnight + seconds_of_day(clock)? - offset(zone)?)
}

fn days_since_epoch(day: &str) -> Option<i64> {
    let mut parts = day.split('-');
    let (year, month, day) = (
        fixed(parts.next()?, 4)?,
        fixed(parts.next()?, 2)?,
        fixed(parts.next()?, 2)?,
    );
    if parts.next().is_some() || !(1..=12).contains(&month) {
        return None;
    }
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let length = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    // Years are counted from March, so that the leap day comes last: then months have a regular pattern of lengths.
    let shifted = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days_of_years =
        shifted * 365 + shifted.div_euclid(4) - shifted.div_euclid(100) + shifted.div_euclid(400);
    const EPOCH: i64 = 719_468;
    Some(days_of_years + day_of_year - EPOCH)
}

fn seconds_of_day(clock: &str) -> Option<f64> {
    let mut parts = clock.split(':');
    let (hour, minute) = (fixed(parts.next()?, 2)?, fixed(parts.next()?, 2)?);
    let second = match parts.next() {
        None => 0.0,
        Some(text) => {
            let (whole, fraction) = text.split_once(['.', ',']).unwrap_or((text, "0"));
            let fine = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
            let fraction: f64 = fine.then(|| format!("0.{fraction}"))?.parse().ok()?;
            fixed(whole, 2)? as f64 + fraction
        }
    };
    let sane = parts.next().is_none() && hour < 24 && minute < 60 && second < 61.0;
    sane.then_some((hour * 3600 + minute * 60) as f64 + second)
}

fn offset(zone: &str) -> Option<f64> {
    if matches!(zone, "" | "Z" | "z") {
        return Some(0.0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let digits = zone.strip_prefix(['+', '-'])?.replace(':', "");
    let (hours, minutes) = if digits.len() == 2 {
        (digits.as_str(), "00")
    } else {
        digits.split_at_checked(2)?
    };
    Some((sign * (fixed(hours, 2)? * 3600 + fixed(minutes, 2)? * 60)) as f64)
}

/// A number of exactly so many digits.
fn fixed(text: &str, digits: usize) -> Option<i64> {
    let right = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    right.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::seconds;

    fn read(json: &str) -> Option<f64> {
        seconds(serde_json::from_str(json).unwrap()).ok()
    }

    #[test]
    fn numbers_have_ten_or_thirteen_digits() {
        assert_eq!(read("1672832745"), Some(1_672_832_745.0));
        assert_eq!(read("1672832745000"), Some(1_672_832_745.0));
        assert_eq!(read("1672832745.25"), Some(1_672_832_745.25));
        assert_eq!(read("\"1672832745\""), Some(1_672_832_745.0));
        assert_eq!(read("1.672832745e9"), Some(1_672_832_745.0));
        for wrong in [
            "12345678",
            "123456789",
            "16728327450",
            "-672832745",
            "\"12345678\"",
            "true",
            "\"\"",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn iso_dates_are_read_in_utc_unless_they_say_otherwise() {
        assert_eq!(read("\"1970-01-01\""), Some(0.0));
        assert_eq!(read("\"2023-01-04T11:45:45\""), Some(1_672_832_745.0));
        assert_eq!(
            read("\"2023-01-04T11:45:45.500000\""),
            Some(1_672_832_745.5)
        );
        assert_eq!(read("\"2023-01-04 11:45:45Z\""), Some(1_672_832_745.0));
        assert_eq!(read("\"2023-01-04T13:45:45+02:00\""), Some(1_672_832_745.0));
        assert_eq!(read("\"2024-02-29\""), Some(1_709_164_800.0));
        for wrong in [
            "\"2023-02-29\"",
            "\"2023-13-01\"",
            "\"2023-01-04T25:00\"",
            "\"this is not a timestamp\"",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
