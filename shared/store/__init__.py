"""Firestore and SQLite behind the ports."""
