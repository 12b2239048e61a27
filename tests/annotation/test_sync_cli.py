"""The commands around the server, where they need none."""

from pathlib import Path

import pytest

from annotation.sync_cli import start
from schemas import ServiceError


def test_half_a_named_server_starts_none_on_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABEL_STUDIO_URL", "https://labels.example.org")
    monkeypatch.delenv("LABEL_STUDIO_API_KEY", raising=False)
    with pytest.raises(ServiceError, match="LABEL_STUDIO_API_KEY is not set"):
        start(data_root=tmp_path)
    assert list(tmp_path.iterdir()) == []
