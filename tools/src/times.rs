//! Times as people write them.
//!
//! A time is RFC 3339, `YYYY-MM-DD[ HH:MM[:SS[.ffffff]]]` (no zone means UTC), or an integer of
//! a given unit. What is finer than a microsecond is cut off, in events and questions alike, so
//! that two equal moments stay equal. The calendar is the Gregorian one in both directions; years
//! of more than four digits carry a sign. The conversion between days and dates counts years from
//! March, so that the leap day is the last of its year.

/// What a time may look like, for messages.
pub const EXPECTED: &str =
    "a time (RFC 3339, YYYY-MM-DD[ HH:MM:SS[.ffffff]], or an integer with --time-unit)";

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;
/// The first moment of 1971.
const END_OF_1970: i64 = 365 * DAY;

/// What an integer counts since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Unit {
    /// Seconds.
    S,
    /// Milliseconds.
    Ms,
    /// Microseconds.
    #[default]
    Us,
    /// Nanoseconds; what is finer than a microsecond is cut off.
    Ns,
}

impl Unit {
    const ALL: [Self; 4] = [Self::S, Self::Ms, Self::Us, Self::Ns];

    /// The option's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::S => "s",
            Self::Ms => "ms",
            Self::Us => "us",
            Self::Ns => "ns",
        }
    }

    /// The unit in words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::S => "seconds",
            Self::Ms => "milliseconds",
            Self::Us => "microseconds",
            Self::Ns => "nanoseconds",
        }
    }

    /// The moment in microseconds; `None` if it is out of range.
    pub const fn micros(self, number: i64) -> Option<i64> {
        match self {
            Self::S => number.checked_mul(SECOND),
            Self::Ms => number.checked_mul(1_000),
            Self::Us => Some(number),
            Self::Ns => Some(number.div_euclid(1_000)),
        }
    }

    /// The unit in which this integer lies between 1971 and tomorrow.
    pub fn likely(number: i64, now: i64) -> Option<Self> {
        let latest = now.saturating_add(DAY);
        Self::ALL
            .into_iter()
            .find(|unit| unit.micros(number).is_some_and(|at| (END_OF_1970..=latest).contains(&at)))
    }
}

/// Whether a moment lies within 1970, where a time of a wrong unit lands.
pub const fn is_within_1970(micros: i64) -> bool {
    0 <= micros && micros < END_OF_1970
}

/// A time as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    /// Microseconds since 1970.
    pub micros: i64,
    /// The integer, if it was one.
    pub integer: Option<i64>,
}

/// Reads a time; `None` if it is none or out of range.
pub fn parse(text: &str, unit: Unit) -> Option<Time> {
    let text = text.trim();
    if let Ok(number) = text.parse::<i64>() {
        return Some(Time { micros: unit.micros(number)?, integer: Some(number) });
    }
    Some(Time { micros: parse_date_time(text)?, integer: None })
}

/// Walks over the bytes of a date.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    /// The next byte, if it is the expected one.
    fn take(&mut self, expected: u8) -> Option<()> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        (*first == expected).then_some(())
    }

    /// A number of exactly so many digits.
    fn digits(&mut self, count: usize) -> Option<i64> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        digits.iter().try_fold(0, |number, digit| {
            digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0'))
        })
    }

    /// How many digits come next.
    fn digits_ahead(&self) -> usize {
        self.0.iter().take_while(|byte| byte.is_ascii_digit()).count()
    }
}

fn parse_date_time(text: &str) -> Option<i64> {
    let mut cursor = Cursor(text.as_bytes());
    let sign = match cursor.0.first()? {
        b'+' => Some(1),
        b'-' => Some(-1),
        _ => None,
    };
    let year = match sign {
        Some(sign) => {
            cursor.0 = cursor.0.get(1..)?;
            let count = cursor.digits_ahead();
            (4..=6).contains(&count).then_some(())?;
            sign * cursor.digits(count)?
        }
        None => cursor.digits(4)?,
    };
    cursor.take(b'-')?;
    let month = cursor.digits(2)?;
    cursor.take(b'-')?;
    let day = cursor.digits(2)?;
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    // The day of the first moment there is begins before it, so the sum is made wide.
    let midnight = i128::from(days_from_date(year, month, day)) * i128::from(DAY);
    let Some((separator, rest)) = cursor.0.split_first() else {
        return i64::try_from(midnight).ok();
    };
    if !matches!(separator, b'T' | b't' | b' ') {
        return None;
    }
    cursor.0 = rest;
    let of_day = parse_time_of_day(&mut cursor)?;
    let zone = parse_zone(&mut cursor)?;
    i64::try_from(midnight + i128::from(of_day) - i128::from(zone)).ok()
}

