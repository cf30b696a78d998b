"""Papers as stores read them."""

import zlib

import pytest

from shared.ports.documents import Document, DocumentKind, UnreadableRecord
from shared.store.documents import readable_paper


@pytest.mark.parametrize("mark", ["live-open", None])
def test_a_paper_is_its_json_object_and_its_mark(mark):
    assert readable_paper(DocumentKind.CONTROLS, "one", lambda: b'{"at": 1}', mark, "7") == Document("one", {"at": 1}, mark, revision="7")


@pytest.mark.parametrize(
    ("text", "mark"), [("[]", None), ("7", None), ("", None), ('{"at": 1}', 7), ('{"at": 1}', ["live-open"]), (b"\xff", None)], ids=str
)
def test_a_damaged_document_is_logged_and_replaceable_at_its_revision(caplog, text, mark):
    with pytest.raises(UnreadableRecord) as raised:
        readable_paper(DocumentKind.CONTROLS, "one", lambda: text, mark, "7")
    assert raised.value.revision == "7"
    assert [(line.levelname, line.message, line.fields) for line in caplog.records] == [
        ("CRITICAL", "record not readable", {"kind": DocumentKind.CONTROLS, "paper_id": "one"})
    ]


def test_a_body_that_cannot_be_unpacked_is_no_paper():
    with pytest.raises(UnreadableRecord):
        readable_paper(DocumentKind.CONTROLS, "one", lambda: zlib.decompress(b"not packed"), None, "7")
