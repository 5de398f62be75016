"""Requests and answers, whatever the task: limits, refusals, streams, clients that go away."""

from __future__ import annotations

import base64
import html
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from serving import Puppet, Running, error_of, head, puppets, received, running, until

from recurra.serve.limits import Limits

SMALL = Limits(
    max_body_bytes=2000,
    max_upload_bytes=3000,
    max_text_length=500,
    max_seconds=1.0,
    max_body_seconds=0.6,
    max_requests=4,
)


KINDS = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a", "image/png")


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    """A server of two puppets of a task, and one of another."""
    with running(puppets("one", "two")) as started:
        yield started


@pytest.fixture
def small() -> Iterator[Running]:
    """A server of one puppet with tight limits."""
    with running(puppets("puppet", limits=SMALL)) as started:
        yield started


def puppet(server: Running, name: str = "puppet") -> Puppet:
    """The model itself."""
    model: Puppet = server.service.models[name].model
    return model


class TestModels:
    def test_they_are_listed(self, server: Running) -> None:
        listed = server.client.get("/v1/models").json()
        assert listed["object"] == "list"
        assert [each["id"] for each in listed["data"]] == ["one", "two"]
        told = listed["data"][0]
        assert told == {
            "id": "one",
            "object": "model",
            "created": 17,
            "owned_by": "recurra",
            "task": "puppets",
            "facts": {"made of": "wood"},
            "card": "# one\n",
            "strings": 9,
        }
        assert server.client.get("/v1/models/one").json() == told

    def test_one_that_is_not_there(self, server: Running) -> None:
        error_of(server.client.get("/v1/models/three"), 404, "model_not_found")
        answer = server.client.post("/echo", json={"text": "a", "model": "three"})
        assert "there are one, two" in error_of(answer, 404, "model_not_found")

    def test_which_is_meant_must_be_said_where_there_are_several(self, server: Running) -> None:
        assert "`model` is missing; there are one, two" in error_of(
            server.client.post("/echo", json={"text": "a"}), 400, "missing_field"
        )
        assert server.client.post("/echo", json={"text": "a", "model": "two"}).json()["model"] == "two"

    def test_one_may_be_chosen_by_the_request_or_by_what_it_suits(self, server: Running) -> None:
        assert server.client.post("/suits", json={"text": "a"}).json()["model"] == "two"
        assert server.client.post("/suits", json={"text": "a", "model": "one"}).json()["model"] == "one"
        assert server.client.post("/choose", json={"text": "two"}).json()["model"] == "two"
        assert server.client.post("/choose", json={"text": "two", "model": "one"}).json()["model"] == "one"
        page = server.client.get("/docs").text
        assert '/suits -H \'Content-Type: application/json\' -d \'{"model": "two"' in html.unescape(page)

    def test_a_name_that_is_no_text(self) -> None:
        with running(puppets("a\udcff")) as server:
            assert server.client.get("/v1/models").json()["data"][0]["id"] == "a\udcff"
            assert server.client.post("/echo", json={"text": "a"}).status_code == 200
            assert server.client.get("/docs").status_code == 200

    def test_one_of_another_task(self) -> None:
        with running(puppets("text-model", "other", tasks=["texts", "others"])) as server:
            # Both tasks have the same paths here; the first has them.
            assert server.client.post("/echo", json={"text": "a"}).status_code == 200
            answer = server.client.post("/echo", json={"text": "a", "model": "other"})
            assert "other is a model for others; here are text-model" in error_of(answer, 400, "wrong_task")


class TestPaths:
    def test_the_page_and_what_it_is_made_of(self, server: Running) -> None:
        page = server.client.get("/")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "<!doctype html>" in page.text.lower()
        assert server.client.get("/assets/docs.css").headers["content-type"] == "text/css; charset=utf-8"
        assert server.client.head("/").content == b""

    @pytest.mark.parametrize("path", ["/nothing", "/assets/", "/assets/../app.py", "/assets/%2e%2e/app.py", "/echo/"])
    def test_what_is_not_there(self, server: Running, path: str) -> None:
        error_of(server.client.get(path), 404, "not_found")

    def test_a_method_that_a_path_does_not_take(self, server: Running) -> None:
        answer = server.client.get("/echo")
        assert "it takes POST" in error_of(answer, 405, "method_not_allowed")
        assert answer.headers["allow"] == "POST"
        error_of(server.client.post("/v1/models", json={}), 405, "method_not_allowed")
        error_of(server.client.delete("/"), 405, "method_not_allowed")
        error_of(server.client.post("/docs"), 405, "method_not_allowed")


