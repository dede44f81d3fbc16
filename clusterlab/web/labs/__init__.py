"""Labs: the only place where asyncio and wall time meet the model."""
