"""Hands and eyes: one table of verbs for people and programs, and the documents that tell what a charger is doing.

HTTP, ``chargepoint ctl`` and JSON lines are made from `commands.COMMANDS`; no verb waits for the central system.
"""
