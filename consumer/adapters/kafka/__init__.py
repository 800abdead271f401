"""Kafka: one thread that owns the consumer and the transactional producer."""
