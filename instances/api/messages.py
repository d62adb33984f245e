"""What answers say to people."""

CREATED_MESSAGE = "The instance is being created; its webhook or its details tell when it runs."
ACCEPTED_MESSAGE = "Accepted; its webhook or its details tell when it has come true."
