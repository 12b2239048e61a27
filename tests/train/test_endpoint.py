import pytest

from schemas import ConfigError, ServiceError
from tests.train.chat_server import chat_server, said
from train.answer_cache import AnswerCache
from train.endpoint import KEY, Endpoint

PROMPTS = [[{"role": "user", "content": f"{n} + 1?", "name": None}] for n in range(3)]


def ask(url, tmp_path, prompts=PROMPTS, told=None):
    end = Endpoint(url, "m", 16, wait_seconds=0.001)
    cache = AnswerCache.of(tmp_path, lambda _: None)
    return end, lambda: end.answers(prompts, cache, lambda *one: None if told is None else told.append(one))


def test_each_prompt_is_asked_greedily_and_once_and_known_answers_are_not_asked(tmp_path):
    with chat_server(lambda asked, _n: (200, said(asked["messages"][0]["content"].upper()))) as (url, seen):
        told = []
        _, go = ask(f"{url}/chat/completions/", tmp_path, [*PROMPTS, PROMPTS[0]], told)
        assert go().texts == go().texts == ["0 + 1?", "1 + 1?", "2 + 1?", "0 + 1?"]
        assert len(seen) == 3
    path, headers, asked = min(seen, key=lambda one: one[2]["messages"][0]["content"])
    assert path == "/v1/chat/completions"
    assert asked == {
        "model": "m", "messages": [{"role": "user", "content": "0 + 1?"}], "temperature": 0, "max_tokens": 16
    }  # fmt: skip
    assert "authorization" not in {name.lower() for name in headers}
    assert told == [(3, 3)]


def test_the_key_comes_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv(KEY, "secret")
    with chat_server(lambda _asked, _n: (200, said("x"))) as (url, seen):
        ask(url, tmp_path, PROMPTS[:1])[1]()
    assert seen[0][1]["authorization"] == "Bearer secret"


@pytest.mark.parametrize("key", ["two\nlines", "schlüssel"])
def test_a_key_that_no_header_can_hold_is_refused_without_showing_it(tmp_path, monkeypatch, key):
    monkeypatch.setenv(KEY, key)
    with pytest.raises(ServiceError, match="the key holds characters that no header can") as caught:
        ask("http://127.0.0.1:9/v1", tmp_path)[1]()
    assert f"mend the value of {KEY}" in caught.value.fix
    assert key not in str(caught.value)


def test_a_busy_server_is_asked_again(tmp_path):
    with chat_server(lambda _asked, n: (503, b"busy") if n < 3 else (200, said("at last"))) as (url, seen):
        assert ask(url, tmp_path, PROMPTS[:1])[1]().texts == ["at last"]
        assert len(seen) == 3


def test_a_server_that_is_down_is_a_service_error_with_its_cure(tmp_path):
    with chat_server(lambda _asked, _n: (200, said("x"))) as (url, _):
        pass
    with pytest.raises(ServiceError) as caught:
        ask(url, tmp_path)[1]()
    assert caught.value.exit_code == 5
    assert caught.value.what.startswith("the model cannot be asked: it does not answer")
    assert caught.value.where == url
    assert f"curl {url}/models" in caught.value.fix


@pytest.mark.parametrize(("code", "cure"), [(401, f"set {KEY}"), (404, "the model's name there")])
def test_a_server_that_refuses_us_is_asked_once(tmp_path, code, cure):
    with chat_server(lambda _asked, _n: (code, b"no")) as (url, seen):
        with pytest.raises(ServiceError) as caught:
            ask(url, tmp_path, PROMPTS[:1])[1]()
        assert len(seen) == 1
    assert cure in caught.value.fix


@pytest.mark.parametrize("code", [200, 401, 422, 500])
def test_a_server_that_tells_what_it_was_sent_brings_the_key_into_no_message(tmp_path, monkeypatch, code):
    monkeypatch.setattr("train.endpoint._TRIES", 1)
    monkeypatch.setenv(KEY, "sk-very-secret")
    with chat_server(lambda _asked, _n: (code, b"wrong key: sk-very-secret")) as (url, _):
        with pytest.raises(ServiceError, match=r"wrong key: \(the key\)") as caught:
            ask(url, tmp_path, PROMPTS[:1])[1]()
    assert "secret" not in str(caught.value)


def test_a_prompt_that_the_server_will_not_take_counts_as_empty_and_all_of_them_as_an_error(tmp_path):
    def too_long(asked, n):
        return (400, b"too long") if asked["messages"][0]["content"].startswith("1") else (200, said("ok"))

    with chat_server(too_long) as (url, _):
        end, go = ask(url, tmp_path)
        assert go().texts == ["ok", "", "ok"]
        assert end.refused == ["400 too long"]
        with pytest.raises(ServiceError, match="it refuses every prompt: 400 too long"):
            ask(url, tmp_path, PROMPTS[1:2])[1]()


@pytest.mark.parametrize("body", [b"<html>", {"choices": []}, {"error": "x"}])
def test_an_answer_that_is_no_completion_is_refused(tmp_path, body):
    with (
        chat_server(lambda _asked, _n: (200, body)) as (url, _),
        pytest.raises(ServiceError, match="no chat completion"),
    ):
        ask(url, tmp_path, PROMPTS[:1])[1]()


def test_an_answer_without_content_is_empty(tmp_path):
    with chat_server(lambda _asked, _n: (200, said(None))) as (url, _):
        assert ask(url, tmp_path, PROMPTS[:1])[1]().texts == [""]


@pytest.mark.parametrize("url", ["http://", "ftp://host/v1", "http://me:pw@host/v1"])
def test_an_address_that_is_none_or_holds_a_password_is_refused_without_showing_it(url):
    with pytest.raises(ConfigError) as caught:
        Endpoint(url, "m", 16)
    assert "pw" not in str(caught.value).replace("password", "")
    assert KEY in caught.value.fix


def test_an_answer_that_was_cut_for_its_length_did_not_stop_by_itself(tmp_path):
    ends = {"0 + 1?": "stop", "1 + 1?": "length", "2 + 1?": None}
    with chat_server(lambda asked, _n: (200, said("x", ends[asked["messages"][0]["content"]]))) as (url, _):
        _, go = ask(url, tmp_path)
        assert go().stopped == go().stopped == [True, False, False]


def test_some_prompts_refused_by_and_by_are_no_sign_of_a_wrong_name(tmp_path):
    def odd(asked, _n):
        return (400, b"too long") if asked["messages"][0]["content"].startswith("1") else (200, said("ok"))

    with chat_server(odd) as (url, _):
        end = Endpoint(url, "m", 16, temperature=0.5)
        cache = AnswerCache.of(tmp_path, lambda _: None)
        assert end.answers(PROMPTS[:1], cache, lambda *_: None).texts == ["ok"]
        assert end.answers(PROMPTS[1:2], cache, lambda *_: None).texts == [""]
        assert end._body(PROMPTS[0])["temperature"] == 0.5
