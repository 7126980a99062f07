//! What the plots are made of: escaped text, boxes, lines, axes of time.
//!
//! Whatever comes out of a store goes through [`escape`], so that a name is never markup.

use std::fmt::Write as _;

use crate::times;

/// How wide a plot is, in its own units.
pub const WIDTH: f64 = 960.0;

/// Text as it may stand between tags and in attributes.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for symbol in text.chars() {
        match symbol {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ if symbol.is_control() => escaped.push('\u{fffd}'),
            _ => escaped.push(symbol),
        }
    }
    escaped
}

/// A plot that grows downwards.
pub struct Plot {
    title: String,
    /// What lies behind all else.
    behind: String,
    body: String,
    height: f64,
}

impl Plot {
    /// An empty plot, and what it shows, for who cannot see it.
    pub fn new(title: &str) -> Self {
        Self { title: escape(title), behind: String::new(), body: String::new(), height: 0.0 }
    }

    /// The plot reaches down to here at least.
    pub fn reach(&mut self, y: f64) {
        self.height = self.height.max(y);
    }

    /// A filled box of a colour of the style sheet, with what a pointer over it is told.
    pub fn area(
        &mut self,
        (x, y): (f64, f64),
        (width, height): (f64, f64),
        colour: &str,
        told: &str,
    ) {
        let told = escape(told);
        let _ = writeln!(
            self.body,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"1.5\" \
             style=\"fill:var(--{colour})\" fill-opacity=\"0.8\"><title>{told}</title></rect>"
        );
        self.reach(y + height);
    }

    /// A line of a class of the style sheet; axes lie behind all else.
    pub fn line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), class: &str) {
        let layer = if class == "axis" { &mut self.behind } else { &mut self.body };
        let _ = writeln!(
            layer,
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" class=\"{class}\"/>"
        );
        self.reach(y1.max(y2));
    }

    /// Text at a place: `start`, `middle` or `end` is there.
    pub fn text(&mut self, (x, y): (f64, f64), anchor: &str, class: &str, text: &str) {
        let text = escape(text);
        let _ = writeln!(
            self.body,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" class=\"{class}\">{text}</text>"
        );
        self.reach(y + 4.0);
    }

    /// Text that ends where its room ends, however wide its letters are.
    pub fn label(&mut self, (x, y): (f64, f64), width: f64, text: &str) {
        let (shown, all) = (escape(&shortened(text)), escape(text));
        let top = y - 12.0;
        let _ = writeln!(
            self.body,
            "<svg x=\"{x:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"17\" overflow=\"hidden\">\
             <text x=\"0\" y=\"12\">{shown}<title>{all}</title></text></svg>"
        );
        self.reach(y + 4.0);
    }

    /// The plot as markup.
    pub fn finish(self) -> String {
        let Self { title, behind, body, height } = self;
        let height = height + 6.0;
        format!(
            "<svg viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-label=\"{title}\">\n{behind}{body}</svg>\n"
        )
    }
}

