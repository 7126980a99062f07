//! Progress bars: on a terminal, for work of more than a second, and nowhere else.

use std::io::{IsTerminal as _, stderr, stdout};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How long work goes on before a bar is shown.
const PATIENCE: Duration = Duration::from_secs(1);

/// Work that goes on, and a bar if it takes long.
pub struct Progress {
    bar: ProgressBar,
    may_show: bool,
}

impl Progress {
    /// Work of so many steps.
    pub fn new(label: String, steps: u64) -> Self {
        let bar = ProgressBar::hidden();
        bar.set_length(steps);
        bar.set_message(label);
        if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {percent}% {eta}") {
            bar.set_style(style);
        }
        Self { bar, may_show: stderr().is_terminal() && stdout().is_terminal() }
    }

    /// So many steps are done.
    pub fn set(&mut self, steps: u64) {
        if self.may_show && self.elapsed() > PATIENCE {
            self.may_show = false;
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.set_position(steps);
    }

    /// For how long the work has gone on.
    pub fn elapsed(&self) -> Duration {
        self.bar.elapsed()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
