"""Flow control in one worker process: what may be sent now, through whom, and how long to wait."""
