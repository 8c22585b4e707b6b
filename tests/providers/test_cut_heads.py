"""An answer that breaks off in its head or in its links: half an id is none, and half a link still names its host."""

from __future__ import annotations

import pytest
from raw_server import answer, serving
from test_submit_faults import BODY, ID, after_request, submit

from flux2batch.engine.events import Accepted, NotSent, Unanswered
from flux2batch.providers import transport
from flux2batch.providers.contract import Prepared
from flux2batch.providers.fal import read_submitted
from flux2batch.providers.transport import HttpRequest, HttpResponse, NoAnswer, Pool, Timeouts

QUEUE = "https://queue.fal.run/fal-ai/flux-2-pro/requests/" + ID
TOLD = f'{{"status":"IN_QUEUE","request_id":"{ID}","status_url":"{QUEUE}/status","response_url":"{QUEUE}"}}'.encode()
WHOLE = answer(200, TOLD, f"x-fal-request-id: {ID}\r\nDate: Sun, 01 Nov 2026 00:00:00 GMT\r\n")


def submit_to_fal(url: str):
    line = transport.connect(url, timeout=2)
    assert not isinstance(line, NotSent)
    request = HttpRequest(method="POST", url=f"{url}/fal-ai/flux-2-pro", headers={}, body=BODY)
    prepared = Prepared(model="fal/flux-2-pro", path="/fal-ai/flux-2-pro", body=BODY, shot_id="0" * 32)
    return read_submitted(transport.send(line, request, total=2), prepared, origin=url)


def test_an_id_of_which_half_arrived_in_a_header_is_no_id():
    in_header = WHOLE.index(ID.encode())
    whole_line = in_header + len(ID) + 2
    for cut in [*range(in_header - 20, whole_line + 3), WHOLE.index(TOLD) - 1, WHOLE.index(TOLD), len(WHOLE) - 1]:
        with serving(after_request(WHOLE[:cut])) as server:
            outcome = submit_to_fal(server.url)

        if cut < whole_line:
            assert isinstance(outcome, Unanswered), f"cut at byte {cut}: {outcome}"
        else:
            assert isinstance(outcome, Accepted), f"cut at byte {cut}: {outcome}"
            assert outcome.ticket.task_id == ID
            assert outcome.evidence == "salvaged from a cut answer"


@pytest.mark.parametrize("cut", [1, 12, 15, 17, 30])
def test_a_head_that_breaks_off_is_no_answer(cut: int):
    pool = Pool(proxy=None, timeouts=Timeouts(connect=2, total=2))
    with serving(after_request(answer(404, b"gone", "X: 1\r\n")[:cut])) as server:
        came = pool.get(server.url, headers={})
    pool.close()

    assert isinstance(came, NoAnswer), came


def test_a_head_that_came_whole_may_end_with_the_connection():
    pool = Pool(proxy=None, timeouts=Timeouts(connect=2, total=2))
    with serving(after_request(b"HTTP/1.1 200 OK\r\nX: 1\r\n\r\n")) as server:
        came = pool.get(server.url, headers={})
    pool.close()

    assert isinstance(came, HttpResponse)
    assert (came.status, came.body, came.headers["x"]) == (200, b"", "1")


def test_of_a_polling_url_that_was_cut_the_region_is_kept():
    """The base does not know the tasks of a region: asked there, a paid task would seem to be lost."""
    region = "https://api.eu2.bfl.ai"
    taken = answer(200, f'{{"id":"{ID}","polling_url":"{region}/v1/get_result?id={ID}","cost":3.0}}'.encode())
    host_ends = taken.index(region.encode()) + len(region)
    for cut, home in [(host_ends, None), (host_ends + 1, region), (host_ends + 9, region), (len(taken) - 1, region)]:
        with serving(after_request(taken[:cut])) as server:
            outcome = submit(server.url)

        assert isinstance(outcome, Accepted)
        assert outcome.ticket.poll_url == f"{home or server.url}/v1/get_result?id={ID}"
