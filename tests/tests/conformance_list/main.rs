//! The conformance list: what stores of feature versions get wrong, item by item, and the tests that show what asofdb
//! answers. The list is the index: a case that another test has too is here as well.
//!
//! The names of the tests begin with the number of their item, so that one item can be run by itself:
//!
//!     cargo test -p asofdb-tests --test conformance_list item_03
//!
//! A case is a short program with its answers written out. It is replayed on the naive model and on the engine, and on
//! the engine in every arrangement: in memory, a table a step, compacted, reopened, its process killed, read from a
//! copy, and imported the last first with known times; each read of a cell through every door (alone, in a row, in a
//! scan, in a join). See `asofdb_tests::case`.
//!
//! What the list asks for and asofdb refuses by its design stands in the list too, with the reason. Beyond single cases:
//! - *checkpoints*: there are none. A copy of the files of a store that was synced is one; cases read from such copies;
//! - *ingest of prebuilt files*: there is none. The way for old data is an import with known times; cases are imported;
//! - *files that come later than newer ones*: any revision may be in any file, and late imports make such files.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod atomic;
mod clock;
mod differential;
mod edges;
mod erased;
mod horizon;
mod joins;
mod kinds;
mod known;
mod last_n;
mod late;
mod now;
mod schemas;
mod ties;
mod tombstones;
mod ttl_changes;

/// One item of the list.
struct Item {
    number: usize,
    /// Each case in the words of the list, and the tests that show it.
    cases: &'static [(&'static str, &'static [&'static str])],
    /// Each case that asofdb refuses, and why.
    refused: &'static [(&'static str, &'static str)],
}

/// Makes a test of every function that is named, and the list of them. The compiler finds a name that means nothing,
/// and a function that is not named, for nothing else calls it.
macro_rules! list {
    ($($item:ident = $number:literal in $module:ident {
        $($case:literal: [$($test:ident),+ $(,)?],)+
        $(refused $refused:literal: $why:literal,)*
    })+) => {
        $(mod $item {
            $($(#[test]
            fn $test() {
                crate::$module::$test();
            })+)+
        })+
        const LIST: &[Item] = &[$(Item {
            number: $number,
            cases: &[$(($case, &[$(stringify!($test)),+])),+],
            refused: &[$(($refused, $why)),*],
        }),+];
    };
}