class TestBodies:
    def test_json_and_a_form_say_the_same(self, server: Running) -> None:
        values = {"model": "one", "text": "é", "texts": ["a", "b"], "number": 7, "flag": True}
        by_json = server.client.post("/form", json=values).json()
        assert by_json == server.client.post("/form", data=values | {"flag": "true"}).json()
        files = [(name, (None, str(value))) for name, value in values.items() if name != "texts"]
        files += [("texts", (None, "a")), ("texts", (None, "b"))]
        assert by_json == server.client.post("/form", files=files).json()

    @pytest.mark.parametrize(
        "kind", ["text/plain", "", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a"]
    )
    def test_another_content_type(self, server: Running, kind: str) -> None:
        answer = server.client.post("/echo", content=b'{"text": "a", "model": "one"}', headers={"Content-Type": kind})
        assert "send application/json" in error_of(answer, 415, "unsupported_media_type")

    def test_json_is_known_under_other_names(self, server: Running) -> None:
        for kind in ("application/json; charset=utf-8", "Application/JSON", "application/problem+json"):
            headers = {"Content-Type": kind}
            answer = server.client.post("/echo", content=b'{"text": "a", "model": "one"}', headers=headers)
            assert answer.status_code == 200

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"text": NaN}', b'{"text": "\xff"}', b"[" * 10_000])
    def test_json_that_is_none(self, server: Running, body: bytes) -> None:
        answer = server.client.post("/echo", content=body, headers={"Content-Type": "application/json"})
        error_of(answer, 400, "invalid_json")

    def test_a_long_value_makes_no_long_message(self, server: Running) -> None:
        for values in ({"number": 10**4000}, {"number": "x" * 90_000}, {"x" * 90_000: 1}, {"model": "x" * 90_000}):
            answer = server.client.post("/echo", json={"text": "a"} | values)
            assert answer.status_code in (400, 404)
            error_of(answer, answer.status_code, answer.json()["error"]["code"])

    @settings(max_examples=60)
    @given(st.binary(max_size=50), st.sampled_from(["/echo", "/form", "/file", "/steps"]), st.sampled_from(KINDS))
    def test_any_bytes_get_an_answer(self, server: Running, body: bytes, path: str, kind: str) -> None:
        answer = server.client.post(path + "?model=one", content=body, headers={"Content-Type": kind})
        assert answer.status_code < 500
        assert isinstance(answer.json(), dict)


class TestFiles:
    def test_as_the_body_as_base64_and_in_a_form(self, server: Running) -> None:
        content = bytes(range(256)) * 1000
        expected = {"size": 256_000, "sum": sum(content), "note": "é", "number": 7}
        query = {"model": "one", "note": "é", "number": "7"}
        assert server.client.post("/file", params=query, content=content).json() == expected
        values = {"model": "one", "note": "é", "number": 7, "file": base64.b64encode(content).decode()}
        assert server.client.post("/file", json=values).json() == expected
        assert server.client.post("/file", data=query, files={"file": ("a.bin", content)}).json() == expected

    def test_none(self, server: Running) -> None:
        for sent in ({"json": {"model": "one"}}, {"json": {"file": 5}}, {"files": {"note": (None, "a")}}):
            answer = server.client.post("/file", **sent)  # type: ignore[arg-type]
            assert "`file` is missing" in error_of(answer, 400, "missing_field")

    @pytest.mark.parametrize("text", ["=", "a", "YQ==\n", "ä", "data:image/png;base64,YQ=="])
    def test_base64_that_is_none(self, server: Running, text: str) -> None:
        assert "not base64" in error_of(server.client.post("/file", json={"file": text}), 400, "invalid_value")


