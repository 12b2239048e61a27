import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.seal import NewerFormatError, sealed, unseal
from schemas import Manifest

MANIFEST = Manifest(stage="dedupe", version="9f3c", rows=11, columns={"id": "string"}, files=[])
TEXT = sealed(MANIFEST)


def test_a_sealed_file_is_plain_json_and_reads_as_it_was():
    assert json.loads(TEXT)["rows"] == 11
    assert unseal(TEXT.encode(), Manifest) == MANIFEST


@given(st.integers(0, 8 * len(TEXT.encode()) - 1))
def test_no_bit_can_change_unseen(bit):
    raw = bytearray(TEXT.encode())
    raw[bit // 8] ^= 1 << bit % 8
    assert refused(bytes(raw))


@given(st.integers(0, len(TEXT) - 1))
def test_no_end_can_be_lost_unseen(size):
    assert refused(TEXT.encode()[:size])


def test_a_file_from_before_there_were_checksums_is_read():
    old = MANIFEST.model_dump_json(exclude={"checksum", "documents"})
    assert unseal(old.encode(), Manifest) == MANIFEST


def test_a_file_of_a_later_format_is_not_called_damaged():
    later = {**json.loads(TEXT), "format": 2, "shards": []}
    with pytest.raises(NewerFormatError) as caught:
        unseal(json.dumps(later).encode(), Manifest)
    assert caught.value.what == "a later tuneloop wrote this store: its format is 2, and this one reads up to 1"
    assert "git pull" in caught.value.fix


def test_a_later_format_with_the_same_fields_is_refused_too():
    with pytest.raises(NewerFormatError):
        unseal(sealed(MANIFEST.model_copy(update={"format": 2})).encode(), Manifest)


def test_what_is_no_manifest_stays_a_validation_error():
    with pytest.raises(ValidationError):
        unseal(b"{}", Manifest)


def refused(raw: bytes) -> bool:
    try:
        unseal(raw, Manifest)
    except ValueError:
        return True
    return False
