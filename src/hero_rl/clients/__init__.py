"""Clients of servers that speak HTTP: retries, breakers, OpenAI's protocol."""
