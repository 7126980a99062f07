//! Times as people write them, in every form and at both ends.

use super::*;

#[track_caller]
fn same(text: &str, rfc: &str) {
    let time = parse(text, Unit::Us).unwrap_or_else(|| panic!("{text} was refused"));
    assert_eq!(format(time.micros), rfc, "{text}");
}

#[test]
fn a_time_is_the_same_moment_however_it_is_written() {
    same("2013-01-31", "2013-01-31T00:00:00Z");
    same("2013-01-31 10:20", "2013-01-31T10:20:00Z");
    same("2013-01-31 10:20:30.5", "2013-01-31T10:20:30.500Z");
    same("2013-01-31T10:20:30.000001Z", "2013-01-31T10:20:30.000001Z");
    same("2013-01-31T10:20:30.1234569Z", "2013-01-31T10:20:30.123456Z");
    same("2013-01-31t10:20:30+02:00", "2013-01-31T08:20:30Z");
    same("2012-12-31T23:00:00-01:30", "2013-01-01T00:30:00Z");
    same("1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z");
    same("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z");
    same("2000-02-29", "2000-02-29T00:00:00Z");
    same("0000-03-01", "0000-03-01T00:00:00Z");
    same("-1", "1969-12-31T23:59:59.999999Z");
}

#[test]
fn what_is_no_time_is_refused() {
    for text in [
        "",
        "yesterday",
        "2013-02-29",
        "1900-02-29",
        "2013-13-01",
        "2013-00-01",
        "2013-1-1",
        "2013-01-01T",
        "2013-01-01T24:00:00",
        "2013-01-01 10:00:00.",
        "2013-01-01 10:00:00+1:00",
        "2013-01-01 10:00:00Zx",
        "2013/01/01",
        "1.5",
        "99999999999999999999",
    ] {
        assert_eq!(parse(text, Unit::Us), None, "{text:?}");
    }
    assert_eq!(parse("9223372036854775807", Unit::S), None);
}

#[test]
fn every_moment_survives_being_written_and_read() {
    let mut micros = i64::MIN;
    let step = i64::MAX / 1_013;
    loop {
        assert_eq!(parse_date_time(&format(micros)), Some(micros), "{micros}");
        let Some(next) = micros.checked_add(step) else { break };
        micros = next;
    }
    assert_eq!(parse_date_time(&format(i64::MAX)), Some(i64::MAX));
}

#[test]
fn dates_agree_with_days_over_four_hundred_years() {
    let (mut year, mut month, mut day) = (1900, 1, 1);
    for days in days_from_date(1900, 1, 1)..days_from_date(2300, 1, 1) {
        assert_eq!(date_from_days(days), (year, month, day));
        assert_eq!(days_from_date(year, month, day), days);
        day += 1;
        if day > days_in_month(year, month) {
            (month, day) = (month + 1, 1);
        }
        if month > 12 {
            (year, month) = (year + 1, 1);
        }
    }
}

#[test]
fn integers_in_a_wrong_unit_are_named() {
    let now = parse("2026-01-01", Unit::Us).unwrap().micros;
    for (number, unit) in [
        (1_380_000_000, Unit::S),
        (1_380_000_000_000, Unit::Ms),
        (1_380_000_000_000_000, Unit::Us),
        (1_380_000_000_000_000_000, Unit::Ns),
    ] {
        assert_eq!(Unit::likely(number, now), Some(unit));
    }
    let mut seconds = Column1970::default();
    for number in [1_380_000_000, 1_370_000_000] {
        seconds.add(Time { micros: number, integer: Some(number) });
    }
    let refusal = seconds.refusal(Unit::Us, now).unwrap();
    assert!(refusal.contains("--time-unit s"), "{refusal}");
    seconds.add(parse("1970-05-05", Unit::Us).unwrap());
    assert!(seconds.refusal(Unit::Us, now).is_none());
}
