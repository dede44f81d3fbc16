"""A class: an instructor and learners who joined with a code, on one lab or on copies of it. docs/classroom.md tells the whole of it."""
