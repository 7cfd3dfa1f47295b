"""What the drop-in promises: mona_sdk's names, arguments and results."""

import copy
import inspect
import json
import pickle
import sys
import unittest
import unittest.mock
from decimal import Decimal
from fractions import Fraction

import mona
import support
from mona import Client, MonaSingleMessage, Native, native

SIGNATURES = json.loads((support.ROOT / "examples-ffi/python/tests/mona_sdk_signatures.json").read_text())


def signatures(version):
    """What can be called in that version, and the names of its arguments."""
    return ((name, names) for name, names in SIGNATURES[version].items() if name != "AsyncClient")


def parameters(function):
    return [name for name in inspect.signature(function).parameters if name != "self"]


def message(fields, context_id="id-1"):
    return MonaSingleMessage(fields, "LOANS", context_id, 1700000000000)


class Names(unittest.TestCase):
    def test_arguments_stand_in_the_order_of_mona_sdk_0_0_51(self):
        for name, theirs in signatures("0.0.51"):
            ours = self.ours(name)
            self.assertEqual(ours[: len(theirs)], theirs, name)

    def test_every_argument_of_mona_sdk_0_0_58_is_known(self):
        for name, theirs in signatures("0.0.58"):
            self.assertLessEqual(set(theirs), set(self.ours(name)), name)

    def test_every_coroutine_of_mona_sdk_is_there(self):
        for version in SIGNATURES.values():
            self.assertLessEqual(set(version["AsyncClient"]), set(dir(mona.AsyncClient)))

    def ours(self, name):
        thing = mona
        for part in name.split("."):
            thing = getattr(thing, part)
        return parameters(thing)

    def test_the_services_are_those_of_the_table(self):
        pages = list((support.ROOT / "docs" / "services").glob("*.md"))
        self.assertGreater(len(pages), 15)
        for page in pages:
            rows = (line for line in page.read_text("utf-8").splitlines() if line.startswith("| `"))
            documented = sorted(row.split("`")[1] for row in rows)
            ours = sorted(parameters(getattr(Client, page.stem)))
            self.assertEqual(ours, documented, page.stem)


class Exporting(unittest.TestCase):
    def setUp(self):
        support.reset()
        self.client = Client()

    def test_a_message_arrives_as_it_was_given(self):
        fields = {"größe": "💶", "big": 12345678901234567890, "none": None, "deep": {"x": [1.5]}}
        self.assertIs(self.client.export(message(fields)), True)
        (arrived,) = support.messages()
        self.assertEqual(arrived["message"], fields)
        self.assertEqual(arrived["contextId"], "id-1")

    def test_a_batch_is_accounted_for(self):
        batch = (message({"a": 1}, context_id=f"id-{number}") for number in range(3))
        expected = {"total": 3, "sent": 3, "failed": 0, "failure_reasons": {}}
        self.assertEqual(self.client.export_batch(batch, default_action="ADD"), expected)
        (request,) = support.requests()
        self.assertEqual(request["json"]["defaultAction"], "ADD")

    def test_what_is_no_json_fails_by_itself(self):
        result = self.client.export_batch(
            [message({"a": {1, 2}}), message({"a": float("nan")}), "x", message({"a": 1})]
        )
        self.assertEqual((result["sent"], result["failed"]), (1, 3))
        self.assertIs(self.client.export(message({"a": object()})), False)

    def test_what_is_no_batch_is_refused_whole(self):
        strict = Client(raise_export_exceptions=True)
        for batch in (None, 7, message({"a": 1}), "text", b"text", {"a": 1}):
            self.assertIs(self.client.export_batch(batch), False, batch)
            self.assertIs(self.client.enqueue(batch), False, batch)
            for act in (strict.export_batch, strict.enqueue):
                with self.assertRaises(mona.MonaExportException):
                    act(batch)
        self.assertEqual(support.messages(), [])

    def test_a_service_that_is_down_is_false_and_not_an_exception(self):
        client = Client(override_rest_api_host="127.0.0.1:1")
        self.assertIs(client.export(message({"a": 1})), False)
        self.assertIs(client.export_batch([message({"a": 1})]), False)

    def test_exceptions_are_raised_where_mona_sdk_raises_them(self):
        down = {"override_rest_api_host": "127.0.0.1:1", "override_app_server_host": "127.0.0.1:1"}
        client = Client(raise_export_exceptions=True, raise_service_exceptions=True, **down)
        with self.assertRaises(mona.MonaExportException) as raised:
            client.export(message({"a": 1}))
        self.assertEqual(raised.exception.kind, "connection")
        self.assertTrue(raised.exception.retriable)
        with self.assertRaises(mona.MonaServiceException):
            client.get_config()
        with self.assertRaises(mona.MonaInitializationException) as raised:
            Client(raise_export_exception=True)
        self.assertIn("raise_export_exceptions", str(raised.exception))
        support.reset([{"path": "*/api-token", "status": 401, "json": {"errors": ["no"]}}])
        with self.assertRaises(mona.MonaAuthenticationException):
            Client("another key", raise_authentication_exceptions=True)

    def test_exceptions_can_be_copied_and_pickled(self):
        with self.assertRaises(mona.MonaInvalidArgumentException) as raised:
            mona.Native().export("x")
        error = raised.exception
        for twin in (copy.copy(error), copy.deepcopy(error), pickle.loads(pickle.dumps(error))):
            self.assertIs(type(twin), type(error))
            self.assertEqual((str(twin), twin.status, twin.kind), (str(error), -1, "invalid_argument"))
            self.assertEqual((twin.document, twin.document.json), (error.document, error.document.json))

    def test_a_text_that_c_would_cut_off_is_a_value_error(self):
        client = mona.Native()
        for name, act in {
            "config": lambda: mona.Native("{}\0"),
            "service": lambda: client.service("get_config\0x"),
            "options": lambda: client.export([], "{}\0x"),
        }.items():
            with self.assertRaisesRegex(ValueError, f"{name} .*NUL"):
                act()
        self.assertEqual(support.requests(), [])

    def test_services_return_what_those_of_mona_sdk_return(self):
        rule = {"path": "/insights", "json": {"response_data": [{"score": 0.5}]}}
        support.reset([rule, {"path": "/configs", "status": 400, "json": {"response_data": "no"}}])
        result = self.client.get_insights("LOANS", 0.1, metric_name="risk")
        self.assertEqual(result, {"success": True, "data": [{"score": 0.5}], "error_message": None})
        (request,) = support.requests()
        arguments = {"context_class": "LOANS", "min_segment_size": 0.1, "metric_name": "risk"}
        self.assertEqual(request["json"], arguments)
        refused = {"success": False, "data": None, "error_message": "no"}
        self.assertEqual(self.client.get_config(), refused)

    def test_a_missing_argument_is_a_type_error(self):
        with self.assertRaises(TypeError):
            self.client.get_insights("LOANS")


