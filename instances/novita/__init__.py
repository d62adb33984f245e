"""This service's side of the account at Novita: limiter, holds, name signing, installation."""
