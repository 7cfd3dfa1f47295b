"""mona_sdk's Client over libmona: the same names, arguments and results, so that changing the import is the whole migration.

What behaves otherwise is in docs/python-compatibility.md. ``enqueue``, ``flush``, ``stats`` and ``close`` are libmona's own.
"""

import functools
import inspect
import json
from typing import List

from .mona_single_message import MonaSingleMessage
from .native import Native

# An argument that is left to the service.
UNPROVIDED_VALUE = "mona_unprovided_value"


def _service(method):
    """A method that calls the service of its name with the arguments that it is given."""
    signature = inspect.signature(method)

    @functools.wraps(method)
    def call(self, *args, **kwargs):
        _, *arguments = signature.bind(self, *args, **kwargs).arguments.items()
        return self._service(method.__name__, dict(arguments))

    return call


def _message_json(message):
    """A message as JSON. What cannot be one becomes a text that says why: libmona refuses that by itself and sends the others."""
    try:
        return json.dumps(message.get_dict(), allow_nan=False)
    except AttributeError:
        problem = "must be a MonaSingleMessage"
    except (TypeError, ValueError, RecursionError) as error:
        problem = f"must be JSON serializable: {error}"
    return json.dumps(problem)


def _messages_json(messages):
    return "[" + ",".join(map(_message_json, messages)) + "]"


def _is_batch(events):
    """Whether they can be messages at all. Texts and dicts are iterable too, but mona_sdk takes none of them."""
    if isinstance(events, (str, bytes, dict)):
        return False
    try:
        iter(events)
    except TypeError:
        return False
    return True


def _succeeded(document):
    return document["success"]


def _counts(document):
    """False where the messages did not get as far as the service, as in mona_sdk."""
    if document.get("error_kind") in ("authentication", "connection", "timeout"):
        return False
    return {key: document[key] for key in ("total", "sent", "failed", "failure_reasons")}


def _result(document):
    return {key: document.get(key) for key in ("success", "data", "error_message")}


class Methods:
    """The calls of mona_sdk's Client; ``_export`` and ``_service`` say how one is made."""

    def export(self, message: MonaSingleMessage, filter_none_fields=None):
        """Sends one message. True, if nothing failed."""
        return self._export([message], {"filter_none_fields": filter_none_fields}, _succeeded)

    def export_batch(
        self, events: List[MonaSingleMessage], default_action=None, filter_none_fields=None
    ):
        """Sends messages. A dict of ``total``, ``sent``, ``failed`` and ``failure_reasons``; False if none could be sent, as
        with what is no iterable of messages.
        """
        options = {"default_action": default_action, "filter_none_fields": filter_none_fields}
        if not _is_batch(events):
            # No message: libmona refuses it, and has that raised where it is configured.
            return self._export([None], options, _succeeded)
        return self._export(events, options, _counts)

    # The names of mona_sdk 0.0.57.
    send_event = export
    send_events_batch = export_batch

    # Services: docs/services.md tells what they do. Each returns a dict of ``success``, ``data`` and ``error_message``.

    @_service
    def upload_config(self, config, commit_message, author=None):
        ...

    @_service
    def upload_config_per_context_class(self, author, commit_message, context_class, config):
        ...

    @_service
    def get_config(self):
        ...

    @_service
    def get_suggested_config(self):
        ...

    @_service
    def get_suggested_config_from_user_input(self, events):
        ...

    @_service
    def get_config_history(self, number_of_revisions=UNPROVIDED_VALUE):
        ...

    @_service
    def get_sampling_factors(self, config_name=UNPROVIDED_VALUE):
        ...

    @_service
    def create_sampling_factor(self, config_name, sampling_factor, context_class=None):
        ...

    @_service
    def validate_config(
        self, config, list_of_context_ids=UNPROVIDED_VALUE, latest_amount=UNPROVIDED_VALUE
    ):
        ...

    @_service
    def validate_config_per_context_class(
        self,
        config,
        context_class,
        list_of_context_ids=UNPROVIDED_VALUE,
        latest_amount=UNPROVIDED_VALUE,
    ):
        ...

    @_service
    def get_insights(
        self,
        context_class,
        min_segment_size,
        insight_types=UNPROVIDED_VALUE,
        metric_name=UNPROVIDED_VALUE,
        min_insight_score=UNPROVIDED_VALUE,
        time_range_seconds=UNPROVIDED_VALUE,
        first_discovered_on_range_seconds=UNPROVIDED_VALUE,
    ):
        ...

    @_service
    def get_ingested_data_for_a_specific_segment(
        self,
        context_class,
        start_time,
        end_time,
        segment,
        sampling_threshold=UNPROVIDED_VALUE,
        excluded_segments=UNPROVIDED_VALUE,
    ):
        ...

    @_service
    def get_aggregated_data_of_a_specific_segment(
        self,
        context_class,
        timestamp_from,
        timestamp_to,
        time_series_resolutions=UNPROVIDED_VALUE,
        with_histogram=UNPROVIDED_VALUE,
        time_zone=UNPROVIDED_VALUE,
        metrics=UNPROVIDED_VALUE,
        requested_segments=UNPROVIDED_VALUE,
        excluded_segments=UNPROVIDED_VALUE,
        baseline_segment=UNPROVIDED_VALUE,
        timestamp_field_name=UNPROVIDED_VALUE,
        right_inclusive=UNPROVIDED_VALUE,
        include_super_segments=UNPROVIDED_VALUE,
        time_series_offset_seconds=UNPROVIDED_VALUE,
    ):
        ...

    @_service
    def get_aggregated_stats_of_a_specific_segmentation(
        self,
        context_class,
        dimension,
        target_time_range,
        compared_time_range,
        metric_1_field,
        metric_2_field,
        metric_1_type,
        metric_2_type,
        min_segment_size,
        sort_function,
        baseline_segment=UNPROVIDED_VALUE,
        excluded_segments=UNPROVIDED_VALUE,
        target_segments_filter=UNPROVIDED_VALUE,
        compared_segments_filter=UNPROVIDED_VALUE,
        timestamp_field_name=UNPROVIDED_VALUE,
        metric_1_secondary_field=UNPROVIDED_VALUE,
        metric_2_secondary_field=UNPROVIDED_VALUE,
    ):
        ...

    @_service
    def create_openai_context_class(self, context_class, openai_api_type):
        ...

    @_service
    def initiate_csv_upload_request(
        self, file_path, context_class, context_id_field=None, export_timestamp_field=None
    ):
        ...


