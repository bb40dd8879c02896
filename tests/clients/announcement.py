"""Where the sandbox is and how to get in."""

import json
import os
import time

with open(os.environ["SANDBOX_ANNOUNCEMENT"], encoding="utf-8") as file:
    ANNOUNCEMENT = json.load(file)
CERTIFICATE = os.environ["SANDBOX_CERTIFICATE"]
SALESFORCE = ANNOUNCEMENT["salesforce"]
HUBSPOT = ANNOUNCEMENT["hubspot"]


def equal(found, expected, what):
    """Fails with both values; unlike `assert` it cannot be switched off."""
    if found != expected:
        raise AssertionError(f"{what}: {found!r} instead of {expected!r}")


def true(holds, what):
    """Fails with what should have been."""
    if not holds:
        raise AssertionError(what)


def eventually(ask, holds, what):
    """Asks until the answer is as it should be: HubSpot shows what was written after a while. Gives the answer."""
    deadline = time.monotonic() + 120
    while True:
        answer = ask()
        if holds(answer):
            return answer
        true(time.monotonic() < deadline, what)
        time.sleep(1)
