"""Who owns rows and who may ask: projects, API keys, authentication."""
