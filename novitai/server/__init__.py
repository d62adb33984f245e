"""The web server: uvicorn, and what it lacks for clients that nobody knows.

``__main__`` starts it, ``entry`` is the ASGI application (bodies, threads, waits and streams),
``connection`` bounds the time and memory of a client, ``environ`` reads the head of a request.
"""
