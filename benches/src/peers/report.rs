//! The figures of all lines, and how ours stand beside the best peer's and the target.

use crate::peers::peer::Role;

/// What somebody reached on a line.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Who.
    pub name: &'static str,
    /// On which side.
    pub role: Role,
    /// What is compared.
    pub figure: f64,
    /// What is printed.
    pub text: String,
}

/// What a line asks for.
#[derive(Clone, Copy, Debug, Default)]
pub enum Target {
    /// At most so many times the best peer's figure.
    AtMost(f64),
    /// At least so many times the best peer's figure.
    AtLeast(f64),
    /// A figure that is at most so large, whatever others reach.
    Below(f64, &'static str),
    /// A figure that is at least so large, whatever others reach.
    Above(f64, &'static str),
    /// At least what another program measures that is run beside this one.
    Elsewhere(&'static str),
    /// Nothing: it is told for orientation, and less is better.
    #[default]
    None,
    /// Nothing, and more is better.
    NoneButMore,
}

/// A line of the comparison.
#[derive(Clone, Debug, Default)]
pub struct Line {
    /// What is done.
    pub title: String,
    /// What everybody reached.
    pub figures: Vec<Figure>,
    /// What is asked for.
    pub target: Target,
    /// What is asked for beside it, and whether it is so.
    pub also: Vec<(String, bool)>,
    /// The work is smaller than that for which the limits are set, so that they say nothing of it.
    pub is_part: bool,
}

/// All lines so far.
#[derive(Default)]
pub struct Report {
    /// What is told before them: the machine, the command.
    about: Vec<String>,
    lines: Vec<Line>,
}

impl Line {
    /// A line on which nobody stands yet.
    pub fn new(title: impl Into<String>, target: Target) -> Self {
        Self { title: title.into(), target, ..Self::default() }
    }

    /// A line whose work is a share of that for which its limits are set.
    pub fn of_share(self, scale: f64) -> Self {
        Self { is_part: scale < 1.0, ..self }
    }

    fn ours(&self) -> Option<f64> {
        self.of(Role::Ours).map(|figure| figure.figure)
    }

    fn of(&self, role: Role) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.role == role)
    }

    /// The best peer: the one with the smallest figure, or the greatest where more is better.
    fn best(&self) -> Option<&Figure> {
        let more = matches!(
            self.target,
            Target::AtLeast(_) | Target::Above(..) | Target::Elsewhere(_) | Target::NoneButMore
        );
        let peers = self.figures.iter().filter(|figure| figure.role == Role::Peer);
        if more {
            peers.max_by(|a, b| a.figure.total_cmp(&b.figure))
        } else {
            peers.min_by(|a, b| a.figure.total_cmp(&b.figure))
        }
    }

    /// The ratio to the best peer, the target, and whether it is met.
    fn verdict(&self) -> [String; 3] {
        let (ours, best) = (self.ours(), self.best());
        let ratio = ours.zip(best).map(|(ours, best)| ours / best.figure);
        let beside = match (ratio, best) {
            (Some(ratio), Some(best)) => format!("{ratio:.3} × {}", best.name),
            _ => "-".to_owned(),
        };
        let is_met = |met: bool| if met { "met" } else { "**not met**" };
        let (mut asked, mut met) = match self.target {
            Target::AtMost(times) => (
                format!("≤ {times:.3} × the best peer"),
                ratio.map_or("-", |ratio| is_met(ratio <= times)),
            ),
            Target::AtLeast(times) => (
                format!("≥ {times:.3} × the best peer"),
                ratio.map_or("-", |ratio| is_met(ratio >= times)),
            ),
            Target::Below(limit, text) => {
                (text.to_owned(), ours.map_or("-", |ours| is_met(ours <= limit)))
            }
            Target::Above(limit, text) => {
                (text.to_owned(), ours.map_or("-", |ours| is_met(ours >= limit)))
            }
            Target::Elsewhere(text) => (text.to_owned(), "-"),
            Target::None | Target::NoneButMore => ("-".to_owned(), "-"),
        };
        let mut also = String::new();
        for (what, is_so) in &self.also {
            asked = format!("{asked}; {what}");
            also = format!("{also}; {}", is_met(*is_so));
        }
        if met == "-" && !also.is_empty() {
            met = "";
            also = also.trim_start_matches("; ").to_owned();
        }
        let met = if self.is_part { "not of full size".to_owned() } else { format!("{met}{also}") };
        [beside, asked.trim_start_matches("-; ").to_owned(), met]
    }
}

impl Report {
    /// Adds something that is told before the lines, and prints it at once.
    pub fn tell(&mut self, about: Vec<String>) {
        about.iter().for_each(|line| println!("{line}"));
        self.about.extend(about);
    }

    /// Adds a line, and prints it at once.
    pub fn add(&mut self, line: Line) {
        println!("{}", line.title);
        for figure in &line.figures {
            println!("    {:<18} {}", figure.name, figure.text);
        }
        let [beside, asked, met] = line.verdict();
        println!("    => {beside}; asked: {asked}: {met}");
        self.lines.push(line);
    }

    /// What is told before the lines as a list, and behind it all lines as a table.
    pub fn markdown(&self) -> String {
        let about = self.about.iter().map(|line| format!("- {line}\n")).collect::<String>();
        format!("{about}\n{}", self.table())
    }

    /// All lines as a table, with a column for each who took part.
    pub fn table(&self) -> String {
        let mut names: Vec<&'static str> = Vec::new();
        for role in [Role::Ours, Role::Peer, Role::Floor] {
            for figure in self.lines.iter().flat_map(|line| &line.figures) {
                if figure.role == role && !names.contains(&figure.name) {
                    names.push(figure.name);
                }
            }
        }
        let heads = names.iter().map(|name| format!(" {name} |")).collect::<String>();
        let mut table = format!("| line |{heads} to the best peer | target | met |\n");
        table.push_str(&format!("| --- |{} --- | --- | --- |\n", " --- |".repeat(names.len())));
        for line in &self.lines {
            let text = |name: &&'static str| {
                let figure = line.figures.iter().find(|figure| figure.name == *name);
                format!(" {} |", figure.map_or("", |figure| figure.text.as_str()))
            };
            let cells = names.iter().map(text).collect::<String>();
            let [beside, asked, met] = line.verdict();
            table.push_str(&format!("| {} |{cells} {beside} | {asked} | {met} |\n", line.title));
        }
        table
    }
}