class TestLimits:
    def test_the_length_of_text(self, small: Running) -> None:
        assert small.client.post("/echo", json={"text": "a" * 500}).status_code == 200
        error_of(small.client.post("/echo", json={"text": "a" * 499, "list": ["b", "c"]}), 413, "text_too_long")
        assert small.client.post("/file", content=b"x" * 3000).json()["size"] == 3000

    def test_a_large_body_is_refused_before_it_is_sent(self, small: Running) -> None:
        for path, kind, size in (
            ("/echo", "application/json", 2001),
            ("/file", "image/png", 5001),
            ("/file", "application/json", 6001),
            ("/echo", "application/json", 10**18),
        ):
            with small.connect() as connection:
                connection.sendall(head(path, size, kind))
                answer = received(connection)
                assert b"413" in answer.splitlines()[0], answer
                assert b"body_too_large" in answer

    def test_a_large_file_in_a_small_enough_body(self, small: Running) -> None:
        error_of(small.client.post("/file", content=b"x" * 3001), 413, "body_too_large")
        text = base64.b64encode(b"x" * 3001).decode()
        error_of(small.client.post("/file", json={"file": text}), 413, "body_too_large")

    def test_chunks_are_counted_as_they_come(self, small: Running) -> None:
        with small.connect() as connection:
            connection.sendall(
                b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n"
            )
            for _ in range(10):
                connection.sendall(b"3e8\r\n" + b" " * 1000 + b"\r\n")
            assert b"body_too_large" in received(connection)
            assert until(lambda: _is_cut_off(connection))
        assert small.service.desk.held == 0

    def test_what_is_refused_before_it_is_all_there_still_gets_its_answer(self, small: Running) -> None:
        body = b"x" * 3_000_000
        picture = {"Content-Type": "image/png"}
        error_of(small.client.post("/echo", content=body, headers=picture), 415, "unsupported_media_type")
        error_of(small.client.post("/file", content=body), 413, "body_too_large")
        error_of(small.client.post("/nothing", content=body), 404, "not_found")
        error_of(small.client.post("/file", content=body, headers={"Origin": "http://a.b"}), 403, "forbidden_origin")

    def test_a_body_that_comes_slowly(self, small: Running) -> None:
        with small.connect() as connection:
            begin = time.monotonic()
            connection.sendall(head("/echo", 90) + b"{")
            answer = received(connection)
            assert b"408" in answer.splitlines()[0]
            assert b"body_too_slow" in answer
            assert 0.5 < time.monotonic() - begin < 15
        assert until(lambda: small.service.desk.count == 0)

    def test_an_answer_that_takes_long(self, small: Running) -> None:
        answer = small.client.post("/steps", json={"count": 10**9})
        error_of(answer, 503, "timeout")
        assert puppet(small).closed.wait(10)
        steps = puppet(small).steps
        time.sleep(0.1)
        assert puppet(small).steps == steps
        lines = small.client.post("/steps", json={"count": 10**9, "stream": True}).text.split("\n\n")
        assert json.loads(lines[-3].removeprefix("data: "))["error"]["code"] == "timeout"
        assert lines[-2:] == ["data: [DONE]", ""]

    def test_too_many_requests_at_once(self, small: Running) -> None:
        with ThreadPoolExecutor(5) as pool:
            waiting = [pool.submit(small.client.post, "/wait", json={}) for _ in range(4)]
            assert until(lambda: small.service.desk.count == 4)
            answer = small.client.post("/echo", json={"text": "a"})
            assert "4 requests are being answered or wait" in error_of(answer, 503, "busy")
            assert answer.headers["retry-after"] == "1"
            assert small.client.get("/v1/models").status_code == 200
            puppet(small).go.set()
            assert [each.result().status_code for each in waiting] == [200] * 4
        assert small.client.post("/echo", json={"text": "a"}).status_code == 200

    def test_bodies_of_all_requests_together(self, small: Running) -> None:
        small.service.desk.held = small.service.desk.most_bytes - 1000
        error_of(small.client.post("/file", content=b"x" * 1500), 503, "busy")
        assert small.client.post("/file", content=b"x" * 900).status_code == 200


class TestErrors:
    def test_what_a_model_refuses_is_one_sentence(self, server: Running) -> None:
        message = error_of(server.client.post("/refuse", json={"model": "one"}), 400, "invalid_request")
        assert message == "no: this is not to be had; ask another"

    def test_what_nobody_foresaw_is_told_to_who_runs_the_server(
        self, server: Running, capsys: pytest.CaptureFixture[str]
    ) -> None:
        message = error_of(server.client.post("/fault", json={"model": "one"}), 500, "fault")
        assert "unforeseen" not in message
        assert "ValueError: unforeseen" in capsys.readouterr().err
        assert server.client.post("/echo", json={"model": "one", "text": "a"}).status_code == 200

    def test_memory_and_what_is_no_number(self, server: Running, capsys: pytest.CaptureFixture[str]) -> None:
        error_of(server.client.post("/memory", json={"model": "one"}), 503, "no_memory")
        error_of(server.client.post("/nan", json={"model": "one"}), 500, "fault")
        assert "ValueError" in capsys.readouterr().err


