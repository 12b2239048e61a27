"""The wire to Label Studio: one call, one request; what may be asked again is, what may not is never sent twice.

    GET    asked up to six times: a lost connection, 429, 5xx and half an answer are waited out
    other  sent once; without a clear answer the caller hears `UnansweredError` and looks what became of it

The token may be a legacy token or a personal access token; label-studio-sdk tells them apart and keeps the second kind
fresh. Its own retries are off: it posts again by itself, and ten tasks behind a bad line became thirty.
"""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
from label_studio_sdk import LabelStudio
from label_studio_sdk.core.api_error import ApiError

from annotation.answer_shapes import TASKS, Shape, misfit
from annotation.server import running
from pipeline.secret import is_given, read_secret
from schemas import ServiceError

URL, TOKEN = "LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY"
_TRIES = 6
_FIRST_WAIT, _LONGEST_WAIT = 0.25, 20.0  # seconds
_TIMEOUT = 120.0
_SLOWEST = 1024  # bytes a second, once an answer has taken as long as the timeout
_PAGE = 1000
_SHOWN = 300
_NOT_LET_IN = {401, 403}


class UnansweredError(ServiceError):
    """A request was sent and nobody can say what became of it.

    Attributes:
        wait: Seconds that the server asks us to wait, if it does.
    """

    wait: float | None = None


