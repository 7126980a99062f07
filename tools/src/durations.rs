//! Durations as people write them: `90s`, `30m`, `2h`, `7d`, `forever`.

use asofdb::Span;

const MILLISECOND: i64 = 1_000;
const SECOND: i64 = 1_000 * MILLISECOND;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A length of time that may be without end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duration(pub Option<Span>);

/// Reads a duration: `90s`, `30m`, `2h`, `7d`, also `ms` and `us`, or `forever`.
pub fn parse(text: &str) -> Result<Duration, String> {
    if text == "forever" {
        return Ok(Duration(None));
    }
    parse_span(text).map(|span| Duration(Some(span)))
}

/// Reads a duration that is not `forever`.
pub fn parse_span(text: &str) -> Result<Span, String> {
    let wrong = || "a duration is a number and its unit, as 90s, 30m, 2h or 7d".to_owned();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).ok_or_else(wrong)?;
    let number: i64 = number.parse().map_err(|_| wrong())?;
    let micros = match unit {
        "us" => 1,
        "ms" => MILLISECOND,
        "s" => SECOND,
        "m" => MINUTE,
        "h" => HOUR,
        "d" => DAY,
        _ => return Err(wrong()),
    };
    number
        .checked_mul(micros)
        .and_then(Span::from_micros)
        .ok_or_else(|| "the duration is longer than 292,000 years; say forever".to_owned())
}

/// A duration in its largest whole unit, which [`parse`] reads.
pub fn format(span: Option<Span>) -> String {
    let Some(span) = span else { return "forever".to_owned() };
    let micros = span.micros();
    let units = [(DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (SECOND, "s"), (MILLISECOND, "ms")];
    if micros == 0 {
        return "0s".to_owned();
    }
    for (length, unit) in units {
        if micros % length == 0 {
            return format!("{}{unit}", micros / length);
        }
    }
    format!("{micros}us")
}

/// A duration for a glance: its two largest units, what is finer cut off; `3d 4h`, `250ms`.
pub fn brief(span: Span) -> String {
    let micros = span.micros();
    let units = [(DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (SECOND, "s"), (MILLISECOND, "ms")];
    let mut fitting = units.into_iter().skip_while(|(length, _)| micros < *length);
    let Some((length, unit)) = fitting.next() else {
        return if micros == 0 { "0s".to_owned() } else { format!("{micros}us") };
    };
    let whole = format!("{}{unit}", micros / length);
    match fitting.next() {
        Some((finer, unit)) if length > SECOND && micros % length >= finer => {
            format!("{whole} {}{unit}", micros % length / finer)
        }
        _ => whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_survive_being_written_and_read() {
        for text in ["90s", "30m", "2h", "7d", "0s", "1500ms", "7us", "forever"] {
            assert_eq!(format(parse(text).unwrap().0), text);
        }
        assert_eq!(format(parse("48h").unwrap().0), "2d");
        for text in ["", "5", "h", "-5s", "1.5h", "1w", "999999999999999d"] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_glance_shows_two_units_that_lie_beside_one_another() {
        let shown = |text: &str| brief(parse_span(text).unwrap());
        assert_eq!(shown("0s"), "0s");
        assert_eq!(shown("7us"), "7us");
        assert_eq!(shown("1999ms"), "1s");
        assert_eq!(shown("250ms"), "250ms");
        assert_eq!(shown("61s"), "1m 1s");
        assert_eq!(shown("60s"), "1m");
        assert_eq!(shown("90000s"), "1d 1h");
        assert_eq!(shown("86401s"), "1d");
    }
}
