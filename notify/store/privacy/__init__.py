"""SQL of `notify.privacy`: erasure, retention, and sealing with a new key."""
