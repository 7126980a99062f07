//! The command line: its commands, and what they share.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::commands;
use crate::error::Result;
use crate::output::Console;
use crate::times::Unit;

/// Feature values with the times at which they became true: newest values for serving, values as
/// of any past moment for training, from one store.
#[derive(Debug, Parser)]
#[command(name = "asofdb", version, max_term_width = 100, after_help = AFTER_HELP)]
#[command(arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Print JSON for machines instead of text for people.
    #[arg(long, global = true)]
    pub json: bool,
}

const AFTER_HELP: &str = "\
Times are RFC 3339, YYYY-MM-DD[ HH:MM:SS[.ffffff]] (no zone means UTC), or integers with \
--time-unit.
Durations are 90s, 30m, 2h, 7d or forever.
Exit codes: 0 for an answer, whichever of the five it is; 1 for a failure; 2 for a wrong call; \
3 for features staler than `freshness --max-age` allows.

Examples:
  asofdb demo
  asofdb import store weather.csv --entity airport --time hour
  asofdb join store flights.csv -o training.csv --entity origin --time departed
  asofdb latest store EWR";

/// One command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write the rows of CSV or Parquet files into a store.
    Import(commands::import::ImportArgs),
    /// Write values of one entity.
    Put(commands::put::PutArgs),
    /// Say that an entity has no value from a time on.
    Delete(commands::delete::DeleteArgs),
    /// The newest values of one entity.
    Latest(commands::latest::LatestArgs),
    /// The values of one entity as of a time.
    AsOf(commands::as_of::AsOfArgs),
    /// The versions of one entity's feature, newest first.
    History(commands::history::HistoryArgs),
    /// All entities as of a time.
    Scan(commands::scan::ScanArgs),
    /// Add to rows of (entity, time) the features as of each row's time.
    Join(commands::join::JoinArgs),
    /// List the features of a store.
    Features(commands::features::FeaturesArgs),
    /// Define a feature.
    Define(commands::define::DefineArgs),
    /// Change how long a feature's values stay, or its description.
    Alter(commands::alter::AlterArgs),
    /// Give a feature another type under its next schema number.
    Evolve(commands::evolve::EvolveArgs),
    /// End a feature.
    Retire(commands::retire::RetireArgs),
    /// Forget entities for good.
    Erase(commands::erase::EraseArgs),
    /// Undo a bad load by the label of its source, or by its commits.
    Revert(commands::revert::RevertArgs),
    /// The shape of a store, as a picture in text.
    Stats(commands::stats::StatsArgs),
    /// How old the values of each feature are, and whether any is too old.
    Freshness(commands::freshness::FreshnessArgs),
    /// One page with plots of a store.
    Report(commands::report::ReportArgs),
    /// What the files of a store hold.
    Dump(commands::dump::DumpArgs),
    /// Read every byte of a store and check it.
    Verify(commands::verify::VerifyArgs),
    /// Rewrite the files of a store as compactly as the rules allow.
    Compact(commands::compact::CompactArgs),
    /// See it work on a bundled sample of real events.
    Demo(commands::demo::DemoArgs),
}

impl Command {
    /// Does it.
    pub fn run(&self, console: &mut Console) -> Result<()> {
        match self {
            Self::Import(args) => commands::import::run(args, console),
            Self::Put(args) => commands::put::run(args, console),
            Self::Delete(args) => commands::delete::run(args, console),
            Self::Latest(args) => commands::latest::run(args, console),
            Self::AsOf(args) => commands::as_of::run(args, console),
            Self::History(args) => commands::history::run(args, console),
            Self::Scan(args) => commands::scan::run(args, console),
            Self::Join(args) => commands::join::run(args, console),
            Self::Features(args) => commands::features::run(args, console),
            Self::Define(args) => commands::define::run(args, console),
            Self::Alter(args) => commands::alter::run(args, console),
            Self::Evolve(args) => commands::evolve::run(args, console),
            Self::Retire(args) => commands::retire::run(args, console),
            Self::Erase(args) => commands::erase::run(args, console),
            Self::Revert(args) => commands::revert::run(args, console),
            Self::Stats(args) => commands::stats::run(args, console),
            Self::Freshness(args) => commands::freshness::run(args, console),
            Self::Report(args) => commands::report::run(args, console),
            Self::Dump(args) => commands::dump::run(args, console),
            Self::Verify(args) => commands::verify::run(args, console),
            Self::Compact(args) => commands::compact::run(args, console),
            Self::Demo(args) => commands::demo::run(args, console),
        }
    }
}

/// The store that a command works on.
#[derive(Args, Debug)]
pub struct StoreArg {
    /// The directory of the store.
    #[arg(value_name = "STORE")]
    pub dir: PathBuf,
}

/// Reads how many of something.
pub fn whole_number(text: &str) -> std::result::Result<usize, String> {
    text.parse().map_err(|_| "expected a whole number from 0 on".to_owned())
}

/// How integers are taken as times.
#[derive(Args, Clone, Copy, Debug)]
pub struct UnitArg {
    /// What times given as integers count since 1970.
    #[arg(long, value_enum, default_value_t, value_name = "U", hide_possible_values = false)]
    pub time_unit: Unit,
}
