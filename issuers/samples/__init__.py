"""Sample exports of a made-up city: a seeded generator that writes what five source systems would send, dirt included.

Nobody in here exists. Identity numbers begin with 99, which no region has.
"""