class Background(unittest.TestCase):
    def setUp(self):
        support.reset()

    def test_what_is_enqueued_arrives(self):
        with Client() as client:
            self.assertIs(client.enqueue([message({"a": number}) for number in range(10)]), True)
            self.assertIs(client.flush(30), True)
            self.assertEqual(client.stats()["delivered"], 10)
        self.assertEqual([m["message"]["a"] for m in support.messages()], list(range(10)))

    def test_no_room_is_an_exception(self):
        support.reset([{"path": "/export", "status": 503}])
        client = Client(queue={"max_messages": 2, "free_timeout_ms": 0})
        with self.assertRaises(mona.MonaQueueFullException):
            client.enqueue([message({"a": 1})] * 3)

    def test_flush_tells_that_the_time_was_up(self):
        support.reset([{"path": "/export", "status": 503}])
        client = Client(queue={"free_timeout_ms": 0})
        client.enqueue([message({"a": 1})])
        self.assertIs(client.flush(0), False)
        self.assertEqual(client.close(0)["undelivered"], 1)

    def given_to_c(self, name, timeouts):
        """What C is given as a time-out for each of these; it does not wait for any of them here."""
        method, client, given = f"mona_{name}", Native(), []
        function = getattr(native._LIBRARY, method)

        def waitless(client, milliseconds, out):
            given.append(milliseconds)
            return function(client, 0, out)

        with unittest.mock.patch.object(native._LIBRARY, method, waitless):
            for timeout in timeouts:
                getattr(client, name.replace("client_", ""))(timeout)
        return given

    def test_only_none_and_infinity_wait_for_ever(self):
        infinity = float("inf")
        endless = [None, infinity, Decimal(infinity)]
        past = [-1, -0.5, -infinity, Decimal(-1), Fraction(-1, 3), -(10**400)]
        future = [1.5, Decimal("0.25"), 2**64 / 1000, 10**400, sys.float_info.max]
        for name in ("flush", "client_close"):
            with self.subTest(name):
                self.assertEqual(self.given_to_c(name, endless), [-1] * 3)
                self.assertEqual(self.given_to_c(name, past), [0] * 6)
                short, shorter, *long = self.given_to_c(name, future)
                self.assertEqual((short, shorter), (1500, 250))
                self.assertTrue(all(2**62 < milliseconds < 2**63 for milliseconds in long))

    def test_a_time_out_that_is_no_number_is_refused(self):
        client = Client()
        for timeout, error in (("1", TypeError), ([], TypeError), (float("nan"), ValueError)):
            for act in (client.flush, client.close):
                with self.subTest(timeout), self.assertRaisesRegex(error, "^timeout must be seconds"):
                    act(timeout)
        self.assertIs(client.export(message({"a": 1})), True)

    def test_a_closed_client_says_so(self):
        client = Client()
        client.close()
        with self.assertRaises(mona.MonaClosedException):
            client.export(message({"a": 1}))


if __name__ == "__main__":
    unittest.main()