fn parse_time_of_day(cursor: &mut Cursor<'_>) -> Option<i64> {
    let hour = cursor.digits(2)?;
    cursor.take(b':')?;
    let minute = cursor.digits(2)?;
    let (mut second, mut micros) = (0, 0);
    if cursor.0.first() == Some(&b':') {
        cursor.take(b':')?;
        second = cursor.digits(2)?;
        if cursor.0.first() == Some(&b'.') {
            cursor.take(b'.')?;
            let count = cursor.digits_ahead();
            if count == 0 {
                return None;
            }
            for place in 0..count {
                let digit = cursor.digits(1)?;
                if place < 6 {
                    micros = micros * 10 + digit;
                }
            }
            for _ in count..6 {
                micros *= 10;
            }
        }
    }
    // A leap second counts as the first second of the next minute, as Unix time has it.
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    Some(((hour * 60 + minute) * 60 + second) * SECOND + micros)
}

fn parse_zone(cursor: &mut Cursor<'_>) -> Option<i64> {
    let offset = match cursor.0.split_first() {
        None => return Some(0),
        Some((b'Z' | b'z', rest)) => {
            cursor.0 = rest;
            0
        }
        Some((sign @ (b'+' | b'-'), rest)) => {
            cursor.0 = rest;
            let hours = cursor.digits(2)?;
            cursor.take(b':')?;
            let minutes = cursor.digits(2)?;
            if hours > 23 || minutes > 59 {
                return None;
            }
            let seconds = (hours * 60 + minutes) * 60;
            if *sign == b'-' { -seconds } else { seconds }
        }
        Some(_) => return None,
    };
    cursor.0.is_empty().then_some(offset * SECOND)
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01.
const fn days_from_date(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of so many days since 1970-01-01.
const fn date_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year + era * 400 + (month <= 2) as i64, month, day)
}

/// A moment in RFC 3339, UTC, with no, three or six digits after the second, as it needs.
pub fn format(micros: i64) -> String {
    let (year, month, day) = date_from_days(micros.div_euclid(DAY));
    let of_day = micros.rem_euclid(DAY);
    let (seconds, fraction) = (of_day / SECOND, of_day % SECOND);
    let year = match year {
        0..=9999 => format!("{year:04}"),
        _ => format!("{year:+07}"),
    };
    let fraction = match fraction {
        0 => String::new(),
        _ if fraction % 1_000 == 0 => format!(".{:03}", fraction / 1_000),
        _ => format!(".{fraction:06}"),
    };
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

/// What a column of times looked like as a whole.
#[derive(Clone, Copy, Debug, Default)]
pub struct Column1970 {
    range: Option<(i64, i64)>,
    not_in_1970: bool,
}

impl Column1970 {
    /// Takes one more time into account.
    pub fn add(&mut self, time: Time) {
        match time.integer {
            Some(number) if is_within_1970(time.micros) => {
                let (least, greatest) = self.range.unwrap_or((number, number));
                self.range = Some((least.min(number), greatest.max(number)));
            }
            _ => self.not_in_1970 = true,
        }
    }

    /// Whether nothing but integers within 1970 was seen, and at least one of them.
    pub const fn all_within_1970(&self) -> bool {
        self.range.is_some() && !self.not_in_1970
    }

    /// Why a column that lies wholly within 1970 is refused; `None` if it does not.
    pub fn refusal(&self, unit: Unit, now: i64) -> Option<String> {
        let (least, greatest) = self.range.filter(|_| !self.not_in_1970)?;
        let likely = match Unit::likely(greatest, now) {
            Some(likely) => {
                format!("they look like {}: say --time-unit {}", likely.name(), likely.as_str())
            }
            None => "no unit puts them later; write times as dates, such as 2013-01-31".to_owned(),
        };
        Some(format!(
            "the integers {least} to {greatest} taken as {} all lie within 1970; {likely}",
            unit.name()
        ))
    }
}

#[cfg(test)]
mod tests;
