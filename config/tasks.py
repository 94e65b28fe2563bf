"""The periodic sweep lives with the worker; see config/management/commands/worker.py."""