list! {
    item_01 = 1 in edges {
        "t = event_time": [
            a_version_counts_from_exactly_its_event_time_on,
            a_version_counts_exactly_until_the_next_one,
        ],
        "t = event_time - 1": [a_version_is_not_there_one_microsecond_before_its_event_time],
        "strict bound": [
            before_a_time_leaves_out_exactly_that_microsecond,
            a_delay_moves_the_edge_by_exactly_itself,
        ],
    }
    item_02 = 2 in edges {
        "age = ttl": [
            a_value_is_fresh_at_exactly_its_ttl,
            with_a_ttl_of_zero_a_value_is_fresh_in_its_own_microsecond_alone,
        ],
        "age = ttl + 1": [
            a_value_is_expired_one_microsecond_after_its_ttl,
            age_is_counted_at_the_time_that_before_and_delay_leave,
        ],
        "ttl forever": [without_a_ttl_a_value_is_fresh_for_ever],
        "tighter max_age": [
            a_max_age_tighter_than_the_ttl_is_the_limit,
            a_max_age_looser_than_the_ttl_revives_nothing,
        ],
    }
    item_03 = 3 in ties {
        "equal event_time, 2 writes, put/delete/null in each order": [
            of_two_writes_in_every_order_of_kinds_the_last_stands,
            of_two_writes_in_one_batch_the_later_place_stands,
            of_two_writes_known_at_the_same_time_the_later_commit_stands,
        ],
        "equal event_time, 3 writes, put/delete/null in each order": [
            of_three_writes_in_every_order_of_kinds_the_last_stands,
            of_three_writes_in_one_batch_the_latest_place_stands,
            of_three_imports_the_one_known_last_stands_in_whatever_order_they_come,
        ],
    }
    item_04 = 4 in late {
        "late write below latest": [
            a_late_value_never_replaces_a_newer_one,
            a_late_value_is_in_force_at_its_own_event_time,
            a_late_null_is_in_force_at_its_own_event_time,
        ],
        "late delete": [
            a_late_delete_takes_nothing_from_newer_versions,
            a_delete_takes_nothing_from_earlier_times,
        ],
        "delete later than nothing": [a_delete_of_nothing_stands_against_what_comes_late],
    }
    item_05 = 5 in late {
        "future row, read before due": [
            a_version_of_the_future_is_not_served_before_it_is_due,
            an_event_time_of_a_wrong_unit_is_refused_by_default,
        ],
        "future row, read after due": [
            a_version_of_the_future_is_served_when_it_is_due,
            a_delete_of_the_future_takes_effect_when_it_is_due,
        ],
        "future row then normal row": [
            a_version_of_the_future_blocks_no_normal_one,
            a_row_of_the_year_2200_expires_and_drops_nothing,
        ],
    }
    item_06 = 6 in kinds {
        "value: newest decides": [
            a_newer_value_decides,
            a_value_after_a_null_or_a_delete_counts_again,
            a_feature_that_a_batch_does_not_touch_keeps_its_value,
        ],
        "null: no fallback": [
            a_null_is_not_passed_over_for_an_older_value,
            a_null_goes_stale_as_a_value_does,
        ],
        "delete: no fallback": [
            a_delete_is_not_passed_over_for_an_older_value,
            a_deletion_never_goes_stale,
        ],
        "expire: no fallback": [
            an_expired_version_is_not_passed_over_for_an_older_one,
            a_stale_value_comes_only_when_asked_for_by_its_name,
        ],
        refused "skip_null": "no read falls back past a version; who wants no null to stand writes none",
    }
    item_07 = 7 in known {
        "known_at between a value and its correction": [
            between_a_value_and_its_correction_the_value_was_known,
            what_is_known_is_chosen_before_it_is_judged,
        ],
        "known_at before both": [before_both_nothing_was_known],
        "known_at and a later delete": [a_delete_that_came_later_was_not_known],
        "import with supplied ingest time": [
            an_import_tells_when_each_value_became_known,
            an_import_without_known_times_was_not_known_in_the_past,
            an_import_of_what_was_known_earlier_corrects_nothing,
            a_known_time_after_the_commit_is_refused,
        ],
        "known_at in the future, and beside a snapshot": [
            a_time_of_the_future_may_be_asked_about,
            a_snapshot_and_a_known_time_are_two_limits,
        ],
        refused "a feature's ingest_time_trusted_since":
            "the import trap is met by known times given at import, not by a date in the catalog",
        refused "keep_corrections, a second horizon":
            "one horizon bounds t and k alike, so corrections are kept as long as what they correct",
    }
    item_08 = 8 in horizon {
        "t = h - 1 is an error": [
            one_microsecond_below_the_horizon_is_an_error,
            a_time_of_knowing_below_the_horizon_is_an_error,
        ],
        "t = h is exact": [
            the_horizon_itself_is_answered_exactly,
            with_a_history_of_nothing_only_the_present_is_answered,
            without_a_history_every_time_is_answered,
        ],
        "boundary version kept": [
            the_version_in_force_at_the_horizon_is_kept,
            a_correction_of_below_the_horizon_known_above_it_hides_nothing,
        ],
        "ttl > retention": [
            with_a_ttl_longer_than_the_history_what_lies_below_the_horizon_is_served_until_it_is_stale,
        ],
        "ttl < retention": [
            with_a_ttl_shorter_than_the_history_each_time_judges_its_own_age,
            the_stale_value_is_kept_down_to_the_bound_s_and_no_further,
        ],
        "keep_last 0": [what_is_stale_beyond_forget_after_is_missing, what_is_fresh_is_not_forgotten],
        "keep_last 1": [what_is_stale_for_long_is_expired_and_not_missing],
        refused "keep_last 3":
            "history is kept by age, not by count; the newest version is kept as a mark until forget_after",
    }
    item_09 = 9 in tombstones {
        "tombstone below horizon with older data in a lower level": [
            older_data_does_not_come_back_from_below_a_tombstone,
            a_stale_tombstone_does_not_let_older_data_expire_instead,
            a_forgotten_tombstone_takes_all_that_is_older_with_it,
        ],
        "tombstone below horizon with older data in the WAL": [
            older_data_does_not_come_back_out_of_the_log,
        ],
        "tombstone below horizon with older data uncovered later": [
            newer_data_over_a_tombstone_does_not_uncover_older_data_when_it_is_taken_back,
        ],
        refused "in a later-ingested older file":
            "files are not ingested; older data that is imported later makes such a file, in the first test",
    }
    item_10 = 10 in erased {
        "purge then rewrite": [
            what_is_written_after_an_erase_is_all_there_is,
            an_erase_after_an_erase_takes_what_was_written_in_between,
            an_erase_hides_from_stamps_and_snapshots_too,
            an_erase_outlives_a_power_cut,
            no_file_holds_an_erased_entity_after_compaction,
        ],
        "purge then import of an old build": [
            what_is_imported_after_an_erase_is_new_data_however_old_it_says_it_is,
        ],
        refused "purge of one feature or of a range": "an erase is of a whole entity",
        refused "purge then ingest of a prebuilt file": "files are not ingested",
    }
    item_11 = 11 in atomic {
        "batch atomicity across crash": [
            after_a_power_cut_a_batch_is_whole_or_absent,
            nothing_is_left_of_a_batch_that_was_not_synced_when_the_power_cut_leaves_nothing,
            a_synced_batch_outlives_a_power_cut_with_all_before_it,
            a_buffered_batch_outlives_its_process,
            a_batch_that_the_disk_refuses_is_whole_or_absent,
            all_of_a_batch_has_one_commit,
            after_a_power_cut_a_revert_is_whole_or_absent,
        ],
    }
    item_12 = 12 in clock {
        "clock steps back": [
            commits_go_on_rising_when_the_clock_steps_back,
            what_a_clock_that_steps_back_has_not_reached_is_not_served,
            a_recorded_horizon_does_not_fall_with_the_clock,
            a_clock_that_jumped_ahead_and_was_soon_set_right_has_cost_nothing,
        ],
        "injected clock stands still": [
            batches_under_a_clock_that_stands_still_have_commits_of_their_own,
            all_that_changes_a_store_has_a_commit_of_its_own_under_a_clock_that_stands_still,
        ],
        "i64 extremes": [
            the_first_and_the_last_moment_are_times_like_others,
            an_age_wider_than_an_i64_does_not_wrap,
            a_delay_that_goes_before_all_time_finds_nothing,
            a_history_as_long_as_time_has_its_horizon_where_it_is,
            a_horizon_before_all_time_refuses_nothing,
            what_was_known_before_all_time_is_known_at_the_first_moment,
            a_lag_that_goes_before_all_time_knows_nothing,
            a_clock_at_the_beginning_of_time_gives_commits,
            a_clock_at_the_end_of_time_refuses_what_has_no_commit,
        ],
    }
    item_13 = 13 in schemas {
        "schema filter with mixed versions": [
            a_new_schema_does_not_fall_back_to_values_of_the_old_one,
            each_schema_has_its_own_versions,
            a_value_of_the_wrong_schema_is_refused,
            a_type_does_not_change_under_one_schema_number,
            a_reader_from_before_the_new_schema_goes_on_with_the_old_one,
            a_feature_that_was_retired_and_defined_again_gets_the_next_schema_number,
        ],
        "dimension change": [vectors_of_two_dimensions_never_mix],
        refused "AtLeast(v)": "a name means one schema, so values of two types never come in one answer",
        refused "widening i32 to i64 or f32 to f64 in place": "a type never changes under one number",
    }
    item_14 = 14 in ttl_changes {
        "TTL changed up": [
            a_longer_ttl_counts_at_once_for_what_is_stored,
            a_longer_ttl_does_not_revive_what_lies_below_the_bound_s,
        ],
        "TTL changed down": [
            a_shorter_ttl_counts_at_once_for_what_is_stored,
            a_ttl_that_was_shortened_for_longer_than_the_history_has_taken_effect,
        ],
        "TTL changed down and up": [
            without_a_history_a_ttl_that_goes_down_and_up_again_has_cost_nothing,
            a_ttl_that_was_shortened_by_mistake_can_be_set_right_within_the_history,
        ],
        "readers from before a change": [
            a_reader_from_before_keeps_the_ttl_of_its_time,
            a_definition_that_contradicts_itself_is_refused,
        ],
    }
    item_15 = 15 in last_n {
        "last_n across files": [
            versions_that_lie_in_several_files_come_newest_first,
            of_a_corrected_version_only_the_correction_is_in_the_list,
            versions_after_the_time_asked_about_are_not_in_the_list,
            fewer_than_there_are_are_the_newest,
            a_range_holds_both_of_its_ends,
        ],
        "with n > count": [
            more_than_there_are_are_all,
            the_list_ends_with_the_version_in_force_at_the_horizon_and_says_so,
        ],
        "with expired and deleted inside": [expired_and_deleted_versions_are_in_the_list],
    }
    item_16 = 16 in joins {
        "empty spine": [an_empty_spine_gives_no_rows, without_features_there_are_rows_without_columns],
        "unsorted spine": [
            an_unsorted_spine_comes_out_in_its_own_order,
            a_join_differs_nowhere_from_reads_one_by_one,
        ],
        "duplicate spine rows": [
            each_of_several_equal_rows_is_answered,
            a_corrected_version_does_not_double_the_row,
        ],
        "unknown entity": [
            a_row_of_an_unknown_entity_stays_and_is_missing,
            a_row_without_entity_or_time_stays_and_is_missing,
        ],
        "unknown feature": [an_unknown_feature_is_an_error_and_no_empty_column],
        "each cell as a read of its own": [
            each_cell_of_a_row_has_its_own_answer,
            rows_and_scans_answer_as_the_join_does,
            a_row_knows_what_was_known_at_its_own_time_less_the_lag,
            the_lag_is_taken_from_the_row_and_not_from_what_the_delay_leaves,
            before_delay_and_max_age_are_of_each_row,
            a_row_below_the_horizon_fails_the_join_and_names_the_feature,
        ],
    }
    item_17 = 17 in now {
        "latest(now) == as_of(now), state by state": [
            of_nothing,
            of_a_value,
            of_a_value_of_this_very_moment,
            of_a_null,
            of_a_deletion,
            of_an_expired_value,
            of_a_version_of_the_future,
            of_late_and_corrected_versions,
            of_an_erased_entity,
            of_a_reverted_batch,
            of_a_feature_without_history,
            of_a_new_schema_and_of_a_name_that_means_nothing,
        ],
        "latest(now) == as_of(now) for every state": [of_every_state_that_random_programs_reach],
    }
    item_18 = 18 in differential {
        "DuckDB ASOF": [
            no_cell_differs_from_an_asof_join,
            no_cell_differs_from_a_strict_asof_join,
            no_cell_differs_from_the_joins_of_real_events,
        ],
        "Feast dask": [
            no_cell_differs_from_a_feast_join_with_a_ttl,
            no_cell_differs_from_an_asof_join_judged_by_age,
            no_cell_differs_from_a_feast_join_by_created_time,
        ],
    }
}

#[test]
fn an_item_of_the_list_is_left_out() {
    let numbers: Vec<usize> = LIST.iter().map(|item| item.number).collect();
    assert_eq!(numbers, (1..=18).collect::<Vec<_>>());
    let cases: usize = LIST.iter().map(|item| item.cases.len()).sum();
    let tests =
        LIST.iter().flat_map(|item| item.cases).map(|(_, tests)| tests.len()).sum::<usize>();
    let refused: usize = LIST.iter().map(|item| item.refused.len()).sum();
    println!("{} items, {cases} cases, {tests} tests; {refused} cases refused:", LIST.len());
    for item in LIST {
        for (case, why) in item.refused {
            println!("  {:2} {case}: {why}", item.number);
        }
    }
}
