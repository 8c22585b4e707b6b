"""Keys come from the environment or .env, are never shown, and what is wrong with them is said before they are sent."""

from __future__ import annotations

import copy
import logging
import os
import pickle
import traceback
from pathlib import Path

import pytest

from flux2batch.planning.keys import Key, find_keys, key_fault
from flux2batch.secret import Secret

CANARY = "bfl_canary0123456789abcdefWXYZ"
FAL = "0a1b2c3d-0000-4000-8000-000000000000:0123456789abcdef0123456789abcdef"


def dotenv(folder: Path, text: str) -> Path:
    (folder / ".env").write_text(text, encoding="utf-8")
    return folder


def test_a_key_is_found_in_the_environment_first() -> None:
    keys, problems = find_keys({"BFL_API_KEY": CANARY, "FAL_KEY": ""}, [])

    assert keys["bfl"] == Key(provider="bfl", secret=Secret(CANARY), origin="environment")
    assert "fal" not in keys
    assert problems == ()


@pytest.mark.parametrize(
    "line",
    [
        f"BFL_API_KEY={CANARY}",
        f"export BFL_API_KEY={CANARY}",
        f"  BFL_API_KEY = {CANARY}  ",
        f'BFL_API_KEY="{CANARY}"',
        f"BFL_API_KEY='{CANARY}' # mine",
        f"BFL_API_KEY={CANARY} # mine",
        f"\ufeffBFL_API_KEY={CANARY}",
        f"# a comment\r\n\r\nBFL_API_KEY={CANARY}\r\n",
    ],
)
def test_a_key_is_read_from_dotenv(tmp_path: Path, line: str) -> None:
    keys, problems = find_keys({}, [dotenv(tmp_path, line)])

    assert keys["bfl"].secret.reveal() == CANARY
    assert keys["bfl"].origin == str(tmp_path / ".env")
    assert problems == ()


def test_dotenv_does_not_win_over_the_environment(tmp_path: Path) -> None:
    keys, _ = find_keys({"BFL_API_KEY": CANARY}, [dotenv(tmp_path, "BFL_API_KEY=bfl_other")])

    assert keys["bfl"].secret.reveal() == CANARY


def test_the_nearer_dotenv_wins(tmp_path: Path) -> None:
    near, far = tmp_path / "near", tmp_path / "far"
    near.mkdir()
    far.mkdir()
    dotenv(near, f"BFL_API_KEY={CANARY}")
    dotenv(far, f"BFL_API_KEY=bfl_other\nFAL_KEY={FAL}")

    keys, _ = find_keys({}, [near, far, near])

    assert (keys["bfl"].secret.reveal(), keys["fal"].secret.reveal()) == (CANARY, FAL)


DANGEROUS = [
    "HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "BFL_BASE_URL", "FAL_BASE_URL", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "PYTHONPATH", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "FLUX2BATCH_CONFIG", "LD_PRELOAD",
]  # fmt: skip


@pytest.mark.parametrize("name", DANGEROUS)
def test_nothing_but_the_two_keys_is_read_from_dotenv(tmp_path: Path, name: str) -> None:
    before = dict(os.environ)

    keys, problems = find_keys({}, [dotenv(tmp_path, f"{name}=http://evil.example\nFAL_KEY={FAL}\n")])

    assert set(keys) == {"fal"}
    assert [(problem.code, problem.severity) for problem in problems] == [("FB803", "warning")]
    assert problems[0].message == f"{name} in .env is not read"
    assert problems[0].where is not None
    assert problems[0].where.line == 1
    assert dict(os.environ) == before, "a .env changes nobody's environment"
    assert "evil" not in str(problems)


def test_a_dotenv_that_is_no_file_is_passed_over(tmp_path: Path) -> None:
    pipe, folder, endless = tmp_path / "pipe", tmp_path / "folder", tmp_path / "endless"
    for each in (pipe, folder, endless):
        each.mkdir()
    os.mkfifo(pipe / ".env")
    (folder / ".env").mkdir()
    (endless / ".env").symlink_to("/dev/zero")

    assert find_keys({}, [pipe, folder, endless, tmp_path / "missing"]) == ({}, ())


# What is wrong with a key.


@pytest.mark.parametrize(
    ("provider", "text", "why"),
    [
        ("bfl", CANARY + "\n", "ends with a line break"),
        ("bfl", " " + CANARY, "has spaces around it"),
        ("bfl", "   ", "has spaces around it"),
        ("bfl", f'"{CANARY}"', "has quotes around it"),
        ("bfl", f"'{CANARY}", "has quotes around it"),
        ("bfl", f"Bearer {CANARY}", "begins with 'Bearer'"),
        ("fal", f"Key {FAL}", "begins with 'Key'"),
        ("bfl", "bfl_abc def", "has spaces or control characters in it"),
        ("bfl", "bfl_abc\x00def", "has spaces or control characters in it"),
        ("bfl", "bfl_äbc", "has characters in it that no key has"),
        ("bfl", FAL, "looks like a fal key"),
        ("fal", CANARY, "looks like a BFL key"),
    ],
)
def test_a_key_that_cannot_be_right_is_refused_without_being_shown(provider: str, text: str, why: str) -> None:
    fault = key_fault(provider, Key(provider=provider, secret=Secret(text), origin="environment"))

    assert fault is not None
    assert fault.code == "FB802"
    assert why in fault.message
    assert text.strip(" \"'\n") not in f"{fault.message} {fault.help}" or not text.strip()


@pytest.mark.parametrize(("provider", "text"), [("bfl", CANARY), ("bfl", "0" * 36), ("fal", FAL)])
def test_a_key_that_may_be_right_is_not_judged_further(provider: str, text: str) -> None:
    assert key_fault(provider, Key(provider=provider, secret=Secret(text), origin="environment")) is None


@pytest.mark.parametrize(("provider", "name"), [("bfl", "BFL_API_KEY"), ("fal", "FAL_KEY")])
def test_a_missing_key_says_where_to_get_one(provider: str, name: str) -> None:
    fault = key_fault(provider, None)

    assert fault is not None
    assert (fault.code, fault.message) == ("FB801", f"no {name} in the environment or in .env")
    assert "https://" in (fault.help or "")


# A secret.


def test_a_secret_shows_its_last_four_characters_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    secret = Secret(CANARY)
    key = Key(provider="bfl", secret=secret, origin="environment")
    logging.getLogger().warning("%s %r %s", secret, key, {"key": secret})

    shown = [repr(secret), str(secret), f"{secret}", f"{secret:>20}", repr(key), "%s" % secret, caplog.text]  # noqa: UP031  # one of the ways to print it

    assert str(secret) == "****WXYZ"
    assert not [text for text in shown if "canary" in text]


def test_a_short_secret_shows_nothing() -> None:
    assert str(Secret("hunter2")) == "****"


def test_a_traceback_does_not_show_a_secret() -> None:
    def send(key: Secret) -> None:
        raise RuntimeError(f"refused: {key}")

    try:
        send(Secret(CANARY))
    except RuntimeError as refused:
        shown = "".join(traceback.TracebackException.from_exception(refused, capture_locals=True).format())

    assert "canary" not in shown.replace("send(Secret(CANARY))", "")


def test_a_secret_cannot_be_written_down_or_copied() -> None:
    for write in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="never written down"):
            write(Secret(CANARY))


def test_secrets_are_equal_by_their_text() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1