/// A name that fits beside a bar.
fn shortened(text: &str) -> String {
    const MOST: usize = 36;
    if text.chars().count() <= MOST {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(MOST - 1).collect();
    short.push('…');
    short
}

/// An axis of moments, from left to right.
#[derive(Clone, Copy)]
pub struct TimeAxis {
    from: i64,
    to: i64,
    left: f64,
    right: f64,
}

impl TimeAxis {
    /// From one moment to another, between two places.
    pub fn new((from, to): (i64, i64), (left, right): (f64, f64)) -> Self {
        Self { from, to: to.max(from), left, right }
    }

    /// Where a moment is; what lies aside is at the edge.
    pub fn x(&self, moment: i64) -> f64 {
        let moment = moment.clamp(self.from, self.to);
        let whole = self.to as f64 - self.from as f64;
        if whole <= 0.0 {
            return f64::midpoint(self.left, self.right);
        }
        self.left + (moment as f64 - self.from as f64) / whole * (self.right - self.left)
    }

    /// Draws the axis below a plot that begins at `top`, with moments on it.
    pub fn draw(&self, plot: &mut Plot, top: f64, bottom: f64) {
        plot.line((self.left, bottom), (self.right, bottom), "axis");
        let whole = i128::from(self.to) - i128::from(self.from);
        let parts = if whole == 0 { 1 } else { 4 };
        let digits = match whole {
            ..600_000_000 => Digits::Seconds,
            600_000_000..400_000_000_000 => Digits::Minutes,
            _ => Digits::Days,
        };
        let mut before = String::new();
        for part in 0..=parts {
            if whole == 0 && part == 1 {
                break;
            }
            let at = i128::from(self.from) + whole * part / parts;
            let moment = i64::try_from(at).unwrap_or(self.to);
            let x = self.x(moment);
            let anchor = match part {
                _ if whole == 0 => "middle",
                0 => "start",
                _ if part == parts => "end",
                _ => "middle",
            };
            plot.line((x, top), (x, bottom + 4.0), "axis");
            let text = moment_text(moment, digits);
            if text != before {
                plot.text((x, bottom + 18.0), anchor, "soft", &text);
            }
            before = text;
        }
    }
}

/// How exactly a moment is shown.
#[derive(Clone, Copy)]
pub enum Digits {
    /// The day.
    Days,
    /// The minute.
    Minutes,
    /// The second.
    Seconds,
}

/// A moment in so many digits as a plot needs.
pub fn moment_text(micros: i64, digits: Digits) -> String {
    let whole = times::format(micros.div_euclid(1_000_000).saturating_mul(1_000_000));
    let Some((day, time)) = whole.split_once('T') else { return whole };
    match (digits, time.trim_end_matches('Z')) {
        (Digits::Days, _) => day.to_owned(),
        (Digits::Minutes, time) => format!("{day} {}", time.get(..5).unwrap_or(time)),
        (Digits::Seconds, time) => format!("{day} {time}"),
    }
}

/// A length of time in words: the greatest unit of which there are two.
pub fn span_text(micros: i64) -> String {
    let units: [(i64, &str); 5] = [
        (365 * 86_400_000_000, "years"),
        (86_400_000_000, "days"),
        (3_600_000_000, "hours"),
        (60_000_000, "minutes"),
        (1_000_000, "seconds"),
    ];
    let length = micros.saturating_abs();
    for (unit, name) in units {
        if length >= 2 * unit {
            return format!("{} {name}", length / unit);
        }
    }
    if length >= 1_000_000 { "1 second".to_owned() } else { "less than a second".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_markup() {
        assert_eq!(
            escape("<script>alert(\"1\" & '2')</script>\u{1b}"),
            "&lt;script&gt;alert(&quot;1&quot; &amp; &#39;2&#39;)&lt;/script&gt;\u{fffd}"
        );
    }

    #[test]
    fn a_moment_falls_off_the_axis() {
        let axis = TimeAxis::new((10, 20), (100.0, 200.0));
        assert_eq!([axis.x(10), axis.x(15), axis.x(20)], [100.0, 150.0, 200.0]);
        assert_eq!([axis.x(i64::MIN), axis.x(i64::MAX)], [100.0, 200.0]);
        assert_eq!(TimeAxis::new((7, 7), (100.0, 200.0)).x(7), 150.0);
        let all = TimeAxis::new((i64::MIN, i64::MAX), (0.0, 1.0));
        assert!((all.x(0) - 0.5).abs() < 1e-9);
        let mut plot = Plot::new("all of time");
        all.draw(&mut plot, 0.0, 10.0);
        assert!(plot.finish().contains("</svg>"));
    }

    #[test]
    fn a_span_is_told_in_a_unit_that_hides_it() {
        let spans = [0, 1_500_000, 90_000_000, 7_200_000_000, i64::MIN].map(span_text);
        assert_eq!(
            spans,
            ["less than a second", "1 second", "90 seconds", "2 hours", "292471 years"]
        );
    }
}
