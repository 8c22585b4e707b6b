"""S29, S44: a run directory from somebody else decides nothing and leads nowhere, and one's own is for oneself."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from fake_hosts import FakeHosts
from shop import BOAT, Service, Shop, imported_by_us

EMULATED = Path("runs") / "boat.emulated"


@pytest.fixture
def made(shop: Shop, service: Service) -> Path:
    """A run directory with one picture, which then goes through a stranger's hands."""
    assert service.books.counts()["tasks"] == 0
    shop.write()
    said = shop("run", "job.yaml", "--yes", "--quiet")
    assert said.code == 0, said.err
    return shop.folder / EMULATED


# S29: what a stranger can write into a journal.

STRANGERS_SQL = {
    "a trigger": "CREATE TRIGGER t AFTER INSERT ON events BEGIN UPDATE meta SET value = 'x'; END",
    "a view of its own": "CREATE VIEW evil AS SELECT load_extension('/tmp/evil.so')",
    "a table of its own": "CREATE TABLE evil (x)",
    "a column that is worked out": "ALTER TABLE events ADD COLUMN x TEXT GENERATED ALWAYS AS (hex(payload))",
    "another view": "DROP VIEW takes",
    "an event of no kind": "UPDATE events SET kind = '__import__'",
    "an event that is no JSON": "UPDATE events SET payload = '[[[' WHERE kind = 'Saved'",
    "a newer version": "PRAGMA user_version = 99",
}


@pytest.mark.parametrize("what", STRANGERS_SQL)
def test_s29_a_journal_that_is_not_ours_is_not_driven(shop: Shop, service: Service, made: Path, what: str) -> None:
    shop.change(made, STRANGERS_SQL[what])
    shop.write(BOAT.replace("paper", "tin"))

    said = shop("run", "job.yaml", "--yes", "--quiet")

    assert said.code == 7, said.err
    assert "Traceback" not in said.err
    assert service.books.counts()["tasks"] == 1, "that of the first run"


PENDING = {"id": "1", "status": "Pending"}


@pytest.mark.usefixtures("public")
@pytest.mark.parametrize(
    "url",
    ["https://api.bfl.ai.evil.test/v1/get_result?id=1", "https://cdn.evil.test/x", "https://evil@api.bfl.ai/x",
     "http://api.bfl.ai/x", "https://169.254.169.254/x", "file:///etc/passwd"],
)  # fmt: skip
def test_s29_a_polling_url_of_a_journal_is_judged_when_it_is_used(shop: Shop, hosts: FakeHosts, url: str) -> None:
    api = hosts["api.bfl.ai"].answers
    api["/v1/credits"] = (200, {}, b'{"credits": 100.0}')
    api["/v1/flux-2-klein-4b"] = (
        200, {}, json.dumps({"id": "1", "polling_url": "https://api.bfl.ai/v1/get_result?id=1"}).encode(),
    )  # fmt: skip
    api["/v1/get_result"] = (200, {}, json.dumps(PENDING).encode())
    shop.write(f"{BOAT}run: {{timeout: 1s}}\n")
    first = shop("run", "job.yaml", "--yes", "--quiet")
    assert first.code == 5, first.err
    asked = len(hosts["api.bfl.ai"].received)
    shop.change(
        shop.folder / "runs" / "boat",
        "UPDATE events SET payload = json_set(payload, '$.ticket.poll_url', ?) WHERE kind = 'Accepted'",
        url,
    )
    hosts.asked.clear()

    again = shop("run", "job.yaml", "--yes", "--quiet")

    assert again.code == 5, again.err
    assert len(hosts["api.bfl.ai"].received) == asked, "not even the service itself is asked at such an address"
    assert set(hosts.asked) <= {"api.bfl.ai"}
    assert hosts.everything(but=["api.bfl.ai"]) == ""


@pytest.mark.parametrize("path", ["../victim.png", "/victim.png", "a/../../victim.png", "..\\victim.png", "~/x.png"])
def test_s29_a_picture_that_a_journal_puts_outside_is_left_alone(
    shop: Shop, service: Service, made: Path, path: str
) -> None:
    victim = made.parent / "victim.png"
    victim.write_bytes((made / "boat.png").read_bytes())
    before = _tree(shop.folder, but=made)
    shop.change(made, "UPDATE events SET payload = json_set(payload, '$.path', ?) WHERE kind = 'Saved'", path)
    shop.write(f"{BOAT}output: {{path: moved}}\n")

    for command in (
        ("run", "job.yaml", "--yes", "--quiet"), ("sheet", made), ("export", made, "--to", "out"),
        ("retry", made, "--missing", "--yes", "--quiet"), ("status", made), ("ledger", made),
    ):  # fmt: skip
        said = shop(*command)

        assert said.code != 8, said.err

    after = _tree(shop.folder, but=made)
    assert {name: size for name, size in after.items() if not name.startswith("out")} == before
    assert service.books.counts()["tasks"] <= 2, "the picture may be bought again when a person asks; nothing more"


