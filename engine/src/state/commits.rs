//! Which moments have commits: needed to tell whether a stamp still means what it meant.
//!
//! A stamp is readable while no commit lies between its own and the horizon, so the store must
//! know the greatest commit up to any moment. Spans of commits are kept, exact as long as there
//! are few; when there are more than [`MAX_SPANS`] the closest ones are joined. A joined span
//! counts as full of commits, so a stamp may then be refused that could have been read, never the
//! other way round.

use asofdb_format::ids::Commit;

/// More spans than this are joined.
pub(crate) const MAX_SPANS: usize = 65_536;

/// Ascending spans of commits, first and last; nothing lies between two of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CommitSpans {
    spans: Vec<(Commit, Commit)>,
}

impl CommitSpans {
    pub(crate) fn spans(&self) -> &[(Commit, Commit)] {
        &self.spans
    }

    /// The last commit; the least of all if there is none.
    pub(crate) fn last(&self) -> Commit {
        self.spans.last().map_or(Commit::MIN, |span| span.1)
    }

    /// Adds a commit.
    pub(crate) fn add(&mut self, commit: Commit) {
        self.add_span(commit, commit);
    }

    /// Adds all commits of another.
    pub(crate) fn add_all(&mut self, other: &Self) {
        other.spans.iter().for_each(|(first, last)| self.add_span(*first, *last));
    }

    /// Adds a span of commits.
    pub(crate) fn add_span(&mut self, first: Commit, last: Commit) {
        // Commits mostly come in order, each behind all that are known.
        if self.spans.last().is_none_or(|span| span.1.0 < first.0.saturating_sub(1)) {
            self.spans.push((first, last));
        } else {
            self.put_among(first, last);
        }
        if self.spans.len() > MAX_SPANS {
            self.join();
        }
    }

    /// Adds a span that may touch others.
    fn put_among(&mut self, first: Commit, last: Commit) {
        let from = self.spans.partition_point(|span| span.1.0 < first.0.saturating_sub(1));
        let to = self.spans.partition_point(|span| span.0.0 <= last.0.saturating_add(1));
        let touched = self.spans.get(from..to).unwrap_or_default();
        let low = touched.first().map_or(first, |span| span.0.min(first));
        let high = touched.last().map_or(last, |span| span.1.max(last));
        if from <= to {
            self.spans.splice(from..to, [(low, high)]);
        }
    }

    /// Joins the closer half of the neighbours.
    fn join(&mut self) {
        let gap = |pair: &[(Commit, Commit)]| match pair {
            [a, b] => b.0.0.abs_diff(a.1.0),
            _ => u64::MAX,
        };
        let mut gaps: Vec<u64> = self.spans.windows(2).map(gap).collect();
        let middle = gaps.len() / 2;
        let (_, limit, _) = gaps.select_nth_unstable(middle);
        let limit = *limit;
        let mut joined: Vec<(Commit, Commit)> = Vec::new();
        for span in &self.spans {
            match joined.last_mut() {
                Some(last) if span.0.0.abs_diff(last.1.0) <= limit => last.1 = span.1,
                _ => joined.push(*span),
            }
        }
        self.spans = joined;
    }

    /// Whether there is a commit above `after` and up to `up_to`.
    pub(crate) fn any_between(&self, after: Commit, up_to: i64) -> bool {
        let next = self.spans.partition_point(|span| span.1 <= after);
        self.spans.get(next).is_some_and(|span| span.0.0.max(after.0.saturating_add(1)) <= up_to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_between_is_seen_and_none_is_invented() {
        let mut spans = CommitSpans::default();
        for commit in [10, 30, 31, 32, 20, 11] {
            spans.add(Commit(commit));
        }
        assert_eq!(spans.spans().len(), 3);
        for after in 5..40 {
            for up_to in 5..40 {
                let real = [10, 11, 20, 30, 31, 32].iter().any(|c| *c > after && *c <= up_to);
                assert_eq!(spans.any_between(Commit(after), up_to), real, "{after} {up_to}");
            }
        }
    }

    #[test]
    fn many_spans_are_joined_and_still_hold_all_commits() {
        let mut spans = CommitSpans::default();
        for n in 0..3 * MAX_SPANS as i64 {
            spans.add(Commit(n * 10 + n % 7));
        }
        assert!(spans.spans().len() <= MAX_SPANS);
        for n in (0..3 * MAX_SPANS as i64).step_by(1000) {
            let commit = n * 10 + n % 7;
            assert!(spans.any_between(Commit(commit - 1), commit));
        }
    }
}
