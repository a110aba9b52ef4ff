"""The roles of the console's users."""

from __future__ import annotations

import enum


class Role(enum.StrEnum):
    """A user's rights; each role has the rights of those before it."""

    VIEWER = "viewer"
    """May read every page, without personal data."""
    OPERATOR = "operator"
    """May act on messages, holds and circuits, and reveal personal data with a reason."""
    ADMIN = "admin"
    """May also change limits, caps and the suppression list, by a plan as well."""

    def covers(self, needed: Role) -> bool:
        """Return whether this role has the rights of *needed*."""
        order = list(Role)
        return order.index(self) >= order.index(needed)

    @classmethod
    def best(cls, roles: list[Role]) -> Role | None:
        """Return the role with the most rights, None of none."""
        return max(roles, key=list(cls).index, default=None)
