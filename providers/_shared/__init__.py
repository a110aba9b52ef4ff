"""What providers share: transport, answers, access tokens, checks of options. Names no vendor."""