LINKS = (".probe.part", ".probe", "driver.json", "lock", "journal.db.new", "originals", "emulator.db", "journal.db")


@pytest.mark.parametrize("name", LINKS)
def test_s29_nothing_is_written_through_a_link_beside_the_journal(shop: Shop, name: str) -> None:
    inner = shop.folder / EMULATED / ".flux2batch"
    inner.mkdir(parents=True)
    victim = shop.folder / "victim"
    if name == "originals":
        victim.mkdir()
    else:
        victim.write_text("mine", encoding="utf-8")
    (inner / name).symlink_to(victim)
    shop.write(f"{BOAT}output: {{path: a}}\n".replace("256x256", "{exact: 200x200}"))

    said = shop("run", "job.yaml", "--emulate", "--quiet")

    assert said.code == 4, said.err
    assert "is a symbolic link" in said.err
    assert list(victim.iterdir()) == [] if victim.is_dir() else victim.read_text(encoding="utf-8") == "mine"


def test_s29_the_inner_folder_itself_may_be_no_link(shop: Shop) -> None:
    (shop.folder / "elsewhere").mkdir()
    (shop.folder / EMULATED).mkdir(parents=True)
    (shop.folder / EMULATED / ".flux2batch").symlink_to(shop.folder / "elsewhere")
    shop.write()

    said = shop("run", "job.yaml", "--emulate", "--quiet")

    assert (said.code, "is a symbolic link" in said.err) == (4, True)
    assert list((shop.folder / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("name", ["plan.jsonl", "ledger.csv", "ledger.jsonl", "index.html"])
@pytest.mark.usefixtures("service")
def test_s29_no_page_of_ours_is_written_through_a_link(shop: Shop, name: str) -> None:
    root = shop.folder / EMULATED
    root.mkdir(parents=True)
    victims = [shop.folder / "victim", shop.folder / "other"]
    for victim, planted in zip(victims, (name, f".{name}.part"), strict=True):
        victim.write_text("mine", encoding="utf-8")
        (root / planted).symlink_to(victim)
    shop.write()

    shop("run", "job.yaml", "--yes", "--quiet")

    assert [victim.read_text(encoding="utf-8") for victim in victims] == ["mine", "mine"]


def test_s29_a_sheet_folder_that_is_a_link_gets_no_thumbnails(shop: Shop, made: Path) -> None:
    (shop.folder / "elsewhere").mkdir()
    for file in (made / ".sheet").iterdir():
        file.unlink()
    (made / ".sheet").rmdir()
    (made / ".sheet").symlink_to(shop.folder / "elsewhere")

    said = shop("sheet", made)

    assert (said.code, "symlink" in said.err) == (7, True)
    assert list((shop.folder / "elsewhere").iterdir()) == []


def test_s29_nothing_is_read_by_a_module_that_runs_what_it_reads() -> None:
    """pickle and its kind make of a file whatever its author wants."""
    assert not imported_by_us() & {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}


# S44: rights.


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such rights")
@pytest.mark.usefixtures("service")
@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_s44_a_run_directory_is_its_owners_and_pictures_go_by_the_umask(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, mask: int
) -> None:
    shop.write()
    config = shop.folder / "config.toml"
    config.write_text("[limits]\nper_day_usd = 5\n", encoding="utf-8")
    monkeypatch.setenv("FLUX2BATCH_CONFIG", str(config))
    before = os.umask(mask)
    try:
        assert shop("run", "job.yaml", "--yes", "--quiet").code == 0
    finally:
        os.umask(before)
    root = shop.folder / EMULATED
    state = Path(os.environ["XDG_STATE_HOME"]) / "flux2batch"

    assert _rights(root) == _rights(root / ".flux2batch") == _rights(state) == 0o700
    private = [*(root / ".flux2batch").glob("journal.db*"), *state.glob("*.db*")]
    assert {_rights(file) for file in private} == {0o600}
    assert _rights(root / "boat.png") == 0o666 & ~mask


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such rights")
@pytest.mark.usefixtures("service")
def test_s44_a_folder_that_was_there_keeps_its_rights(shop: Shop) -> None:
    shop.write()
    mine = shop.folder / "mine"
    mine.mkdir(mode=0o755)
    mine.chmod(0o755)

    assert shop("run", "job.yaml", "--yes", "--quiet", "--out", mine).code == 0

    assert _rights(mine) == 0o755
    assert _rights(mine / ".flux2batch") == 0o700


def _rights(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _tree(folder: Path, *, but: Path) -> dict[str, int]:
    return {
        str(path.relative_to(folder)): path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file() and not path.is_relative_to(but) and path.name != "job.yaml"
    }
