//! What is asked of an entity, looked at once for all entities that are asked for it.

use asofdb_format::head::Head;
use asofdb_format::ids::{EventTime, FeatureId};

use crate::read::direct::is_number;
use crate::read::plan::Ask;

/// Features, ascending by number, and what they have in common.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    list: Vec<Ask>,
    /// Whether each of them has its moment.
    is_spread: bool,
    /// The features as heads write them, in 1, 2 and 4 bytes each, and as a run; empty where they do
    /// not fit.
    ids: [Vec<u8>; 4],
    /// Whether no feature is asked about twice.
    pub(crate) is_ascending: bool,
    /// Whether every answer stands where its ask does.
    pub(crate) is_in_place: bool,
    /// Every answer stands where its ask does, every value is fresh and any bits are a number.
    pub(crate) is_plain: bool,
    /// Whether all are numbers of any bits.
    pub(crate) is_numbers: bool,
    /// Whether any are.
    pub(crate) has_numbers: bool,
    /// Whether no value of any of them ever grows old.
    pub(crate) is_endless: bool,
    /// The first feature, if all behind it follow one another, as those of one view mostly do.
    pub(crate) row_from: Option<FeatureId>,
    /// The earliest and the latest moment asked about.
    pub(crate) moments: (EventTime, EventTime),
}

impl Asked {
    pub(crate) fn new(list: Vec<Ask>) -> Self {
        let is_numbers = list.iter().all(is_number);
        let is_endless = list.iter().all(|ask| ask.terms.is_endless());
        let is_in_place = list.iter().enumerate().all(|(index, ask)| ask.place == index);
        let is_plain = is_numbers && is_endless && is_in_place;
        let wide = [1, 2, 4].map(|width| {
            let fits = |ask: &Ask| width == 4 || ask.feature.0 >> (8 * width) == 0;
            let mut bytes = Vec::new();
            if list.iter().all(fits) {
                let each = list.iter().map(|ask| ask.feature.0.to_le_bytes());
                each.for_each(|id| bytes.extend(id.into_iter().take(width)));
            }
            bytes
        });
        let [one, two, four] = wide;
        let first = list.first().map_or(0, |ask| ask.feature.0);
        let distance = |ask: &Ask| ask.feature.0.checked_sub(first).map(|id| id as usize);
        let is_run = list.iter().enumerate().all(|(place, ask)| distance(ask) == Some(place));
        let run = if is_run { first.to_le_bytes().to_vec() } else { Vec::new() };
        let ids = [one, two, four, run];
        let moments = || list.iter().map(|ask| ask.t);
        let first = moments().min().unwrap_or(EventTime::MIN);
        let last = moments().max().unwrap_or(EventTime::MIN);
        let is_ascending = list.is_sorted_by(|a, b| a.feature < b.feature);
        let row_from = list.first().map(|ask| ask.feature).filter(|_| is_run);
        Self {
            ids,
            is_ascending,
            is_in_place,
            is_plain,
            is_numbers,
            has_numbers: list.iter().any(is_number),
            is_endless,
            row_from,
            moments: (first, last),
            is_spread: true,
            list,
        }
    }

    /// Asks about another moment, the same for all features. Most answers need no more of it than
    /// [`Asked::moments`]: who needs it feature by feature calls for [`Asked::each`].
    #[inline]
    pub(crate) const fn set_moment(&mut self, t: EventTime) {
        self.moments = (t, t);
        self.is_spread = false;
    }

    /// What is asked, feature by feature, with its moment.
    #[inline]
    pub(crate) fn each(&mut self) -> &[Ask] {
        if !self.is_spread {
            let (t, _) = self.moments;
            self.list.iter_mut().for_each(|ask| ask.t = t);
            self.is_spread = true;
        }
        &self.list
    }

    /// What is asked of a feature, with the moment of the last call for [`Asked::each`].
    #[inline]
    pub(crate) fn of(&self, feature: FeatureId) -> Option<&Ask> {
        let place = match self.row_from {
            Some(first) => feature.0.checked_sub(first.0)? as usize,
            None => self.list.binary_search_by_key(&feature, |ask| ask.feature).ok()?,
        };
        self.list.get(place)
    }

    /// How many features are asked about.
    #[inline]
    pub(crate) const fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether these are the features of a head.
    #[inline]
    pub(crate) fn are(&self, head: &Head<'_>) -> bool {
        let [one, two, four, run] = &self.ids;
        let (width, ids) = head.ids();
        let own = match width {
            0 => return run.as_slice() == ids && head.len() == self.list.len(),
            1 => one,
            2 => two,
            _ => four,
        };
        own.as_slice() == ids
    }
}

/// Where a head has the features that are asked about, in their order.
#[derive(Debug)]
pub(crate) struct Places {
    are_same: bool,
    from: usize,
}

impl Places {
    /// Told whether the features are just those of the head.
    #[inline]
    pub(crate) const fn new(are_same: bool) -> Self {
        Self { are_same, from: 0 }
    }

    /// The place of an ask, which is not before those that were asked for already; `None`: the head
    /// does not have it.
    #[inline]
    pub(crate) fn find(&mut self, head: &Head<'_>, index: usize, ask: &Ask) -> Option<usize> {
        if self.are_same {
            return Some(index);
        }
        let found = head.find(ask.feature, self.from);
        self.from = found.unwrap_or_else(|next| next);
        found.ok()
    }
}
