"""The discovery stage's flows: orders become windows, windows are scanned, and summaries become the inventory.

desk       the coordinator: what a command, a result or a timer changes, in one draft after the other
inventory  one project's counters, merged window by window and judged over whole columns
scanning   the worker: one window, from the Export API through the scanner to its result
"""
