"""The work of one worker process: claim, lease, execute, write outcomes, send heartbeats."""
