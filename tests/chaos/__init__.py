"""Chaos: whole members on Apache Kafka, killed and frozen on purpose, and a judge who reads what was published."""
