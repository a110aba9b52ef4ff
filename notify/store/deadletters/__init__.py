"""SQL of `notify.deadletters`: archived letters, their search, and their replays."""
