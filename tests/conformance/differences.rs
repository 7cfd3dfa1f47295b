//! What differs from the Python package on purpose.
//!
//! An entry is the name of a scenario and the places where it differs; a failing test prints the entry as it ought
//! to be.

use std::collections::{BTreeMap, BTreeSet};

/// Scenarios that differ for one reason.
struct Group {
    /// Bugs of the package that are mended here: A of its authentication, E of its export, S of its services,
    /// N of those new in 0.0.58.
    bugs: &'static str,
    why: &'static str,
    both: &'static [&'static str],
    only_51: &'static [&'static str],
    only_58: &'static [&'static str],
}

const NONE: Group = Group {
    bugs: "",
    why: "",
    both: &[],
    only_51: &[],
    only_58: &[],
};

const GROUPS: &[Group] = &[
    Group {
        bugs: "A3",
        why: "a token's end is reckoned from expiresIn, not from a date in another time zone",
        only_51: &["refresh_expires_and_expires_in_disagree requests"],
        ..NONE
    },
    Group {
        bugs: "A4",
        why: "the safety margin is at most a fifth of the token's lifetime",
        both: &["refresh_in_3h_margin_4h requests"],
        only_51: &["refresh_in_11h_default_margin_12h requests"],
        ..NONE
    },
    Group {
        bugs: "A6",
        why: "a token is shared by clients with the same key and the same secret only",
        both: &["auth_second_client_shares_token requests"],
        ..NONE
    },
    Group {
        bugs: "A9",
        why: "a login is tried again at a 500, whether its body is JSON or not",
        both: &["auth_500_json_not_retried requests"],
        ..NONE
    },
    Group {
        bugs: "A11",
        why: "a 401 causes one new login and one more attempt",
        both: &["answer_401_json requests"],
        ..NONE
    },
    Group {
        bugs: "A11",
        why: "after a failed login there is a pause before the next, in place of one at each call",
        both: &[
            "refresh_and_new_token_denied requests",
            "refresh_and_new_token_down requests",
        ],
        ..NONE
    },
    Group {
        bugs: "E1",
        why: "the counts in an answer below 400 are read",
        both: &["answer_300_no_location calls[0] calls[1]"],
        ..NONE
    },
    Group {
        bugs: "E2",
        why: "the count of failures is a whole number from 1 to what was sent, or else everything failed",
        both: &[
            "answer_400_failed_float calls[1]",
            "answer_400_failed_too_many calls[1]",
            "answer_400_failed_true calls[1]",
            "answer_400_failed_zero calls[0] calls[1]",
            "answer_400_failed_zero_raise calls[0] calls[1]",
        ],
        ..NONE
    },
    Group {
        bugs: "E1 (redirects)",
        why: "such a redirect is not followed: the POST would become a GET without messages, and its 200 a success",
        both: &["answer_redirect_302 calls[0] calls[1] requests"],
        ..NONE
    },
    Group {
        bugs: "E6",
        why: "an empty batch is a success",
        both: &["batch_empty calls[0]"],
        ..NONE
    },
    Group {
        bugs: "E5 E7",
        why: "a message that is no object fails, and is not sent",
        both: &[
            "export_message_empty_string calls[0] calls[1]",
            "export_message_string calls[0] requests",
        ],
        ..NONE
    },
    Group {
        bugs: "E8",
        why: "NaN is not JSON, wherever it stands",
        both: &["edge_nan_sampled_out calls[0] requests"],
        ..NONE
    },
    Group {
        bugs: "E13",
        why: "a context class that is no string fails, and is not sent",
        both: &["export_context_class_odd calls[0] calls[2] requests"],
        ..NONE
    },
    Group {
        bugs: "S2",
        why: "an error_message of null is no error",
        both: &[
            "service_upload_config_errors calls[10]",
            "service_upload_config_errors_unauth calls[10]",
        ],
        ..NONE
    },
    Group {
        bugs: "S4",
        why: "number_of_revisions is sent, and the history keeps the service's form",
        both: &[
            "service_get_config_history_errors calls[13]",
            "service_get_config_history_full calls[0] requests",
            "service_get_config_history_null_optionals calls[0] requests",
        ],
        ..NONE
    },
    Group {
        bugs: "S5",
        why: "response_data is unwrapped as for every other service, and needed",
        both: &[
            "service_validate_config_per_context_class_errors calls[10] calls[11] calls[12] calls[13]",
            "service_validate_config_per_context_class_errors_raise calls[10] calls[11] calls[12] calls[13]",
            "service_validate_config_per_context_class_full calls[0]",
            "service_validate_config_per_context_class_null_optionals calls[0]",
        ],
        ..NONE
    },
    Group {
        bugs: "S6",
        why: "all segments of the answer are returned",
        only_51: &[
            "service_get_aggregated_data_of_a_specific_segment_errors_unauth calls[16]",
            "service_get_aggregated_data_of_a_specific_segment_full calls[0]",
            "service_get_aggregated_data_of_a_specific_segment_minimal calls[0]",
            "service_get_segment_data_is_lost calls[0]",
        ],
        ..NONE
    },
    Group {
        bugs: "S7",
        why: "no author is made up where there is no API key",
        only_58: &["v58_manual_token_upload_author calls[0] requests"],
        ..NONE
    },
    Group {
        bugs: "S10",
        why: "booleans in the environment may be written in several ways",
        both: &[
            "env_raise_flags_yes calls[1]",
            "filter_none_env_one requests",
            "init_ssl_env_unknown_word_ignored calls[0] requests",
        ],
        ..NONE
    },
    Group {
        bugs: "N2",
        why: "the app server has a host of its own",
        only_58: &[
            "override_app_host_only_differs calls[1] requests",
            "override_rest_host_only_differs calls[1] requests",
        ],
        ..NONE
    },
    Group {
        bugs: "N6",
        why: "no host needs to be given: it follows from the user",
        only_58: &[
            "default_hosts_unauth_http init requests",
            "v58_no_auth_without_host init",
            "v58_oidc_no_host init requests",
        ],
        ..NONE
    },
    Group {
        bugs: "N7",
        why: "of two timestamps of a message, one is sent",
        only_58: &["v58_timestamps_send_field requests"],
        ..NONE
    },
    Group {
        bugs: "0.0.53 to 0.0.58",
        why: "the newer path is asked first, and the older one after a 404",
        only_51: &[
            "service_get_aggregated_stats_of_a_specific_segmentation_full requests",
            "service_get_aggregated_stats_of_a_specific_segmentation_minimal requests",
        ],
        ..NONE
    },
];

/// Scenarios that end otherwise in the Python wrapper, which has a message that cannot be JSON fail by itself.
const IN_PYTHON: &[&str] = &["edge_nan_sampled_out calls[0]"];

/// What is listed for one scenario.
#[derive(Default)]
pub struct Listed {
    pub places: BTreeSet<&'static str>,
    pub reasons: Vec<String>,
}

/// What is listed for this version, by scenario.
pub fn of(version: &str) -> BTreeMap<&'static str, Listed> {
    let mut listed: BTreeMap<_, Listed> = BTreeMap::new();
    for group in GROUPS {
        let own = if version == crate::OLD {
            group.only_51
        } else {
            group.only_58
        };
        for entry in group.both.iter().chain(own) {
            let mut words = entry.split_whitespace();
            let listed = listed.entry(words.next().unwrap_or_default()).or_default();
            listed.places.extend(words);
            listed
                .reasons
                .push(format!("{}: {}", group.bugs, group.why));
        }
    }
    if crate::process::script().is_some() {
        for entry in IN_PYTHON {
            let mut words = entry.split_whitespace();
            let listed = listed.entry(words.next().unwrap_or_default()).or_default();
            listed.places = words.collect();
        }
    }
    listed
}
