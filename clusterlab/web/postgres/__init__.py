"""PostgreSQL for a process that outlives it."""
