"""The journey of a newcomer: sign in, upload, list, download, delete."""

from tests.support.bodies import FILES, multipart, part
from tests.support.people import Person


def test_a_file_makes_the_whole_journey(alice: Person) -> None:
    content = (FILES / "reportlab.pdf").read_bytes()
    stored = alice.upload("report.pdf", content, "application/pdf")
    assert stored.status_code == 200
    [file] = stored.get_json()["files"]
    assert file["filename"] == "report.pdf"
    assert [d["id"] for d in alice.get("/api/documents").get_json()["documents"]] == [file["id"]]
    with alice.get(f"/api/documents/{file['id']}/content") as download:
        assert download.data == content
    assert alice.delete(f"/api/documents/{file['id']}").status_code == 200
    assert alice.get("/api/documents").get_json()["documents"] == []


def test_text_fields_are_echoed(alice: Person) -> None:
    answer = alice.send(multipart(part("note", None, b"for you"), part()))
    assert answer.get_json()["fields"] == {"note": "for you"}
