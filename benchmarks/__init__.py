"""Timings of minidl beside its peers: python -m benchmarks prints and keeps a table."""
