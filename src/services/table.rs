//! The table of services: the only place that knows their names, paths, arguments and answers.

use crate::doc::Doc;

/// One method of the Python package's client.
pub struct Service {
    /// The Python method's name.
    pub name: &'static str,
    pub path: &'static str,
    /// The path by which older servers know it.
    pub older_path: Option<&'static str>,
    pub doc: Doc,
    pub parameters: &'static [Parameter],
    pub request: Request,
    pub response: Response,
}

pub struct Parameter {
    pub name: &'static str,
    pub presence: Presence,
    pub doc: Doc,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    Required,
    /// Left out of the request when it is not given.
    Optional,
    /// Sent as null when it is not given.
    NullByDefault,
}

/// How a request's body is made of the arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// The arguments as they stand.
    Arguments,
    /// The same, and the `user_id`.
    ArgumentsAndUser,
    /// The same, with the configuration wrapped as the user's and an author.
    ConfigUpload,
}

/// What of an answer is the caller's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Response {
    /// `response_data`.
    Data,
    /// This member of `response_data`.
    Member(&'static str),
    /// `response_data`, as the one member of an object, under this name.
    Named(&'static str),
    /// `raw_configuration_data` of `response_data`, as the one member of an object, under the user id.
    UserConfig,
    /// The answer's own `msg` and `configs`.
    History,
    /// `response_data`, unless the answer tells of `issues`.
    Validation,
    /// `response_data`, or the whole answer where it has none.
    DataOrAll,
    /// `true`: nothing in the answer is data.
    Done,
}

const fn required(name: &'static str, doc: &'static str) -> Parameter {
    Parameter {
        name,
        presence: Presence::Required,
        doc: Doc::new(doc),
    }
}

const fn optional(name: &'static str, doc: &'static str) -> Parameter {
    Parameter {
        name,
        presence: Presence::Optional,
        doc: Doc::new(doc),
    }
}

const fn null_by_default(name: &'static str, doc: &'static str) -> Parameter {
    Parameter {
        name,
        presence: Presence::NullByDefault,
        doc: Doc::new(doc),
    }
}

const CONTEXT_CLASS: Parameter = required("context_class", "Name of the context class.");
const CONTEXT_IDS: Parameter = optional(
    "list_of_context_ids",
    "Ids of the contexts to try the configuration on.",
);
const LATEST_AMOUNT: Parameter = optional(
    "latest_amount",
    "How many of the latest contexts to try the configuration on.",
);
const BASELINE_SEGMENT: Parameter = optional(
    "baseline_segment",
    "The segment that others are compared with; all data by default.",
);
const TIMESTAMP_FIELD: Parameter = optional(
    "timestamp_field_name",
    "The field to take a record's time from, instead of its timestamp.",
);
const EXCLUDED_SEGMENTS: Parameter =
    optional("excluded_segments", "List of segments to leave out.");

pub const SERVICES: &[Service] = &[
    Service {
        name: "upload_config",
        path: "/upload_config",
        older_path: None,
        doc: Doc::new("Uploads a new configuration for all context classes."),
        parameters: &[
            required(
                "config",
                "Object of configurations by context class; may be wrapped in the user id, as `get_config` returns it.",
            ),
            required("commit_message", "What changed and why."),
            optional(
                "author",
                "Who uploads it: an email address. The API key by default; required without authentication.",
            ),
        ],
        request: Request::ConfigUpload,
        response: Response::Data,
    },
    Service {
        name: "upload_config_per_context_class",
        path: "/upload_config_for_context_class",
        older_path: None,
        doc: Doc::new(
            "Uploads a new configuration of one context class; the others stay as they are.",
        ),
        parameters: &[
            required("author", "Who uploads it: an email address."),
            required("commit_message", "What changed and why."),
            CONTEXT_CLASS,
            required("config", "The class's configuration."),
        ],
        request: Request::Arguments,
        response: Response::Data,
    },
    Service {
        name: "get_config",
        path: "/configs",
        older_path: None,
        doc: Doc::new("Returns the current configuration: an object with one member, the user id."),
        parameters: &[],
        request: Request::Arguments,
        response: Response::UserConfig,
    },
    Service {
        name: "get_suggested_config",
        path: "/get_new_config_fields",
        older_path: None,
        doc: Doc::new(
            "Returns a configuration that covers fields which arrived and are not configured yet.",
        ),
        parameters: &[],
        request: Request::Arguments,
        response: Response::Member("suggested_config"),
    },
    Service {
        name: "get_suggested_config_from_user_input",
        path: "/suggest_new_config",
        older_path: None,
        doc: Doc::new("Returns a configuration that fits the given events."),
        parameters: &[required("events", "List of sample messages (objects).")],
        request: Request::Arguments,
        response: Response::Member("suggested_config"),
    },
    Service {
        name: "get_config_history",
        path: "/get_config_history",
        older_path: None,
        doc: Doc::new(
            "Returns earlier configurations, the newest first: an object with the service's `msg` and the list `configs`.",
        ),
        parameters: &[optional(
            "number_of_revisions",
            "How many to return; the service decides by default.",
        )],
        request: Request::Arguments,
        response: Response::History,
    },
    Service {
        name: "validate_config",
        path: "/validate_config",
        older_path: None,
        doc: Doc::new(
            "Tries a configuration on contexts that arrived. Issues that the service finds are a failure; the document's `issues` has them.",
        ),
        parameters: &[
            required("config", "Object of configurations by context class."),
            CONTEXT_IDS,
            LATEST_AMOUNT,
        ],
        request: Request::Arguments,
        response: Response::Validation,
    },
    Service {
        name: "validate_config_per_context_class",
        path: "/validate_config_per_context_class",
        older_path: None,
        doc: Doc::new(
            "Tries one context class's configuration on contexts that arrived. Issues that the service finds are a failure; the document's `issues` has them.",
        ),
        parameters: &[
            required("config", "The class's configuration."),
            CONTEXT_CLASS,
            CONTEXT_IDS,
            LATEST_AMOUNT,
        ],
        request: Request::ArgumentsAndUser,
        response: Response::Validation,
    },
    Service {
        name: "get_insights",
        path: "/insights",
        older_path: None,
        doc: Doc::new("Returns the list of insights on a context class."),
        parameters: &[
            CONTEXT_CLASS,
            required(
                "min_segment_size",
                "The smallest share of the data that a segment may have.",
            ),
            optional("insight_types", "List of the types of insights wanted."),
            optional("metric_name", "Only insights on this metric."),
            optional(
                "min_insight_score",
                "Only insights with at least this score.",
            ),
            optional(
                "time_range_seconds",
                "How far back the insights' data may lie, in seconds.",
            ),
            optional(
                "first_discovered_on_range_seconds",
                "How far back an insight may have been found first, in seconds.",
            ),
        ],
        request: Request::Arguments,
        response: Response::Data,
    },
    Service {
        name: "get_ingested_data_for_a_specific_segment",
        path: "/get_ingested_data",
        older_path: None,
        doc: Doc::new("Returns the list of context records of a segment."),
        parameters: &[
            CONTEXT_CLASS,
            required("start_time", "Start of the time range: seconds since 1970."),
            required("end_time", "End of the time range: seconds since 1970."),
            required(
                "segment",
                "The segment: an object of lists of values by field.",
            ),
            EXCLUDED_SEGMENTS,
            optional(
                "sampling_threshold",
                "About how many records to return at most.",
            ),
        ],
        request: Request::Arguments,
        response: Response::Member("crcs"),
    },
    Service {
        name: "get_aggregated_data_of_a_specific_segment",
        path: "/get_segment",
        older_path: None,
        doc: Doc::new(
            "Returns aggregated metrics of segments: an object whose `aggregated_data` has a member for each segment (its key is the segment's JSON text, `{}` for the baseline).",
        ),
        parameters: &[
            CONTEXT_CLASS,
            required(
                "timestamp_from",
                "Start of the time range: seconds since 1970.",
            ),
            required("timestamp_to", "End of the time range: seconds since 1970."),
            optional(
                "time_series_resolutions",
                "List of resolutions for time series.",
            ),
            optional("with_histogram", "Whether to return histograms."),
            optional("time_zone", "Time zone of the time series."),
            optional(
                "metrics",
                "List of `{\"field\", \"types\"}`: what to aggregate and how.",
            ),
            optional(
                "requested_segments",
                "List of segments; all data by default.",
            ),
            EXCLUDED_SEGMENTS,
            BASELINE_SEGMENT,
            TIMESTAMP_FIELD,
            optional(
                "right_inclusive",
                "Whether the time range includes its end.",
            ),
            optional(
                "include_super_segments",
                "Whether to return the segments that contain the requested ones, too.",
            ),
            optional(
                "time_series_offset_seconds",
                "How far the buckets of the time series are shifted, in seconds.",
            ),
        ],
        request: Request::Arguments,
        response: Response::Named("aggregated_data"),
    },
    Service {
        name: "get_aggregated_stats_of_a_specific_segmentation",
        path: "/get_segments_for_dimensions",
        older_path: Some("/stats"),
        doc: Doc::new(
            "Returns statistics on the segments that a dimension divides the data into, in two time ranges.",
        ),
        parameters: &[
            CONTEXT_CLASS,
            required("dimension", "The field that divides the data."),
            required("target_time_range", "The time range of interest."),
            required(
                "compared_time_range",
                "The time range that it is compared with.",
            ),
            required("metric_1_field", "Field of the first metric."),
            required("metric_2_field", "Field of the second metric."),
            required("metric_1_type", "How the first metric is aggregated."),
            required("metric_2_type", "How the second metric is aggregated."),
            required("min_segment_size", "The smallest segment to return."),
            required("sort_function", "How the segments are sorted."),
            BASELINE_SEGMENT,
            EXCLUDED_SEGMENTS,
            optional("target_segments_filter", "Filter of the target's segments."),
            TIMESTAMP_FIELD,
            optional(
                "metric_1_secondary_field",
                "Second field of the first metric.",
            ),
            optional(
                "metric_2_secondary_field",
                "Second field of the second metric.",
            ),
            optional(
                "compared_segments_filter",
                "Filter of the compared segments.",
            ),
        ],
        request: Request::Arguments,
        response: Response::Data,
    },
    Service {
        name: "create_openai_context_class",
        path: "/create_openai_context_class",
        older_path: None,
        doc: Doc::new("Creates a context class for monitoring calls of OpenAI's API."),
        parameters: &[
            CONTEXT_CLASS,
            required("openai_api_type", "`Completion` or `ChatCompletion`."),
        ],
        request: Request::Arguments,
        response: Response::Data,
    },
    Service {
        name: "get_sampling_factors",
        path: "/get_sampling_factors",
        older_path: None,
        doc: Doc::new("Returns the list of sampling configurations that the service keeps."),
        parameters: &[null_by_default(
            "config_name",
            "Only the configuration of this name.",
        )],
        request: Request::Arguments,
        response: Response::Data,
    },
    Service {
        name: "create_sampling_factor",
        path: "/create_sampling_factor",
        older_path: None,
        doc: Doc::new("Sets a sampling factor. Returns `true`."),
        parameters: &[
            required(
                "config_name",
                "Name of the sampling configuration; made if there is none.",
            ),
            required("sampling_factor", "Share of messages to keep, 0 to 1."),
            null_by_default(
                "context_class",
                "The class that it is for; the default factor when not given.",
            ),
        ],
        request: Request::Arguments,
        response: Response::Done,
    },
    Service {
        name: "initiate_csv_upload_request",
        path: "/initiate_csv_upload_request",
        older_path: None,
        doc: Doc::new(
            "Asks Mona to read messages from a CSV file; only some Mona environments know this. Issues with the file are a failure; the document's `issues` has them.",
        ),
        parameters: &[
            required(
                "file_path",
                "Where the file lies, as the Mona environment sees it.",
            ),
            CONTEXT_CLASS,
            null_by_default("context_id_field", "The column that holds context ids."),
            null_by_default(
                "export_timestamp_field",
                "The column that holds timestamps.",
            ),
        ],
        request: Request::Arguments,
        response: Response::DataOrAll,
    },
];
