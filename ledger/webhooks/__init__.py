"""Telling institutions what has become final, by signed requests to addresses of theirs (Standard Webhooks).

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""
