"""Signing in on a device without a browser (RFC 8628): a server, a container, a terminal far away.

The device shows a code; its person types it on any other device that has a browser, and says who
it is to be. Two strangers are on the other side. One starts a sign-in here and sends the code to
somebody else, who would lend him their player (§5.4, "remote phishing"): so nothing is ever
approved without a click, the page says what happens and from where it was asked for, and such a yes
counts once. The other types codes at random to lend a device a player that he watches (§5.1): codes
have 34 bits, end after ten minutes, a network has few tries, and so have all together
(`tests/attacks/test_device_phishing.py`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from mcp_multiplayer.edge.auth.authorize import Consent, Invalid, Problem, Told, Visit
from mcp_multiplayer.edge.auth.clients import Clients
from mcp_multiplayer.edge.auth.grants import USER_CODE_LENGTH, Account, Browser, Device, Grants
from mcp_multiplayer.edge.auth.passcode import Passcode
from mcp_multiplayer.edge.auth.server import NotParameters, Parameters
from mcp_multiplayer.ratelimit import RateLimit

log = logging.getLogger(__name__)

TRIES_PER_HOUR = 60  #: visits with a code that one network may make; a sign-in takes two or three
WRONG_PER_MINUTE = 600  #: codes that all networks may get wrong: in an hour one in 700,000 of all


class DeviceConsent(Consent[Device]):
    """Decides about devices. A visit's query is the code that was typed."""

    def __init__(
        self,
        clients: Clients,
        grants: Grants,
        passcode: Passcode | None,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(grants, passcode, now=now)
        self._clients = clients
        self._tries = RateLimit(TRIES_PER_HOUR, 3600, now=now)
        self._wrong = RateLimit(WRONG_PER_MINUTE, 60, now=now)

    def _validate(self, visit: Visit) -> Device:
        wait = self._tries.take(visit.sender) or self._wrong.take("all")
        if wait > 0:
            raise Invalid("Too many codes were tried. Try again later.", wait=wait)
        try:
            typed = Parameters.read(visit.query).data.get("user_code", "")
        except NotParameters as error:
            raise Invalid(str(error)) from None
        letters = "".join(sign for sign in typed.upper() if sign.isalpha())
        if len(letters) == USER_CODE_LENGTH:
            device = self._grants.waiting_device(letters, self._clients.find)
            if device:
                self._wrong.give("all")
                return device
        raise Invalid("No device waits with this code. Check it, or have the device ask anew.")

    def _decide(self, visit: Visit, request: Device, browser: Browser | None) -> None:
        """Never without a question: whoever clicked a link has not seen the device."""

    def _approve(
        self, visit: Visit, request: Device, browser: Browser | None, account: Account | None
    ) -> Told | Problem:
        given = self._grants.approve_device(
            request, browser=browser, account=account, network=visit.network
        )
        if given is None:
            return Problem(400, "The device does not wait any more. Have it ask anew.")
        log.info("%s approved a device of %s", given.account.sub, request.client.client_id)
        told = f"The device plays as {given.account.name} now. You may close this page."
        return Told(told, given.cookie or visit.cookie)

    def _deny(self, request: Device) -> Told:
        self._grants.deny_device(request)
        return Told("The device was told no. You may close this page.")

    def _refuse(self, error: Invalid) -> Problem:
        log.info("refused a device's code: %s", error)
        return Problem(429 if error.wait else 400, str(error), wait=error.wait)
