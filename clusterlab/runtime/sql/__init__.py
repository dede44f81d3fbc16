"""Databases that containers hold: MySQL, MariaDB and PostgreSQL as their command-line clients show them, on SQLite in memory."""
