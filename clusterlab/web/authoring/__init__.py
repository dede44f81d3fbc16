"""Lessons that people write on the page: stored with their versions, shown beside a running lab, published to a class or to all."""