class Client(Methods):
    """A client of one Mona account.

    The arguments are mona_sdk's, in the order of 0.0.51 and then those of 0.0.58; more are in docs/configuration.md. What is left
    out, or None, comes from the environment, which is read when the client is made.
    """

    def __init__(
        self,
        api_key=None,
        secret=None,
        raise_authentication_exceptions=None,
        raise_export_exceptions=None,
        raise_service_exceptions=None,
        num_of_retries_for_authentication=None,
        wait_time_for_authentication_retries=None,
        should_log_failed_messages=None,
        should_use_ssl=None,
        should_use_authentication=None,
        override_rest_api_full_url=None,
        override_rest_api_host=None,
        override_app_server_host=None,
        user_id=None,
        filter_none_fields_on_export=None,
        default_sampling_rate=None,
        context_class_to_sampling_rate=None,
        sampling_config_name=None,
        auth_mode=None,
        override_app_server_full_url=None,
        access_token=None,
        oidc_scope=None,
        auth_api_token_url=None,
        refresh_token_url=None,
        should_use_refresh_tokens=None,
        **libmona,
    ):
        config = {**locals(), **libmona}
        for name in ("self", "libmona", "__class__"):
            config.pop(name, None)
        self._native = Native(config)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _export(self, messages, options, result):
        return result(self._native.export(_messages_json(messages), options))

    def _service(self, name, arguments):
        return _result(self._native.service(name, arguments))

    def is_active(self):
        """Whether the client is logged in."""
        return self._native.is_active()

    def enqueue(self, events, default_action=None, filter_none_fields=None):
        """Accepts MonaSingleMessages and returns at once; they are delivered in the background.

        True, if all were accepted; else none was. Raises MonaQueueFullException where there is no room.
        """
        options = {"default_action": default_action, "filter_none_fields": filter_none_fields}
        messages = _messages_json(events if _is_batch(events) else [None])
        return self._native.enqueue(messages, options)["success"]

    def flush(self, timeout=None):
        """Waits until what was enqueued is settled; False if ``timeout`` (seconds) was up first."""
        return self._native.flush(timeout)

    def stats(self):
        """How the background delivery is going: docs/statistics.md."""
        return self._native.stats()

    def close(self, timeout=10):
        """Delivers what is enqueued, within ``timeout`` seconds; later calls raise MonaClosedException."""
        return self._native.close(timeout)