class TestAnswers:
    def test_text(self, server: Running) -> None:
        answer = server.client.post("/text", json={"model": "one"})
        assert (answer.text, answer.headers["content-type"]) == ("naïve\n", "text/plain; charset=utf-8")

    def test_pieces_are_one_answer_or_a_stream(self, server: Running) -> None:
        values = {"model": "one", "count": 3}
        assert server.client.post("/steps", json=values).json() == {"steps": 3}
        answer = server.client.post("/steps", json=values | {"stream": True})
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        *events, last, end = answer.text.split("\n\n")
        assert [json.loads(event.removeprefix("data: "))["step"] for event in events] == [0, 1, 2]
        assert (last, end) == ("data: [DONE]", "")

    def test_what_fails_at_once_has_its_status_also_in_a_stream(self, server: Running) -> None:
        values = {"model": "one", "stream": True, "fail_after": 0}
        error_of(server.client.post("/steps", json=values), 400, "invalid_request")

    def test_what_fails_later_is_the_last_event(self, server: Running) -> None:
        values = {"model": "one", "stream": True, "fail_after": 60, "count": 100}
        answer = server.client.post("/steps", json=values)
        assert answer.status_code == 200
        *events, last, _ = answer.text.split("\n\n")
        assert json.loads(events[-1].removeprefix("data: "))["error"]["message"].startswith(
            "that was one step too many"
        )
        assert last == "data: [DONE]"

    def test_pieces_come_as_they_are_made(self, server: Running) -> None:
        with server.client.stream("POST", "/steps", json={"model": "one", "count": 500, "stream": True}) as answer:
            times = [time.monotonic() for _ in answer.iter_raw()]
        assert len(times) > 5
        assert times[-1] - times[0] > 0.2

    def test_one_connection_serves_one_request_after_another(self, server: Running) -> None:
        with httpx.Client(base_url=server.url, limits=httpx.Limits(max_connections=1), trust_env=False) as client:
            for number in range(5):
                assert client.post("/echo", json={"model": "one", "text": str(number)}).json()["text"] == str(number)


class TestAtOnce:
    def test_a_model_is_never_asked_twice_at_once_but_two_models_are(self, server: Running) -> None:
        one, two = puppet(server, "one"), puppet(server, "two")
        with ThreadPoolExecutor(6) as pool:
            asked = [pool.submit(server.client.post, "/wait", json={"model": name}) for name in ["one"] * 3 + ["two"]]
            assert one.started.wait(10)
            assert two.started.wait(10)
            one.go.set()
            two.go.set()
            assert [each.result().json() for each in asked] == [{"waited": True}] * 4
        assert (one.most_active, two.most_active) == (1, 1)

    def test_a_long_answer_does_not_keep_short_ones_waiting(self, server: Running) -> None:
        model = puppet(server, "one")
        model.closed.clear()
        with server.client.stream("POST", "/steps", json={"model": "one", "count": 10**9, "stream": True}) as answer:
            pieces = answer.iter_raw()
            next(pieces)
            assert server.client.post("/echo", json={"model": "one", "text": "a"}).status_code == 200
            assert not model.closed.is_set()
        assert model.closed.wait(10)


class TestGone:
    def test_a_client_that_goes_away_stops_a_stream_and_a_long_answer(self, server: Running) -> None:
        model = puppet(server, "two")
        for stream in (True, False):
            model.closed.clear()
            before = model.steps
            with server.connect() as connection:
                body = json.dumps({"model": "two", "count": 10**9, "stream": stream}).encode()
                connection.sendall(head("/steps", len(body)) + body)
                assert until(lambda before=before: model.steps > before + 10)
            assert model.closed.wait(10)
            steps = model.steps
            time.sleep(0.05)
            assert model.steps == steps
        assert until(lambda: server.service.desk.count == 0)

    def test_what_waits_for_its_turn_is_dropped(self, small: Running) -> None:
        model = puppet(small)
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(small.client.post, "/wait", json={})
            assert model.started.wait(10)
            with small.connect() as connection:
                connection.sendall(head("/steps", 12) + b'{"count": 5}')
                assert until(lambda: small.service.desk.count == 2)
            assert until(lambda: small.service.desk.count == 1)
            model.go.set()
            assert first.result().status_code == 200
        assert small.client.post("/echo", json={"text": "a"}).status_code == 200
        assert model.steps == 1

    def test_a_client_that_goes_away_while_it_sends(self, small: Running) -> None:
        with small.connect() as connection:
            connection.sendall(head("/echo", 90) + b"{")
            assert until(lambda: small.service.desk.count == 1)
        assert until(lambda: small.service.desk.count == 0, 0.4)
        assert small.service.desk.held == 0


def _is_cut_off(connection: socket.socket) -> bool:
    """Whether sending one more chunk is in vain."""
    try:
        connection.sendall(b"3e8\r\n" + b" " * 1000 + b"\r\n")
    except OSError:
        return True
    return False


def test_threads_of_models_end_with_the_service() -> None:
    names = {f"ends-{number}" for number in range(3)}
    with running(puppets(*sorted(names))):
        assert names <= {thread.name for thread in threading.enumerate()}
    assert until(lambda: not names & {thread.name for thread in threading.enumerate()})
