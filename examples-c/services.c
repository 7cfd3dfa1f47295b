/* Calls every service (docs/services.md) on the data of examples-c/data, which export_batch sent before:
 *
 *     services
 *
 * The account is taken from the environment (docs/configuration.md). */
#include <mona.h>
#include <stdio.h>

#define CLASS "\"LOAN_APPLICATION_TUTORIAL\""
#define FIELDS                                                                           \
    "{\"fields\": {\"credit_score\": {\"type\": \"numeric\"}, \"purpose\": {\"type\": \"string\"}}}"

/* 2021-01-30 in UTC */
#define FROM "1611964800"
#define TO "1612051200"

struct call {
    const char *service, *arguments;
};

static const struct call CALLS[] = {
    {"validate_config", "{\"config\": {" CLASS ": " FIELDS "}, \"latest_amount\": 5}"},
    {"upload_config", "{\"config\": {" CLASS ": " FIELDS "}, \"commit_message\": \"first\"}"},
    {"validate_config_per_context_class",
     "{\"config\": " FIELDS ", \"context_class\": " CLASS ", \"latest_amount\": 5}"},
    {"upload_config_per_context_class",
     "{\"author\": \"me@example.com\", \"commit_message\": \"again\","
     " \"context_class\": " CLASS ", \"config\": " FIELDS "}"},
    {"get_config", "{}"},
    {"get_config_history", "{\"number_of_revisions\": 1}"},
    {"get_suggested_config", "{}"},
    {"get_suggested_config_from_user_input",
     "{\"events\": [{\"contextClass\": " CLASS ", \"message\": {\"amount\": 1200.5}}]}"},
    {"get_insights", "{\"context_class\": " CLASS ", \"min_segment_size\": 0.05}"},
    {"get_ingested_data_for_a_specific_segment",
     "{\"context_class\": " CLASS ", \"start_time\": " FROM ", \"end_time\": " TO ","
     " \"segment\": {\"purpose\": [{\"value\": \"Surgery\"}]}}"},
    {"get_aggregated_data_of_a_specific_segment",
     "{\"context_class\": " CLASS ", \"timestamp_from\": " FROM ", \"timestamp_to\": " TO ","
     " \"metrics\": [{\"field\": \"credit_score\", \"types\": [\"average\"]}],"
     " \"requested_segments\": [{\"purpose\": [{\"value\": \"Surgery\"}]}]}"},
    {"get_aggregated_stats_of_a_specific_segmentation",
     "{\"context_class\": " CLASS ", \"dimension\": \"purpose\", \"min_segment_size\": 50,"
     " \"target_time_range\": [" FROM ", " TO "], \"compared_time_range\": [" FROM ", " TO "],"
     " \"metric_1_field\": \"credit_score\", \"metric_1_type\": \"average\","
     " \"metric_2_field\": \"offered_amount\", \"metric_2_type\": \"sum\","
     " \"sort_function\": \"size\"}"},
    {"create_openai_context_class",
     "{\"context_class\": \"CHAT\", \"openai_api_type\": \"ChatCompletion\"}"},
    {"create_sampling_factor",
     "{\"config_name\": \"loans\", \"sampling_factor\": 0.5, \"context_class\": " CLASS "}"},
    {"get_sampling_factors", "{\"config_name\": \"loans\"}"},
    {"initiate_csv_upload_request",
     "{\"file_path\": \"loans.csv\", \"context_class\": " CLASS "}"},
};

int main(void)
{
    mona_client *client = NULL;
    char *document = NULL;
    int failures = 0;
    mona_status status = mona_client_new(NULL, &client, &document);
    if (status != MONA_OK || !mona_client_is_active(client)) {
        fprintf(stderr, "no client: %s %s\n", mona_status_name(status), document);
        mona_string_free(document);
        mona_client_free(client);
        return 1;
    }
    mona_string_free(document);

    for (size_t i = 0; i < sizeof CALLS / sizeof CALLS[0]; i++) {
        status = mona_service_call(client, CALLS[i].service, CALLS[i].arguments, -1, NULL, &document);
        failures += status != MONA_OK;
        printf("%s: %s\n    %.150s\n", CALLS[i].service, mona_status_name(status), document);
        mona_string_free(document);
    }

    mona_client_free(client);
    return failures;
}
