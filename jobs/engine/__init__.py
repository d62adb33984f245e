"""What one worker process does: claim, lease, execute, write down, keep alive."""
