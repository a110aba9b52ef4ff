"""The doctor's findings on sender domains, asked of a DNS server of the test's own."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from notify.doctor import Finding, Severity, deliverability
from notify.doctor.sender_dns import SenderDns
from notify.settings import Settings
from tests.support.name_server import NameServer
from tests.support.patience import PATIENCE
from tests.support.tables import each_of

KEY = base64.b64encode(
    generate_private_key(65537, 2048)
    .public_key()
    .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
).decode()
EDWARDS = base64.b64encode(
    Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
).decode()
SHOP = "shop.acme-mail.net"
GOOD: Mapping[str, list[str]] = {
    SHOP: ["unrelated", "v=spf1 include:sendgrid.net ~all"],
    "sendgrid.net": ["v=spf1 ip4:167.89.0.0/17 ~all"],
    f"s1._domainkey.{SHOP}": ["CNAME s1.domainkey.u1.wl.sendgrid.net"],
    f"s2._domainkey.{SHOP}": ["CNAME s1.domainkey.u1.wl.sendgrid.net"],
    "s1.domainkey.u1.wl.sendgrid.net": [f"k=rsa; t=s; p={KEY}"],
    "_dmarc.acme-mail.net": ["v=DMARC1; p=reject; sp=quarantine; rua=mailto:d@acme-mail.net"],
}
SETTINGS: dict[str, Any] = {
    "receipts": {"public_url": "https://notify.acme-mail.net"},
    "channels": {"email": {"providers": ["sendgrid"]}},
    "providers": {
        "sendgrid": {
            "use": "providers.sendgrid:SendGrid",
            "options": {"sender": f"no-reply@{SHOP}"},
            "receipts": {
                "use": "providers.sendgrid:SendGridReceipts",
                "options": {"keys": ["k"]},
            },
        }
    },
}


def look(zone: Mapping[str, list[str]], settings: Mapping[str, Any] = SETTINGS) -> list[Finding]:
    """Return the findings with these records."""
    with NameServer(zone) as server:
        return list(
            deliverability.findings(
                Settings.model_validate(settings), dns=SenderDns(server.address, lifetime=PATIENCE)
            )
        )


def bad(findings: list[Finding], check: str) -> list[tuple[Severity, str]]:
    """Return what is wrong in one check; each has a fix."""
    wrong = [each for each in findings if each.verdict in (Severity.WARN, Severity.FAIL)]
    assert all(each.fix for each in wrong)
    return [(each.verdict, each.found) for each in wrong if each.check == check]


def test_a_domain_in_order_has_no_finding_against_it() -> None:
    """The keys are aliases of the vendor's, and the policy is that of the domain above."""
    findings = look(GOOD)
    assert {each.verdict for each in findings} == {Severity.OK}
    texts = [each.found for each in findings]
    assert f"{SHOP}: one record, 1 look-ups, includes the vendor" in texts
    assert f"{SHOP}: policy quarantine at _dmarc.acme-mail.net" in texts
    assert f"{SHOP}: keys s1, s2, aligned with its From addresses" in texts


MANY = " ".join(f"include:i{number}.acme-mail.net" for number in range(11))
CHAIN = {f"c{n}.acme-mail.net": [f"v=spf1 include:c{n + 1}.acme-mail.net ~all"] for n in range(12)}


@each_of(
    ("record", "more", "verdict", "text"),
    [
        ([], {}, Severity.WARN, "has no SPF record"),
        (["v=spf10 ~all"], {}, Severity.WARN, "has no SPF record"),
        (["v=spf1 ~all", "v=spf1 -all"], {}, Severity.FAIL, "has 2 SPF records"),
        ([f"v=spf1 {MANY} ~all"], {}, Severity.FAIL, "more than 10 look-ups"),
        (["v=spf1 include:c0.acme-mail.net ~all"], CHAIN, Severity.FAIL, "more than 10 look-ups"),
        (["v=spf1 include:sendgrid.net +all"], {}, Severity.FAIL, "permits every server"),
        (["v=spf1 include:sendgrid.net all"], {}, Severity.FAIL, "permits every server"),
        (["v=spf1 ip4:192.0.2.1 -all"], {}, Severity.WARN, "does not include sendgrid.net"),
        ([f"v=spf1 include:{SHOP} -all"], {}, Severity.WARN, "does not include sendgrid.net"),
    ],
)
def test_spf(
    record: list[str], more: Mapping[str, list[str]], verdict: Severity, text: str
) -> None:
    """RFC 7208: one record, at most ten look-ups; and it has to permit the vendor."""
    ((found, why),) = bad(look({**GOOD, **more, SHOP: record}), "spf")
    assert found is verdict
    assert text in why


