"""Lessons: loader, rendering and checks. Content lies in the folder lessons/ at the top; there is no web in here."""
