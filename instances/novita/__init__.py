"""Our side of the account at Novita: call budget, holds, names, installation."""