@pytest.mark.parametrize(
    "record",
    [
        "v=spf1 include:SendGrid.NET. ~all",
        "V=SPF1 redirect=sendgrid.net",
        "v=spf1 ?include:u1.wl.sendgrid.net ~all",
        "v=spf1 a mx ptr exists:a.b include:sendgrid.net -all",
    ],
)
def test_spf_that_permits_the_vendor(record: str) -> None:
    """In any spelling."""
    assert bad(look({**GOOD, SHOP: [record]}), "spf") == []


def test_spf_of_the_return_path_counts_where_the_vendor_uses_one() -> None:
    """With SendGrid's automated security the From domain itself needs no record."""
    settings = {
        **SETTINGS,
        "deliverability": {"return_paths": {SHOP: "em1.acme-mail.net"}},
    }
    zone = {**GOOD, SHOP: [], "em1.acme-mail.net": ["v=spf1 include:sendgrid.net -all"]}
    assert bad(look(zone, settings), "spf") == []
    ((verdict, why),) = bad(look({**zone, "em1.acme-mail.net": []}, settings), "spf")
    assert verdict is Severity.FAIL
    assert "the return path" in why


@each_of(
    ("first", "second", "verdicts", "text"),
    [
        ([], [], [Severity.FAIL, Severity.FAIL], "has no DKIM key"),
        ([f"p={KEY}"], [], [Severity.WARN], "s2._domainkey.shop.acme-mail.net has no DKIM key"),
        ([f"p={KEY}"], ["v=DKIM1; p="], [Severity.WARN], "revoked"),
        ([f"p={KEY}"], ["p=!!"], [Severity.WARN], "cannot be read"),
        ([f"p={KEY}"], [f"p={KEY}", f"k=rsa; p={KEY}"], [Severity.WARN], "several"),
        ([f"v=DKIM1; k=ed25519; p={EDWARDS}"], [f"p={KEY}"], [], ""),
    ],
)
def test_dkim(first: list[str], second: list[str], verdicts: list[Severity], text: str) -> None:
    """One usable key signs the mail; a second one that is broken is a warning."""
    keys = {f"s1._domainkey.{SHOP}": first, f"s2._domainkey.{SHOP}": second}
    found = bad(look({**GOOD, **keys}), "dkim")
    assert [verdict for verdict, _ in found] == verdicts
    assert all(text in why for _, why in found)


@each_of(
    ("records", "verdict", "text"),
    [
        ([], Severity.FAIL, "has no DMARC record"),
        (["v=DMARC1; p=none", "v=DMARC1; p=reject"], Severity.FAIL, "has 2 DMARC records"),
        (["v=DMARC1; rua=mailto:x@y.z"], Severity.FAIL, "has no policy"),
        (["v=DMARC1; p=maybe"], Severity.FAIL, "has no policy"),
        (["v=DMARC1; p=none"], Severity.WARN, "no reports are asked for"),
        (["v=DMARC1; p=none; rua=mailto:x@y.z"], None, ""),
    ],
)
def test_dmarc(records: list[str], verdict: Severity | None, text: str) -> None:
    """Gmail and Yahoo want a policy, p=none at least, from senders of bulk mail."""
    zone = {**GOOD, f"_dmarc.{SHOP}": records, "_dmarc.acme-mail.net": []}
    found = bad(look(zone), "dmarc")
    assert [each for each, _ in found] == ([] if verdict is None else [verdict])
    assert all(text in why for _, why in found)


