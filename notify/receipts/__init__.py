"""
The later story of a sent message: vendors' receipts and producers' feedback.

Intake (verify, publish, answer), and application (match, record, derive the status). Each module is
imported by itself, since the process of the intake needs nothing of the application. Not here: the
vendors' formats and signatures (`providers`), HTTP (`web`), SQL (`store.receipts`), and who must
not be written to (`suppression`).
"""
