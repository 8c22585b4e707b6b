"""The addresses of takes: their own, unguessable, and known again by a later process."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from flux2batch.planning.shot import ShotId
from flux2batch.webhooks.seals import KEY_FILE, Address, Seals, key_in

SHOT = ShotId("0123456789abcdef" * 2)
HERE = Address(service="bfl", shot=SHOT, take=1)
OTHERS = [
    Address(service="fal", shot=SHOT, take=1),
    Address(service="bfl", shot=ShotId("f" * 32), take=1),
    Address(service="bfl", shot=SHOT, take=2),
]


@pytest.fixture
def seals(tmp_path: Path) -> Seals:
    return Seals(key_in(tmp_path), run_directory_id="here", base_url="https://public.example/hook/")


def path_of(seals: Seals, address: Address) -> str:
    return seals.hook(address).url.removeprefix("https://public.example")


def test_an_address_is_read_back(seals: Seals) -> None:
    assert path_of(seals, HERE).startswith(f"/hook/bfl-{SHOT}-1-")
    assert seals.read(path_of(seals, HERE)) == HERE


def test_a_proxy_may_change_what_stands_before(seals: Seals) -> None:
    assert seals.read("/elsewhere" + path_of(seals, HERE).rpartition("/hook")[2]) == HERE
    assert seals.read(path_of(seals, HERE).removeprefix("/hook") + "?from=proxy") == HERE


def test_each_take_has_an_address_and_a_secret_of_its_own(seals: Seals) -> None:
    hooks = [seals.hook(address) for address in (HERE, *OTHERS)]

    for one, other in itertools.combinations(hooks, 2):
        assert one.seal != other.seal
        assert one.secret != other.secret
    assert all(hook.seal.reveal() not in hook.secret.reveal() for hook in hooks)
    assert len(hooks[0].seal.reveal()) == 32  # 128 bits


def test_no_seal_fits_another_take(seals: Seals) -> None:
    seal = seals.hook(HERE).seal.reveal()

    for other in OTHERS:
        assert seals.read(f"/hook/{other.service}-{other.shot}-{other.take}-{seal}") is None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path[:-1] + ("0" if path[-1] != "0" else "1"),
        lambda path: path[:-1],
        lambda path: path + "0",
        lambda path: path.upper(),
        lambda path: path.replace("-1-", "-01-"),
        lambda path: path.replace("-1-", "-１-"),
        lambda path: path + "/",
        lambda path: path + "\n",
        lambda _: "/",
        lambda _: "",
    ],
)
def test_what_is_not_an_address_is_none(seals: Seals, spoil: object) -> None:
    assert seals.read(spoil(path_of(seals, HERE))) is None  # type: ignore[operator]  # a function of the table


def test_another_run_directory_has_other_addresses_and_so_has_another_user(seals: Seals, tmp_path: Path) -> None:
    other_run = Seals(key_in(tmp_path), run_directory_id="there", base_url="https://public.example/hook")
    other_user = Seals(key_in(tmp_path / "other"), run_directory_id="here", base_url="https://public.example/hook")

    assert other_run.read(path_of(seals, HERE)) is None
    assert other_user.read(path_of(seals, HERE)) is None


def test_a_later_process_knows_the_addresses_again(seals: Seals, tmp_path: Path) -> None:
    assert (
        Seals(key_in(tmp_path), run_directory_id="here", base_url="https://moved.example").read(path_of(seals, HERE))
        == HERE
    )


def test_the_key_is_its_owners_alone_and_is_not_shown(seals: Seals, tmp_path: Path) -> None:
    hook = seals.hook(HERE)

    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
    for text in (repr(seals), repr(hook), str(hook), f"{hook}"):
        assert hook.seal.reveal() not in text
        assert hook.secret.reveal() not in text


@pytest.mark.parametrize("content", [b"", b"0" * 10, b"x" * 65, b"\xff" * 65])
def test_a_key_that_cannot_be_read_is_made_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / KEY_FILE).write_bytes(content)

    key = key_in(tmp_path)

    assert len(key) == 32
    assert key_in(tmp_path) == key


def test_a_key_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    key = key_in(tmp_path)
    (tmp_path / KEY_FILE).chmod(0o644)

    assert key_in(tmp_path) == key

    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