def test_a_dns_that_is_silent_costs_one_wait() -> None:
    """Every domain is reported as not checked; the doctor does not hang."""
    settings = {
        **SETTINGS,
        "categories": {"news": {"sender": "news@other.acme-mail.net"}},
    }
    with NameServer(GOOD, silent=True) as server:
        found = list(
            deliverability.findings(
                Settings.model_validate(settings), dns=SenderDns(server.address, lifetime=0.5)
            )
        )
    silent = bad(found, "deliverability")
    assert [verdict for verdict, _ in silent] == [Severity.WARN, Severity.WARN]
    assert all("is not checked: the DNS did not answer within 0.5 s" in why for _, why in silent)
    # A second question would be a second wait. A busy machine may not send the first one in time.
    assert len(set(server.asked)) <= 1
    assert {each.verdict for each in found if each.check != "deliverability"} == set()


def test_a_dns_that_fails_is_not_taken_for_missing_records() -> None:
    """SERVFAIL says nothing about a record."""
    with NameServer(GOOD, broken=True) as server:
        dns = SenderDns(server.address, lifetime=PATIENCE)
        found = list(deliverability.findings(Settings.model_validate(SETTINGS), dns=dns))
    ((verdict, why),) = bad(found, "deliverability")
    assert verdict is Severity.WARN
    assert "is not checked" in why


def test_every_sender_domain_is_checked_once() -> None:
    """Providers' and categories', in any case of letters."""
    settings = {
        **SETTINGS,
        "categories": {
            "news": {"sender": "news@other.acme-mail.net"},
            "code": {"sender": f"code@{SHOP.upper()}"},
        },
    }
    domains = deliverability.sender_domains(Settings.model_validate(settings))
    assert domains == ["other.acme-mail.net", SHOP]


def test_a_reserved_domain_is_not_asked_for() -> None:
    """The example's sender delivers no mail: there is nothing to find, and no warning."""
    settings: dict[str, Any] = {
        "channels": {"email": {"providers": ["a"]}},
        "providers": {"a": {"use": "m:A", "options": {"sender": "no-reply@sandbox.test"}}},
    }
    with NameServer({}) as server:
        dns = SenderDns(server.address, lifetime=PATIENCE)
        (found,) = deliverability.findings(Settings.model_validate(settings), dns=dns)
        assert found.verdict is Severity.UNCHECKED
        assert server.asked == []
        read = Settings.model_validate(settings)
        more = list(deliverability.findings(read, dns=dns, test_domains=True))
        assert any(each.check == "dkim" for each in more)
        assert "_dmarc.sandbox.test" in server.asked


def changed(**receipts: Any) -> dict[str, Any]:
    """Return the settings with another reader of receipts."""
    sendgrid = {**SETTINGS["providers"]["sendgrid"], **receipts}
    return {**SETTINGS, "providers": {"sendgrid": sendgrid}}


@pytest.mark.parametrize(
    ("settings", "verdict", "text"),
    [
        (changed(receipts=None), Severity.WARN, "reports no bounces and complaints"),
        (changed(receipts={"use": "m:R"}), Severity.FAIL, "no key to verify them"),
        (changed(receipts={"use": "m:R", "options": {"keys": []}}), Severity.FAIL, "no key"),
        ({**SETTINGS, "receipts": {}}, Severity.WARN, "receipts.public_url is not set"),
        (
            {**SETTINGS, "receipts": {"public_url": "http://n.acme-mail.net"}},
            Severity.FAIL,
            "is not https",
        ),
    ],
)
def test_the_way_back_for_bounces(
    settings: Mapping[str, Any], verdict: Severity, text: str
) -> None:
    """Without it, a dead mailbox is written to until the domain's reputation is gone."""
    ((found, why),) = bad(look(GOOD, settings), "deliverability")
    assert found is verdict
    assert text in why


def test_a_subscription_shows_its_list() -> None:
    """One line each, with the List-Id in force and the From."""
    settings = {
        **SETTINGS,
        "categories": {"news": {"subscription": True, "sender": f"news@{SHOP}"}, "code": {}},
    }
    texts = [each.found for each in look(GOOD, settings) if each.verdict is Severity.OK]
    expected = f"news: one click, List-Id news.notify.acme-mail.net, from news@{SHOP}"
    assert expected in texts
    assert not any(text.startswith("code:") for text in texts)
