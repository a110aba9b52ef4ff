"""Commands on single notifications: `ls`, `show`, `cancel`, `resolve`; and `migrate`."""
