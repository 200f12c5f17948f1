"""Bringing data here: listed, resumed, verified, recorded. See `ansatz.hub.transfer.fetch`."""
