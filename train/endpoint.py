"""A model behind an OpenAI-compatible server, asked for its answers: greedy, with retries, each prompt once.

    POST <url>/chat/completions  {"model": "...", "messages": [...], "temperature": 0, "max_tokens": 128}

The key is read from the environment or a file it names, sent to no other host, and never written anywhere.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx

from pipeline.secret import read_secret
from schemas import ConfigError, ServiceError
from train.answer_cache import Answer, AnswerCache, key_of
from train.generate import Said

KEY = "TUNELOOP_ENDPOINT_KEY"
_TIMEOUT = 120.0
_TRIES = 4
_AT_ONCE = 8
_LONGEST_WAIT = 30.0
_PASSING = (408, 409, 425, 429)  # worth another try, as is every 5xx
_OF_THE_ROW = (400, 413, 422)  # said of one prompt, such as a longer one than the model takes


@dataclass
class Endpoint:
    """A server and the model to ask there.

    Attributes:
        url: Up to and without `/chat/completions`.
        model: As the server names it.
        max_new_tokens: Longest answer; None leaves that to the server.
        refused: What the server said of prompts that it would not take; they count as answered with nothing.
        wait_seconds: Before the second try; doubled each time.
        key_name: Name of the environment variable that holds the key; with _FILE after it, the file that does.
        temperature: 0 for the likeliest text.
        n_asked: Prompts that it was asked so far.
    """

    url: str
    model: str
    max_new_tokens: int | None
    refused: list[str] = field(default_factory=list)
    wait_seconds: float = 1.0
    key_name: str = KEY
    temperature: float = 0
    n_asked: int = 0

    def __post_init__(self) -> None:
        """Refuse an address that cannot be one.

        Raises:
            ConfigError: It is none, or holds a user or password.
        """
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
            raise ConfigError(
                f"{parts.scheme}://{parts.hostname or ''} is no address to ask, or holds a password",
                where="--model",
                fix=f"give one such as http://127.0.0.1:8000/v1; a key goes into the environment, {self.key_name}",
            )
        self.url = self.url.rstrip("/").removesuffix("/chat/completions")

    def answers(
        self, prompts: Sequence[Sequence[Mapping[str, Any]]], cache: AnswerCache, tell: Callable[[int, int], None]
    ) -> Said:
        """Return the answer to each prompt, a list of messages; those that are known are not asked again.

        Raises:
            ServiceError: The server does not answer, or refuses us.
        """
        asked = [json.dumps(self._body(messages), sort_keys=True, ensure_ascii=True).encode() for messages in prompts]
        keys = [key_of(self.url, body) for body in asked]
        known = cache.find(keys)
        new = {key: body for key, body in zip(keys, asked, strict=True) if key not in known}
        secret = self._secret()
        if not (secret.isascii() and secret.isprintable()):
            # httpx would quote the key in its own error.
            raise self._error("the key holds characters that no header can", f"mend the value of {self.key_name}")
        headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {secret}"} if secret else {})
        with httpx.Client(timeout=_TIMEOUT, headers=headers) as client, ThreadPoolExecutor(_AT_ONCE) as pool:
            todo = list(new.items())
            # A block at a time, so that an interrupt loses little.
            for start in range(0, len(todo), 8 * _AT_ONCE):
                some = todo[start : start + 8 * _AT_ONCE]
                said = list(pool.map(lambda one: self._asked(client, one[1]), some))
                whole = {key: answer for (key, _), answer in zip(some, said, strict=True) if answer is not None}
                cache.keep(whole)
                known |= whole | {key: ("", False) for (key, _), answer in zip(some, said, strict=True) if not answer}
                tell(start + len(some), len(todo))
        self.n_asked += len(todo)
        if todo and len(self.refused) == self.n_asked:
            raise self._error(f"it refuses every prompt: {self.refused[0]}", "name the model as the server does")
        return Said([known[key][0] for key in keys], [known[key][1] for key in keys])

    def _body(self, messages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        turns = [{"role": turn["role"], "content": turn["content"] or ""} for turn in messages]
        longest = {} if self.max_new_tokens is None else {"max_tokens": self.max_new_tokens}
        return {"model": self.model, "messages": turns, "temperature": self.temperature, **longest}

    def _asked(self, client: httpx.Client, body: bytes) -> Answer | None:
        """Return one answer, or None if the server will not take the prompt."""
        wait, why = self.wait_seconds, ""
        for left in reversed(range(_TRIES)):
            try:
                response = client.post(f"{self.url}/chat/completions", content=body)
            except httpx.HTTPError as error:
                why = f"{type(error).__name__}: {error}"
            else:
                if response.is_success:
                    return self._answer(response)
                why = f"{response.status_code} {self._shown(response)}"
                if response.status_code in _OF_THE_ROW:
                    self.refused.append(why)
                    return None
                if response.status_code not in _PASSING and response.status_code < 500:
                    fix = {
                        401: f"set {self.key_name}",
                        403: f"set {self.key_name} to a key that may",
                        404: "mind the /v1 of the address, and the model's name there",
                    }
                    raise self._error(f"it refuses us: {why}", fix.get(response.status_code, "read what it says"))
            if left:
                time.sleep(min(wait, _LONGEST_WAIT))
                wait *= 2
        raise self._error(f"it does not answer: {why}", f"see that it runs (curl {self.url}/models)")

    def _answer(self, response: httpx.Response) -> Answer:
        """Return the text of an answer and whether the model stopped by itself."""
        try:
            choice = response.json()["choices"][0]
            text, ended = choice["message"]["content"], choice.get("finish_reason") == "stop"
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            raise self._error(
                f"its answer is no chat completion: {self._shown(response)}", "name an OpenAI-compatible server"
            ) from error
        # A model may answer with nothing, or with a call of a tool alone.
        return (text if isinstance(text, str) else ""), ended

    def _secret(self) -> str:
        return read_secret(self.key_name)

    def _shown(self, response: httpx.Response) -> str:
        """Return the beginning of what a server said, without the key: some tell what they were sent."""
        secret = self._secret()
        return (response.text.replace(secret, "(the key)") if secret else response.text)[:200]

    def _error(self, what: str, fix: str) -> ServiceError:
        fix = f"{fix}, then run the same command: answers given so far are kept"
        return ServiceError(f"the model cannot be asked: {what}", where=self.url, fix=fix)
