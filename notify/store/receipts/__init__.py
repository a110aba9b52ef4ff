"""The SQL of receipts: the intake's inbox, and the application of receipts to notifications."""
