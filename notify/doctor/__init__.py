"""
The doctor: what is wrong with an installation, each finding with the command that fixes it.

One file a subject, each with a `findings` function. It only reads, except for the probes of rights,
which RabbitMQ refuses.
"""

from notify.doctor.examine import examine
from notify.doctor.finding import Finding, Severity, findings_as_json, worst
from notify.doctor.sender_dns import DNS_PORT

__all__ = ["DNS_PORT", "Finding", "Severity", "examine", "findings_as_json", "worst"]
