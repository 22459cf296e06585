//! The table: one figure a line, of both programs, with its bound.

use std::{fmt, fmt::Write as _};

use crate::bench::Daemon;

/// Something measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Figure {
    /// A time.
    Micros(u64),
    /// A number of events.
    Count(u64),
    /// Part of one processor's time, in hundredths of a percent.
    Cpu(u64),
    /// Memory.
    KiB(u64),
    /// It did not come to that in this time, in seconds.
    Never(u64),
    /// It can't be measured: why.
    Skipped(&'static str),
}

/// What our figure must keep to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    /// For information.
    None,
    /// The same unit as the figure's.
    Most(u64),
    /// So many percent of keepalived's.
    Percent(u64),
}

/// A line.
#[derive(Clone, Debug)]
struct Line {
    work: String,
    what: String,
    ours: Option<Figure>,
    theirs: Option<Figure>,
    bound: Bound,
}

/// All that was measured.
#[derive(Debug, Default)]
pub(super) struct Table(Vec<Line>);

impl Figure {
    const fn number(self) -> Option<u64> {
        match self {
            Self::Micros(number) | Self::Count(number) | Self::Cpu(number) | Self::KiB(number) => {
                Some(number)
            }
            Self::Never(_) | Self::Skipped(_) => None,
        }
    }

    /// The same unit.
    const fn like(self, number: u64) -> Self {
        match self {
            Self::Micros(_) | Self::Never(_) | Self::Skipped(_) => Self::Micros(number),
            Self::Count(_) => Self::Count(number),
            Self::Cpu(_) => Self::Cpu(number),
            Self::KiB(_) => Self::KiB(number),
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Micros(micros) => write!(f, "{}.{:02} ms", micros / 1000, micros % 1000 / 10),
            Self::Count(count) => write!(f, "{count}"),
            Self::Cpu(cpu) => write!(f, "{}.{:02} %", cpu / 100, cpu % 100),
            Self::KiB(kib) => write!(f, "{}.{} MiB", kib / 1024, kib % 1024 * 10 / 1024),
            Self::Never(seconds) => write!(f, "never (in {seconds} s)"),
            Self::Skipped(why) => write!(f, "skipped: {why}"),
        }
    }
}

impl Table {
    /// Takes one program's figure; the two of them share a line.
    pub(super) fn add(
        &mut self,
        work: &str,
        what: &str,
        who: Daemon,
        figure: Figure,
        bound: Bound,
    ) {
        let same = |line: &&mut Line| line.work == work && line.what == what;
        if self.0.iter_mut().find(same).is_none() {
            let (work, what) = (work.to_owned(), what.to_owned());
            self.0.push(Line { work, what, ours: None, theirs: None, bound });
        }
        let Some(line) = self.0.iter_mut().find(same) else { return };
        match who {
            Daemon::Standfast => line.ours = Some(figure),
            Daemon::Keepalived => line.theirs = Some(figure),
        }
    }

    /// Whether one of our bounds broke.
    pub(super) fn is_broken(&self) -> bool {
        self.0.iter().any(|line| line.is_kept() == Some(false))
    }
}

impl Line {
    /// Whether our bound was kept; `None` when nobody can tell.
    fn is_kept(&self) -> Option<bool> {
        let ours = self.ours.filter(|figure| !matches!(figure, Figure::Skipped(_)))?;
        let ours = ours.number().unwrap_or(u64::MAX);
        let theirs = || self.theirs.and_then(Figure::number);
        let beside = |percent: u64| Some(ours.saturating_mul(100) <= theirs()? * percent);
        match self.bound {
            Bound::None => None,
            Bound::Most(most) => Some(ours <= most),
            Bound::Percent(percent) => beside(percent),
        }
    }

    fn ratio(&self) -> Option<String> {
        let (ours, theirs) = (self.ours?.number()?, self.theirs?.number()?);
        let hundredths = (ours * 100).checked_div(theirs)?;
        Some(format!("{}.{:02}", hundredths / 100, hundredths % 100))
    }

    fn bound(&self) -> String {
        let like = |most| self.ours.unwrap_or(Figure::Count(0)).like(most);
        match self.bound {
            Bound::None => String::new(),
            Bound::Most(most) => like(most).to_string(),
            Bound::Percent(percent) => format!("{}.{:02} x", percent / 100, percent % 100),
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "| work | figure | standfast | keepalived | ratio | at most | |\n|---|---|---|---|---|---|---|\n",
        )?;
        for line in &self.0 {
            let show = |figure: Option<Figure>| figure.map_or(String::new(), |f| f.to_string());
            let verdict = match line.is_kept() {
                None => "",
                Some(true) => "kept",
                Some(false) => "BROKEN",
            };
            let mut text = String::new();
            write!(text, "| {} | {} ", line.work, line.what)?;
            write!(text, "| {} | {} ", show(line.ours), show(line.theirs))?;
            write!(text, "| {} | {} ", line.ratio().unwrap_or_default(), line.bound())?;
            writeln!(f, "{text}| {verdict} |")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_both_programs_their_ratio_and_whether_the_bound_was_kept() {
        let mut table = Table::default();
        let half = Bound::Percent(50);
        table.add("many", "CPU", Daemon::Standfast, Figure::Cpu(512), half);
        assert!(!table.is_broken(), "there is nothing to compare it with");
        table.add("many", "CPU", Daemon::Keepalived, Figure::Cpu(1024), half);
        let line = "| many | CPU | 5.12 % | 10.24 % | 0.50 | 0.50 x | kept |";
        assert!(table.to_string().ends_with(&format!("{line}\n")), "{table}");
        let limit = Bound::Most(1000);
        table.add("many", "settled", Daemon::Standfast, Figure::Never(60), limit);
        assert!(table.is_broken());
    }
}
