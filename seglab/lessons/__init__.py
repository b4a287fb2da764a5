"""Lessons: questions whose answers are measured, the runs that answer them, and what students take away."""
