"""A value that is read now and then is never older than it may be, and seldom waited for."""

import threading
import time
from unittest.mock import patch

import pytest

from engagement_assets.serving.api.recent import Recent

NOW = "engagement_assets.serving.api.recent.time.monotonic"


def test_it_is_read_again_beside_those_who_ask():
    answers, go_on = iter(["old", "new"]), threading.Event()

    def read():
        answer = next(answers)
        assert answer == "old" or go_on.wait(10)
        return answer

    recent = Recent(read, 60.0)
    with patch(NOW, lambda: 0.0):
        assert recent() == recent() == "old"
    with patch(NOW, lambda: 90.0):
        assert recent() == recent() == "old"
        go_on.set()
        deadline = time.perf_counter() + 10
        while recent() != "new" and time.perf_counter() < deadline:
            time.sleep(0.01)
        assert recent() == "new"


def test_who_asks_after_a_long_silence_gets_none_that_is_old():
    answers = iter(["old", "new"])
    recent = Recent(lambda: next(answers), 60.0)
    with patch(NOW, lambda: 0.0):
        assert recent() == "old"
    with patch(NOW, lambda: 7_200.0):
        assert recent() == "new"


def test_a_reading_that_fails_is_tried_again():
    def read():
        tries.append(1)
        if len(tries) < 2:
            raise OSError("no disk")
        return "there"

    tries: list[int] = []
    recent = Recent(read, 60.0)
    with pytest.raises(OSError, match="no disk"):
        recent()
    assert recent() == "there"
