"""The PII scanner: bytes of Amplitude exports in, findings per field out. Knows no Kafka, no HTTP, no Amplitude.

    scan_text(text, field=None)         -> list[Finding]: what and where in one text
    scan_file(path, processes=None)     -> Summary: what a whole export holds, field by field

Errors are `ScanError`s. No value is in findings, summaries or errors.
"""

from scanner.api import scan_file, scan_text
from scanner.errors import ScanError
from scanner.findings import Finding, Grade, Reason

__all__ = ["Finding", "Grade", "Reason", "ScanError", "scan_file", "scan_text"]
