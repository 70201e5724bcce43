"""What serves all domains and needs a table: the id function, the heartbeat, the declared schedules.

Calls no domain.
"""
