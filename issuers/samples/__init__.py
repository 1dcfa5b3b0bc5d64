"""Sample exports of a made-up city: a seeded generator that writes what five source systems would send, dirt included.

All persons in here are made up. Identity numbers begin with 99, which no region has.
"""
