"""Shared by providers: transport, answers, access tokens, checks of options. Names no vendor."""
