"""The scene of the web processes: started, used, restarted and stopped, under their hardening."""

from __future__ import annotations

import json
from functools import partial

import httpx

from notify.message import Channel
from tests.boot.stage import WEB_USERS, Stage, as_user, request
from tests.faults.load import LANE, SOURCE
from tests.faults.stage import until

READY_WITHIN = 30.0
UNITS = [f"notify-web-{process}.service" for process in WEB_USERS]
PASSWORD = "correct horse battery"
TOKEN = "TWILIO_RECEIPTS_TOKEN=word"


def serve(stage: Stage) -> None:
    """Start the web processes, use each of them, restart them, and stop them cleanly."""
    machine = stage.machine
    for process, user in WEB_USERS.items():
        secrets = [f"NOTIFY_AMQP__URL={as_user(user, stage.broker)}"]
        secrets += [f"NOTIFY_STORE__URL={stage.store_url}"]
        secrets += [TOKEN] if process == "receipts" else []
        lines = "".join(f"{line}\n" for line in secrets)
        machine.put(f"/etc/notify/{process}.env", lines, mode=0o600)
    machine.said("systemctl", "enable", "--now", *UNITS)
    _ready(stage)
    _accept(stage)
    _sign_in(stage)
    _refuse_forged(stage)
    machine.said("systemctl", "restart", *UNITS)
    _ready(stage)
    machine.said("systemctl", "disable", "--now", *UNITS)
    for unit in UNITS:
        if (result := machine.show(unit, "Result")) != "success":
            stage.faulty.append(f"{unit} did not stop cleanly: {result}")


def _ready(stage: Stage) -> None:
    for process in WEB_USERS:
        # The console's probes are beside its metrics: its own port serves users alone.
        port = stage.ports["console"] if process == "console" else stage.web[process]
        url = f"http://127.0.0.1:{port}/readyz"
        if not until(partial(_is_ready, url), timeout=READY_WITHIN):
            stage.faulty.append(f"web {process} is not ready: {_answer(url)}")


def _is_ready(url: str) -> bool:
    return _answer(url).startswith("200")


def _answer(url: str) -> str:
    try:
        answer = httpx.get(url)
    except httpx.TransportError as error:
        return type(error).__name__
    return f"{answer.status_code} {answer.text.strip()}"


def _accept(stage: Stage) -> None:
    """Send by HTTP; then publish the same message, for the ledger of what was published."""
    made = stage.machine.said(
        *("notify", "key", "new", "--source", SOURCE, "--reason", "boot test", "--json")
    )
    message = request(list(Channel).index(Channel.EMAIL))
    body = {**json.loads(message.body), "channel": Channel.EMAIL, "lane": LANE}
    answer = httpx.post(
        f"{_address(stage, 'api')}/v1/notifications",
        json=body,
        headers={"Authorization": f"Bearer {json.loads(made)['key']}"},
    )
    if answer.status_code != 202:
        stage.faulty.append(f"the API answers {answer.status_code}: {answer.text}")
        return
    sent = stage.sandbox.messages
    if not until(lambda: bool(sent(notify_id=message.message_id)), timeout=READY_WITHIN):
        stage.faulty.append("the notification that the API accepted was not sent")
    stage.load.publish([message])


def _sign_in(stage: Stage) -> None:
    """Read the overview; the password's hash needs memory and threads, which the unit limits."""
    add = "notify user add ann --role viewer --reason 'boot test'"
    stage.machine.said("sh", "-c", f"echo '{PASSWORD}' | {add}")
    address = _address(stage, "console")
    with httpx.Client(
        base_url=address, headers={"Origin": address}, follow_redirects=True
    ) as browser:
        page = browser.post("/sign-in", data={"name": "ann", "password": PASSWORD})
    if page.status_code != 200 or f"email.{LANE}" not in page.text:
        stage.faulty.append(f"the console shows no overview after a sign-in: {page.status_code}")


def _refuse_forged(stage: Stage) -> None:
    forged = httpx.post(
        f"{_address(stage, 'receipts')}/receipts/twilio",
        data={"MessageSid": "SM1", "MessageStatus": "delivered"},
        headers={"X-Twilio-Signature": "forged"},
    )
    if forged.status_code != 403:
        stage.faulty.append(f"a forged receipt is answered with {forged.status_code}")


def _address(stage: Stage, process: str) -> str:
    return f"http://127.0.0.1:{stage.web[process]}"
