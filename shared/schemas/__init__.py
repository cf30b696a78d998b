"""The JSON of requests, answers, events and problems."""