class Connection:
    """A server and our way in.

    Args:
        url: Address of the server.
        token: A legacy or a personal one.
        timeout: Seconds without a byte, and seconds after which an answer may not be slower than 1 KB a second.

    Attributes:
        url: Address of the server, without a slash at the end.

    Raises:
        ServiceError: What is given can be no address or no token, or the token has expired.
    """

    def __init__(self, url: str, token: str, *, timeout: float = _TIMEOUT) -> None:
        self.url, self._token = url.strip().rstrip("/"), token.strip()
        _refuse_impossible(self.url, self._token)
        self._timeout, self._sent = timeout, ""
        self._client = httpx.Client(base_url=self.url, timeout=timeout)
        self._sdk = self._signed_in()

    @property
    def has_personal_token(self) -> bool:
        """Whether we come in by a personal access token, which has to be made fresh every five minutes."""
        return not self._sdk._client_wrapper._tokens_client._use_legacy_token

    def get(self, path: str, shape: Shape | None = None, **query: object) -> Any:  # noqa: ANN401 - JSON
        """Return what the server says to a GET.

        Args:
            path: What is asked for.
            shape: What the answer must hold; another one is asked for again.
            query: What stands behind the path.

        Raises:
            ServiceError: It does not answer, or refuses.
        """
        return self.read(path, query, shape=shape)

    def read(
        self,
        path: str,
        query: Mapping[str, object],
        body: object = None,
        *,
        shape: Shape | None = None,
        keys: Sequence[str] = (),
    ) -> Any:  # noqa: ANN401 - JSON
        """Return what the server says to a GET whose long questions stand in a body.

        What stands between us and the server, or the server itself while it starts, may answer 200 with something else
        than was asked for, so an answer of another shape is asked for again like one that did not come.
        """
        wait = _FIRST_WAIT
        for left in reversed(range(_TRIES)):
            try:
                return self._shaped(self._once("GET", path, query, body), shape, f"GET {self.url}{path}", keys)
            except UnansweredError as error:
                if not left:
                    raise ServiceError(error.what, where=error.where, fix=error.fix) from error
                time.sleep(min(_LONGEST_WAIT, error.wait or wait))
                wait *= 2
        raise AssertionError

    def send(self, method: str, path: str, body: object = None, *, shape: Shape | None = None, **query: object) -> Any:  # noqa: ANN401 - JSON
        """Return what the server says to a request that changes something; sent once.

        Raises:
            UnansweredError: It may have been done, or not.
            ServiceError: The server refuses.
        """
        return self._shaped(self._once(method, path, query, body), shape, f"{method} {self.url}{path}")

    def tasks(
        self,
        project: int,
        include: Sequence[str],
        filters: Sequence[Mapping[str, object]] = (),
        *,
        whole: bool = False,
        page_size: int = _PAGE,
    ) -> list[dict[str, Any]]:
        """Return the tasks of a project, each once, in order of number.

        Pages that come twice, in another order or with a task missing are noticed by the count and asked for again.

        Args:
            project: Its number.
            include: Keys of a task that are wanted; id always comes.
            filters: What the tasks must satisfy, in the words of Label Studio's data manager, all of it.
            whole: With annotations and drafts.
            page_size: Tasks a page.

        Raises:
            ServiceError: The server does not answer, or never gives all of them.
        """
        for _ in range(_TRIES):
            found: dict[int, dict[str, Any]] = {}
            total = 0
            for page in self._pages(project, include, filters, whole, page_size):
                total = max(total, int(page["total"]))
                found.update((int(task["id"]), task) for task in page["tasks"])
            if len(found) >= total:
                return [found[number] for number in sorted(found)]
        raise ServiceError(
            f"the server says it has {total:,} tasks and gives {len(found):,}",
            where=f"{self.url}/projects/{project}",
            fix="look at the project in Label Studio, and run the command again",
        )

    def _pages(
        self, project: int, include: Sequence[str], filters: Sequence[Mapping[str, object]], whole: bool, size: int
    ) -> Iterator[dict[str, Any]]:
        question = {"filters": {"conjunction": "and", "items": [*filters]}, "ordering": ["tasks:id"]}
        query = {
            "project": project,
            "page_size": size,
            "fields": "all" if whole else "task_only",
            "include": ",".join(["id", *include]),
        }
        page, seen = 1, 0
        while True:
            # Long questions do not fit into an address, and Label Studio reads the body of a GET.
            answer = self.read("/api/tasks/", query | {"page": page}, question, shape=TASKS, keys=include)
            yield answer
            seen += len(answer["tasks"])
            if not answer["tasks"] or seen >= int(answer["total"]):
                return
            page += 1

    def _shaped(
        self,
        answer: Any,  # noqa: ANN401
        shape: Shape | None,
        place: str,
        keys: Sequence[str] = (),
    ) -> Any:  # noqa: ANN401 - JSON
        if shape is not None and (wrong := misfit(answer, shape, keys)):
            raise _unanswered(f"the answer is none of Label Studio's: {wrong}", place)
        return answer

    def _once(self, method: str, path: str, query: Mapping[str, object], body: object) -> Any:  # noqa: ANN401 - JSON
        place = f"{method} {self.url}{path}"
        response = self._asked(method, path, query, body, place)
        if response.status_code == httpx.codes.UNAUTHORIZED:
            # A token may end before its time: sign in anew, once.
            self._sdk = self._signed_in()
            response = self._asked(method, path, query, body, place)
        if response.status_code in _NOT_LET_IN:
            raise _not_let_in(self._said(response), place)
        if response.is_redirect:
            to = response.headers.get("location", "another place")
            raise ServiceError(f"the server sends us on to {to}", where=place, fix=f"set {URL} to where it leads")
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS or response.is_server_error:
            raise _unanswered(f"the server answers {response.status_code}: {self._said(response)}", place, response)
        if not response.is_success:
            what = f"the server answers {response.status_code}: {self._said(response)}"
            raise ServiceError(what, where=place, fix=_fix_for(response.status_code))
        if not response.content:
            return None
        try:
            return response.json()
        except ValueError as error:
            if response.headers.get("content-type", "").startswith("text/html"):
                what = "the server answers with a page, not with data"
                fix = f"is {URL} the address of a Label Studio, {'1.23'} or later?"
                raise ServiceError(what, where=place, fix=fix) from error
            raise _unanswered("half an answer came", place) from error

    def _asked(self, method: str, path: str, query: Mapping[str, object], body: object, place: str) -> httpx.Response:
        try:
            # Its headers carry a fresh access token where the token is a personal one; no public way leads to them.
            headers = self._sdk._client_wrapper.get_headers()
            self._sent = str(headers["Authorization"])
            with self._client.stream(
                method,
                path,
                params={name: str(value) for name, value in query.items()},
                headers={"Authorization": headers["Authorization"]},
                json=body,
            ) as response:
                return self._whole(response)
        except ApiError as error:
            if error.status_code in _NOT_LET_IN:
                raise _not_let_in(self._untold(str(error.body))[:_SHOWN], place) from error
            raise _unanswered(f"no fresh token: the server answers {error.status_code}", place) from error
        except ValueError as error:
            # The page of a proxy before the server, where the answer to our token should be.
            raise _unanswered("no fresh token: the server answers with something else", place) from error
        except httpx.HTTPError as error:
            raise _unanswered(f"no answer: {type(error).__name__}: {error}", place) from error

    def _said(self, response: httpx.Response) -> str:
        """Return the beginning of what the server said, without the token: some tell what they were sent."""
        if response.headers.get("content-type", "").startswith("text/html"):
            return "(a page)"
        return self._untold(response.text.strip())[:_SHOWN] or "nothing more"

    def _untold(self, text: str) -> str:
        secrets = (self._sent.removeprefix("Bearer ").removeprefix("Token "), self._token)
        for secret in filter(None, secrets):
            text = text.replace(secret, "(the token)")
        return text

    def _whole(self, response: httpx.Response) -> httpx.Response:
        """Return a response with its body; one that only trickles is given up, or it would hold us for hours."""
        begun, body = time.monotonic(), bytearray()
        for part in response.iter_raw():
            body += part
            took = time.monotonic() - begun
            if took > self._timeout and len(body) < took * _SLOWEST:
                raise httpx.ReadTimeout(f"{len(body):,} bytes in {took:.0f} s")
        return httpx.Response(
            response.status_code, headers=response.headers, content=bytes(body), request=response.request
        )

    def _signed_in(self) -> LabelStudio:
        try:
            # With its slash, or the last part of an address such as https://example.org/label is taken off it.
            return LabelStudio(  # type: ignore[no-untyped-call]
                base_url=f"{self.url}/", api_key=self._token, max_retries=0, timeout=_TIMEOUT
            )
        except ApiError as error:
            raise ServiceError(
                f"the token is not good: {self._untold(str(error.body))}",
                where=self.url,
                fix=f"set {TOKEN} to a token that is",
            ) from error


