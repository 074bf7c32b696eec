//! What every store must do, whatever it is made of. `conformance_of!` puts one through it.

pub(super) mod acceptance;
pub(super) mod by_hand;
pub(super) mod dead_letters;
pub(super) mod durability;
pub(super) mod kept;
pub(super) mod killed;
pub(super) mod lines;
pub(super) mod log;
pub(super) mod model;
pub(super) mod queries;
pub(super) mod records;
pub(super) mod redrive;
pub(super) mod retention;
pub(super) mod unfinished;

/// Makes a test of each function of the suite, for the store that `$open` (a [`log::Open`]) opens.
macro_rules! conformance_of {
    ($open:expr) => {
        $crate::store::conformance::tests_of! { $open;
            acceptance:
                an_event_is_accepted_once_per_id,
                another_event_under_the_same_id_is_a_conflict,
                ids_are_forgotten_after_a_day,
                ids_are_unique_per_namespace_only,
                the_driver_is_told_of_deliveries_in_the_order_they_are_durable,
                the_trace_of_an_event_is_kept_with_it,
                an_event_that_nobody_wants_is_accepted_and_remembered,
                a_delivery_says_how_large_its_event_is_and_whether_it_waits_for_others,
                an_origin_makes_one_delivery,
                an_origin_gets_the_delivery_that_its_event_already_has,
                an_origin_makes_the_delivery_that_its_event_does_not_have;
            by_hand:
                a_retry_makes_an_ended_delivery_due_with_a_fresh_budget,
                a_canceled_delivery_has_ended,
                a_replay_sends_the_event_again_once_per_origin,
                what_is_unknown_is_answered_so;
            dead_letters:
                a_dead_letter_is_made_with_the_end_of_its_delivery_and_once,
                what_ended_meanwhile_leaves_no_dead_letter,
                an_event_is_kept_as_long_as_its_dead_letter;
            lines:
                the_next_of_a_line_is_released_when_the_one_before_has_ended,
                a_line_is_of_one_webhook_alone,
                events_accepted_together_keep_their_order,
                a_canceled_delivery_leaves_its_line,
                a_delivery_that_is_retried_by_hand_is_the_next_of_its_line,
                a_replay_joins_the_line_of_its_target,
                a_deleted_webhook_takes_its_lines_with_it,
                lines_outlive_an_end;
            records:
                attempts_are_kept_as_they_were,
                a_record_written_twice_counts_once,
                a_retry_by_hand_outlasts_a_record_that_did_not_know_of_it,
                a_cancellation_yields_only_to_a_delivery,
                a_record_of_an_unknown_delivery_changes_nothing;
            redrive:
                a_redrive_makes_all_that_failed_due_in_bounded_pieces,
                a_redrive_narrows_to_what_is_asked_for,
                what_an_annotation_asks_for_is_done_once_per_value;
            unfinished:
                pages_follow_the_order_of_falling_due_and_break_ties_by_id,
                the_deliveries_of_a_batch_stand_together_until_they_are_retried_by_hand,
                a_deleted_webhook_loses_its_unfinished_deliveries,
                webhooks_that_are_not_known_lose_their_unfinished_deliveries,
                a_gone_receiver_is_remembered,
                a_failing_receiver_is_remembered_until_it_takes_a_delivery;
            queries:
                lists_are_newest_first_in_pages,
                lists_narrow_to_what_is_asked_for,
                the_summary_names_the_last_attempt_and_the_last_failure;
            retention:
                what_is_older_than_the_log_is_kept_goes_once_it_has_ended,
                a_full_log_refuses_events_and_takes_them_again_when_deliveries_have_ended,
                an_id_is_remembered_for_a_day_even_where_its_event_has_gone,
                what_a_deleted_webhook_leaves_goes_altogether;
            kept:
                a_webhook_is_kept_as_it_was_written_last_until_it_is_forgotten,
                a_webhook_that_the_quota_has_no_room_for_is_refused;
            durability:
                what_was_answered_is_there_after_an_orderly_end,
                nothing_is_taken_after_the_end,
                ids_go_on_growing_after_a_restart;
        }

        #[test]
        fn whatever_is_done_the_log_agrees_with_a_simple_model() {
            $crate::store::conformance::model::check($open);
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn what_was_answered_outlives_a_killed_process() {
            $crate::store::conformance::killed::check($open, module_path!()).await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        #[ignore = "publishes until it is killed; another test runs it as a process of its own"]
        async fn publishes_until_it_is_killed() {
            $crate::store::conformance::killed::publish_until_killed($open).await;
        }
    };
}

macro_rules! tests_of {
    ($open:expr; $($topic:ident: $($name:ident),+;)+) => {
        $(mod $topic {
            #[allow(unused_imports)]
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $crate::store::conformance::$topic::$name($open).await;
            })+
        })+
    };
}
pub(super) use {conformance_of, tests_of};
