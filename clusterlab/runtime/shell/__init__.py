"""A small shell: enough of POSIX sh and busybox for the commands that teaching material gives to containers.

`parser` makes a script into instructions, `machine` runs them with all its state in one immutable record, `tools` are the commands.
"""
