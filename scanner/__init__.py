"""The PII scanner: bytes of Amplitude exports in, findings per field out. Knows no Kafka, no HTTP, no Amplitude."""
