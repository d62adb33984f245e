def demo(environ): raise SystemExit(1)
