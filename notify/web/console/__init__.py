"""
The console: web pages for the operators of the service, in a process of its own.

To add a page or an action (docs/console.md has more):

1. Write a handler in `pages/NAME.py`: `def holds(visit: Visit) -> View`. It runs in a thread. It
   reads through `visit.site.store` and the read models of `status`, and returns
   `View("holds.html.j2", title="Holds", values={...})`, `Redirect(path)` or `Frame(html)`.
2. Write `html/holds.html.j2`, which extends `layout.html.j2` and fills the block `main`. Anything
   inside `<div id="live">` is refreshed. Macros are in `parts.html.j2`. Nothing may be inline.
3. An action is `def release(visit: Visit) -> Answer`: it calls the use case that the CLI calls,
   with `visit.actor()`, the user and the form's `reason`. Many objects at once: return
   `confirmation(...)` until `confirmed(visit, count)`, and then `result(...)`.
4. List both in the module's `ROUTES`: `ConsolePage(path="/holds", needs=Role.VIEWER, show=holds,
   nav=Nav("Flow", "Holds"))`, `ConsoleAction(path="/holds/{id}/release", needs=Role.OPERATOR,
   act=release)`, and add `ROUTES` to `table.py`. The dispatcher checks session, role and origin.
5. Raise `FormMistake`, `Missing` or any `NotifyError`: its text is shown, with the fitting status.

Not here: logic. A handler calls use cases and read models, which the CLI calls as well.
"""

from notify.web.console.process import run_console

__all__ = ["run_console"]
