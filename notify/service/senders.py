"""The named senders, by the settings."""

from __future__ import annotations

from notify.categories import SenderIdentities, SenderIdentity
from notify.contract import SenderNames
from notify.message import Channel, MailSender
from notify.settings import SenderSettings, Settings, sms_sender


def open_senders(settings: Settings) -> SenderIdentities:
    """Return the senders, with the sources whose default they are."""
    defaults = {
        (source, channel): name
        for name, options in settings.senders.items()
        for source in options.default_for
        for channel in channels_of(options)
    }
    identities = {name: sender_identity(each) for name, each in settings.senders.items()}
    return SenderIdentities(identities, defaults)


def sender_identity(options: SenderSettings) -> SenderIdentity:
    """Return one sender."""
    mail = None if options.address is None else MailSender(options.address, options.name)
    sms = None if options.sms is None else sms_sender(options.sms)
    by_country = {code: sms_sender(text) for code, text in options.sms_countries.items()}
    return SenderIdentity(mail, options.reply_to, sms, by_country)


def sender_names(settings: Settings) -> SenderNames:
    """Return the names of the senders, their sources and their channels."""
    senders = settings.senders.items()
    return SenderNames(
        sources={name: frozenset(each.sources) for name, each in senders},
        channels={name: frozenset(channels_of(each)) for name, each in senders},
    )


def channels_of(options: SenderSettings) -> list[Channel]:
    """Return the channels on which a sender can send."""
    has = {Channel.EMAIL: options.address, Channel.SMS: options.sms or options.sms_countries}
    return [channel for channel, identity in has.items() if identity]