def connect(data_root: Path) -> Connection:
    """Return the way to the server named in the environment, else to the local one.

    Raises:
        ConfigError: The file that holds the token cannot be used.
        ServiceError: There is neither.
    """
    url, token = os.environ.get(URL), read_secret(TOKEN)
    if url and token:
        return Connection(url, token)
    if url or token:
        missing = TOKEN if url else URL
        raise ServiceError(f"{missing} is not set", where="environment", fix=f"set both {URL} and {TOKEN}, or neither")
    local = running(data_root)
    if local is None:
        raise ServiceError(
            "no Label Studio runs here and none is named",
            where=str(data_root / "label-studio"),
            fix=f"run `make annotate` for a local one, or set {URL} and {TOKEN} for your team's",
        )
    return Connection(local.url, local.token)


def is_named() -> bool:
    """Return whether the environment names a server, be it by halves."""
    return bool(os.environ.get(URL)) or is_given(TOKEN)


def _refuse_impossible(url: str, token: str) -> None:
    try:
        address = httpx.URL(url)
        is_address = address.scheme in {"http", "https"} and bool(address.host)
    except httpx.InvalidURL:
        is_address = False
    problems = []
    if not is_address:
        fix = f"set {URL} to one such as https://label.example.org"
        problems.append(ServiceError(f"{url!r} is no address of a server", where=URL, fix=fix))
    if not token.isascii() or not token.isprintable() or " " in token:
        # What it is stays unsaid: it may be a good one with a mark too many.
        fix = f"set {TOKEN} to the token alone, as Label Studio shows it"
        problems.append(ServiceError("the token has characters that no token has", where=TOKEN, fix=fix))
    if problem := ServiceError.of(problems):
        raise problem


def _not_let_in(said: str, place: str) -> ServiceError:
    return ServiceError(
        f"the server does not let us in: {said}",
        where=place,
        fix=f"set {TOKEN} to a token of a person who may do this (Account & Settings, Personal Access Token)",
    )


def _unanswered(what: str, place: str, response: httpx.Response | None = None) -> UnansweredError:
    error = UnansweredError(
        what, where=place, fix="see that the server runs and can be reached, and run the command again"
    )
    after = response.headers.get("retry-after", "") if response is not None else ""
    error.wait = float(after) if after.isdecimal() else None
    return error


def _fix_for(code: int) -> str:
    if code == httpx.codes.NOT_FOUND:
        return f"is {URL} the address of a Label Studio, and does the project still exist?"
    return "if this stays so, the versions of Label Studio and tuneloop may not fit: `tuneloop annotate doctor`"
