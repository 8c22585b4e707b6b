"""S21 to S28: what is asked of whom, and where the key goes, seen from the hosts that receive it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import canary
import pytest
from fake_hosts import FakeHosts
from PIL import Image

from flux2batch.client import Client
from flux2batch.emulator.server import Emulator
from flux2batch.engine.events import (
    Downloaded,
    DownloadFailed,
    Fetched,
    PollFailed,
    Ticket,
    Unanswered,
)
from flux2batch.errors import AnswerLost, InvalidInput, Refused, RequestRejected
from flux2batch.library import load
from flux2batch.planning.configuration import load_configuration
from flux2batch.planning.references.urls import judge_url
from flux2batch.providers import registry, transport
from flux2batch.providers.contract import Prepared, Provider
from flux2batch.providers.hosts import BFL, FAL, Forbidden, is_public_address, judge
from flux2batch.providers.wire import fetch_reference
from flux2batch.secret import Secret

CANARY, FAL_CANARY = canary.BFL, canary.FAL
WITH_BFL_KEY = ("api.bfl.ai", "api.eu2.bfl.ai")


def png() -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (64, 64), "teal").save(buffer, "PNG")
    return buffer.getvalue()


PNG = png()


Make = Callable[..., Provider]


@pytest.fixture
def provider() -> Iterator[Make]:
    """A provider as a run makes it, with the canary for its key."""
    made: list[Provider] = []

    def make(name: str, base_url: str | None = None) -> Provider:
        key = Secret(CANARY if name == "bfl" else FAL_CANARY)
        made.append(registry.make(name, load_configuration(environ={}), base_url=base_url, key=key))
        return made[-1]

    yield make
    for one in made:
        one.close()


def ticket(name: str, url: str) -> Ticket:
    return Ticket(
        provider=name, model=f"{name}/flux-2", endpoint="/x", task_id="1", poll_url=url, result_url=url, cancel_url=url
    )


def as_json(value: object) -> bytes:
    return json.dumps(value).encode()


# S21: reference URLs, judged by their text before anything is sent.

NEVER_HANDED_ON = (
    "http://example.com/a.png", "file:///etc/passwd", "ftp://example.com/a.png", "gopher://example.com/a",
    "https://localhost/a.png", "https://LOCALHOST/a.png", "https://intranet/a.png", "https://nas.local/a.png",
    "https://metadata.google.internal/a", "https://127.0.0.1/a.png", "https://127.1/a.png", "https://0/a.png",
    "https://2130706433/a.png", "https://0x7f000001/a.png", "https://0x7f.1/a.png", "https://0177.0.0.1/a.png",
    "https://10.0.0.1/a.png", "https://172.16.0.1/a.png", "https://192.168.1.1/a.png", "https://169.254.169.254/a",
    "https://100.100.100.200/a", "https://192.0.0.192/a", "https://[::]/a.png", "https://[::1]/a.png",
    "https://[::ffff:127.0.0.1]/a.png", "https://[64:ff9b::7f00:1]/a.png", "https://[2002:7f00:1::]/a.png",
    "https://[fe80::1%25eth0]/a.png", "https://me:pw@example.com/a.png", "https://example.com@127.0.0.1/a.png",
    "https://example.com:22/a.png", "https://example.com:8443/a.png", "https://exa mple.com/a.png",
    "https://example.com\\@127.0.0.1/a.png", "https://example.com/a\r\nX: 1", "https:///a.png", "https://пример.рф/a.png",
)  # fmt: skip


@pytest.mark.parametrize("url", NEVER_HANDED_ON)
def test_s21_a_reference_url_that_leads_inside_is_not_handed_on(url: str):
    assert judge_url(url) is not None


def test_s21_an_ordinary_reference_url_is_handed_on():
    assert judge_url("https://example.com/a.png?width=100") is None


INSIDE = ("127.0.0.1", "127.255.255.254", "10.1.2.3", "172.31.255.255", "192.168.0.1", "169.254.169.254", "0.0.0.0",
          "100.64.0.1", "192.0.0.192", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
          "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1",
          "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::", "2001::1", "2001:db8::1", "nonsense", "")  # fmt: skip


@pytest.mark.parametrize("address", INSIDE)
def test_s21_an_address_inside_is_not_public(address: str):
    assert not is_public_address(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1"])
def test_s21_an_address_outside_is_public(address: str):
    assert is_public_address(address)


# S22: a name that leads inside, whatever it led to when somebody looked.


@pytest.mark.parametrize("fetch", ["a reference", "a picture"])
def test_s22_a_name_that_is_rebound_to_loopback_is_hung_up_on_before_a_word_is_said(
    hosts: FakeHosts, provider: Make, fetch: str
):
    hosts["cdn.evil.test"].answers["/a.png"] = (200, {}, PNG)
    url = "https://cdn.evil.test/a.png"
    outcome: Downloaded = fetch_reference(url, proxy=None) if fetch == "a reference" else provider("bfl").fetch(url)

    assert isinstance(outcome, DownloadFailed)
    assert "not a public one" in outcome.reason
    assert hosts.asked == ["cdn.evil.test"]
    assert hosts.everything() == ""


# S23: redirects, each hop judged again.

HOPS = {
    "to http": "http://cdn.evil.test/a.png",
    "to a file": "file:///etc/passwd",
    "to an address inside": "https://169.254.169.254/latest/meta-data",
    "to loopback": "https://127.0.0.1/a.png",
    "to another port": "https://cdn.evil.test:8443/a.png",
    "to itself for ever": "/a.png",
}


@pytest.mark.parametrize("hop", HOPS)
@pytest.mark.usefixtures("public")
def test_s23_a_redirected_reference_is_judged_at_each_hop(hosts: FakeHosts, hop: str):
    hosts["cdn.evil.test"].answers["/a.png"] = (302, {"Location": HOPS[hop]}, b"")
    outcome = fetch_reference("https://cdn.evil.test/a.png", proxy=None)

    assert isinstance(outcome, DownloadFailed)
    assert len(hosts["cdn.evil.test"].received) == (4 if hop == "to itself for ever" else 1)
    assert hosts.everything(but=("cdn.evil.test",)) == ""


@pytest.mark.parametrize("hop", [hop for hop in HOPS if hop not in ("to loopback", "to an address inside")])
@pytest.mark.usefixtures("public")
def test_s23_a_redirected_picture_is_judged_at_each_hop(hosts: FakeHosts, provider: Make, hop: str):
    hosts["delivery-eu1.bfl.ai"].answers["/a.png"] = (302, {"Location": HOPS[hop]}, b"")
    outcome = provider("bfl").fetch("https://delivery-eu1.bfl.ai/a.png")

    assert isinstance(outcome, DownloadFailed)
    assert hosts.everything(but=("delivery-eu1.bfl.ai",)) == ""


def test_s23_a_picture_that_is_redirected_inside_stays_where_it_is(
    hosts: FakeHosts, provider: Make, monkeypatch: pytest.MonkeyPatch
):
    # Each host plays its own part: the second one's address is inside.
    addresses = iter([True, False])
    monkeypatch.setattr(transport, "is_public_address", lambda _address: next(addresses))
    hosts["delivery-eu1.bfl.ai"].answers["/a.png"] = (302, {"Location": "https://169.254.169.254/latest"}, b"")
    outcome = provider("bfl").fetch("https://delivery-eu1.bfl.ai/a.png")

    assert isinstance(outcome, DownloadFailed)
    assert "not a public one" in outcome.reason
    assert hosts["169.254.169.254"].received == []


@pytest.mark.usefixtures("public")
def test_s23_a_picture_that_moved_to_a_decent_host_is_fetched_there(hosts: FakeHosts, provider: Make):
    hosts["delivery-eu1.bfl.ai"].answers["/a.png"] = (302, {"Location": "https://cdn.evil.test/b.png"}, b"")
    hosts["cdn.evil.test"].answers["/b.png"] = (200, {"Content-Type": "image/png"}, PNG)
    outcome = provider("bfl").fetch("https://delivery-eu1.bfl.ai/a.png")

    assert isinstance(outcome, Fetched)
    assert outcome.content == PNG
    assert outcome.remark == "the picture came from cdn.evil.test, which is not a known delivery host"
    assert CANARY not in hosts.everything()


# S24: the key and URLs that come out of answers and old journals.

FOREIGN = {
    "bfl": (
        "https://api.bfl.ai.evil.test/v1/get_result?id=1", "https://cdn.evil.test/v1/get_result?id=1",
        "https://evil@api.bfl.ai/v1/get_result?id=1", "https://api.bfl.ai:8443/v1/get_result?id=1",
        "http://api.bfl.ai/v1/get_result?id=1", "https://delivery-eu1.bfl.ai/v1/get_result?id=1",
        "https://api.bfl.ai\\@cdn.evil.test/x", "https://cdn.evil.test#@api.bfl.ai/x", "https://api-bfl.ai/x",
        "https://apixbfl.ai/x", "https://api.bfl.ai./x", "https://api.a.b.bfl.ai/x", "https://bfl.ai/x",
        "https://queue.fal.run/x", "https://127.0.0.1/x", "file:///etc/passwd", "",
    ),
    "fal": (
        "https://queue.fal.run.evil.test/x", "https://fal.run/x", "https://v3b.fal.media/x",
        "http://queue.fal.run/x", "https://queue.fal.run:8443/x", "https://evil@queue.fal.run/x",
        "https://api.bfl.ai/x", "https://queue-fal.run/x",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "url"), [(name, url) for name, urls in FOREIGN.items() for url in urls])
@pytest.mark.usefixtures("public")
def test_s24_a_foreign_polling_url_gets_no_key_and_not_even_a_visit(
    hosts: FakeHosts, provider: Make, name: str, url: str
):
    outcome = provider(name).poll(ticket(name, url))

    assert isinstance(outcome, PollFailed), "the take stays accepted"
    assert hosts.everything() == ""
    assert hosts.asked == []


@pytest.mark.parametrize("host", WITH_BFL_KEY)
def test_s24_the_services_own_polling_hosts_get_it(hosts: FakeHosts, provider: Make, host: str):
    provider("bfl").poll(ticket("bfl", f"https://{host}/v1/get_result?id=1"))

    assert f"x-key: {CANARY}" in hosts[host].received[0]


def test_s24_the_rules_are_the_same_for_every_url_of_a_service():
    assert all(isinstance(judge(url, purpose="api", rules=BFL), Forbidden) for url in FOREIGN["bfl"])
    assert all(isinstance(judge(url, purpose="api", rules=FAL), Forbidden) for url in FOREIGN["fal"])


# S25: redirects of what carries the key.

REDIRECTS = (301, 302, 303, 307, 308)
TARGETS = ("https://cdn.evil.test/steal", "https://api.bfl.ai:8443/steal", "http://api.bfl.ai/steal",
           "https://api.eu2.bfl.ai/v1/flux-2-pro")  # fmt: skip


@pytest.mark.parametrize("status", REDIRECTS)
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.usefixtures("public")
def test_s25_nothing_that_carries_the_key_is_redirected(hosts: FakeHosts, provider: Make, status: int, target: str):
    for path in ("/v1/flux-2-pro", "/v1/get_result"):
        hosts["api.bfl.ai"].answers[path] = (status, {"Location": target}, b"")
    bfl = provider("bfl")
    prepared = Prepared(model="bfl/flux-2-pro", path="/v1/flux-2-pro", body=b"{}", shot_id="0" * 32)
    submitted = bfl.send(bfl.connect(prepared), prepared)
    polled = bfl.poll(ticket("bfl", "https://api.bfl.ai/v1/get_result?id=1"))

    assert isinstance(submitted, Unanswered)
    assert isinstance(polled, PollFailed)
    assert len(hosts["api.bfl.ai"].received) == 2
    assert hosts.everything(but=("api.bfl.ai",)) == ""


# S26: the whole way of a picture, seen from six hosts.


@pytest.mark.usefixtures("public")
def test_s26_of_six_hosts_only_those_of_the_api_see_the_key(hosts: FakeHosts):
    poll_url = "https://api.eu2.bfl.ai/v1/get_result?id=1"
    ready = {"id": "1", "status": "Ready", "result": {"sample": "https://delivery-eu1.bfl.ai/a.png?sig=s", "seed": 1}}
    hosts["api.bfl.ai"].answers["/v1/flux-2-pro"] = (200, {}, as_json({"id": "1", "polling_url": poll_url}))
    hosts["api.eu2.bfl.ai"].answers["/v1/get_result"] = (200, {"Set-Cookie": "a=b"}, as_json(ready))
    hosts["delivery-eu1.bfl.ai"].answers["/a.png"] = (307, {"Location": "https://cdn.evil.test/a.png"}, b"")
    hosts["cdn.evil.test"].answers["/a.png"] = (200, {"Content-Type": "image/png"}, PNG)
    with Client("bfl/flux-2-pro", api_key=CANARY) as client:
        result = client.generate("a paper boat", size="512x512", timeout=20)

    assert result.images[0].content == PNG
    assert [len(hosts[name].received) for name in ("api.bfl.ai", "api.eu2.bfl.ai")] == [1, 1]
    assert all(CANARY in hosts[name].received[0] for name in WITH_BFL_KEY)
    assert CANARY not in hosts.everything(but=WITH_BFL_KEY)
    assert "a=b" not in hosts.everything()


@pytest.mark.usefixtures("public")
def test_s26_of_fals_hosts_only_the_queue_sees_the_key(hosts: FakeHosts):
    base = "https://queue.fal.run/fal-ai/flux-2/requests/1"
    told = {"request_id": "1", "status_url": f"{base}/status", "response_url": base, "cancel_url": f"{base}/cancel"}
    image = {"url": "https://v3b.fal.media/files/a.png", "width": 64, "height": 64}
    queue = hosts["queue.fal.run"].answers
    queue["/fal-ai/flux-2"] = (200, {}, as_json(told))
    queue["/fal-ai/flux-2/requests/1/status"] = (200, {}, as_json({"status": "COMPLETED"}))
    queue["/fal-ai/flux-2/requests/1"] = (200, {"x-fal-billable-units": "1"}, as_json({"images": [image], "seed": 1}))
    hosts["v3b.fal.media"].answers["/files/a.png"] = (200, {}, PNG)
    with Client("fal/flux-2", api_key=FAL_CANARY) as client:
        client.generate("a paper boat", size="512x512", timeout=20)

    assert all(f"Authorization: Key {FAL_CANARY}" in request for request in hosts["queue.fal.run"].received)
    assert len(hosts["v3b.fal.media"].received) == 1
    assert FAL_CANARY.partition(":")[2] not in hosts.everything(but=("queue.fal.run",))


@pytest.mark.usefixtures("public")
def test_s26_a_custom_base_url_opens_its_own_origin_alone(hosts: FakeHosts, provider: Make):
    hosts.may_see_the_key.add("cdn.evil.test")  # a person says so, in the environment or the configuration
    bfl = provider("bfl", "https://cdn.evil.test")
    prepared = Prepared(model="bfl/flux-2-pro", path="/v1/flux-2-pro", body=b"{}", shot_id="0" * 32)
    bfl.send(bfl.connect(prepared), prepared)
    polled = bfl.poll(ticket("bfl", "https://api.bfl.ai.evil.test/v1/get_result?id=1"))

    assert CANARY in hosts["cdn.evil.test"].received[0]
    assert isinstance(polled, PollFailed)
    assert CANARY not in hosts.everything(but=("cdn.evil.test",))


def test_s26_a_base_url_on_loopback_reaches_nobody_else(hosts: FakeHosts, provider: Make):
    bfl = provider("bfl", "http://127.0.0.1:9")
    polled = bfl.poll(ticket("bfl", "https://api.bfl.ai/v1/get_result?id=1"))
    fetched = bfl.fetch("https://delivery-eu1.bfl.ai/a.png")

    assert isinstance(polled, PollFailed)
    assert isinstance(fetched, DownloadFailed)
    assert hosts.asked == []


# S27: what a job may not set.


@pytest.mark.parametrize(
    "key", ["base_url", "webhook_url", "headers", "proxy", "trust", "allow", "prices", "limits", "FAL_BASE_URL"]
)
@pytest.mark.parametrize("inside", [False, True], ids=["at the top", "in params"])
def test_s27_a_job_does_not_decide_where_requests_go(key: str, inside: bool):
    job = {"flux2batch": 1, "prompt": "a boat", **({"params": {key: "x"}} if inside else {key: "x"})}
    with pytest.raises(InvalidInput) as caught:
        load(job)

    assert [problem.code for problem in caught.value.problems] == ["FB705"]
    assert caught.value.exit_code == 4
    assert "your own configuration" in str(caught.value)


# S28: a .env of somebody else's folder.


def test_s28_a_dotenv_gives_a_key_and_decides_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with Emulator() as emulator, Emulator() as stranger:
        (tmp_path / ".env").write_text(
            f"BFL_API_KEY={emulator.bfl_api_key}\nBFL_BASE_URL={stranger.bfl_base_url}\n"
            f"HTTPS_PROXY={stranger.bfl_base_url}\nHTTP_PROXY={stranger.bfl_base_url}\nSSL_CERT_FILE=/nowhere\n"
        )
        monkeypatch.chdir(tmp_path)
        monkeypatch.delenv("BFL_API_KEY")  # it would win
        monkeypatch.setenv("BFL_BASE_URL", emulator.bfl_base_url)
        before = dict(os.environ)
        with Client("bfl/flux-2-klein-4b") as client:
            client.generate("a paper boat", size="512x512")

        assert dict(os.environ) == before
        assert emulator.books.counts()["tasks"] == 1
        assert stranger.books.sightings() == {}


def test_s28_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch):
    with Emulator() as emulator, Emulator() as stranger:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, stranger.bfl_base_url)
        monkeypatch.setenv("NO_PROXY", "")
        with Client("bfl/flux-2-klein-4b", api_key=emulator.bfl_api_key, base_url=emulator.bfl_base_url) as client:
            result = client.generate("a paper boat", size="512x512")

        assert isinstance(result.task_id, str)
        assert stranger.books.sightings() == {}


def test_s28_a_netrc_does_not_replace_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with Emulator() as emulator:
        with Client("fal/flux-2", api_key=emulator.fal_key, base_url=emulator.fal_base_url) as client:
            client.generate("a paper boat", size="512x512")

        assert {key for _, key in emulator.books.sightings()} == {"fal", "none"}


# S32, as far as it is about one picture from Python: what may have been charged counts against the day.


def test_s32_the_days_limit_holds_between_calls_and_counts_what_may_be_charged(hosts: FakeHosts, tmp_path: Path):
    config = tmp_path / "config.toml"
    config.write_text("[limits]\nper_day_usd = 0.07\n")
    answers = hosts["api.bfl.ai"].answers
    with Client("bfl/flux-2-pro", api_key=CANARY, config=config, timeout=5) as client:
        answers["/v1/flux-2-pro"] = (422, {}, as_json({"detail": "no"}))
        for _ in range(3):  # refused for good: nothing of the day is taken
            with pytest.raises(RequestRejected):
                client.generate("a boat", size="512x512")
        answers["/v1/flux-2-pro"] = (500, {}, as_json({"detail": "no"}))
        for _ in range(2):  # may be charged: $0.03 each
            with pytest.raises(AnswerLost):
                client.generate("a boat", size="512x512")
        with pytest.raises(Refused, match=r"\$0.06 of today's limit of \$0.07 are spent or reserved"):
            client.generate("a boat", size="512x512")

    assert len(hosts["api.bfl.ai"].received) == 5
